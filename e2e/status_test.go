package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"headgate.dev/e2e/harness"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const statusAddress = "192.0.2.1"

// statusFlags make a controller take part in the election of this scene, with a
// Lease that ends sooner than the usual one.
func (s *routeScene) statusFlags(more ...string) []string {
	return append(append(routeFlags(s.t, s.branch),
		"--kubeconfig="+s.c.Kubeconfig(s.t), "--controller-name="+s.controllerName(),
		"--lease="+harness.ControllerNamespace+"/"+s.class, "--lease-duration=6",
		"--publish-address="+statusAddress), more...)
}

// addresses is the status of an Ingress, as "ip ip".
func (s *routeScene) addresses(name string) (string, error) {
	ingress, err := s.c.Client.NetworkingV1().Ingresses(s.ns).Get(context.Background(), name, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	return statusText(ingress), nil
}

func statusText(ingress *networkingv1.Ingress) string {
	var texts []string
	for _, address := range ingress.Status.LoadBalancer.Ingress {
		texts = append(texts, address.IP+address.Hostname)
	}
	return strings.Join(texts, " ")
}

func (s *routeScene) wantAddresses(name, want string) {
	s.t.Helper()
	harness.Eventually(s.t, "the status of "+name, func() error {
		have, err := s.addresses(name)
		if err == nil && have != want {
			err = fmt.Errorf("%q, want %q", have, want)
		}
		return err
	})
}

// setAddress writes the status as a tenant might.
func (s *routeScene) setAddress(name, ip string) {
	s.t.Helper()
	patch := fmt.Sprintf(`{"status":{"loadBalancer":{"ingress":[{"ip":%q}]}}}`, ip)
	_, err := s.c.Client.NetworkingV1().Ingresses(s.ns).Patch(context.Background(), name,
		"application/merge-patch+json", []byte(patch), metav1.PatchOptions{}, "status")
	if err != nil {
		s.t.Fatalf("%v", err)
	}
}

// watchStatus notes every value that the status of an Ingress has from now on.
func (s *routeScene) watchStatus(name string) func() []string {
	s.t.Helper()
	watch, err := s.c.Client.NetworkingV1().Ingresses(s.ns).Watch(context.Background(),
		metav1.ListOptions{FieldSelector: "metadata.name=" + name})
	if err != nil {
		s.t.Fatalf("%v", err)
	}
	s.t.Cleanup(watch.Stop)
	var mu sync.Mutex
	var values []string
	go func() {
		for event := range watch.ResultChan() {
			if ingress, ok := event.Object.(*networkingv1.Ingress); ok {
				mu.Lock()
				values = append(values, statusText(ingress))
				mu.Unlock()
			}
		}
	}()
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), values...)
	}
}

// statusAudit counts the requests of all controllers since it was made.
type statusAudit struct {
	c    *harness.Cluster
	t    *testing.T
	from int
}

func (s *routeScene) audit() statusAudit {
	_, from := s.c.AuditLines(s.t, 0)
	return statusAudit{s.c, s.t, from}
}

// want demands exactly so many answered requests: "list services".
func (a statusAudit) want(what string, want int) {
	a.t.Helper()
	harness.Eventually(a.t, what, func() error {
		if have := a.count(what); have != want {
			return fmt.Errorf("%d requests, want %d", have, want)
		}
		return nil
	})
}

func (a statusAudit) count(what string) int {
	lines, _ := a.c.AuditLines(a.t, a.from)
	n := 0
	for _, line := range lines {
		isBegun := line.Verb == "watch" && line.Stage == "ResponseStarted"
		isDone := line.Verb != "watch" && line.Stage == "ResponseComplete"
		if line.What() == what && (isBegun || isDone) {
			n++
		}
	}
	return n
}

// statusLeader is the one replica that holds the Lease.
func statusLeader(t *testing.T, replicas []*harness.Headgate) (leader int) {
	t.Helper()
	harness.Eventually(t, "one leader", func() error {
		n := 0
		for i, g := range replicas {
			if g.Running() && g.Metrics(t).Sum("headgate_leader") == 1 {
				n, leader = n+1, i
			}
		}
		if n != 1 {
			return fmt.Errorf("%d of %d hold the Lease", n, len(replicas))
		}
		return nil
	})
	return leader
}

// Three replicas: all serve, one writes; when it is killed another one goes on where
// it was, and the status never changes its value in between.
func TestStatusReplicas(t *testing.T) {
	s := newRouteScene(t, "3.4")
	s.serve("web", 2)
	s.c.Apply(t, s.ingress("web", harness.Rule("web.example", "/", "web:80")))
	s.setAddress("web", "198.51.100.66") // a tenant's idea
	audit := s.audit()
	var replicas []*harness.Headgate
	for range 3 {
		g := harness.NewHeadgate(t)
		g.Start(t, s.statusFlags()...)
		replicas = append(replicas, g)
	}
	for _, g := range replicas {
		g.WaitReady(t)
		harness.WantPod(t, g.HTTP, "web.example", "/", s.ips["web"]...)
	}
	s.wantAddresses("web", statusAddress)
	for _, kind := range []string{"ingresses", "ingressclasses", "services", "endpointslices"} {
		audit.want("list "+kind, 3)
		audit.want("watch "+kind, 3)
	}
	audit.want("patch ingresses/status", 1)

	first := statusLeader(t, replicas)
	values := s.watchStatus("web")
	replicas[first].Kill()
	second := statusLeader(t, replicas)
	if second == first {
		t.Fatalf("the dead one still leads")
	}
	for _, g := range replicas { // the HAProxy of the dead one as well
		harness.WantPod(t, g.HTTP, "web.example", "/", s.ips["web"]...)
	}
	s.c.Apply(t, s.ingress("more", harness.Rule("more.example", "/", "web:80")))
	s.wantAddresses("more", statusAddress)
	audit.want("patch ingresses/status", 2)
	for _, value := range values() {
		if value != statusAddress {
			t.Errorf("in between the status was %q", value)
		}
	}

	// Somebody else's value is put right once, and what is no longer ours is cleared.
	s.setAddress("more", "198.51.100.66")
	harness.Eventually(t, "a further write", func() error {
		if n := audit.count("patch ingresses/status"); n != 3 {
			return fmt.Errorf("%d", n)
		}
		return nil
	})
	s.wantAddresses("more", statusAddress)
	s.c.Apply(t, harness.Ingress(s.ns, "more", harness.Class("nobody"), harness.Rule("more.example", "/", "web:80")))
	s.wantAddresses("more", "")
	audit.want("patch ingresses/status", 4)

	// Asked to end, the holder gives the Lease back, and clears nothing.
	if status := replicas[second].Stop(t); status != 0 {
		t.Errorf("exit status %d", status)
	}
	statusLeader(t, replicas)
	s.wantAddresses("web", statusAddress)
	audit.want("patch ingresses/status", 4)
	for _, kind := range []string{"ingresses", "services"} {
		audit.want("list "+kind, 3)
	}
}

const (
	statusBad       = 10000
	statusAsked     = 500
	statusMemoryKiB = 48 * 1024
)

// Ten thousand Ingresses that are wrong: the good one is served, the controller stays
// small, the API server isn't flooded, and each of them can be asked for.
func TestStatusManyBad(t *testing.T) {
	t.Setenv("HEADGATE_E2E_PATIENCE", "5m")
	s := newRouteScene(t, "3.4")
	s.serve("web", 2)
	s.c.Apply(t, s.ingress("web", harness.Rule("web.example", "/", "web:80")))
	statusMakeBad(s)
	began := time.Now()
	s.g = harness.NewHeadgate(t)
	// A second model beside the first one would be measured as well.
	flags := slices.DeleteFunc(s.statusFlags(), func(flag string) bool { return flag == "--self-check" })
	s.g.Start(t, flags...)
	s.g.WaitReady(t)
	s.wantAnswers(routeAnswer{host: "web.example", path: "/", service: "web"})
	harness.Eventually(t, "Events", func() error {
		metrics := s.g.Metrics(t)
		sent, dropped := metrics.Sum("headgate_events_total", `result="sent"`), metrics.Sum("headgate_events_total", `result="dropped"`)
		if sent < 50 || dropped < statusBad-1100 {
			return fmt.Errorf("%v sent, %v dropped", sent, dropped)
		}
		return nil
	})
	list, err := s.c.Client.EventsV1().Events(s.ns).List(context.Background(), metav1.ListOptions{})
	if err != nil {
		t.Fatalf("%v", err)
	}
	if most := 51 + int(time.Since(began).Seconds()); len(list.Items) > most {
		t.Errorf("%d Events, want at most %d", len(list.Items), most)
	}
	for _, event := range list.Items {
		if event.Type != "Warning" || event.Regarding.UID == "" || !strings.Contains(event.Note, "spec.rules[0]") {
			t.Errorf("an Event: %+v", event)
			break
		}
	}
	for i := range statusAsked {
		statusAsk(s, fmt.Sprintf("bad%05d", i*(statusBad/statusAsked)))
	}
	harness.WantStatus(t, s.g.Admin, s.g.Admin, "/ingresses/"+s.ns+"/nothing", http.StatusNotFound)
	kib, err := harness.PrivateMemory(s.g.PID())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d Events, %d KiB of private memory", len(list.Items), kib)
	if statusIsSanitized(t, s.g.PID()) {
		t.Logf("not judged: the address sanitizer keeps what was freed")
	} else if kib > statusMemoryKiB {
		t.Errorf("%d KiB of private memory, want at most %d", kib, statusMemoryKiB)
	}
	s.wantAnswers(routeAnswer{host: "web.example", path: "/", service: "web"})
}

func statusMakeBad(s *routeScene) {
	s.t.Helper()
	var wait sync.WaitGroup
	const hands = 8
	errs := make(chan error, hands)
	for hand := range hands {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for i := hand; i < statusBad; i += hands {
				path, service := "/", "missing:80"
				if i%2 == 1 {
					path, service = "/a b", "web:80"
				}
				name := fmt.Sprintf("bad%05d", i)
				object := s.ingress(name, harness.Rule(name+".example", path, service)).(*networkingv1.Ingress)
				_, err := s.c.Client.NetworkingV1().Ingresses(s.ns).Create(context.Background(), object, metav1.CreateOptions{})
				if err != nil {
					errs <- err
					return
				}
			}
		}()
	}
	wait.Wait()
	select {
	case err := <-errs:
		s.t.Fatalf("%v", err)
	default:
	}
}

func statusAsk(s *routeScene, name string) {
	s.t.Helper()
	var verdict struct {
		Name        string
		Served      bool
		Diagnostics []struct{ Reason, Field, Text string }
	}
	answer, err := harness.Get(s.g.Admin, s.g.Admin, "/ingresses/"+s.ns+"/"+name)
	if err == nil {
		err = json.Unmarshal([]byte(answer.Body), &verdict)
	}
	if err != nil || answer.Status != http.StatusOK || verdict.Name != name || !verdict.Served ||
		len(verdict.Diagnostics) != 1 || verdict.Diagnostics[0].Reason == "" || verdict.Diagnostics[0].Text == "" {
		s.t.Errorf("%s: status %d, %v: %s", name, answer.Status, err, answer.Body)
	}
}

// statusIsSanitized says whether the controller was built with the address sanitizer.
func statusIsSanitized(t *testing.T, pid int) bool {
	t.Helper()
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatalf("%v", err)
	}
	return strings.Contains(string(maps), "/libasan.")
}
