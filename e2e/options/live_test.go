package options

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"headgate.dev/e2e/harness"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// liveStates are what a key of the controller's ConfigMap is in one state after the
// other; in the first and the last one it isn't there, and a flag says the same.
var liveStates = []string{"not there", "set", "changed", "of something that isn't there", "unreadable", "removed"}

// liveRow is a key whose change reloads nothing: its values in the states between
// the first and the last, what is seen in each, and what is logged of the two bad ones.
type liveRow struct {
	key    string
	values [4]string
	look   func(*liveScene) (string, error)
	want   [6]string
	said   [2]string
}

var liveRows = []liveRow{
	{key: "ssl-certificate", values: [4]string{"first", "away/second", "gone", "away/second/third"}, look: shownTo("nobody.test"),
		want: [6]string{"flagged.test", "first.test", "second.test", "second.test", "flagged.test", "flagged.test"},
		said: [2]string{"there is no Secret shop/gone", "no object's name"}},
	{key: "default-backend-service", values: [4]string{"shop/first", "shop/second:80", "shop/gone", "second:80"}, look: answers("nobody.test"),
		want: [6]string{"flagged", "first", "second", "503", "flagged", "flagged"},
		said: [2]string{"there is no Service shop/gone", "write <namespace>/<service>"}},
}

// liveScene is a controller with flags, and a ConfigMap with the same keys.
type liveScene struct {
	scene
	sites   map[string]string // names by the IP of their pods
	secrets []runtime.Object
	flags   []string
}

func newLiveScene(t *testing.T) *liveScene {
	t.Helper()
	pods := harness.StartPods(t)
	s := &liveScene{scene: scene{t: t, dir: t.TempDir(), ip: pods.IP(), g: harness.NewHeadgate(t)}, sites: map[string]string{},
		flags: []string{"--configmap=" + namespace + "/settings", "--default-certificate=" + namespace + "/flagged", "--default-backend=" + namespace + "/flagged:80"}}
	for _, name := range []string{"flagged", "first", "second"} {
		s.sites[pods.IP()] = name
	}
	ca, err := harness.NewCA("live")
	if err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string]string{"flagged": namespace, "first": namespace, "second": "away"} {
		pair, err := ca.Issue(name + ".test")
		if err != nil {
			t.Fatal(err)
		}
		s.secrets = append(s.secrets, harness.TLSSecret(in, name, pair))
	}
	return s
}

func (s *liveScene) writeState(state int) {
	s.t.Helper()
	s.states++
	data := map[string]string{}
	for _, r := range liveRows {
		if state > 0 && state < len(liveStates)-1 {
			data[r.key] = r.values[state-1]
		}
	}
	objects := append([]runtime.Object{
		harness.IngressClass("headgate", controller),
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "settings"}, Data: data},
		harness.Ingress(namespace, "state", harness.Class("headgate"), harness.Rule(s.state(), "/", "first:80")),
	}, s.secrets...)
	// Each has a route, so that its backend is there: a new one takes HAProxy 2.6 a reload.
	for ip, name := range s.sites {
		objects = append(objects, harness.Service(namespace, name, "80:8080"), harness.EndpointSlice(namespace, name, "8080", ip),
			harness.Ingress(namespace, name, harness.Class("headgate"), harness.Rule(name+".test", "/", name+":80")))
	}
	harness.WriteManifestFile(s.t, filepath.Join(s.dir, "all.yaml"), objects...)
	if s.states > 1 {
		s.settle()
	}
}

// shownTo is the name in the certificate that a client gets who asks for this one.
func shownTo(name string) func(*liveScene) (string, error) {
	return func(s *liveScene) (string, error) {
		conn, err := tls.Dial("tcp", s.g.HTTPS, &tls.Config{ServerName: name, InsecureSkipVerify: true})
		if err != nil {
			return "", err
		}
		defer conn.Close()
		return strings.Join(conn.ConnectionState().PeerCertificates[0].DNSNames, " "), nil
	}
}

// answers is whose pod a request for the host meets, or the status.
func answers(host string) func(*liveScene) (string, error) {
	return func(s *liveScene) (string, error) {
		answer, err := harness.Get(s.g.HTTP, host, "/")
		if err != nil || answer.Status != http.StatusOK {
			return fmt.Sprint(answer.Status), err
		}
		return s.sites[answer.Echo.Pod], nil
	}
}

func (s *liveScene) lookAt(state int) {
	s.t.Helper()
	for _, r := range liveRows {
		if got, err := r.look(s); err != nil || got != r.want[state] {
			s.t.Errorf("%s, %s: %q, %v instead of %q", r.key, liveStates[state], got, err, r.want[state])
		}
	}
}

// wantSaid demands a line of the log about each key that is bad.
func (s *liveScene) wantSaid(bad int) {
	s.t.Helper()
	for _, r := range liveRows {
		found := false
		for _, line := range s.g.Log() {
			found = found || strings.Contains(line.Raw, r.said[bad])
		}
		if !found {
			s.t.Errorf("%s: the log does not say %q", r.key, r.said[bad])
		}
	}
}

// TestLiveGlobals has each key of the controller's ConfigMap come, change and go
// that takes no reload; it goes before the flag that says the same.
func TestLiveGlobals(t *testing.T) {
	for _, branch := range []string{"2.6", "3.4"} {
		t.Run(branch, func(t *testing.T) {
			t.Parallel()
			s := newLiveScene(t)
			s.writeState(0)
			s.start(branch, s.flags...)
			s.settle()
			workers := harness.WatchWorkers(t, s.g.Dir+"/")
			before := len(workers.PIDs())
			traffic := harness.StartProber(t, harness.Traffic{Addr: s.g.HTTP, Clients: 2, Pause: 20 * time.Millisecond, Next: func(int, int) harness.Route {
				return harness.Route{Host: "first.test", Path: "/"}
			}})
			s.lookAt(0)
			for state := 1; state < len(liveStates); state++ {
				s.writeState(state)
				s.lookAt(state)
				if bad := state - 3; bad == 0 || bad == 1 {
					s.wantSaid(bad)
				}
				if state == 3 {
					// Whoever starts with it finds what was good before.
					s.g.Kill()
					s.start(branch, s.flags...)
					s.writeState(state)
					s.lookAt(state)
				}
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
