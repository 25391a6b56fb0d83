package fault

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"headgate.dev/e2e/harness"
	"k8s.io/apimachinery/pkg/runtime"
)

// faultSite is a controller with routes of its own, which a test then breaks
// something of. Its class keeps it apart from the other tests' objects.
type faultSite struct {
	t      *testing.T
	branch string // of HAProxy
	c      *harness.Cluster
	pods   *harness.Pods
	ns     string
	class  string
	g      *harness.Headgate
	routes []*faultRoute
	made   int // routes, those since removed included
}

// faultRoute is a host with a Service behind it.
type faultRoute struct {
	name, host string
	ips        []string        // the pods that it has when all changes have arrived
	pods       *harness.PodSet // those that may answer meanwhile
}

// newFaultSite makes n routes and a controller that is not started yet.
func newFaultSite(t *testing.T, branch string, n int) *faultSite {
	t.Helper()
	c := harness.StartCluster(t)
	s := &faultSite{t: t, branch: branch, c: c, pods: harness.StartPods(t), ns: c.Namespace(t)}
	s.class = "fault-" + s.ns
	class := harness.IngressClass(s.class, "headgate.dev/"+s.class)
	c.Apply(t, class)
	t.Cleanup(func() { c.Delete(t, class) })
	for range n {
		s.newRoute(2)
	}
	s.g = harness.NewHeadgate(t)
	return s
}

// startFaultSite starts a controller with a HAProxy of its own.
func startFaultSite(t *testing.T, branch string, n int) *faultSite {
	t.Helper()
	s := newFaultSite(t, branch, n)
	s.g.Start(t, s.supervisedFlags()...)
	s.g.WaitReady(t)
	s.arrived(s.routes...)
	return s
}

// flags are those of every controller of this site.
func (s *faultSite) flags(more ...string) []string {
	return append([]string{
		"--ingress-class=" + s.class, "--controller-name=headgate.dev/" + s.class,
		"--config-dir=" + filepath.Join(harness.Root(s.t), "haproxy-cfg"), "--self-check",
	}, more...)
}

// supervisedFlags are for a controller that starts HAProxy.
func (s *faultSite) supervisedFlags() []string {
	return s.flags("--haproxy="+harness.HAProxyPath(s.t, s.branch),
		"--kubeconfig="+s.c.Kubeconfig(s.t))
}

// newRoute makes a Service and an Ingress for it, and doesn't wait for them.
func (s *faultSite) newRoute(pods int) *faultRoute {
	s.t.Helper()
	s.made++
	r := &faultRoute{name: fmt.Sprintf("web%d", s.made), ips: s.pods.IPs(pods)}
	r.host = r.name + "." + s.ns + ".example"
	r.pods = harness.NewPodSet(r.ips...)
	s.c.Apply(s.t, s.objects(r)...)
	s.routes = append(s.routes, r)
	return r
}

func (s *faultSite) objects(r *faultRoute) []runtime.Object {
	return []runtime.Object{
		harness.Service(s.ns, r.name, "80:8080"),
		harness.EndpointSlice(s.ns, r.name, "8080", r.ips...),
		harness.Ingress(s.ns, r.name, harness.Class(s.class), harness.Rule(r.host, "/", r.name+":80")),
	}
}

// removeRoute removes the objects of a route, and doesn't wait.
func (s *faultSite) removeRoute(r *faultRoute) {
	s.t.Helper()
	objects := s.objects(r)
	slices.Reverse(objects)
	s.c.Delete(s.t, objects...)
	s.routes = slices.DeleteFunc(s.routes, func(other *faultRoute) bool { return other == r })
}

// change gives a route n other pods, one of the old ones kept, and doesn't wait.
func (s *faultSite) change(r *faultRoute, n int) {
	s.t.Helper()
	ips := s.pods.IPs(n)
	if n > 1 && len(r.ips) > 0 {
		ips[0] = r.ips[0]
	}
	r.pods.Add(ips...)
	r.ips = ips
	s.c.Apply(s.t, harness.EndpointSlice(s.ns, r.name, "8080", ips...))
}

// arrived waits until each route is answered by all of its pods and no other.
func (s *faultSite) arrived(routes ...*faultRoute) {
	s.t.Helper()
	for _, r := range routes {
		harness.Eventually(s.t, s.branch+": the pods of "+r.host, func() error { return s.ask(r) })
		r.pods.Set(r.ips...)
	}
}

// ask sends requests until each pod of the route has answered, twice as many as
// a single thread's round robin would need.
func (s *faultSite) ask(r *faultRoute) error {
	missing := slices.Clone(r.ips)
	for range 4 * len(r.ips) {
		answer, err := harness.Get(s.g.HTTP, r.host, "/")
		if err != nil {
			return err
		}
		if answer.Status != http.StatusOK || !slices.Contains(r.ips, answer.Echo.Pod) {
			return fmt.Errorf("status %d from %q, want one of %v", answer.Status, answer.Echo.Pod, r.ips)
		}
		missing = slices.DeleteFunc(missing, func(ip string) bool { return ip == answer.Echo.Pod })
	}
	if len(missing) > 0 {
		return fmt.Errorf("%v have not answered", missing)
	}
	return nil
}

// serves demands an answer of one of the pods on every route, now.
func (s *faultSite) serves(when string) {
	s.t.Helper()
	for _, r := range s.routes {
		allowed := r.pods.Allowed()
		for range 4 {
			answer, err := harness.Get(s.g.HTTP, r.host, "/")
			if err != nil || answer.Status != http.StatusOK || !allowed(answer.Pod()) {
				s.t.Errorf("%s, %s: %s: status %d from %q (%v)",
					s.branch, when, r.host, answer.Status, answer.Pod(), err)
			}
		}
	}
}

// saved waits until the state directory has the routes with all of their pods.
func (s *faultSite) saved(routes ...*faultRoute) {
	s.t.Helper()
	s.savedIn(s.g.StateDir, routes...)
}

func (s *faultSite) savedIn(dir string, routes ...*faultRoute) {
	s.t.Helper()
	harness.Eventually(s.t, "saving", func() error {
		text := faultReadAll(dir+"/current/hosts.map", dir+"/current/backends/*.cfg")
		for _, r := range routes {
			for _, want := range append([]string{r.host}, r.ips...) {
				if !strings.Contains(text, want) {
					return fmt.Errorf("%s is not in %s", want, dir)
				}
			}
		}
		return nil
	})
}

// traffic starts requests to these routes, or to all that there are now.
func (s *faultSite) traffic(routes ...*faultRoute) *harness.Prober {
	s.t.Helper()
	if len(routes) == 0 {
		routes = slices.Clone(s.routes)
	}
	p := harness.StartProber(s.t, harness.Traffic{
		Addr: s.g.HTTP, Clients: 3, Pause: 8 * time.Millisecond,
		Next: func(client, seq int) harness.Route {
			r := routes[(client+seq)%len(routes)]
			return harness.Route{Host: r.host, Path: "/", Allowed: r.pods.Allowed()}
		},
	})
	p.Await(s.t, 20)
	return p
}

// healthy demands that the controller's own comparison found nothing.
func (s *faultSite) healthy() {
	s.t.Helper()
	if n := s.g.Metrics(s.t).Sum("headgate_self_check_errors_total"); n != 0 {
		s.t.Errorf("%s: %v passes had a model that differs from one built from nothing", s.branch, n)
	}
}

func faultReadAll(patterns ...string) string {
	var text strings.Builder
	for _, pattern := range patterns {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			data, _ := os.ReadFile(file)
			text.Write(data)
		}
	}
	return text.String()
}

// faultEachBranch runs a test with the oldest and the newest supported HAProxy at
// the same time: much of it is waiting.
func faultEachBranch(t *testing.T, test func(t *testing.T, branch string)) {
	t.Helper()
	for _, branch := range []string{"2.6", "3.4"} {
		t.Run(branch, func(t *testing.T) {
			t.Parallel()
			test(t, branch)
		})
	}
}

// faultBranchByBranch is for tests that say something in the environment, which all
// tests of this process share.
func faultBranchByBranch(t *testing.T, test func(t *testing.T, branch string)) {
	t.Helper()
	for _, branch := range []string{"2.6", "3.4"} {
		t.Run(branch, func(t *testing.T) { test(t, branch) })
	}
}
