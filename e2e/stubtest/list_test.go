package stubtest

import (
	"fmt"
	"testing"

	"headgate.dev/e2e/apistub"
	"headgate.dev/e2e/harness"
)

// pageSize is what the controller asks for.
const pageSize = 500

// twoPages is Ingresses that fill more than a page, all of one Service.
func twoPages(r *route) []any {
	var ingresses []any
	for i := range pageSize + 100 {
		name := fmt.Sprintf("page-%03d", i)
		ingresses = append(ingresses, harness.Ingress(namespace, name, harness.Class(className),
			harness.Rule(name+".example", "/", r.name+":80")))
	}
	return ingresses
}

// The second page is refused, or breaks off: what it would have held stays, and
// what is really gone goes once a list is complete.
func TestBrokenListRemovesNothing(t *testing.T) {
	for name, test := range map[string]struct {
		fault apistub.Fault
		pages int // asked for in all
	}{
		"410 on a continue token": {apistub.Fault{Status: 410}, 2 + 2},
		"cut in the middle":       {apistub.Fault{CutAt: 20000}, 2 + 1},
		"cut, then 500":           {apistub.Fault{CutAt: 20000}, 2 + 2},
	} {
		t.Run(name, func(t *testing.T) {
			r := prepare(t, 1)
			ingresses := twoPages(r.routes[0])
			r.stub.Put(t, ingresses...)
			for i := 0; i < len(ingresses); i += 25 {
				// Under traffic as well, from both pages.
				r.routes = append(r.routes, &route{name: fmt.Sprintf("page-%03d", i), set: r.routes[0].set})
			}
			r.run()

			fault := test.fault
			fault.Kind, fault.Verb, fault.Skip = apistub.Ingress, apistub.List, 1
			r.stub.Inject(fault)
			if name == "cut, then 500" {
				r.stub.Inject(apistub.Fault{Kind: apistub.Ingress, Verb: apistub.List, Skip: 1, Status: 500})
			}
			r.stub.ExpireWatches(true)
			deleted := ingresses[len(ingresses)-2] // on page 2, and not under traffic
			r.stub.Delete(t, deleted)
			gone := fmt.Sprintf("page-%03d", len(ingresses)-2)

			harness.WantStatus(t, r.h.HTTP, gone+".example", "/", 404)
			r.awaitWatches()
			r.fence()
			r.wantTouched(gone)
			r.wantLists(test.pages, apistub.Ingress)
			if n := r.h.Metrics(t).Sum("headgate_lists_total", `kind="Ingress"`); n != 2 {
				t.Errorf("%v complete lists, want 2", n)
			}
			r.end()
		})
	}
}

// A 200 that is no list must not count as an empty one.
func TestGarbageIsNoList(t *testing.T) {
	answers := map[string]struct{ contentType, body string }{
		"HTML":            {"text/html", "<html><body>Sign in</body></html>"},
		"a Status":        {"", `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success"}`},
		"another list":    {"", `{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"5"},"items":[]}`},
		"half a list":     {"", `{"kind":"IngressList","metadata":{"resourceVersion":"5"},"items":[`},
		"no version":      {"", `{"kind":"IngressList","metadata":{},"items":[]}`},
		"nothing":         {"", "\n"},
		"broken in items": {"", `{"kind":"IngressList","metadata":{"resourceVersion":"5"},"items":[{]}`},
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			r := start(t, 3)
			r.stub.Garbage(apistub.Ingress, apistub.List, answer.contentType, answer.body, 1)
			r.stub.ExpireWatches(true)
			r.awaitRequests(apistub.Ingress, apistub.List, 1)
			r.changePods(r.routes[0], r.put) // others go on
			r.awaitPods(r.routes[0])
			r.awaitRequests(apistub.Ingress, apistub.List, 2)
			r.awaitWatches()
			r.fence()
			r.wantTouched(r.routes[0].name)
			r.wantLists(2, apistub.Ingress)
			r.end()
		})
	}
}
