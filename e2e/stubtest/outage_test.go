package stubtest

import (
	"testing"

	"headgate.dev/e2e/apistub"
	"headgate.dev/e2e/harness"
)

// A server that answers 503 for a while, as a load balancer in front of it does:
// what happened meanwhile is seen as a whole, whichever kind comes back first. A
// route that was switched to another Service never loses its pods.
func TestSwitchWhileTheServerIsUnavailable(t *testing.T) {
	r := start(t, 2)
	blue := r.routes[0]
	green := r.newRoute("green")
	for _, kind := range watched {
		r.stub.Fail(kind, apistub.Watch, 503, 0, 3)
		r.stub.CloseWatches(kind)
	}
	for _, kind := range watched {
		r.awaitRequests(kind, apistub.Watch, 1)
	}
	blue.set.Add(green.ips...)
	r.stub.Put(t, harness.Service(namespace, green.name, "80:8080"), green.slice(),
		harness.Ingress(namespace, blue.name, harness.Class(className), harness.Rule(blue.host(), "/", green.name+":80")))
	r.stub.Delete(t, harness.Service(namespace, blue.name, "80:8080"), blue.slice())
	r.awaitWatches()
	for _, ip := range green.ips {
		harness.WantPod(t, r.h.HTTP, blue.host(), "/", ip)
	}
	r.fence()
	r.wantLists(0, watched...)
	r.end()
}
