package tls

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"headgate.dev/e2e/harness"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	manyCertificates = 1000
	manyPerIngress   = 50
	rotations        = 100
)

// testThousand has so many Secrets with a host each, and asks for all of them.
func testThousand(t *testing.T, r *rig) {
	pairs := make([]harness.KeyPair, manyCertificates)
	host := func(i int) string { return fmt.Sprintf("many%d.test", i) }
	var options []harness.IngressOption
	for i := range pairs {
		secret := fmt.Sprintf("many%d", i)
		pairs[i] = r.issue(t, host(i))
		_, err := r.c.Client.CoreV1().Secrets(r.ns).Create(context.Background(),
			harness.TLSSecret(r.ns, secret, pairs[i]), metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		options = append(options, harness.TLS(secret, host(i)), harness.Rule(host(i), "/", "web:80"))
		if (i+1)%manyPerIngress == 0 {
			r.c.Apply(t, r.ours("many-"+secret, options...))
			options = nil
		}
	}
	r.each(t, func(t *testing.T, s *site) {
		for i := range pairs {
			harness.Eventually(t, "the certificate for "+host(i), func() error { return s.shows(host(i), pairs[i]) })
		}
		reply, err := harness.Runtime(s.g.RuntimeSocket(), "show ssl cert")
		if n := strings.Count(reply, "_many"); err != nil || n != manyCertificates {
			t.Errorf("HAProxy has %d of these certificates (%v), want %d", n, err, manyCertificates)
		}
		if proto, err := get(s.client(r), host(manyCertificates/2)); err != nil {
			t.Errorf("%s %v", proto, err)
		}
	})
	r.wantQuiet(t)
}

// handshakes sends requests without end, each over a connection of its own.
type handshakes struct {
	stop    chan struct{}
	clients sync.WaitGroup
	mu      sync.Mutex
	n       int
	errs    []error
}

func (r *rig) startHandshakes(s *site, host func(seq int) string) *handshakes {
	h := &handshakes{stop: make(chan struct{})}
	for range 2 {
		h.clients.Add(1)
		go func() {
			defer h.clients.Done()
			client := s.client(r)
			for seq := 0; ; seq++ {
				select {
				case <-h.stop:
					return
				default:
				}
				_, err := get(client, host(seq))
				h.mu.Lock()
				h.n++
				if err != nil {
					h.errs = append(h.errs, err)
				}
				h.mu.Unlock()
			}
		}()
	}
	return h
}

func (h *handshakes) end() (n int, err error) {
	close(h.stop)
	h.clients.Wait()
	return h.n, errors.Join(h.errs...)
}

// testRotations replaces certificates under traffic: on connections that are kept,
// and with a handshake for each request.
func testRotations(t *testing.T, r *rig) {
	const hosts = 5
	host := func(i int) string { return fmt.Sprintf("rotated%d.test", i%hosts) }
	secret := func(i int) string { return strings.TrimSuffix(host(i), ".test") }
	rotate := func(i int) {
		pair := r.issue(t, host(i))
		r.put(t, secret(i), pair)
		r.wantCertificate(t, host(i), pair)
	}
	for i := range hosts {
		r.ingress(t, secret(i), host(i))
		rotate(i)
	}
	var probers []*harness.Prober
	var clients []*handshakes
	for _, s := range r.sites {
		probers = append(probers, harness.StartProber(t, harness.Traffic{
			Addr: s.g.HTTPS, Clients: 2, TLS: r.c.CA.ClientTLS(),
			Next: func(_, seq int) harness.Route { return harness.Route{Host: host(seq), Path: "/"} },
		}))
		clients = append(clients, r.startHandshakes(s, host))
	}
	for i := range rotations {
		rotate(i)
	}
	for i, s := range r.sites {
		probers[i].Await(t, 100)
		summary := probers[i].Stop()
		summary.WantNoFailures(t)
		n, err := clients[i].end()
		if n == 0 || err != nil {
			t.Errorf("%s: %d handshakes: %v", s.branch, n, err)
		}
		t.Logf("%s: %d rotations, %d handshakes, 0 failed; kept connections: %v", s.branch, rotations, n, summary)
	}
	r.wantQuiet(t)
}

// saved waits until every site's state directory has a certificate.
func (r *rig) saved(t *testing.T, pair harness.KeyPair) {
	t.Helper()
	for _, s := range r.sites {
		harness.Eventually(t, s.branch+": the certificate in the state directory", func() error {
			files, err := filepath.Glob(filepath.Join(s.g.StateDir, "current/certs/*.pem"))
			for _, file := range files {
				if content, _ := os.ReadFile(file); bytes.Contains(content, pair.Cert) {
					return nil
				}
			}
			return fmt.Errorf("not in %v (%v)", files, err)
		})
	}
}

// testRestart kills the controller, and starts it again when Secrets are gone or
// have become unusable: HAProxy is right as it is, and nothing is written. What is
// good again takes over.
func testRestart(t *testing.T, r *rig) {
	shown := map[string]harness.KeyPair{ // by their hosts
		"aged.test": r.issue(t, "aged.test"), "broken.test": r.issue(t, "broken.test"), "left.test": r.issue(t, "left.test"),
		"*.below.test": r.issue(t, "*.below.test"), "left.below.test": must(t)(r.c.CA.IssueRSA("left.below.test")),
	}
	secret := func(host string) string { return "restart-" + strings.NewReplacer("*", "any", ".", "-").Replace(host) }
	for host, pair := range shown {
		r.put(t, secret(host), pair)
		r.ingress(t, secret(host), host)
	}
	delete(shown, "*.below.test")
	shown["anchor.test"], shown["nobody.test"] = r.anchor, r.issue(t, "default.test")
	r.put(t, "default", shown["nobody.test"])
	wantAll := func() {
		t.Helper()
		for host, pair := range shown {
			r.wantCertificate(t, host, pair)
		}
	}
	wantAll()
	for _, pair := range shown {
		r.saved(t, pair)
	}
	for _, s := range r.sites {
		s.g.Kill()
		s.cli.Reset()
	}
	r.c.Delete(t, harness.TLSSecret(r.ns, "anchor", r.anchor))
	r.put(t, secret("aged.test"), must(t)(r.c.CA.IssueExpired("aged.test")))
	r.put(t, "default", must(t)(r.c.CA.IssueExpired("default.test")))
	r.put(t, secret("broken.test"), harness.KeyPair{Cert: []byte("no certificate"), Key: []byte("no key")})
	for _, host := range []string{"left.test", "left.below.test"} {
		r.c.Delete(t, harness.TLSSecret(r.ns, secret(host), shown[host]))
	}
	r.each(t, func(t *testing.T, s *site) {
		s.g.Start(t, s.flags...)
		s.g.WaitReady(t)
		s.wantVerdict(t, r.ns+"/anchor", "SecretNotFound", "Secret "+r.ns+"/anchor")
		s.wantVerdict(t, r.ns+"/"+secret("aged.test"), "CertificateExpired", "its last good certificate stays")
		for host, pair := range shown {
			if err := s.shows(host, pair); err != nil {
				t.Error(err)
			}
		}
		if writes := s.cli.Writes(); len(writes) != 0 {
			t.Errorf("HAProxy was written to: %.2000v", writes)
		}
	})
	for _, host := range []string{"aged.test", "broken.test", "left.test"} {
		shown[host] = r.issue(t, host)
		r.put(t, secret(host), shown[host])
	}
	shown["nobody.test"] = r.issue(t, "default.test")
	r.put(t, "default", shown["nobody.test"])
	wantAll()
	r.wantQuiet(t)
}

// worker is the process that answers, or 0.
func (s *site) worker() (pid int) {
	reply, _ := harness.Runtime(s.g.RuntimeSocket(), "show info")
	_, after, _ := strings.Cut(reply, "\nPid: ")
	_, _ = fmt.Sscanf(after, "%d", &pid)
	return pid
}

// testWorkerKilled ends HAProxy's worker as a crash would. What comes up serves
// the certificates as they were, also those of Secrets that are gone: one that the
// controller has only met in the state directory, and one that may not have got
// there yet.
func testWorkerKilled(t *testing.T, r *rig) {
	gone := r.issue(t, "gone.test")
	r.put(t, "gone", gone)
	r.ingress(t, "gone", "gone.test")
	r.wantCertificate(t, "gone.test", gone)
	r.c.Delete(t, harness.TLSSecret(r.ns, "gone", gone))
	r.each(t, func(t *testing.T, s *site) {
		s.wantVerdict(t, r.ns+"/gone", "SecretNotFound", "Secret "+r.ns+"/gone")
		before := s.worker()
		if before == 0 {
			t.Fatal("no worker answers")
		}
		_ = syscall.Kill(before, syscall.SIGKILL)
		harness.Eventually(t, "another worker", func() error {
			if pid := s.worker(); pid == 0 || pid == before {
				return fmt.Errorf("worker %d, was %d", pid, before)
			}
			return nil
		})
		for name, pair := range map[string]harness.KeyPair{"anchor.test": r.anchor, "gone.test": gone} {
			harness.Eventually(t, name, func() error { return s.shows(name, pair) })
		}
		if err := s.shows("anchor.test", r.anchor); err != nil {
			t.Error(err)
		}
	})
}
