package conformance

import (
	"reflect"
	"strings"
	"testing"
)

func TestParseRequests(t *testing.T) {
	got, err := ParseRequests(`
		# left out
		GET http://A.test:81/x//%41?q -> web
		3 x POST https://a.test -> other/web, every pod, headers Date Server
		GET http://a.test/ version=1.0 -> 400|404
		GET https://a.test/ sni= host=b.test target=* -> 308 https://a.test/, certificate c.test
		GET http://a.test/ header=A:b=c -> web, sees A=b=c B=`, "ns")
	want := []Request{
		{Times: 1, Method: "GET", Target: "/x//%41?q", Host: "A.test:81", HasHost: true, Version: "1.1", SNI: "a.test", Service: "ns/web"},
		{Times: 3, Method: "POST", IsTLS: true, Target: "/", Host: "a.test", HasHost: true, Version: "1.1", SNI: "a.test",
			Service: "other/web", EveryPod: true, Headers: []string{"Date", "Server"}},
		{Times: 1, Method: "GET", Target: "/", Host: "a.test", Version: "1.0", SNI: "a.test", Statuses: []int{400, 404}},
		{Times: 1, Method: "GET", IsTLS: true, Target: "*", Host: "b.test", HasHost: true, Version: "1.1",
			Statuses: []int{308}, Location: "https://a.test/", Certificate: "c.test"},
		{Times: 1, Method: "GET", Target: "/", Host: "a.test", HasHost: true, Version: "1.1", SNI: "a.test",
			Service: "ns/web", Sends: []string{"A:b=c"}, Sees: []string{"A=b=c", "B="}},
	}
	if err != nil || len(got) != len(want) {
		t.Fatalf("%+v (%v)", got, err)
	}
	for i := range want {
		got[i].Text = ""
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("have %+v\nwant %+v", got[i], want[i])
		}
	}
	for _, bad := range []string{
		"GET http://a.test/", "GET -> web", "GET a.test -> web", "GET http://a.test/ -> ", "many x GET http://a.test/ -> web",
		"GET http://a.test/ no=1 -> web", "GET http://a.test/ -> web, quickly",
	} {
		if _, err := ParseRequests(bad, "ns"); err == nil || !strings.Contains(err.Error(), bad[:4]) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
