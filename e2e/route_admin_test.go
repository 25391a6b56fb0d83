package e2e

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"headgate.dev/e2e/harness"
)

// TestPages looks at what operators look at.
func TestPages(t *testing.T) {
	eachRouteBranch(t, func(t *testing.T, branch string) {
		s := newRouteScene(t, branch)
		s.serve("web", 2)
		s.c.Apply(t, s.ingress("web", harness.Rule("web.example", "/", "web:80")))
		s.start()
		s.wantAnswers(routeAnswer{host: "web.example", path: "/", service: "web"})

		s.wantPage(s.g.Admin, "/healthz", http.StatusOK, "ok\n")
		s.wantPage(s.g.Admin, "/readyz", http.StatusOK, "ok\n")
		s.wantPage(s.g.Admin, "/", http.StatusNotFound, "/metrics")
		s.wantPage(s.g.Stats, "/healthz", http.StatusOK)
		backend := fmt.Sprintf("%s_svc_web_80", s.ns)
		s.wantPage(s.g.Stats, "/metrics", http.StatusOK, "haproxy_backend_http_requests_total{proxy=\""+backend+"\"}")
		names := []string{backend}
		for _, ip := range s.ips["web"] {
			names = append(names, harness.PodName(ip))
		}
		s.wantPage(s.g.Stats, "/", http.StatusOK, names...)

		s.wantStatusCommand("ready", "HAProxy     "+branch, "1 Ingresses of ours, 1 backends", "1 hosts, 1 prefix", "2 up, 0 down",
			"problems    none", "last pass", "no reload")

		metrics := s.g.Metrics(t)
		for series, want := range map[string]float64{
			"headgate_haproxy_up": 1, "headgate_backends": 1, "headgate_servers": 2,
			`headgate_routes{map="hosts.map"}`: 1, `headgate_routes{map="prefix.map"}`: 1, `headgate_routes{map="exact.map"}`: 0,
			`headgate_diagnostics{reason="InvalidPath"}`: 0,
		} {
			if got, ok := metrics[series]; !ok || got != want {
				t.Errorf("%s is %v, want %v", series, got, want)
			}
		}
		s.healthy()
	})
}

func (s *routeScene) wantPage(addr, path string, status int, texts ...string) {
	s.t.Helper()
	answer, err := harness.Get(addr, addr, path)
	if err != nil || answer.Status != status {
		s.t.Errorf("%s: %s: status %d (%v), want %d", s.branch, path, answer.Status, err, status)
	}
	for _, text := range texts {
		if !strings.Contains(answer.Body, text) {
			s.t.Errorf("%s: %s: %q is not in %.500q", s.branch, path, text, answer.Body)
		}
	}
}

// wantStatusCommand: the words are in what `headgate status` says, in this order.
func (s *routeScene) wantStatusCommand(words ...string) {
	s.t.Helper()
	output, err := exec.Command(harness.HeadgateBinary(s.t), "status", "--admin-bind="+s.g.Admin, "--run-dir="+s.g.RunDir).Output()
	rest := string(output)
	for _, word := range words {
		_, after, found := strings.Cut(rest, word)
		if !found {
			s.t.Errorf("%s: headgate status (%v): no %q, where it belongs, in\n%s", s.branch, err, word, output)
			return
		}
		rest = after
	}
	if err != nil {
		s.t.Errorf("%s: headgate status: %v", s.branch, err)
	}
}

// TestNotReady is alive without an API server, but not ready.
func TestNotReady(t *testing.T) {
	s := newRouteScene(t, "3.4")
	text, err := os.ReadFile(s.c.Kubeconfig(t))
	if err != nil {
		t.Fatal(err)
	}
	nobody := strings.ReplaceAll(string(text), ":6443", fmt.Sprintf(":%d", harness.FreePort(t)))
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	s.write(kubeconfig, nobody)
	s.g = harness.NewHeadgate(t)
	s.g.Start(t, append(routeFlags(t, s.branch), "--kubeconfig="+kubeconfig)...)
	s.g.WaitLog(t, 0, "level=info", "msg=HAProxy is up")
	s.wantPage(s.g.Admin, "/healthz", http.StatusOK, "ok\n")
	s.wantPage(s.g.Admin, "/readyz", http.StatusServiceUnavailable, "listed")
	if !s.g.Running() {
		t.Error("the controller has ended")
	}
}

// TestHangup makes the controller read HAProxy back: nothing changes.
func TestHangup(t *testing.T) {
	eachRouteBranch(t, func(t *testing.T, branch string) {
		s := newRouteScene(t, branch)
		s.serve("web", 3)
		s.c.Apply(t, s.ingress("web", harness.Rule("web.example", "/", "web:80"), harness.Rule("*.example", "/x", "web:80")))
		s.g = harness.NewHeadgate(t)
		proxy := harness.StartCLIProxy(t, s.g.RuntimeSocket())
		s.g.Start(t, append(routeFlags(t, branch), "--kubeconfig="+s.c.Kubeconfig(t),
			"--controller-name="+s.controllerName(), "--runtime-socket="+proxy.Socket)...)
		s.g.WaitReady(t)
		s.wantAnswers(routeAnswer{host: "web.example", path: "/", service: "web"})
		s.workers = harness.WatchWorkers(t, s.g.Dir+"/")
		before := readHAProxy(t, s.g)

		s.costs(0, "SIGHUP", func() {
			proxy.Reset()
			passes := s.g.Metrics(t).Sum("headgate_reconcile_total", `result="noop"`)
			s.g.Signal(syscall.SIGHUP)
			harness.Eventually(t, "a pass after SIGHUP", func() error {
				if n := s.g.Metrics(t).Sum("headgate_reconcile_total", `result="noop"`); n <= passes {
					return fmt.Errorf("%v passes, as before", n)
				}
				return nil
			})
		})
		if n := len(proxy.Commands()); n == 0 {
			t.Error("HAProxy was not read")
		}
		if writes := proxy.Writes(); len(writes) != 0 {
			t.Errorf("HAProxy was written to: %v", writes)
		}
		if after := readHAProxy(t, s.g); !sameHAProxy(before, after) {
			t.Errorf("before %v\nafter %v", before, after)
		}

		// What somebody else has changed is put right.
		runtimeReply(t, s.g, "clear map "+s.g.StateDir+"/current/hosts.map")
		s.wantAnswers(routeAnswer{host: "web.example", path: "/", status: http.StatusNotFound})
		s.g.Signal(syscall.SIGHUP)
		s.wantAnswers(routeAnswer{host: "web.example", path: "/", service: "web"},
			routeAnswer{host: "a.example", path: "/x", service: "web"})
		s.healthy()
	})
}

func sameHAProxy(a, b haproxyState) bool {
	return slices.Equal(a.backends, b.backends) &&
		maps.EqualFunc(a.maps, b.maps, func(x, y map[string]string) bool { return maps.Equal(x, y) }) &&
		maps.EqualFunc(a.servers, b.servers, func(x, y []haproxyServer) bool { return slices.Equal(x, y) })
}

// TestTerminate ends the controller and its HAProxy in order: requests in flight
// are answered. Started again, everything is as before.
func TestTerminate(t *testing.T) {
	eachRouteBranch(t, func(t *testing.T, branch string) {
		s := newRouteScene(t, branch)
		s.serve("web", 1)
		s.c.Apply(t, s.ingress("web", harness.Rule("web.example", "/", "web:80")))
		s.start()
		s.wantAnswers(routeAnswer{host: "web.example", path: "/", service: "web"})
		before := s.pods.Requests(s.ips["web"][0])
		slow := make(chan error)
		go func() { slow <- s.ask(routeAnswer{host: "web.example", path: "/?sleep=2000", service: "web"}) }()
		harness.Eventually(t, "the slow request", func() error {
			if s.pods.Requests(s.ips["web"][0]) == before {
				return fmt.Errorf("the pod has not got it")
			}
			return nil
		})
		workers := s.workers.PIDs()
		if status := s.g.Stop(t); status != 0 {
			t.Errorf("exit status %d, want 0", status)
		}
		if err := <-slow; err != nil {
			t.Errorf("the request in flight: %v", err)
		}
		for _, pid := range workers {
			if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
				t.Errorf("worker %d is still there (%v)", pid, err)
			}
		}
		if _, err := harness.Runtime(s.g.RuntimeSocket(), "show info"); err == nil {
			t.Error("HAProxy still answers")
		}
		if _, err := harness.Get(s.g.HTTP, "web.example", "/"); err == nil {
			t.Error("requests are still taken")
		}
		s.g.Start(t, append(routeFlags(t, branch), "--kubeconfig="+s.c.Kubeconfig(t),
			"--controller-name="+s.controllerName())...)
		s.g.WaitReady(t)
		s.wantAnswers(routeAnswer{host: "web.example", path: "/", service: "web"})
		s.healthy()
	})
}

// TestLogIsOurs keeps the controller's log blocking. HAProxy writes to the same
// pipe and makes its end of it non-blocking with the first line that it logs; the
// controller's would then be lost whenever the reader is slow.
func TestLogIsOurs(t *testing.T) {
	eachRouteBranch(t, func(t *testing.T, branch string) {
		s, _ := manifestScene(t, branch)
		conn, err := net.Dial("tcp", s.g.HTTP)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprint(conn, "GET / HTTP/1.1\r\n\tnot a header\r\n\r\n")
		harness.Eventually(t, "HAProxy's line about a bad request", func() error {
			for _, line := range s.g.Log() {
				if strings.Contains(line.Raw, "headgate_http") && strings.Contains(line.Raw, "<BADREQ>") {
					return nil
				}
			}
			return errors.New("not in the log")
		})
		flags, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/2", s.g.PID()))
		if err != nil {
			t.Fatal(err)
		}
		var position, bits int
		if _, err := fmt.Sscanf(string(flags), "pos:\t%d\nflags:\t%o", &position, &bits); err != nil {
			t.Fatalf("%q: %v", flags, err)
		}
		if bits&syscall.O_NONBLOCK != 0 {
			t.Errorf("standard error is non-blocking: %q", flags)
		}
	})
}
