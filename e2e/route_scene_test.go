package e2e

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"path/filepath"
	"testing"

	"headgate.dev/e2e/harness"
	"k8s.io/apimachinery/pkg/runtime"
)

// routeScene is a Kubernetes namespace, an IngressClass of its own, and a
// controller that serves nothing else.
type routeScene struct {
	t       *testing.T
	branch  string // of HAProxy
	c       *harness.Cluster
	pods    *harness.Pods
	ns      string
	class   string
	g       *harness.Headgate
	workers *harness.Workers
	ips     map[string][]string // the pods of each Service made with serve
}

// newRouteScene prepares everything; start starts the controller.
func newRouteScene(t *testing.T, branch string) *routeScene {
	t.Helper()
	c := harness.StartCluster(t)
	s := &routeScene{
		t: t, branch: branch, c: c, pods: harness.StartPods(t, routeAltPort),
		ns: c.Namespace(t), ips: map[string][]string{},
	}
	s.class = "class-" + s.ns
	class := s.classObject()
	c.Apply(t, class)
	t.Cleanup(func() { c.Delete(t, class) })
	return s
}

// routeAltPort is a second port on which the pods listen.
const routeAltPort = 8081

func (s *routeScene) controllerName() string { return "headgate.dev/" + s.class }

func (s *routeScene) classObject() runtime.Object {
	return harness.IngressClass(s.class, s.controllerName())
}

// start runs the controller until it is ready, and counts workers from there on.
func (s *routeScene) start(flags ...string) {
	s.t.Helper()
	s.g = harness.StartHeadgate(s.t, append(routeFlags(s.t, s.branch),
		append([]string{
			"--kubeconfig=" + s.c.Kubeconfig(s.t),
			"--controller-name=" + s.controllerName(),
			// Whatever the test does, an audit finds nothing (healthy).
			"--audit-interval=1s",
		}, flags...)...)...)
	s.workers = harness.WatchWorkers(s.t, s.g.Dir+"/")
}

// routeFlags are those of every controller that starts a HAProxy.
func routeFlags(t *testing.T, branch string) []string {
	t.Helper()
	return []string{
		"--haproxy=" + harness.HAProxyPath(t, branch),
		"--config-dir=" + filepath.Join(harness.Root(t), "haproxy-cfg"),
		"--self-check",
	}
}

// serve makes a Service with n pods behind its port 80.
func (s *routeScene) serve(name string, n int) {
	s.t.Helper()
	s.ips[name] = s.pods.IPs(n)
	s.c.Apply(s.t,
		harness.EndpointSlice(s.ns, name, "8080", s.ips[name]...),
		harness.Service(s.ns, name, "80:8080"))
}

// ingress builds an Ingress of the scene's class.
func (s *routeScene) ingress(name string, options ...harness.IngressOption) runtime.Object {
	return harness.Ingress(s.ns, name, append([]harness.IngressOption{harness.Class(s.class)}, options...)...)
}

// routeAnswer is a request and what answers it: a Service made with serve, or a
// status.
type routeAnswer struct {
	host, path string
	service    string
	status     int         // 0 is that of a pod
	port       int         // of the pod; 0 is harness.PodPort
	tls        *tls.Config // not nil: over HTTPS, with a certificate for the host
}

// wantAnswers waits until each request is answered as wanted.
func (s *routeScene) wantAnswers(answers ...routeAnswer) {
	s.t.Helper()
	for _, want := range answers {
		harness.Eventually(s.t, s.branch+": "+want.host+want.path, func() error { return s.ask(want) })
	}
}

func (s *routeScene) ask(want routeAnswer) error {
	var answer harness.Answer
	var err error
	if want.tls != nil {
		answer, err = harness.GetTLS(s.g.HTTPS, want.host, want.path, want.tls)
	} else {
		answer, err = harness.Get(s.g.HTTP, want.host, want.path)
	}
	if err != nil {
		return err
	}
	if want.status != 0 {
		if answer.Status != want.status || answer.Pod() != "" {
			return fmt.Errorf("status %d from %q, want %d", answer.Status, answer.Pod(), want.status)
		}
		return nil
	}
	port := want.port
	if port == 0 {
		port = harness.PodPort
	}
	for _, ip := range s.ips[want.service] {
		if answer.Status == http.StatusOK && answer.Echo.Pod == ip && answer.Echo.Port == port {
			return nil
		}
	}
	return fmt.Errorf("status %d from %q, want a pod of %s %v, port %d",
		answer.Status, answer.Pod(), want.service, s.ips[want.service], port)
}

// costs makes a change, which waits for its own effect, and demands a number of
// reloads for it: of workers that the kernel has seen, by the controller's own
// count, and of passes that asked for one, so that none is yet to come.
func (s *routeScene) costs(reloads int, name string, change func()) {
	s.t.Helper()
	workers, metrics, log := s.workers.Distinct(), s.reloadMetric(), len(s.g.Log())
	change()
	// The new worker serves a moment before the controller has heard of it.
	harness.Eventually(s.t, s.branch+": "+name, func() error {
		if n := s.reloadMetric() - metrics; n < reloads {
			return fmt.Errorf("headgate_reloads_total grew by %d, want %d", n, reloads)
		}
		return nil
	})
	if n := s.workers.Distinct() - workers; n != reloads {
		s.t.Errorf("%s: %s: %d new workers, want %d", s.branch, name, n, reloads)
	}
	if n := s.reloadMetric() - metrics; n != reloads {
		s.t.Errorf("%s: %s: headgate_reloads_total grew by %d, want %d", s.branch, name, n, reloads)
	}
	for _, line := range s.g.Log()[log:] {
		if reason := line.Fields["reload"]; reloads == 0 && reason != "" && reason != "no" {
			s.t.Errorf("%s: %s: a pass asked for a reload: %s", s.branch, name, line.Raw)
		}
	}
}

func (s *routeScene) reloadMetric() int {
	s.t.Helper()
	return int(s.g.Metrics(s.t).Sum("headgate_reloads_total"))
}

// healthy demands that nothing went wrong inside: HAProxy refused nothing, and
// the model was always equal to one built from nothing.
func (s *routeScene) healthy() {
	s.t.Helper()
	wantHealthy(s.t, s.g)
}

func wantHealthy(t *testing.T, g *harness.Headgate) {
	t.Helper()
	wantHealthyBut(t, g, 0)
}

// wantHealthyBut expects so many passes that were broken off, and nothing else.
func wantHealthyBut(t *testing.T, g *harness.Headgate, broken int) {
	t.Helper()
	metrics := g.Metrics(t)
	if n := metrics.Sum("headgate_reconcile_errors_total"); n > float64(broken) {
		t.Errorf("headgate_reconcile_errors_total is %v, want at most %d", n, broken)
	}
	for _, name := range []string{
		"headgate_self_check_errors_total", "headgate_reload_errors_total",
		"headgate_runtime_operation_errors_total", "headgate_state_errors_total", "headgate_haproxy_restarts_total",
		"headgate_audit_drift_total",
	} {
		if n := metrics.Sum(name); n != 0 {
			t.Errorf("%s is %v, want 0", name, n)
		}
	}
}

// eachRouteBranch runs a test with the oldest and the newest supported HAProxy.
func eachRouteBranch(t *testing.T, test func(t *testing.T, branch string)) {
	t.Helper()
	for _, branch := range []string{"2.6", "3.4"} {
		t.Run(branch, func(t *testing.T) { test(t, branch) })
	}
}
