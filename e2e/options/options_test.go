package options

import (
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"headgate.dev/e2e/harness"
	"k8s.io/apimachinery/pkg/runtime"
)

const (
	namespace  = "shop"
	controller = "headgate.dev/ingress-controller"
	prefix     = "haproxy.org/"
)

// scene is a controller that reads one file, in which all rows are; and traffic to
// a route without options, which no change may disturb.
type scene struct {
	t      *testing.T
	dir    string
	g      *harness.Headgate
	ip     string
	next   string       // of the pod of the Service "next"
	states int          // that have been written
	marks  atomic.Int64 // of requests in the log
}

func newScene(t *testing.T, branch string) *scene {
	t.Helper()
	pods := harness.StartPods(t)
	s := &scene{t: t, dir: t.TempDir(), ip: pods.IP(), next: pods.IP(), g: harness.NewHeadgate(t)}
	s.write(nil)
	s.start(branch)
	harness.WantStatus(t, s.g.HTTP, "plain.test", "/", http.StatusOK)
	return s
}

func (s *scene) start(branch string, flags ...string) {
	s.t.Helper()
	s.g.Start(s.t, append(flags, "--manifests="+s.dir, "--haproxy="+harness.HAProxyPath(s.t, branch),
		"--config-dir="+filepath.Join(harness.Root(s.t), "haproxy-cfg"), "--controller-name="+controller, "--self-check")...)
	s.g.WaitReady(s.t)
}

// write gives every row these annotations besides its fixed ones.
func (s *scene) write(choose func(row) map[string]string) {
	s.t.Helper()
	objects := []runtime.Object{harness.IngressClass("headgate", controller)}
	add := func(name string, annotations, ofService map[string]string) {
		service := harness.Service(namespace, name, "80:8080")
		service.Annotations = ofService
		options := []harness.IngressOption{harness.Class("headgate"), harness.Rule(name+".test", "/", name+":80")}
		for key, value := range annotations {
			options = append(options, harness.Annotation(key, value))
		}
		objects = append(objects, service, harness.EndpointSlice(namespace, name, "8080", s.ip),
			harness.Ingress(namespace, name, options...))
	}
	add("plain", nil, nil)
	objects = append(objects, harness.Service(namespace, "next", "80:8080"), harness.EndpointSlice(namespace, "next", "8080", s.next))
	// A key a user; a file of htpasswd; and who is somewhere else.
	objects = append(objects,
		harness.Secret(namespace, "users", is("joe", "$2y$05$KBCwKxOzLha2MUDgW0PjXeGy8zDyKFegpVV4y0qPBUgij10WNyKY6\n")),
		harness.Secret(namespace, "others", is("auth", "ann:$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/\nj\u00f6:{SHA}3OptnM09ILoVSfbZtd3mB0IViII=\n")),
		harness.Secret("away", "users", is("joe", "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=")))
	// Its coming tells that the rest has.
	s.states++
	objects = append(objects, harness.Ingress(namespace, "state", harness.Class("headgate"), harness.Rule(s.state(), "/", "plain:80")))
	for i, r := range rows {
		own, ofService := prefixed(r.fixed), map[string]string{}
		if choose != nil {
			to := own
			if r.onService {
				to = ofService
			}
			maps.Copy(to, prefixed(choose(r)))
		}
		add(rowName(i), own, ofService)
	}
	harness.WriteManifestFile(s.t, filepath.Join(s.dir, "all.yaml"), objects...)
}

// prefixed has the prefix in front of keys without one.
func prefixed(annotations map[string]string) map[string]string {
	all := map[string]string{}
	for key, value := range annotations {
		if !strings.Contains(key, "/") {
			key = prefix + key
		}
		all[key] = value
	}
	return all
}

// state is a host that only this state has.
func (s *scene) state() string { return fmt.Sprintf("state-%d.test", s.states) }

func rowName(i int) string { return fmt.Sprintf("row-%d", i) }

// settle waits until the last files are what HAProxy has. Their new host is answered
// while the pass that brings it still takes away what has gone. So another host comes,
// one without a Service: its pass begins when the first is over.
func (s *scene) settle() {
	s.t.Helper()
	harness.WantStatus(s.t, s.g.HTTP, s.state(), "/", http.StatusOK)
	after := "after-" + s.state()
	harness.WriteManifestFile(s.t, filepath.Join(s.dir, "after.yaml"),
		harness.Ingress(namespace, "after", harness.Class("headgate"), harness.Rule(after, "/", "none:80")))
	harness.WantStatus(s.t, s.g.HTTP, after, "/", http.StatusServiceUnavailable)
}

// look asks all rows at once, and says which of them are not as wanted.
func (s *scene) look(state string, want func(row) string) {
	s.t.Helper()
	var all sync.WaitGroup
	for i, r := range rows {
		all.Add(1)
		go func() {
			defer all.Done()
			name := rowName(i) + ".test"
			wanted := strings.ReplaceAll(want(r), "HOST", name)
			got, err := r.meet(s, name, wanted)
			if err != nil {
				s.t.Errorf("%s, %s: %v", r.keys, state, err)
			} else if got != wanted {
				s.t.Errorf("%s (%s), %s: %q instead of %q", r.keys, rowName(i), state, got, wanted)
			}
		}()
	}
	all.Wait()
}

// meet is what a row's requests meet.
func (r row) meet(s *scene, name, want string) (string, error) {
	if r.look != nil {
		return r.look(s, name, want)
	}
	answers, err := s.ask(name, r.ask)
	if err != nil {
		return "", err
	}
	return r.see(answers), nil
}

func (s *scene) ask(name string, a ask) ([]harness.Answer, error) {
	method, target := a.method, a.target
	if method == "" {
		method = http.MethodGet
	}
	if target == "" {
		target = "/a/b?c=d"
	}
	var answers []harness.Answer
	for range max(a.n, 1) {
		request, err := http.NewRequest(method, "http://"+name+target, nil)
		if err != nil {
			return nil, err
		}
		for key, value := range a.header {
			request.Header.Set(key, value)
		}
		answer, err := harness.Do(s.g.HTTP, request)
		if err != nil {
			return nil, err
		}
		answers = append(answers, answer)
	}
	return answers, nil
}

// TestOptions has each option come, change and go.
func TestOptions(t *testing.T) {
	for _, branch := range []string{"2.6", "3.4"} {
		t.Run(branch, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, branch)
			s.settle()
			workers := harness.WatchWorkers(t, s.g.Dir+"/")
			before := len(workers.PIDs())
			traffic := harness.StartProber(t, harness.Traffic{Addr: s.g.HTTP, Clients: 2, Next: func(int, int) harness.Route {
				return harness.Route{Host: "plain.test", Path: "/"}
			}})
			s.look("without it", func(r row) string { return r.want[0] })
			for _, state := range []struct {
				name   string
				choose func(row) map[string]string
				want   func(row) string
			}{
				{"set", func(r row) map[string]string { return r.set }, func(r row) string { return r.want[1] }},
				{"changed", func(r row) map[string]string { return r.change }, func(r row) string { return r.want[2] }},
				{"removed", nil, func(r row) string {
					if r.after != "" {
						return r.after
					}
					return r.want[0]
				}},
			} {
				s.write(state.choose)
				s.settle()
				s.look(state.name, state.want)
			}
			if n := len(workers.PIDs()) - before; n != 0 {
				t.Errorf("%d reloads", n)
			}
			if summary := traffic.Stop(); summary.Failures > 0 {
				t.Errorf("the route beside: %v", summary)
			}
		})
	}
}
