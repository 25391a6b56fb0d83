package stubtest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"headgate.dev/e2e/apistub"
	"headgate.dev/e2e/harness"
)

// Whatever comes out of a watch, it is opened again where the last whole event
// ended.
func TestGarbageInAWatch(t *testing.T) {
	for name, text := range map[string]string{
		"not JSON":        "{]]]\n",
		"HTML":            "<html>502 Bad Gateway</html>",
		"deep nesting":    `{"type":"ADDED","object":` + strings.Repeat(`{"a":`, 2000) + "\n",
		"no object":       `{"type":"ADDED"}` + "\n",
		"an unknown type": `{"type":"SURPRISE","object":{"metadata":{"resourceVersion":"1"}}}` + "\n",
		"bytes":           "\x00\xff\xfe\n",
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, 3)
			for i, kind := range []apistub.Kind{apistub.Ingress, apistub.EndpointSlice} {
				route := r.routes[i]
				r.replacePods(route, r.put)
				r.put(route.ingress())
				if n := r.stub.Send(kind, []byte(text)); n != 1 {
					t.Fatalf("%d watches on %s", n, kind)
				}
				r.awaitRequests(kind, apistub.Watch, 1)
				r.awaitWatches()
			}
			r.wantLists(0, watched...)
			r.wantTouched(r.routes[0].name, r.routes[1].name)
			r.fence()
			r.end()
		})
	}
}

// An event that breaks off in the middle is not applied, and is not lost.
func TestTruncatedEvent(t *testing.T) {
	r := start(t, 2)
	for range 3 {
		r.awaitWatches()
		r.replacePods(r.routes[0], func(object any) { r.stub.Truncate(t, object) })
	}
	fresh := r.newRoute("fresh")
	objects := fresh.objects()
	for _, object := range objects {
		r.awaitWatches()
		r.stub.Truncate(t, object)
	}
	r.awaitPods(fresh)
	r.awaitWatches()
	r.fence()
	r.wantLists(0, watched...)
	r.wantTouched(r.routes[0].name, "fresh")
	r.end()
}

// broken is an object whose spec (or other member) has the wrong type.
func broken(t *testing.T, object any, member string, value any) json.RawMessage {
	t.Helper()
	text, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	content := map[string]any{}
	if err := json.Unmarshal(text, &content); err != nil {
		t.Fatal(err)
	}
	content[member] = value
	if text, err = json.Marshal(content); err != nil {
		t.Fatal(err)
	}
	return text
}

// An object that can't be read keeps its last good version, in a watch as in a
// list, and the log names it.
func TestUnreadableObjectKeepsItsLastGoodVersion(t *testing.T) {
	r := start(t, 3)
	from := len(r.h.Log())
	ingress, slice := r.routes[0].ingress(), r.routes[1].slice()
	ingress.Kind, slice.Kind = "Ingress", "EndpointSlice"
	r.stub.Put(t,
		broken(t, ingress, "spec", map[string]any{"ingressClassName": className, "rules": "none"}),
		broken(t, slice, "endpoints", 7))
	for kind, name := range map[string]string{"Ingress": ingress.Name, "EndpointSlice": slice.Name} {
		r.h.WaitLog(t, from, "level=warn", "kind="+kind, "namespace="+namespace, "name="+name)
	}
	r.fence()
	r.stub.ExpireWatches(true)
	for _, kind := range watched {
		r.awaitRequests(kind, apistub.List, 1)
	}
	r.awaitWatches()
	r.fence()
	r.wantTouched()

	// Mended, they are taken up again.
	r.replacePods(r.routes[1], r.put)
	ingress.Spec.Rules[0].Host = "mended.example"
	ingress.Spec.Rules = append(ingress.Spec.Rules, r.routes[0].ingress().Spec.Rules[0])
	r.stub.Put(t, ingress)
	harness.WantPod(t, r.h.HTTP, "mended.example", "/", r.routes[0].ips...)
	r.wantTouched(r.routes[1].name, "mended")
	for _, kind := range watched {
		if n := r.h.Metrics(t).Sum("headgate_lists_total", fmt.Sprintf("kind=%q", kind)); n != 2 {
			t.Errorf("%v lists of %s, want 2", n, kind)
		}
	}
	r.end()
}
