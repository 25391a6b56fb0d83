package fault

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"headgate.dev/e2e/harness"
)

// faultOutage is how long the API server is away: many times the first retries.
const faultOutage = 15 * time.Second

// faultPair is a controller on each tested HAProxy, so that they share an outage.
type faultPair []*faultSite

func startFaultPair(t *testing.T, kubeconfig func(t *testing.T) string) faultPair {
	t.Helper()
	var pair faultPair
	for _, branch := range []string{"2.6", "3.4"} {
		s := newFaultSite(t, branch, 4)
		s.g.Start(t, s.flags("--haproxy="+harness.HAProxyPath(t, branch), "--kubeconfig="+kubeconfig(t))...)
		s.g.WaitReady(t)
		s.arrived(s.routes...)
		pair = append(pair, s)
	}
	return pair
}

func (p faultPair) each(do func(s *faultSite)) {
	for _, s := range p {
		do(s)
	}
}

// underTraffic runs a test with requests going to both, of which none may fail.
func (p faultPair) underTraffic(t *testing.T, test func()) {
	t.Helper()
	var probers []*harness.Prober
	p.each(func(s *faultSite) { probers = append(probers, s.traffic()) })
	test()
	for _, prober := range probers {
		prober.Await(t, 50)
		sum := prober.Stop()
		sum.WantNoFailures(t)
		t.Logf("%d requests", sum.Requests)
	}
	p.each((*faultSite).healthy)
}

// lists is how often each kind was listed.
func (s *faultSite) lists() map[string]float64 {
	s.t.Helper()
	lists := map[string]float64{}
	for series, n := range s.g.Metrics(s.t) {
		if strings.HasPrefix(series, "headgate_lists_total{") {
			lists[series] = n
		}
	}
	if len(lists) < 4 {
		s.t.Fatalf("want a series for each of at least four kinds: %v", lists)
	}
	return lists
}

// failed is how many requests to the API server have had no answer.
func (s *faultSite) failed() float64 {
	s.t.Helper()
	return s.g.Metrics(s.t).Sum("rest_client_requests_total", `code="<error>"`)
}

// watches waits until every kind is watched again, from this line of the log on. It
// shows when something comes, so an IngressClass has to change, if not in meaning.
func (s *faultSite) watches(from int) {
	s.t.Helper()
	class := harness.IngressClass(s.class, "headgate.dev/"+s.class)
	class.Annotations = map[string]string{"example.com/changed": fmt.Sprint(from)}
	s.c.Apply(s.t, class)
	for _, kind := range []string{"Ingress", "IngressClass", "Service", "EndpointSlice"} {
		s.g.WaitLog(s.t, from, "msg=watching", "kind="+kind)
	}
}

// wantNoLists demands that nothing was listed since.
func (s *faultSite) wantNoLists(before map[string]float64) {
	s.t.Helper()
	if after := s.lists(); !maps.Equal(before, after) {
		s.t.Errorf("%s: listed again: %v, before %v", s.branch, after, before)
	}
}

// Only the controller is cut off. Everybody else goes on changing things, and the
// watches go on from where they were.
func TestFaultAPICutOff(t *testing.T) {
	c := harness.StartCluster(t)
	link := newFaultLink(t, c, "127.0.0.1")
	pair := startFaultPair(t, func(t *testing.T) string {
		return link.kubeconfig(t, c.Kubeconfig(t))
	})
	steady := map[*faultSite][]*faultRoute{}
	lists, extra := map[*faultSite]map[string]float64{}, map[*faultSite]*faultRoute{}
	pair.each(func(s *faultSite) {
		// No prober asks the one that will be removed.
		extra[s] = s.routes[3]
		steady[s], s.routes = s.routes, s.routes[:3]
		lists[s] = s.lists()
	})
	pair.underTraffic(t, func() {
		pair.each(func(s *faultSite) { s.routes = steady[s] })
		link.cut()
		for end := time.Now().Add(faultOutage); time.Now().Before(end); time.Sleep(faultOutage / 6) {
			pair.each(func(s *faultSite) { s.change(s.routes[0], 3) })
		}
		pair.each(func(s *faultSite) {
			s.removeRoute(extra[s])
			s.change(s.routes[1], 1)
			added := s.newRoute(2)
			harness.WantStatus(t, s.g.HTTP, added.host, "/", 404)
			harness.WantPod(t, s.g.HTTP, extra[s].host, "/", extra[s].ips...)
			if s.failed() == 0 {
				t.Errorf("%s: the controller has not noticed", s.branch)
			}
		})
		before := map[*faultSite]int{}
		pair.each(func(s *faultSite) { before[s] = len(s.g.Log()) })
		link.restore(t)
		pair.each(func(s *faultSite) {
			s.arrived(s.routes...)
			harness.WantStatus(t, s.g.HTTP, extra[s].host, "/", 404)
			s.watches(before[s])
			s.wantNoLists(lists[s])
		})
	})
}

// Watches that are cut again and again, while objects change, lose nothing.
func TestFaultAPIConnectionsBreak(t *testing.T) {
	c := harness.StartCluster(t)
	link := newFaultLink(t, c, "127.0.0.1")
	pair := startFaultPair(t, func(t *testing.T) string {
		return link.kubeconfig(t, c.Kubeconfig(t))
	})
	lists := map[*faultSite]map[string]float64{}
	pair.each(func(s *faultSite) { lists[s] = s.lists() })
	pair.underTraffic(t, func() {
		for range 4 {
			before := link.connections()
			link.breakAll()
			pair.each(func(s *faultSite) {
				s.change(s.routes[0], 2)
				s.change(s.routes[1], 2)
			})
			harness.Eventually(t, "new connections", func() error {
				if n := link.connections() - before; n < len(pair) {
					return fmt.Errorf("%d", n)
				}
				return nil
			})
			pair.each(func(s *faultSite) { s.arrived(s.routes...) })
		}
		pair.each(func(s *faultSite) { s.wantNoLists(lists[s]) })
	})
}

// The server itself is gone and comes back with no memory of recent events, so
// that the watches may have to begin with a list.
func TestFaultAPIServerStopped(t *testing.T) {
	c := harness.StartCluster(t)
	pair := startFaultPair(t, func(t *testing.T) string { return c.Kubeconfig(t) })
	removed := map[*faultSite]*faultRoute{}
	pair.each(func(s *faultSite) { removed[s] = s.newRoute(1) })
	pair.each(func(s *faultSite) {
		s.arrived(s.routes...)
		s.routes = s.routes[:len(s.routes)-1]
	})
	pair.underTraffic(t, func() {
		c.Stop(t)
		time.Sleep(faultOutage)
		pair.each(func(s *faultSite) { s.serves("API server gone") })
		c.Start(t)
		pair.each(func(s *faultSite) {
			s.removeRoute(removed[s])
			s.change(s.routes[0], 3)
			s.newRoute(2)
		})
		pair.each(func(s *faultSite) {
			s.arrived(s.routes...)
			harness.WantStatus(t, s.g.HTTP, removed[s].host, "/", 404)
			s.change(s.routes[1], 3)
			s.arrived(s.routes...)
		})
	})
}

// The server hangs: connections are open, and nothing comes. Without a sign of life
// for long enough the controller takes them for dead.
func TestFaultAPIServerHangs(t *testing.T) {
	c := harness.StartCluster(t)
	pair := startFaultPair(t, func(t *testing.T) string { return c.Kubeconfig(t) })
	pair.underTraffic(t, func() { pair.unnoticed(t, func() { c.Freeze(t) }, func() { c.Thaw(t) }) })
}

// The way to the server loses everything that is sent: no answer, and no end of the
// connection either.
func TestFaultAPIConnectionsFallSilent(t *testing.T) {
	c := harness.StartCluster(t)
	ip := harness.StartPods(t).IP()
	link := newFaultLink(t, c, ip)
	pair := startFaultPair(t, func(t *testing.T) string {
		return link.kubeconfig(t, c.Kubeconfig(t))
	})
	lists := map[*faultSite]map[string]float64{}
	pair.each(func(s *faultSite) { lists[s] = s.lists() })
	pair.underTraffic(t, func() {
		pair.unnoticed(t, func() { harness.Unreachable(t, ip) }, func() { harness.Reachable(t, ip) })
		pair.each(func(s *faultSite) { s.wantNoLists(lists[s]) })
	})
}

// unnoticed makes a silent failure, waits until the controllers have noticed, mends
// it, and wants changes to arrive.
func (p faultPair) unnoticed(t *testing.T, fail, mend func()) {
	t.Helper()
	before := map[*faultSite]float64{}
	p.each(func(s *faultSite) { before[s] = s.failed() })
	fail()
	p.each(func(s *faultSite) {
		harness.Eventually(t, s.branch+": noticing the silence", func() error {
			if s.failed() == before[s] {
				return fmt.Errorf("no request has failed")
			}
			return nil
		})
		s.serves("API server silent")
	})
	mend()
	p.each(func(s *faultSite) {
		s.change(s.routes[0], 3)
		s.newRoute(1)
		s.arrived(s.routes...)
	})
}
