package e2e

import (
	"fmt"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"headgate.dev/e2e/harness"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

const (
	routeExact  = networkingv1.PathTypeExact
	routePrefix = networkingv1.PathTypePrefix
)

// TestRouteChanges changes everything that a tenant can, under traffic, and
// counts the reloads that it costs.
func TestRouteChanges(t *testing.T) {
	eachRouteBranch(t, func(t *testing.T, branch string) {
		s := newRouteScene(t, branch)
		s.prepareServices()
		s.start()
		s.wantAnswers(routeAnswer{host: "multi.base.example", path: "/", service: "multi"})
		traffic := s.steadyTraffic()
		before := s.workers.Distinct() // the one from before the first routes may be ending

		s.costs(0, "hosts and paths come", s.hostsAndPathsCome)
		s.costs(0, "paths change", s.pathsChange)
		s.costs(0, "hosts change", s.hostsChange)
		s.costs(0, "endpoints change", s.endpointsChange)
		s.costs(0, "a service goes and comes back", s.serviceGoesAndComesBack)
		s.costs(0, "ports by number and by name", s.portsChange)
		s.costs(0, "default backend of an Ingress", s.defaultBackendChanges)
		s.costs(0, "Ingresses go", s.ingressesGo)
		burst := map[string]int{"2.6": 1, "3.4": 0}[branch]
		s.costs(burst, "50 new services", s.burstComes)
		s.costs(0, "50 services go", s.burstGoes)

		summary := traffic.Stop()
		summary.WantNoFailures(t)
		t.Logf("%s: %v", branch, summary)
		s.workers.Stop()
		if n := s.workers.Distinct() - before; n != burst {
			t.Errorf("%d reloads in all, want %d", n, burst)
		}
		s.healthy()
	})
}

// prepareServices makes Services that have a backend from the start, as an
// Ingress names each of them: a HAProxy before 3.4 reloads for new ones alone.
func (s *routeScene) prepareServices() {
	base := []harness.IngressOption{}
	for _, name := range []string{"web", "api", "docs", "blog"} {
		s.serve(name, 2)
		base = append(base, harness.Rule(name+".base.example", "/", name+":80"))
	}
	s.ips["multi"] = s.pods.IPs(1)
	slice := harness.EndpointSlice(s.ns, "multi", "http=8080", s.ips["multi"]...)
	alt, port := "alt", int32(routeAltPort)
	slice.Ports = append(slice.Ports, slice.Ports[0])
	slice.Ports[1].Name, slice.Ports[1].Port = &alt, &port
	s.c.Apply(s.t, slice, harness.Service(s.ns, "multi", "http=80:8080", "alt=81:8081"))
	base = append(base,
		harness.Rule("multi.base.example", "/", "multi:80"),
		harness.Rule("multi.base.example", "/alt", "multi:81"))
	s.c.Apply(s.t, s.ingress("base", base...))
}

// steadyTraffic asks for routes that no step changes.
func (s *routeScene) steadyTraffic() *harness.Prober {
	s.t.Helper()
	sets := []*harness.PodSet{}
	names := []string{"web", "docs", "blog"}
	for _, name := range names {
		sets = append(sets, harness.NewPodSet(s.ips[name]...))
	}
	traffic := harness.StartProber(s.t, harness.Traffic{
		Addr: s.g.HTTP, Clients: 2, Pause: 10 * time.Millisecond,
		Next: func(client, seq int) harness.Route {
			i := (client + seq) % len(names)
			return harness.Route{Host: names[i] + ".base.example", Path: "/steady", Allowed: sets[i].Allowed()}
		},
	})
	traffic.Await(s.t, 50)
	return traffic
}

func (s *routeScene) hostsAndPathsCome() {
	s.c.Apply(s.t,
		s.ingress("shop",
			harness.Rule("shop.example", "/", "web:80"),
			harness.Rule("shop.example", "/api", "api:80"),
			harness.Rule("shop.example", "/api/v2/", "blog:80"),
			harness.RuleOf(routeExact, "shop.example", "/api", "docs:80"),
			harness.RuleOf(routeExact, "shop.example", "/only/", "docs:80")),
		s.ingress("wild",
			harness.Rule("*.wild.example", "/", "blog:80"),
			harness.Rule("own.wild.example", "/own", "docs:80")),
		s.ingress("any", harness.Rule("", "/any", "api:80")))
	s.wantAnswers(
		routeAnswer{host: "shop.example", path: "/", service: "web"},
		routeAnswer{host: "shop.example", path: "/x?q=/api", service: "web"},
		routeAnswer{host: "SHOP.example:8080", path: "/", service: "web"},
		routeAnswer{host: "shop.example.", path: "/", service: "web"},
		// Exact goes before Prefix, the longer Prefix before the shorter, and a Prefix
		// ends where an element of the path does.
		routeAnswer{host: "shop.example", path: "/api", service: "docs"},
		routeAnswer{host: "shop.example", path: "/api?x=1", service: "docs"},
		routeAnswer{host: "shop.example", path: "/api/", service: "api"},
		routeAnswer{host: "shop.example", path: "/api/v1", service: "api"},
		routeAnswer{host: "shop.example", path: "/apiary", service: "web"},
		routeAnswer{host: "shop.example", path: "/api/v2", service: "blog"},
		routeAnswer{host: "shop.example", path: "/api/v2/x", service: "blog"},
		routeAnswer{host: "shop.example", path: "/api/v22", service: "api"},
		routeAnswer{host: "shop.example", path: "/API", service: "web"},
		routeAnswer{host: "shop.example", path: "/only/", service: "docs"},
		routeAnswer{host: "shop.example", path: "/only", service: "web"},
		// A wildcard stands for one label.
		routeAnswer{host: "a.wild.example", path: "/own", service: "blog"},
		routeAnswer{host: "a.b.wild.example", path: "/", status: http.StatusNotFound},
		routeAnswer{host: "wild.example", path: "/", status: http.StatusNotFound},
		routeAnswer{host: ".wild.example", path: "/", status: http.StatusNotFound},
		routeAnswer{host: "own.wild.example", path: "/own/x", service: "docs"},
		routeAnswer{host: "own.wild.example", path: "/", status: http.StatusNotFound},
		// Rules without a host are for hosts that no other rule names.
		routeAnswer{host: "nobody.example", path: "/any/x", service: "api"},
		routeAnswer{host: "nobody.example", path: "/", status: http.StatusNotFound},
		routeAnswer{host: "shop.example", path: "/any", service: "web"})
}

func (s *routeScene) pathsChange() {
	s.c.Apply(s.t, s.ingress("shop",
		harness.Rule("shop.example", "/", "blog:80"),                      // another service
		harness.RuleOf(routeExact, "shop.example", "/api/v2", "api:80"),   // another type
		harness.RuleOf(routeExact, "shop.example", "/only/x", "docs:80"))) // another path
	s.wantAnswers(
		routeAnswer{host: "shop.example", path: "/", service: "blog"},
		routeAnswer{host: "shop.example", path: "/api", service: "blog"},
		routeAnswer{host: "shop.example", path: "/api/v2", service: "api"},
		routeAnswer{host: "shop.example", path: "/api/v2/", service: "blog"},
		routeAnswer{host: "shop.example", path: "/only/", service: "blog"},
		routeAnswer{host: "shop.example", path: "/only/x", service: "docs"})
}

func (s *routeScene) hostsChange() {
	s.c.Apply(s.t,
		s.ingress("shop", harness.Rule("store.example", "/", "blog:80")),
		s.ingress("wild", harness.Rule("*.other.example", "/", "blog:80")))
	s.wantAnswers(
		routeAnswer{host: "store.example", path: "/", service: "blog"},
		routeAnswer{host: "shop.example", path: "/", status: http.StatusNotFound},
		routeAnswer{host: "shop.example", path: "/any", service: "api"},
		routeAnswer{host: "a.other.example", path: "/", service: "blog"},
		routeAnswer{host: "a.wild.example", path: "/", status: http.StatusNotFound},
		routeAnswer{host: "own.wild.example", path: "/own", status: http.StatusNotFound})
}

func (s *routeScene) endpointsChange() {
	give := func(want routeAnswer, ips ...string) {
		s.t.Helper()
		s.c.Apply(s.t, harness.EndpointSlice(s.ns, "api", "8080", ips...))
		s.ips["api"] = ips
		s.wantAnswers(want)
		harness.Eventually(s.t, "the servers of api", func() error { return s.hasServers("api", 80, ips...) })
	}
	served := routeAnswer{host: "api.base.example", path: "/", service: "api"}
	old := s.ips["api"]
	give(served, append(s.pods.IPs(3), old...)...) // more
	give(served, old[0])                           // fewer
	give(served, s.pods.IPs(20)...)                // others
	give(routeAnswer{host: "api.base.example", path: "/", status: http.StatusServiceUnavailable})
	give(served, old...)

	slice := harness.EndpointSlice(s.ns, "api", "8080", old...)
	slice.Endpoints[0] = harness.Endpoint(s.ns, old[0], false, false, true) // terminating, and nothing more to expect of it
	s.c.Apply(s.t, slice)
	harness.Eventually(s.t, "a pod that is not ready", func() error { return s.hasServers("api", 80, old[1]) })
	give(served, old...)
}

func (s *routeScene) serviceGoesAndComesBack() {
	s.c.Delete(s.t, harness.Service(s.ns, "api"))
	s.wantAnswers(routeAnswer{host: "api.base.example", path: "/", status: http.StatusServiceUnavailable})
	s.c.Apply(s.t, harness.Service(s.ns, "api", "80:8080"))
	s.wantAnswers(routeAnswer{host: "api.base.example", path: "/", service: "api"})
}

func (s *routeScene) portsChange() {
	s.c.Apply(s.t, s.ingress("ports",
		harness.Rule("ports.example", "/number", "multi:81"), harness.Rule("ports.example", "/name", "multi:alt"),
		harness.Rule("ports.example", "/moved", "multi:http"), harness.Rule("ports.example", "/none", "multi:82")))
	s.wantAnswers(
		routeAnswer{host: "ports.example", path: "/number", service: "multi", port: routeAltPort},
		routeAnswer{host: "ports.example", path: "/name", service: "multi", port: routeAltPort},
		routeAnswer{host: "ports.example", path: "/moved", service: "multi"},
		routeAnswer{host: "ports.example", path: "/none", status: http.StatusServiceUnavailable})
	s.c.Apply(s.t, s.ingress("ports", harness.Rule("ports.example", "/moved", "multi:alt")))
	s.wantAnswers(
		routeAnswer{host: "ports.example", path: "/moved", service: "multi", port: routeAltPort},
		routeAnswer{host: "ports.example", path: "/name", status: http.StatusNotFound})
}

func (s *routeScene) defaultBackendChanges() {
	s.c.Apply(s.t,
		s.ingress("all", harness.DefaultBackend("web:80")),
		s.ingress("shop", harness.DefaultBackend("docs:80"), harness.Rule("store.example", "/x", "blog:80")))
	s.wantAnswers(
		routeAnswer{host: "nobody.example", path: "/", service: "web"},
		routeAnswer{host: "nobody.example", path: "/any", service: "api"},
		routeAnswer{host: "store.example", path: "/x", service: "blog"},
		routeAnswer{host: "store.example", path: "/y", service: "docs"})
	s.c.Apply(s.t, s.ingress("all", harness.DefaultBackend("docs:80")))
	s.wantAnswers(routeAnswer{host: "nobody.example", path: "/", service: "docs"})
	s.c.Delete(s.t, s.ingress("all"))
	s.wantAnswers(routeAnswer{host: "nobody.example", path: "/", status: http.StatusNotFound})
}

func (s *routeScene) ingressesGo() {
	for _, name := range []string{"shop", "wild", "any", "ports"} {
		s.c.Delete(s.t, s.ingress(name))
	}
	for _, host := range []string{"store.example", "a.other.example", "nobody.example", "ports.example"} {
		s.wantAnswers(routeAnswer{host: host, path: "/any", status: http.StatusNotFound})
	}
}

const routeBurst = 50

func routeBurstName(i int) string { return fmt.Sprintf("burst%02d", i) }

// burstComes makes 50 Services and an Ingress for each, all at once. Their pods
// are there before: without a Service, slices lead to nothing.
func (s *routeScene) burstComes() {
	for i := range routeBurst {
		s.ips[routeBurstName(i)] = s.pods.IPs(1)
		s.c.Apply(s.t, harness.EndpointSlice(s.ns, routeBurstName(i), "8080", s.ips[routeBurstName(i)]...))
	}
	s.burst(func(name string) runtime.Object { return harness.Service(s.ns, name, "80:8080") },
		func(name string) runtime.Object {
			return s.ingress(name, harness.Rule(name+".example", "/", name+":80"))
		})
	for i := range routeBurst {
		name := routeBurstName(i)
		s.wantAnswers(routeAnswer{host: name + ".example", path: "/", service: name})
	}
}

func (s *routeScene) burstGoes() {
	for i := range routeBurst {
		name := routeBurstName(i)
		s.c.Delete(s.t, s.ingress(name), harness.Service(s.ns, name), harness.EndpointSlice(s.ns, name, "8080"))
	}
	for i := range routeBurst {
		s.wantAnswers(routeAnswer{host: routeBurstName(i) + ".example", path: "/", status: http.StatusNotFound})
	}
}

// burst makes the objects of each name, all at the same time.
//
// Reloads that are wanted within a second are one. An API server on a busy
// machine takes longer than that for a hundred objects, so the controller is held
// until they are there, and finds them together.
func (s *routeScene) burst(objects ...func(name string) runtime.Object) {
	s.g.Signal(syscall.SIGSTOP)
	defer s.g.Signal(syscall.SIGCONT)
	var all sync.WaitGroup
	for i := range routeBurst {
		for _, object := range objects {
			all.Add(1)
			go func() {
				defer all.Done()
				s.c.Apply(s.t, object(routeBurstName(i)))
			}()
		}
	}
	all.Wait()
}
