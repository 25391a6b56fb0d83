package options

import (
	"fmt"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"headgate.dev/e2e/harness"
)

// take is somebody else who has a port, until the function that it returns is called.
func (s *tcpScene) take(port string) (free func()) {
	s.t.Helper()
	var listener net.Listener
	harness.Eventually(s.t, "port "+port+" is free", func() (err error) {
		listener, err = net.Listen("tcp4", ":"+port)
		return err
	})
	s.t.Cleanup(func() { listener.Close() })
	return func() { listener.Close() }
}

// wantVariable waits until HAProxy runs with this.
func (s *tcpScene) wantVariable(name, value string) {
	s.t.Helper()
	harness.Eventually(s.t, name, func() error {
		reply, err := harness.Runtime(s.g.RuntimeSocket(), "show env "+name)
		if err == nil && strings.TrimSpace(reply) != name+"="+value {
			err = fmt.Errorf("%q, want %s", reply, value)
		}
		return err
	})
}

// TestTCPPortTaken has a port that somebody else has: everything else of the change
// comes up with one reload, and the port with another when it is free. And HAProxy is
// started while somebody has a port that it had.
func TestTCPPortTaken(t *testing.T) {
	for _, branch := range []string{"2.6", "3.4"} {
		t.Run(branch, func(t *testing.T) {
			t.Parallel()
			s := newTCPScene(t)
			pod := s.serve(nil)
			s.services = map[string]string{"one": pod}
			port, other, third := s.ports[0], s.ports[1], s.ports[2]
			flags := []string{"--configmap=" + namespace + "/settings", "--configmap-tcp-services=" + namespace + "/tcp"}
			harness.WriteManifestFile(t, filepath.Join(s.dir, "class.yaml"), harness.IngressClass("headgate", controller))
			s.start(branch, flags...)
			data := map[string]string{third: s.service("one")}
			// Before 3.4 a backend that is new is a reason, too.
			isNew := 0.0
			if branch == "2.6" {
				isNew = 1
			}
			s.step("a port", 1, isNew, func() {
				s.writeTCP(data)
				s.wantPod("a port", third, pod, nil)
			})
			workers := harness.WatchWorkers(t, s.g.Dir+"/")
			traffic := harness.StartProber(t, harness.Traffic{Addr: s.g.HTTP, Clients: 1, Pause: 20 * time.Millisecond, Next: plainRoute})
			fault := "data[" + port + "] can't be listened on: Address already in use: end what else has the port"

			free := s.take(port)
			from := len(s.g.Log())
			// The other reason is the option.
			s.step("a port that is taken, another and an option", 1, 1, func() {
				data[port], data[other] = s.service("one"), s.service("one")
				s.settings = map[string]string{"timeout-client": "77s"}
				s.writeTCP(maps.Clone(data))
				s.wantPod("the other one", other, pod, nil)
				s.wantVariable("HEADGATE_TIMEOUT_CLIENT", "77000ms")
				s.g.WaitSaid(t, from, "ConfigMap shop/tcp: "+fault)
			})
			if n := workers.Reloads(); n != 1 {
				t.Errorf("%d reloads, want 1", n)
			}
			s.step("it is free", 1, 0, func() {
				free()
				s.wantPod("the port", port, pod, nil)
				s.g.WaitSaid(t, from, "nothing is wrong any more")
			})
			s.wantPod("the other one", other, pod, nil)
			if n := workers.Reloads(); n != 2 {
				t.Errorf("%d reloads, want 2", n)
			}
			traffic.Stop().WantNoFailures(t)
			if n := s.g.Metrics(t).Sum("headgate_reload_errors_total"); n != 0 {
				t.Errorf("%v reloads were refused", n)
			}

			s.g.KillAll()
			free = s.take(port)
			from = len(s.g.Log())
			s.start(branch, flags...)
			s.wantPod("HAProxy is started, the other port", other, pod, nil)
			harness.WantStatus(t, s.g.HTTP, "plain.test", "/", http.StatusOK)
			s.wantVariable("HEADGATE_TIMEOUT_CLIENT", "77000ms")
			s.g.WaitSaid(t, from, "HAProxy is started without TCP ports that it can't have")
			s.g.WaitSaid(t, from, "ConfigMap shop/tcp: "+fault)
			s.step("it is free again", 1, 0, func() {
				free()
				s.wantPod("the port", port, pod, nil)
			})
			if tcp, all := s.reloads(); tcp != 1 || all != 1 {
				t.Errorf("since the start %v reloads for TCP services, %v altogether: want 1", tcp, all)
			}
			s.wantPod("the other one", other, pod, nil)
		})
	}
}
