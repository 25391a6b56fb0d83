package options

import (
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"headgate.dev/e2e/harness"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// globalScene is a controller with a ConfigMap, and the pods that its rows need.
type globalScene struct {
	scene
	odd    *oddPods
	tunnel kept // opened in the state before
	syslog *syslogServer
}

// globalStates are what comes one after the other; in the first and the last one
// the ConfigMap says nothing.
const globalStates = 7

func (s *globalScene) writeState(state int) {
	s.t.Helper()
	s.states++
	data := map[string]string{}
	for _, r := range globalRows {
		if state < globalStates-1 {
			maps.Copy(data, r.in(state))
		}
	}
	if text, ok := data["syslog-server"]; ok {
		data["syslog-server"] = strings.ReplaceAll(text, "PORT", s.syslog.port)
	}
	objects := []runtime.Object{
		harness.IngressClass("headgate", controller),
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "settings"}, Data: data},
	}
	site := func(name, ip, port string, annotations ...string) {
		options := []harness.IngressOption{harness.Class("headgate"), harness.Rule(name+".test", "/", name+":80")}
		for i := 0; i < len(annotations); i += 2 {
			options = append(options, harness.Annotation(prefix+annotations[i], annotations[i+1]))
		}
		objects = append(objects, harness.Service(namespace, name, "80:"+port), harness.EndpointSlice(namespace, name, port, ip),
			harness.Ingress(namespace, name, options...))
	}
	site("plain", s.ip, "8080")
	site("queue", s.ip, "8080", "pod-maxconn", "1")
	site("deaf", s.ip, s.odd.deaf)
	site("slow", s.ip, s.odd.slow, "check-http", "/", "check-interval", "4s")
	objects = append(objects, harness.Ingress(namespace, "state", harness.Class("headgate"), harness.Rule(s.state(), "/", "plain:80")))
	harness.WriteManifestFile(s.t, filepath.Join(s.dir, "all.yaml"), objects...)
}

// TestGlobals has each option of the whole HAProxy come, change and go: one reload
// for all that change at a time, and none for a file that says the same again.
func TestGlobals(t *testing.T) {
	for _, branch := range []string{"2.6", "3.4"} {
		t.Run(branch, func(t *testing.T) {
			t.Parallel()
			s := &globalScene{scene: scene{t: t, dir: t.TempDir(), ip: harness.StartPods(t).IP(), g: harness.NewHeadgate(t)}}
			s.odd, s.syslog = startOddPods(t, s.ip), startSyslog(t)
			s.writeState(0)
			s.start(branch, "--configmap="+namespace+"/settings")
			s.settle()
			traffic := harness.StartProber(t, harness.Traffic{Addr: s.g.HTTP, Clients: 2, Pause: 20 * time.Millisecond, Next: func(int, int) harness.Route {
				return harness.Route{Host: "plain.test", Path: "/"}
			}})
			s.lookAt(0)
			for state := 1; state < globalStates; state++ {
				reloads := s.reloads()
				s.writeState(state)
				s.settle()
				harness.Eventually(t, "the reload", func() error {
					if n := s.reloads() - reloads; n != 1 {
						return fmt.Errorf("%v reloads", n)
					}
					return nil
				})
				s.lookAt(state)
			}
			s.restart(branch)
			// Who is slower than timeout-http-request asks for gets 408.
			if summary := traffic.Stop(); summary.Failures > summary.ByStatus[http.StatusRequestTimeout] {
				t.Errorf("the route beside: %v", summary)
			}
		})
	}
}

func (s *globalScene) reloads() float64 {
	s.t.Helper()
	return s.g.Metrics(s.t).Sum("headgate_reloads_total", `reason="settings"`)
}

// lookAt has all rows looked at side by side.
func (s *globalScene) lookAt(state int) {
	s.t.Helper()
	var all sync.WaitGroup
	for _, r := range globalRows {
		all.Add(1)
		go func() {
			defer all.Done()
			want := r.want[0]
			if state < len(r.want) {
				want = r.want[state]
			}
			got, err := r.look(s, want)
			if err != nil {
				s.t.Errorf("%s, state %d: %v", r.keys, state, err)
			} else if got != want {
				s.t.Errorf("%s, state %d: %q instead of %q", r.keys, state, got, want)
			}
		}()
	}
	all.Wait()
}

// restart has a controller that starts anew find what it wants, and what says the
// same again change nothing.
func (s *globalScene) restart(branch string) {
	s.t.Helper()
	worker := s.worker()
	s.g.Kill()
	s.start(branch, "--configmap="+namespace+"/settings")
	s.writeState(globalStates - 1)
	s.settle()
	if now := s.worker(); now != worker {
		s.t.Errorf("the worker was %s and is %s", worker, now)
	}
	harness.WantStatus(s.t, s.g.HTTP, "plain.test", "/", http.StatusOK)
}

func (s *globalScene) worker() string { return s.info("Pid") }
