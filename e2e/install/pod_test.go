package install

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"headgate.dev/e2e/chart"
	"headgate.dev/e2e/harness"
)

// The ports of the plain manifest's containers.
const (
	podHTTP  = "127.0.0.1:8080"
	podHTTPS = "127.0.0.1:8443"
	podStat  = "127.0.0.1:8404"
	podAdmin = "127.0.0.1:8405"
)

// servicePort is where tenants' pods listen: the usual one is taken by ours.
const servicePort = 9090

const tokenFile = "/var/run/secrets/kubernetes.io/serviceaccount/token"

// podScene is the plain manifest, applied, and one of its pods.
type podScene struct {
	t    *testing.T
	c    *harness.Cluster
	pod  *harness.RunningPod
	pods *harness.Pods
	ns   string
}

func newPodScene(t *testing.T) *podScene {
	t.Helper()
	s, template := newManifestScene(t)
	s.pod = s.c.StartPod(t, "headgate", template.Spec)
	s.pod.WaitReady(t)
	return s
}

// newManifestScene is the same before there is a pod.
func newManifestScene(t *testing.T) (*podScene, corev1.PodTemplateSpec) {
	t.Helper()
	if err := harness.CanRunPods(t); err != nil {
		t.Skip(err)
	}
	s := &podScene{t: t, c: harness.StartCluster(t), pods: harness.StartPodsOn(t, servicePort)}
	s.ns = s.c.Namespace(t)
	text, err := os.ReadFile(filepath.Join(harness.Root(t), chart.Plain, "headgate.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	objects := parse(t, string(text))
	for _, object := range objects {
		s.c.Apply(t, object)
	}
	t.Cleanup(func() { s.c.Delete(t, namedClass("headgate")) })
	s.publish("headgate", "192.0.2.10")
	_, template := workload(t, objects)
	return s, template
}

// namedClass is an IngressClass to delete.
func namedClass(name string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": map[string]any{"name": name},
	}}
}

// publish gives a Service of the controller an address, as a cloud does.
func (s *podScene) publish(name, ip string) {
	s.t.Helper()
	publish(s.t, s.c, "headgate", name, ip)
}

func publish(t *testing.T, c *harness.Cluster, namespace, name, ip string) {
	t.Helper()
	ctx, services := context.Background(), c.Client.CoreV1().Services(namespace)
	service, err := services.Get(ctx, name, metav1.GetOptions{})
	if err == nil {
		service.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: ip}}
		_, err = services.UpdateStatus(ctx, service, metav1.UpdateOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// serve makes a Service with pods and an Ingress for it.
func (s *podScene) serve(name string, options ...harness.IngressOption) []string {
	s.t.Helper()
	ips := s.pods.IPs(2)
	s.c.Apply(s.t, harness.Service(s.ns, name, "80:9090"), harness.EndpointSlice(s.ns, name, "9090", ips...),
		harness.Ingress(s.ns, name, append([]harness.IngressOption{
			harness.Class("headgate"), harness.Rule(name+".example", "/", name+":80"),
		}, options...)...))
	return ips
}

func wantStatus(t *testing.T, c *harness.Cluster, namespace, name, want string) {
	t.Helper()
	harness.Eventually(t, "the status of "+name, func() error {
		ingress, err := c.Client.NetworkingV1().Ingresses(namespace).Get(context.Background(), name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		have := ""
		for _, address := range ingress.Status.LoadBalancer.Ingress {
			have += address.IP
		}
		if have != want {
			return fmt.Errorf("%q, want %q", have, want)
		}
		return nil
	})
}

// TestPod installs what a user installs, from the first start on: nothing is in the
// volumes, and both containers start at the same time.
func TestPod(t *testing.T) {
	s := newPodScene(t)
	t.Run("memory", s.memory)
	pair, err := s.c.CA.Issue("secure.example")
	if err != nil {
		t.Fatal(err)
	}
	s.c.Apply(t, harness.TLSSecret(s.ns, "secure", pair))
	web := s.serve("web")
	secure := s.serve("secure", harness.TLS("secure", "secure.example"))
	harness.WantPod(t, podHTTP, "web.example", "/", web...)
	harness.Eventually(t, "HTTPS", func() error {
		answer, err := harness.GetTLS(podHTTPS, "secure.example", "/", s.c.CA.ClientTLS())
		if err == nil && !slices.Contains(secure, answer.Echo.Pod) {
			err = fmt.Errorf("%d from %q", answer.Status, answer.Pod())
		}
		return err
	})
	wantStatus(t, s.c, s.ns, "web", "192.0.2.10")
	t.Run("intruder", s.intruder)
	t.Run("what is documented", s.documented)
	t.Run("containers restarted", s.restarted)
	for name, status := range s.pod.Stop(t) {
		if status != 0 {
			t.Errorf("%s ended with status %d", name, status)
		}
	}
}

// maxIdleMemory is what the controller may have to itself before it has an object, in
// KiB. Libraries that HAProxy has from the same image are not its own.
const maxIdleMemory = 8 * 1024

func (s *podScene) memory(t *testing.T) {
	private, err := harness.PrivateMemory(s.pod.PID("controller"))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the controller without an object: %d KiB private", private)
	if private > maxIdleMemory {
		t.Errorf("the controller without an object: %d KiB private, at most %d", private, maxIdleMemory)
	}
}

// intruder is somebody who runs code in HAProxy's container.
func (s *podScene) intruder(t *testing.T) {
	tries := harness.Probe{
		Read:  []string{tokenFile, "/var/lib/headgate/tickets.keys", "/etc/passwd"},
		Write: []string{"/", "/usr/bin", "/tmp", "/var/lib/headgate", "/run/headgate"},
	}
	const readOnly, missing = "read-only file system", "no such file or directory"
	want := map[string]harness.ProbeResult{
		"haproxy": {
			Read:  map[string]string{tokenFile: missing, "/var/lib/headgate/tickets.keys": "", "/etc/passwd": ""},
			Write: map[string]string{"/": readOnly, "/usr/bin": readOnly, "/tmp": readOnly, "/var/lib/headgate": readOnly, "/run/headgate": ""},
		},
		"controller": {
			Read:  map[string]string{tokenFile: "", "/var/lib/headgate/tickets.keys": "", "/etc/passwd": ""},
			Write: map[string]string{"/": readOnly, "/usr/bin": readOnly, "/tmp": readOnly, "/var/lib/headgate": "", "/run/headgate": ""},
		},
	}
	for name, want := range want {
		have := s.pod.Probe(t, name, tries)
		if !maps.Equal(have.Read, want.Read) || !maps.Equal(have.Write, want.Write) {
			t.Errorf("%s: read %q, want %q; wrote %q, want %q", name, have.Read, want.Read, have.Write, want.Write)
		}
		if have.UID != 65532 || have.GID != 65532 || len(have.Processes) != 1 {
			t.Errorf("%s: user %d:%d, processes %v", name, have.UID, have.GID, have.Processes)
		}
		for _, line := range []string{"CapEff:\t0000000000000000", "CapPrm:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1"} {
			if !strings.Contains(have.Status, line+"\n") {
				t.Errorf("%s: no %q in\n%s", name, line, have.Status)
			}
		}
	}
}

// restarted: either container goes and comes back; what was served is served before
// the other one has done anything, and what changed meanwhile arrives.
func (s *podScene) restarted(t *testing.T) {
	before := s.metrics(t)
	s.pod.KillContainer("controller")
	harness.WantStatus(t, podHTTP, "web.example", "/", http.StatusOK)
	s.pod.StartContainer(t, "controller")
	s.pod.WaitReady(t)
	if n := s.metrics(t).Sum("headgate_runtime_operations_total"); n != 0 {
		t.Errorf("a controller that found everything in place made %v changes (before: %v)", n, before.Sum("headgate_runtime_operations_total"))
	}
	s.pod.KillContainer("haproxy")
	late := s.serve("late")
	s.pod.StartContainer(t, "haproxy")
	s.pod.WaitReady(t)
	harness.WantPod(t, podHTTP, "late.example", "/", late...)
	harness.WantStatus(t, podHTTP, "web.example", "/", http.StatusOK)
	if n := s.metrics(t).Sum("headgate_reloads_total"); n != 0 {
		t.Errorf("%v reloads", n)
	}
}

func (s *podScene) metrics(t *testing.T) harness.Metrics {
	t.Helper()
	metrics, err := harness.ParseMetrics(scrape(t, podAdmin))
	if err != nil {
		t.Fatal(err)
	}
	return metrics
}

func scrape(t *testing.T, addr string) string {
	t.Helper()
	answer, err := harness.Get(addr, addr, "/metrics")
	if err != nil || answer.Status != http.StatusOK {
		t.Fatalf("%s: %d, %v", addr, answer.Status, err)
	}
	return answer.Body
}
