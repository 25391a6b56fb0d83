package options

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"headgate.dev/e2e/harness"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// clientScene is a controller whose ConfigMap says whom clients have to be from,
// and clients with all kinds of certificates.
type clientScene struct {
	scene
	first, second *harness.CA
	site          harness.KeyPair // of secure.test
	who           map[string]*tls.Config
}

func newClientScene(t *testing.T) *clientScene {
	t.Helper()
	s := &clientScene{scene: scene{t: t, dir: t.TempDir(), ip: harness.StartPods(t).IP(), g: harness.NewHeadgate(t)}, who: map[string]*tls.Config{}}
	var pairs [5]harness.KeyPair
	var errs [8]error
	s.first, errs[0] = harness.NewCA("first")
	s.second, errs[1] = harness.NewCA("second")
	strange, err := harness.NewCA("strange")
	errs[2] = err
	pairs[0], errs[3] = s.first.IssueForClient("first.example")
	pairs[1], errs[4] = s.second.IssueForClient("second.example")
	pairs[2], errs[5] = strange.IssueForClient("first.example")
	pairs[3], errs[6] = s.first.IssueExpired("late.example")
	s.site, errs[7] = s.first.Issue("secure.test")
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	s.who["nobody"] = &tls.Config{InsecureSkipVerify: true}
	for i, name := range []string{"first", "second", "stranger", "late"} {
		pair, err := tls.X509KeyPair(pairs[i].Cert, pairs[i].Key)
		if err != nil {
			t.Fatal(err)
		}
		// Shown whatever the server says that it wants.
		s.who[name] = &tls.Config{InsecureSkipVerify: true,
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }}
	}
	return s
}

// writeClients says this in the ConfigMap, beside these Secrets. The site
// secure.test, with a certificate of its own, comes with the second state.
func (s *clientScene) writeClients(settings map[string]string, secrets ...runtime.Object) {
	s.t.Helper()
	s.states++
	objects := append([]runtime.Object{
		harness.IngressClass("headgate", controller),
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "settings"}, Data: settings},
		harness.Service(namespace, "plain", "80:8080"), harness.EndpointSlice(namespace, "plain", "8080", s.ip),
		harness.Ingress(namespace, "plain", harness.Class("headgate"), harness.Rule("plain.test", "/", "plain:80")),
		harness.Ingress(namespace, "state", harness.Class("headgate"), harness.Rule(s.state(), "/", "plain:80")),
	}, secrets...)
	if s.states > 1 {
		objects = append(objects, harness.TLSSecret(namespace, "site", s.site),
			harness.Ingress(namespace, "secure", harness.Class("headgate"), harness.Rule("secure.test", "/", "plain:80"), harness.TLS("site", "secure.test")))
	}
	harness.WriteManifestFile(s.t, filepath.Join(s.dir, "all.yaml"), objects...)
}

// comesIn is whether a request of this client is answered, and over a session
// that was taken up again.
func (s *clientScene) comesIn(host string, config *tls.Config) (is, resumed bool, err error) {
	config = config.Clone()
	config.ServerName = host
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: time.Minute}, "tcp", s.g.HTTPS, config)
	if err == nil {
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		_, _ = fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: plain.test\r\nConnection: close\r\n\r\n")
		var answer []byte
		answer, err = io.ReadAll(conn)
		if strings.HasPrefix(string(answer), "HTTP/1.1 200 ") {
			return true, conn.ConnectionState().DidResume, nil
		}
	}
	if err != nil && (strings.Contains(err.Error(), "tls: ") || errors.Is(err, io.EOF) || strings.Contains(err.Error(), "reset by peer")) {
		return false, false, nil
	}
	return false, false, fmt.Errorf("%s: neither in nor out: %w", host, err)
}

// wantIn waits until exactly these clients come in, at each site.
func (s *clientScene) wantIn(what string, want ...string) {
	s.t.Helper()
	slices.Sort(want)
	hosts := []string{"plain.test", "secure.test"}
	harness.Eventually(s.t, what, func() error {
		for _, host := range hosts {
			var in []string
			for _, name := range slices.Sorted(maps.Keys(s.who)) {
				is, _, err := s.comesIn(host, s.who[name])
				if err != nil {
					return err
				}
				if is {
					in = append(in, name)
				}
			}
			if !slices.Equal(in, want) {
				return fmt.Errorf("%s lets in %v, want %v", host, in, want)
			}
		}
		return nil
	})
}

func (s *clientScene) reloads() float64 {
	return s.g.Metrics(s.t).Sum("headgate_reloads_total", `reason="settings"`)
}

// wantReloads has a change cost so many.
func (s *clientScene) wantReloads(what string, want float64, change func()) {
	s.t.Helper()
	before := s.reloads()
	change()
	// The new worker answers before it is known that it does.
	harness.Eventually(s.t, what+": reloads", func() error {
		if n := s.reloads() - before; n != want {
			return fmt.Errorf("%v, want %v", n, want)
		}
		return nil
	})
}

func authorities(name string, pem ...[]byte) runtime.Object {
	return harness.Secret("infra", name, map[string]string{"tls.crt": string(slices.Concat(pem...))})
}

var everybody = []string{"first", "second", "stranger", "late", "nobody"}

// A session that was begun before is taken up by nobody who would not come in
// with a new one: 2.6 takes up those of tickets whoever verified them.
func (s *clientScene) wantNoEntry(what string, cache tls.ClientSessionCache) {
	s.t.Helper()
	is, resumed, err := s.comesIn("plain.test", &tls.Config{InsecureSkipVerify: true, ClientSessionCache: cache})
	if err != nil || is || resumed {
		s.t.Errorf("%s: comes in by an old session: %v, resumed: %v, %v", what, is, resumed, err)
	}
}

func (s *clientScene) begin(name string) tls.ClientSessionCache {
	s.t.Helper()
	config := s.who[name].Clone()
	config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	if is, _, err := s.comesIn("plain.test", config); !is || err != nil {
		s.t.Errorf("%s does not come in: %v", name, err)
	}
	return config.ClientSessionCache
}

// TestClientCertificates has authorities of clients come, change, break and go.
func TestClientCertificates(t *testing.T) {
	for _, branch := range []string{"2.6", "3.4"} {
		t.Run(branch, func(t *testing.T) {
			t.Parallel()
			s := newClientScene(t)
			s.writeClients(nil)
			s.start(branch, "--configmap="+namespace+"/settings")
			s.settle()
			beside := harness.StartProber(t, harness.Traffic{Addr: s.g.HTTP, Clients: 1, Pause: 20 * time.Millisecond, Next: plainRoute})
			s.writeClients(nil)
			s.settle()
			s.wantIn("nobody is asked", everybody...)
			s.withAuthorities(beside)
			s.startAgain(branch)
			s.withoutAuthorities()
		})
	}
}

func plainRoute(int, int) harness.Route { return harness.Route{Host: "plain.test", Path: "/"} }

// What goes on while the first authority's clients may come in.
func (s *clientScene) withAuthorities(beside *harness.Prober) {
	ask := map[string]string{"client-ca": "infra/clients"}
	before := s.begin("nobody")
	// From here on, this client's requests are always answered.
	inside := harness.StartProber(s.t, harness.Traffic{Addr: s.g.HTTPS, Clients: 1, Pause: 20 * time.Millisecond, Next: plainRoute, TLS: s.who["first"]})
	s.wantReloads("set", 1, func() {
		s.writeClients(ask, authorities("clients", s.first.PEM))
		s.wantIn("one authority", "first")
	})
	s.wantNoEntry("from before clients were asked", before)
	s.wantReloads("optional", 1, func() {
		s.writeClients(map[string]string{"client-ca": "infra/clients", "client-crt-optional": "true"}, authorities("clients", s.first.PEM))
		s.wantIn("who has none may come in", "first", "nobody")
	})
	s.wantReloads("another authority comes, all have to show one", 1, func() {
		s.writeClients(ask, authorities("clients", s.first.PEM, s.second.PEM))
		s.wantIn("two authorities", "first", "second")
	})
	s.wantReloads("what can't be used", 0, func() {
		from := len(s.g.Log())
		s.writeClients(ask, authorities("clients", []byte("no")))
		s.g.WaitSaid(s.t, from, "data[tls.crt] has no certificate: store the authority's there, as PEM; meanwhile clients are verified against the last authorities that were good")
		from = len(s.g.Log())
		s.writeClients(ask)
		s.g.WaitSaid(s.t, from, "Secret infra/clients: there is no such Secret: create it")
		s.wantIn("the last good authorities", "first", "second")
	})
	for _, traffic := range []*harness.Prober{beside, inside} {
		if summary := traffic.Stop(); summary.Failures > 0 || summary.Requests == 0 {
			s.t.Errorf("traffic: %v", summary)
		}
	}
}

// startAgain: the last good authorities outlive the controller, and HAProxy.
func (s *clientScene) startAgain(branch string) {
	worker := s.info("Pid")
	s.g.Kill()
	s.start(branch, "--configmap="+namespace+"/settings")
	s.settle()
	s.wantIn("another controller", "first", "second")
	if now := s.info("Pid"); now != worker {
		s.t.Errorf("the worker was %s and is %s", worker, now)
	}
	s.g.KillAll()
	s.start(branch, "--configmap="+namespace+"/settings")
	s.wantIn("another controller and another HAProxy", "first", "second")
}

func (s *clientScene) withoutAuthorities() {
	before := s.begin("first")
	s.writeClients(map[string]string{"client-ca": "infra/clients"}, authorities("clients", s.second.PEM))
	s.wantIn("the authority was rotated", "second")
	s.wantNoEntry("from before the authority was rotated", before)
	s.writeClients(map[string]string{"client-ca": "infra/none"})
	s.wantIn("there is no Secret, and never was")
	s.writeClients(nil)
	s.wantIn("nobody is asked any more", everybody...)
}

// TestClientCertificatesFromTheStart: a HAProxy that was just started, without
// anything on disk, gives nobody an answer who has to show a certificate first.
func TestClientCertificatesFromTheStart(t *testing.T) {
	for _, branch := range []string{"2.6", "3.4"} {
		t.Run(branch, func(t *testing.T) {
			t.Parallel()
			s := newClientScene(t)
			s.writeClients(nil)
			s.writeClients(map[string]string{"client-ca": "infra/clients"}, authorities("clients", s.first.PEM))
			var answered atomic.Int64
			stop, done := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(done)
				for {
					select {
					case <-stop:
						return
					case <-time.After(2 * time.Millisecond):
					}
					if is, _, _ := s.comesIn("plain.test", s.who["nobody"]); is {
						answered.Add(1)
					}
				}
			}()
			s.start(branch, "--configmap="+namespace+"/settings")
			s.wantIn("from the start", "first")
			close(stop)
			<-done
			if n := answered.Load(); n != 0 {
				t.Errorf("%d requests were answered without a certificate", n)
			}
			harness.WantStatus(t, s.g.HTTP, "plain.test", "/", http.StatusOK)
		})
	}
}
