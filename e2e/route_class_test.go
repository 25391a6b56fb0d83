package e2e

import (
	"net/http"
	"testing"

	"headgate.dev/e2e/harness"
	networkingv1 "k8s.io/api/networking/v1"
)

// TestClassByController takes every class that names the controller, and only
// while it does.
func TestClassByController(t *testing.T) {
	s := newRouteScene(t, "3.4")
	second := harness.IngressClass("second-"+s.ns, s.controllerName())
	foreign := harness.IngressClass("foreign-"+s.ns, "headgate.dev/somebody-else")
	t.Cleanup(func() { s.c.Delete(t, second, foreign) })
	s.serve("web", 2)
	s.c.Apply(t, second, foreign,
		harness.Ingress(s.ns, "foreign", harness.Class(foreign.Name), harness.Rule("foreign.example", "/", "web:80")),
		harness.Ingress(s.ns, "unknown", harness.Class("unknown-"+s.ns), harness.Rule("unknown.example", "/", "web:80")),
		harness.Ingress(s.ns, "none", harness.Rule("none.example", "/", "web:80")),
		harness.Ingress(s.ns, "second", harness.Class(second.Name), harness.Rule("second.example", "/", "web:80")),
		s.ingress("ours", harness.Rule("ours.example", "/", "web:80")))
	s.start()
	served := func(hosts ...string) {
		t.Helper()
		s.wantClasses([]string{"ours.example", "second.example", "foreign.example", "unknown.example", "none.example"}, hosts)
	}
	served("ours.example", "second.example")

	s.costs(0, "a class goes", func() {
		s.c.Delete(t, second)
		served("ours.example")
	})
	s.costs(0, "it comes back", func() {
		s.c.Apply(t, harness.IngressClass(second.Name, s.controllerName()))
		served("ours.example", "second.example")
	})
	// spec.controller can't be changed: somebody else's takes the name over.
	s.costs(0, "it comes back as somebody else's", func() {
		s.c.Delete(t, second)
		s.c.Apply(t, harness.IngressClass(second.Name, "headgate.dev/somebody-else"))
		served("ours.example")
	})
	s.costs(0, "an Ingress changes its class", func() {
		s.c.Apply(t,
			harness.Ingress(s.ns, "foreign", harness.Class(s.class), harness.Rule("foreign.example", "/", "web:80")),
			harness.Ingress(s.ns, "ours", harness.Class(foreign.Name), harness.Rule("ours.example", "/", "web:80")))
		served("foreign.example")
	})
	s.costs(0, "a class for an Ingress that has waited", func() {
		late := harness.IngressClass("unknown-"+s.ns, s.controllerName())
		t.Cleanup(func() { s.c.Delete(t, late) })
		s.c.Apply(t, late)
		served("foreign.example", "unknown.example")
	})
	s.healthy()
}

// TestClassByName serves one class only, whether its object exists or not.
func TestClassByName(t *testing.T) {
	s := newRouteScene(t, "3.4")
	other := harness.IngressClass("other-"+s.ns, s.controllerName())
	t.Cleanup(func() { s.c.Delete(t, other) })
	s.serve("web", 2)
	s.c.Apply(t, other,
		harness.Ingress(s.ns, "other", harness.Class(other.Name), harness.Rule("other.example", "/", "web:80")),
		s.ingress("ours", harness.Rule("ours.example", "/", "web:80")))
	s.c.Delete(t, s.classObject())
	s.start("--ingress-class=" + s.class)
	served := func(hosts ...string) {
		t.Helper()
		s.wantClasses([]string{"ours.example", "other.example"}, hosts)
	}
	served("ours.example") // though there is no such object

	s.costs(0, "the class comes, goes and is somebody else's", func() {
		s.c.Apply(t, s.classObject())
		s.c.Apply(t, s.ingress("marker", harness.Rule("marker1.example", "/", "web:80")))
		served("ours.example")
		s.wantAnswers(routeAnswer{host: "marker1.example", path: "/", service: "web"})
		s.c.Delete(t, s.classObject())
		s.c.Apply(t, s.ingress("marker", harness.Rule("marker2.example", "/", "web:80")))
		s.wantAnswers(routeAnswer{host: "marker2.example", path: "/", service: "web"})
		served("ours.example")
		s.c.Apply(t, harness.IngressClass(s.class, "headgate.dev/somebody-else"))
		served()
	})
	s.healthy()
}

// TestClassDefault serves an Ingress without a class while a class of ours is
// marked as the default.
func TestClassDefault(t *testing.T) {
	s := newRouteScene(t, "3.4")
	s.serve("web", 2)
	// Made before there is a default: later the API server would fill the name in.
	s.c.Apply(t,
		harness.Ingress(s.ns, "none", harness.Rule("none.example", "/", "web:80")),
		s.ingress("ours", harness.Rule("ours.example", "/", "web:80")))
	s.start()
	served := func(hosts ...string) {
		t.Helper()
		s.wantClasses([]string{"ours.example", "none.example"}, hosts)
	}
	served("ours.example")
	mark := func(name, controller, value string) *networkingv1.IngressClass {
		class := harness.IngressClass(name, controller)
		class.Annotations = map[string]string{networkingv1.AnnotationIsDefaultIngressClass: value}
		return class
	}
	s.costs(0, "our class becomes the default and is it no more", func() {
		s.c.Apply(t, mark(s.class, s.controllerName(), "true"))
		served("ours.example", "none.example")
		s.c.Apply(t, harness.Ingress(s.ns, "late", harness.Rule("late.example", "/", "web:80")))
		s.wantAnswers(routeAnswer{host: "late.example", path: "/", service: "web"})
		s.c.Apply(t, mark(s.class, s.controllerName(), "false"))
		served("ours.example")
	})
	s.costs(0, "the default is somebody else's", func() {
		foreign := mark("foreign-"+s.ns, "headgate.dev/somebody-else", "true")
		t.Cleanup(func() { s.c.Delete(t, foreign) })
		s.c.Apply(t, foreign, s.ingress("marker", harness.Rule("marker.example", "/", "web:80")))
		s.wantAnswers(routeAnswer{host: "marker.example", path: "/", service: "web"})
		served("ours.example")
	})
	s.healthy()
}

// wantClasses waits until the hosts of `served`, and of all hosts only they, have
// a route.
func (s *routeScene) wantClasses(all, served []string) {
	s.t.Helper()
	for _, host := range all {
		want := routeAnswer{host: host, path: "/", status: http.StatusNotFound}
		for _, name := range served {
			if name == host {
				want = routeAnswer{host: host, path: "/", service: "web"}
			}
		}
		s.wantAnswers(want)
	}
}

// TestDefaultBackend sends what no Ingress asks for to the operator's Service,
// behind the default backends of Ingresses.
func TestDefaultBackend(t *testing.T) {
	eachRouteBranch(t, func(t *testing.T, branch string) {
		s := newRouteScene(t, branch)
		for _, name := range []string{"web", "docs", "last"} {
			s.serve(name, 1)
		}
		s.c.Apply(t, s.ingress("known",
			harness.Rule("known.example", "/x", "web:80"), harness.Rule("docs.example", "/", "docs:80")))
		s.start("--default-backend=" + s.ns + "/last:80")
		s.wantAnswers(
			routeAnswer{host: "known.example", path: "/x", service: "web"},
			routeAnswer{host: "known.example", path: "/y", service: "last"},
			routeAnswer{host: "nobody.example", path: "/", service: "last"})
		s.costs(0, "an Ingress has a default backend, and hasn't", func() {
			s.c.Apply(t, s.ingress("all", harness.DefaultBackend("docs:80")))
			s.wantAnswers(routeAnswer{host: "nobody.example", path: "/", service: "docs"})
			s.c.Delete(t, s.ingress("all"))
			s.wantAnswers(routeAnswer{host: "nobody.example", path: "/", service: "last"})
		})
		s.costs(0, "its Service goes and comes back", func() {
			s.c.Delete(t, harness.Service(s.ns, "last"))
			s.wantAnswers(routeAnswer{host: "nobody.example", path: "/", status: http.StatusServiceUnavailable})
			s.c.Apply(t, harness.Service(s.ns, "last", "80:8080"))
			s.wantAnswers(routeAnswer{host: "nobody.example", path: "/", service: "last"})
		})
		s.healthy()
	})
}
