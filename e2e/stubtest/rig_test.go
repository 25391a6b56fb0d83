package stubtest

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"headgate.dev/e2e/apistub"
	"headgate.dev/e2e/harness"
)

const (
	haproxyBranch = "3.4"
	namespace     = "shop"
	className     = "stub"
	controller    = "headgate.dev/ingress-controller"
)

// watched is the kinds that a controller without --configmap follows.
var watched = []apistub.Kind{apistub.Ingress, apistub.IngressClass, apistub.Service, apistub.EndpointSlice, apistub.Secret}

// rig is a controller with its HAProxy on a stub, with some routes that work, and
// traffic on all of them.
type rig struct {
	t       *testing.T
	stub    *apistub.Stub
	pods    *harness.Pods
	h       *harness.Headgate
	cli     *harness.CLIProxy
	workers *harness.Workers
	routes  []*route
	prober  *harness.Prober
	fences  int
}

// route is a host with a Service of its own and two pods.
type route struct {
	name string
	ips  []string
	set  *harness.PodSet
}

func (r *route) host() string { return r.name + ".example" }

func (r *route) ingress() *networkingv1.Ingress {
	return harness.Ingress(namespace, r.name, harness.Class(className), harness.Rule(r.host(), "/", r.name+":80"))
}

func (r *route) slice() *discoveryv1.EndpointSlice {
	return harness.EndpointSlice(namespace, r.name, "8080", r.ips...)
}

func (r *route) objects() []any {
	return []any{harness.Service(namespace, r.name, "80:8080"), r.slice(), r.ingress()}
}

// start brings a controller up with n routes, and traffic on them.
func start(t *testing.T, n int, further ...any) *rig {
	t.Helper()
	r := prepare(t, n, further...)
	r.run()
	return r
}

// prepare makes everything but the controller. Tests have nothing in common, so
// that each can run beside the others.
func prepare(t *testing.T, n int, further ...any) *rig {
	t.Helper()
	t.Parallel()
	r := &rig{t: t, stub: apistub.Start(t), pods: harness.StartPods(t)}
	r.stub.Put(t, harness.IngressClass(className, controller))
	for i := range n {
		added := r.newRoute(fmt.Sprintf("r%d", i))
		r.routes = append(r.routes, added)
		r.stub.Put(t, added.objects()...)
	}
	r.stub.Put(t, further...)
	r.h = harness.NewHeadgate(t)
	r.cli = harness.StartCLIProxy(t, r.h.RuntimeSocket())
	r.workers = harness.WatchWorkers(t, r.h.Dir+"/")
	return r
}

func (r *rig) run(args ...string) {
	r.t.Helper()
	r.h.Start(r.t, append([]string{
		"--kubeconfig=" + r.stub.Kubeconfig(r.t),
		"--config-dir=" + filepath.Join(harness.Root(r.t), "haproxy-cfg"),
		"--haproxy=" + harness.HAProxyPath(r.t, haproxyBranch),
		"--runtime-socket=" + r.cli.Socket,
	}, args...)...)
	r.h.WaitReady(r.t)
	r.awaitWatches()
	r.traffic()
	r.prober.Await(r.t, 2*len(r.routes))
	r.forget()
}

// traffic is on all routes, and slow enough for many tests at once.
func (r *rig) traffic() {
	r.prober = harness.StartProber(r.t, harness.Traffic{
		Addr: r.h.HTTP, Clients: 2, Pause: 5 * time.Millisecond, Next: r.next,
	})
}

// forget starts the counts over.
func (r *rig) forget() {
	r.stub.Reset()
	r.cli.Reset()
}

func (r *rig) newRoute(name string) *route {
	ips := r.pods.IPs(2)
	return &route{name: name, ips: ips, set: harness.NewPodSet(ips...)}
}

func (r *rig) next(client, seq int) harness.Route {
	route := r.routes[(client+seq)%len(r.routes)]
	return harness.Route{Host: route.host(), Path: "/", Allowed: route.set.Allowed()}
}

// retire takes the last route out of the traffic, before a test deletes it.
func (r *rig) retire() *route {
	r.t.Helper()
	summary := r.prober.Stop()
	summary.WantNoFailures(r.t)
	last := r.routes[len(r.routes)-1]
	r.routes = r.routes[:len(r.routes)-1]
	r.traffic()
	return last
}

// replacePods gives a route other pods, tells the stub by put, and waits until
// only they answer.
func (r *rig) replacePods(route *route, put func(object any)) {
	r.t.Helper()
	r.changePods(route, put)
	r.awaitPods(route)
}

func (r *rig) changePods(route *route, put func(object any)) {
	route.ips = r.pods.IPs(2)
	route.set.Add(route.ips...)
	put(route.slice())
}

func (r *rig) awaitPods(route *route) {
	r.t.Helper()
	for _, ip := range route.ips {
		harness.WantPod(r.t, r.h.HTTP, route.host(), "/", ip)
	}
}

func (r *rig) put(object any) { r.stub.Put(r.t, object) }

// awaitWatches waits until every kind is followed.
func (r *rig) awaitWatches() {
	r.t.Helper()
	harness.Eventually(r.t, "watches on all kinds", func() error {
		for _, kind := range watched {
			if n := r.stub.Watching(kind); n != 1 {
				return fmt.Errorf("%d watches on %s", n, kind)
			}
		}
		return nil
	})
}

// fence adds a new route and waits until it works. Watches are read in order, so
// all that was sent before it has been taken in by then; the pass that adds it may
// still take away what has gone, and a second fence comes when that is over.
func (r *rig) fence() {
	r.t.Helper()
	r.fences++
	fence := r.newRoute(fmt.Sprintf("fence%d", r.fences))
	r.stub.Put(r.t, fence.objects()...)
	r.awaitPods(fence)
}

// wantTouched checks that HAProxy was told of nothing but these routes and the
// fences: no entry of a route that is still there was taken out or put in again.
func (r *rig) wantTouched(names ...string) {
	r.t.Helper()
	allowed := append([]string{"fence"}, names...)
	for _, command := range r.cli.Writes() {
		text := command.Text + " " + command.Payload
		known := false
		for _, name := range allowed {
			known = known || strings.Contains(text, name)
		}
		if !known {
			r.t.Errorf("HAProxy was told %q, which concerns none of %q", text, allowed)
		}
	}
}

// wantLists checks how often each kind was listed, in pages.
func (r *rig) wantLists(want int, kinds ...apistub.Kind) {
	r.t.Helper()
	for _, kind := range kinds {
		if n := r.stub.Count(kind, apistub.List); n != want {
			r.t.Errorf("%d lists of %s, want %d", n, kind, want)
		}
	}
}

// end checks what must hold in every test: no failed request, no reload, and no
// request to the API server that is not Headgate's business.
func (r *rig) end() {
	r.t.Helper()
	summary := r.prober.Stop()
	summary.WantNoFailures(r.t)
	r.t.Logf("traffic: %v", summary)
	if n := r.workers.Reloads(); n != 0 {
		r.t.Errorf("%d reloads, want 0", n)
	}
	if strangers := r.stub.Strangers(); len(strangers) > 0 {
		r.t.Errorf("asked the API server %q", strangers)
	}
}

// since is the requests of a kind and a verb since forget.
func (r *rig) since(kind apistub.Kind, verb apistub.Verb) []apistub.Request {
	var found []apistub.Request
	for _, request := range r.stub.Requests() {
		if request.Kind == kind && request.Verb == verb {
			found = append(found, request)
		}
	}
	return found
}

// awaitRequests waits for a number of requests and returns them.
func (r *rig) awaitRequests(kind apistub.Kind, verb apistub.Verb, n int) []apistub.Request {
	r.t.Helper()
	harness.Eventually(r.t, fmt.Sprintf("%d requests to %s %s", n, verb, kind), func() error {
		if have := len(r.since(kind, verb)); have < n {
			return fmt.Errorf("%d so far", have)
		}
		return nil
	})
	return r.since(kind, verb)
}
