package stubtest

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"headgate.dev/e2e/apistub"
	"headgate.dev/e2e/harness"
)

const (
	writeLease   = "leader"
	writeAddress = "192.0.2.1"
	// Of the Lease: it is renewed every 4 s, and held for 20 s without an answer.
	writeSeconds = "30"
)

// writeFaults is what can happen to a write, and what has to become of it.
var writeFaults = []struct {
	name  string
	fault apistub.Fault
	// Requests that a write of a status takes, at least and at most, the faulty ones
	// included: when a write was carried out that was not answered, it depends on
	// what is heard first.
	atLeast, atMost int
	// The same of an Event, for which 409 says that it is there already.
	events, objects int
}{
	{"conflict", apistub.Fault{Status: http.StatusConflict, Times: 2}, 3, 3, 1, 0},
	{"too many requests", apistub.Fault{Status: http.StatusTooManyRequests, Times: 2}, 3, 3, 3, 1},
	{"too many requests, retry after", apistub.Fault{Status: http.StatusTooManyRequests, RetryAfter: 2, Times: 2}, 3, 3, 3, 1},
	{"internal error", apistub.Fault{Status: http.StatusInternalServerError, Times: 2}, 3, 3, 3, 1},
	{"unavailable, retry after", apistub.Fault{Status: http.StatusServiceUnavailable, RetryAfter: 1, Times: 3}, 4, 4, 4, 1},
	{"no JSON", apistub.Fault{Status: http.StatusBadGateway, Body: []byte("<html>"), ContentType: "text/html", Times: 1}, 2, 2, 2, 1},
	{"connection closed", apistub.Fault{Hangup: true, Times: 2}, 3, 3, 3, 1},
	{"connection closed behind it", apistub.Fault{Hangup: true, Carried: true, Times: 1}, 1, 2, 2, 1},
	{"answer cut", apistub.Fault{CutAt: 20, Times: 1}, 1, 2, 2, 1},
}

// TestWrites has writes of status and Events fail in every way, one object at a
// time: each is written in the end, once, and nobody is asked more often than
// needed.
func TestWrites(t *testing.T) {
	r := startWriter(t)
	for i, f := range writeFaults {
		good, bad := r.newRoute(fmt.Sprintf("good%d", i)), fmt.Sprintf("bad%d", i)
		fault := f.fault
		fault.Kind, fault.Verb = apistub.Ingress, apistub.Patch
		r.forget()
		r.stub.Inject(fault)
		r.stub.Put(t, good.objects()...)
		r.wantStatus(good.name)
		r.settle()
		requests := r.since(apistub.Ingress, apistub.Patch)
		if n := len(requests) - 1; n < f.atLeast || n > f.atMost { // one is settle's
			t.Errorf("%s: %d writes of status, want %d to %d", f.name, n, f.atLeast, f.atMost)
		}
		r.wantPauses(f.name, requests, fault.RetryAfter)
		// Put, and changed by the write: one that was there already changes nothing.
		if n := r.stub.Versions(apistub.Ingress, namespace, good.name); n != 2 {
			t.Errorf("%s: the Ingress has had %d versions, want 2", f.name, n)
		}

		before := len(r.stub.All(apistub.Event))
		fault.Kind, fault.Verb = apistub.Event, apistub.Create
		r.forget()
		r.stub.Inject(fault)
		r.stub.Put(t, harness.Ingress(namespace, bad, harness.Class(className), harness.Rule(bad+".example", "/", "missing:80")))
		events := r.awaitRequests(apistub.Event, apistub.Create, f.events)
		r.stub.Heal()
		r.sayMore()
		events = r.since(apistub.Event, apistub.Create)
		if n := len(events) - 1; n != f.events { // one is sayMore's
			t.Errorf("%s: %d writes of the Event, want %d", f.name, n, f.events)
		}
		r.wantPauses(f.name, events, fault.RetryAfter)
		if n := len(r.stub.All(apistub.Event)) - before - 1; n != f.objects {
			t.Errorf("%s: %d Events, want %d", f.name, n, f.objects)
		}
	}
	r.wantLeader()
	r.wantLists(0, watched...)
	r.end()
}

// TestLeaseWrites has renewals of the Lease fail: its holder stays the holder, and
// doesn't ask more often.
func TestLeaseWrites(t *testing.T) {
	r := startWriter(t)
	for _, f := range writeFaults {
		fault := f.fault
		fault.Kind, fault.Verb = apistub.Lease, apistub.Patch
		fault.Times = 1 // well within the time for which it is held
		r.forget()
		r.stub.Inject(fault)
		version := r.leaseVersion()
		harness.Eventually(t, "a renewal after: "+f.name, func() error {
			if have := r.leaseVersion(); have == version || r.stub.Faults() != 0 {
				return fmt.Errorf("version %v", have)
			}
			return nil
		})
		// A failure, a look at whose it is, a renewal, and whatever came before and after.
		if n := r.stub.Count(apistub.Lease, ""); n > 6 {
			t.Errorf("%s: %d requests for the Lease", f.name, n)
		}
	}
	// It still writes.
	r.settle()
	r.wantLeader()
	r.end()
}

// TestOutageOfWrites has every write refused while a hundred of them wait: the
// server is asked now and then, not once for each; afterwards all are written.
func TestOutageOfWrites(t *testing.T) {
	const routes, atOnce, pauses = 100, 8, 3
	r := startWriter(t)
	r.forget()
	r.stub.Inject(apistub.Fault{Kind: apistub.Ingress, Verb: apistub.Patch, Status: http.StatusServiceUnavailable, Times: -1})
	for i := range routes {
		name := fmt.Sprintf("outage%d", i)
		r.stub.Put(t, harness.Ingress(namespace, name, harness.Class(className), harness.Rule(name+".example", "/", r.routes[0].name+":80")))
	}
	r.fence()
	requests := r.awaitRequests(apistub.Ingress, apistub.Patch, atOnce*pauses+1)
	for i, request := range requests {
		// Waits are half a second at least, and double.
		pause := time.Duration(1<<(i/atOnce)-1) * 400 * time.Millisecond
		if took := request.At.Sub(requests[0].At); took < pause {
			t.Errorf("request %d came after %v, want %v at least", i+1, took, pause)
		}
	}
	r.stub.Heal()
	for i := range routes {
		r.wantStatus(fmt.Sprintf("outage%d", i))
	}
	n := 0
	for _, request := range r.since(apistub.Ingress, apistub.Patch) {
		if request.Status == http.StatusOK {
			n++
		}
	}
	if n != routes+1 { // and the fence's
		t.Errorf("%d writes were carried out, want %d", n, routes+1)
	}
	r.wantLeader()
	r.end()
}

// startWriter brings up a controller that holds the Lease and has written the
// status of its one route.
func startWriter(t *testing.T) *rig {
	t.Helper()
	r := prepare(t, 1)
	r.run("--lease="+namespace+"/"+writeLease, "--lease-duration="+writeSeconds, "--publish-address="+writeAddress)
	r.wantStatus(r.routes[0].name)
	return r
}

func (r *rig) statusOf(name string) any {
	status, _ := r.stub.Object(apistub.Ingress, namespace, name)["status"].(map[string]any)
	balancer, _ := status["loadBalancer"].(map[string]any)
	return balancer["ingress"]
}

func (r *rig) wantStatus(name string) {
	r.t.Helper()
	want := []any{map[string]any{"ip": writeAddress}}
	harness.Eventually(r.t, "the status of "+name, func() error {
		if have := r.statusOf(name); !reflect.DeepEqual(have, want) {
			return fmt.Errorf("%v, want %v", have, want)
		}
		return nil
	})
}

// settle has one more status written. What waited before it has been written, or
// is not going to be.
func (r *rig) settle() {
	r.t.Helper()
	r.awaitWatches() // an echo comes over a connection that may have been closed
	r.fence()
	r.wantStatus(fmt.Sprintf("fence%d", r.fences))
}

// sayMore has one more Event written, in the same way.
func (r *rig) sayMore() {
	r.t.Helper()
	before := len(r.stub.All(apistub.Event))
	r.fences++
	name := fmt.Sprintf("fence%d", r.fences)
	r.stub.Put(r.t, harness.Ingress(namespace, name, harness.Class(className), harness.Rule(name+".example", "/", "missing:80")))
	harness.Eventually(r.t, "another Event", func() error {
		for _, event := range r.stub.All(apistub.Event) {
			if regarding, _ := event["regarding"].(map[string]any); regarding["name"] == name {
				return nil
			}
		}
		return fmt.Errorf("%d Events, were %d", len(r.stub.All(apistub.Event)), before)
	})
}

// wantPauses demands that after each refusal the server had the peace that it had
// asked for.
func (r *rig) wantPauses(name string, requests []apistub.Request, seconds int) {
	r.t.Helper()
	for i, request := range requests[1:] {
		refused := requests[i]
		if pause := request.At.Sub(refused.At); refused.Status >= 400 && pause < time.Duration(seconds)*time.Second {
			r.t.Errorf("%s: asked again after %v, want %d s at least", name, pause, seconds)
		}
	}
}

func (r *rig) leaseVersion() any {
	metadata, _ := r.stub.Object(apistub.Lease, namespace, writeLease)["metadata"].(map[string]any)
	return metadata["resourceVersion"]
}

// wantLeader demands that the Lease has been held without a break.
func (r *rig) wantLeader() {
	r.t.Helper()
	spec, _ := r.stub.Object(apistub.Lease, namespace, writeLease)["spec"].(map[string]any)
	if n := spec["leaseTransitions"]; n != float64(0) {
		r.t.Errorf("the Lease went over %v times", n)
	}
	if r.h.Metrics(r.t).Sum("headgate_leader") != 1 {
		r.t.Errorf("the controller doesn't hold the Lease")
	}
	for _, line := range r.h.Log() {
		if strings.Contains(line.Raw, "holds the Lease no longer") {
			r.t.Errorf("%s", line.Raw)
		}
	}
}
