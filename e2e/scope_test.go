package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"headgate.dev/e2e/harness"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestWatchNamespace reads two namespaces of three.
func TestWatchNamespace(t *testing.T) {
	s := newRouteScene(t, "3.4")
	second, outside := s.c.Namespace(t), s.c.Namespace(t)
	all := []string{"first.example", "second.example", "outside.example"}
	put := func(ns, host, service string) {
		t.Helper()
		s.c.Apply(t, harness.Ingress(ns, "web", harness.Class(s.class), harness.Rule(host, "/", service+":80")))
	}
	s.ips["web"] = s.pods.IPs(2)
	for _, ns := range []string{s.ns, second, outside} {
		s.c.Apply(t, harness.Service(ns, "web", "80:8080"), harness.EndpointSlice(ns, "web", "8080", s.ips["web"]...))
	}
	put(s.ns, "first.example", "web")
	put(second, "second.example", "web")
	put(outside, "outside.example", "web")
	s.start("--watch-namespace=" + s.ns + "," + second)
	s.wantClasses(all, []string{"first.example", "second.example"})

	s.costs(0, "changes inside and outside", func() {
		s.c.Apply(t, harness.Ingress(outside, "late", harness.Class(s.class), harness.Rule("late.example", "/", "web:80")))
		s.c.Delete(t, harness.Ingress(s.ns, "web"))
		put(second, "marker.example", "web")
		s.wantClasses(append(all, "late.example", "marker.example"), []string{"marker.example"})
	})
	// A list and a watch for each of both namespaces, and one for the classes.
	metrics := s.g.Metrics(t)
	for kind, want := range map[string]float64{"Ingress": 2, "Service": 2, "EndpointSlice": 2, "IngressClass": 1} {
		if n := metrics.Sum("headgate_lists_total", `kind="`+kind+`"`); n != want {
			t.Errorf("%v lists of %s, want %v", n, kind, want)
		}
	}
	s.healthy()
}

// TestIngressSelector serves the Ingresses with a label, while they have it.
func TestIngressSelector(t *testing.T) {
	s := newRouteScene(t, "3.4")
	s.serve("web", 2)
	put := func(name, team string) {
		t.Helper()
		ingress := harness.Ingress(s.ns, name, harness.Class(s.class), harness.Rule(name+".example", "/", "web:80"))
		if team != "" {
			ingress.Labels = map[string]string{"team": team}
		}
		s.c.Apply(t, ingress)
	}
	served := func(hosts ...string) {
		t.Helper()
		s.wantClasses([]string{"shop.example", "blog.example", "news.example", "none.example"}, hosts)
	}
	put("shop", "shop")
	put("blog", "blog")
	put("news", "news")
	put("none", "")
	s.start("--ingress-selector=team,team notin (news)")
	served("shop.example", "blog.example")

	s.costs(0, "labels come, change and go", func() {
		put("none", "shop")
		put("blog", "news")
		put("news", "blog")
		served("shop.example", "news.example", "none.example")
		put("shop", "")
		served("news.example", "none.example")
	})
	s.healthy()
}

// TestClassParameters reports what is wrong with the ConfigMap of a class, as
// long as it is, and reads the ConfigMap when it is there.
func TestClassParameters(t *testing.T) {
	s := newRouteScene(t, "3.4")
	s.c.GrantController(t, s.ns)
	s.serve("web", 1)
	refer := func(namespace, name string) {
		t.Helper()
		class := harness.IngressClass(s.class, s.controllerName())
		scope := networkingv1.IngressClassParametersReferenceScopeNamespace
		class.Spec.Parameters = &networkingv1.IngressClassParametersReference{
			Kind: "ConfigMap", Name: name, Scope: &scope, Namespace: &namespace,
		}
		s.c.Apply(t, class)
	}
	put := func(name string, data map[string]string) {
		t.Helper()
		s.c.Apply(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: name}, Data: data})
	}
	put("second", map[string]string{"timeout": "1s"})
	refer(s.ns, "first")
	s.c.Apply(t, s.ingress("web", harness.Rule("web.example", "/", "web:80")))
	s.start("--configmap=" + s.ns + "/settings")
	s.wantAnswers(routeAnswer{host: "web.example", path: "/", service: "web"})
	reported := func(from int, field string) int {
		t.Helper()
		_, next := s.g.WaitLog(t, from, "level=warn", "ingressclass="+s.class, "field="+field)
		return next
	}
	at := reported(0, "spec.parameters.name")
	put("first", map[string]string{"ssl-redirect": "false"})
	_, at = s.g.WaitLog(t, at, "msg=nothing is wrong with the parameters of classes any more")
	put("first", map[string]string{"ssl-redirect": "no"})
	at = reported(at, "data[ssl-redirect]")
	// One that was there before anybody referred to it, and was not kept.
	refer(s.ns, "second")
	at = reported(at, "data[timeout]")
	refer("kube-system", "second")
	reported(at, "spec.parameters.namespace")
	s.wantAnswers(routeAnswer{host: "web.example", path: "/", service: "web"},
		routeAnswer{host: "other.example", path: "/", status: http.StatusNotFound})
	s.healthy()
}

// TestTCPServicesOfNamespaces has ports for Services of a namespace that is read and
// of one that isn't.
func TestTCPServicesOfNamespaces(t *testing.T) {
	s := newRouteScene(t, "3.4")
	s.c.GrantController(t, s.ns)
	outside := s.c.Namespace(t)
	s.serve("web", 1)
	s.serve("api", 1)
	s.c.Apply(t, harness.Service(outside, "web", "80:8080"), harness.EndpointSlice(outside, "web", "8080", s.ips["web"]...))
	inner, outer := fmt.Sprint(harness.FreePort(t)), fmt.Sprint(harness.FreePort(t))
	put := func(ofInner, ofOuter string) {
		t.Helper()
		s.c.Apply(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: "tcp"}, Data: map[string]string{inner: ofInner, outer: ofOuter}})
	}
	// Pods speak HTTP: who answers a request over the port is where it leads.
	leads := func(port, service string) {
		t.Helper()
		harness.Eventually(t, "port "+port, func() error {
			answer, err := harness.Get("127.0.0.1:"+port, "any.example", "/")
			if service == "" && err != nil && !errors.Is(err, syscall.ECONNREFUSED) {
				return nil
			}
			if err == nil && (service == "" || answer.Header.Get("X-Pod") != harness.PodAddr(s.ips[service][0])) {
				err = fmt.Errorf("answered by %s", answer.Header.Get("X-Pod"))
			}
			return err
		})
	}
	s.start("--watch-namespace="+s.ns, "--configmap-tcp-services="+s.ns+"/tcp", "--configmap="+s.ns+"/settings")
	put(s.ns+"/web:80", outside+"/web:80")
	leads(inner, "web")
	leads(outer, "")
	s.g.WaitLog(t, 0, "level=warn", "ingress="+outside+"/data["+outer+"]", "reason=ServiceNotFound",
		"msg=Service "+outside+"/web: its namespace is not watched: add it to --watch-namespace; until then connections are closed")
	harness.Eventually(t, "the reload that brought the ports is counted", func() error {
		if n := s.g.Metrics(t).Sum("headgate_reloads_total", `reason="tcp-services"`); n != 1 {
			return fmt.Errorf("%v reloads", n)
		}
		return nil
	})

	s.costs(0, "ports lead elsewhere", func() {
		put(s.ns+"/api:80", s.ns+"/web:80")
		leads(inner, "api")
		leads(outer, "web")
	})
	s.costs(0, "options of the controller hold, and a Service goes", func() {
		s.c.Apply(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: "settings"}, Data: map[string]string{"load-balance": "leastconn"}})
		harness.Eventually(t, "backends with another way of balancing", func() error {
			reply, err := harness.Runtime(s.g.RuntimeSocket(), "show backend")
			if err == nil && !strings.Contains(reply, s.ns+"_svc_api_80:tcp:leastconn\n") {
				err = errors.New(reply)
			}
			return err
		})
		leads(inner, "api")
		s.c.Delete(t, harness.Service(s.ns, "api"))
		leads(inner, "")
		leads(outer, "web")
	})
	s.healthy()
}
