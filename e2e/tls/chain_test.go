package tls

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"headgate.dev/e2e/harness"
	networkingv1 "k8s.io/api/networking/v1"
)

// chains is orders in which a Secret may have the certificates: the leaf, two
// intermediate authorities (1 is the one that issued it), and the root.
var chains = []struct{ name, order string }{
	{"leaf-first", "leaf 1 2"},
	{"leaf-last", "2 1 leaf"},
	{"leaf-between", "1 leaf 2"},
	{"upside-down", "1 2 leaf"},
	{"with-root", "leaf 1 2 root"},
	{"root-first", "root 2 1 leaf"},
	{"mixed", "2 leaf root 1"},
}

// testChains has clients that trust the root alone verify what they are shown: the
// leaf first, and each certificate vouched for by the one behind it.
func testChains(t *testing.T, r *rig) {
	upper, err := r.c.CA.Intermediate("upper")
	if err != nil {
		t.Fatal(err)
	}
	lower, err := upper.Intermediate("lower")
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(t.TempDir(), "root.pem")
	if err := os.WriteFile(root, r.c.CA.PEM, 0o644); err != nil {
		t.Fatal(err)
	}
	issue := map[string]func(...string) (harness.KeyPair, error){"ecdsa": lower.Issue, "rsa": lower.IssueRSA}
	for key, issue := range issue {
		for _, chain := range chains {
			name := chain.name + "-" + key
			pair := must(t)(issue(name + ".test"))
			pems := map[string][]byte{"leaf": pair.Cert, "1": lower.PEM, "2": upper.PEM, "root": r.c.CA.PEM}
			var parts [][]byte
			for _, part := range strings.Fields(chain.order) {
				parts = append(parts, pems[part])
			}
			r.put(t, name, harness.KeyPair{Cert: bytes.Join(parts, nil), Key: pair.Key})
			r.ingress(t, name, name+".test")
			r.wantCertificate(t, name+".test", pair)
		}
	}
	r.each(t, func(t *testing.T, s *site) {
		for key := range issue {
			for _, chain := range chains {
				wantChain(t, r, s, chain.name+"-"+key+".test", root)
			}
		}
	})
	r.wantQuiet(t)
}

func wantChain(t *testing.T, r *rig, s *site, host, root string) {
	t.Helper()
	shown, err := harness.PeerCertificates(s.g.HTTPS, host)
	if err != nil || len(shown) < 3 || shown[0].Subject.CommonName != host {
		t.Errorf("%s: %d certificates (%v)", host, len(shown), err)
		return
	}
	for i, above := range shown[1:] {
		if err := shown[i].CheckSignatureFrom(above); err != nil {
			t.Errorf("%s: certificate %d isn't from the one behind it: %v", host, i, err)
		}
	}
	if _, err := get(s.client(r), host); err != nil {
		t.Errorf("%s: Go: %v", host, err)
	}
	if out := openssl(s, host, "-verify_return_error", "-CAfile", root); !strings.Contains(out, "Verify return code: 0 (ok)") {
		t.Errorf("%s: openssl: %s", host, out)
	}
	_, port, _ := strings.Cut(s.g.HTTPS, ":")
	out, err := exec.Command("curl", "-sS", "--cacert", root, "-o", "/dev/null", "-w", "%{http_code}",
		"--resolve", host+":"+port+":127.0.0.1", "https://"+host+":"+port+"/").CombinedOutput()
	if err != nil || string(out) != "200" {
		t.Errorf("%s: curl: %q (%v)", host, out, err)
	}
}

// TestStrictSNI refuses clients whose name no certificate is for, also a name that
// was known before, and shows the others theirs.
func TestStrictSNI(t *testing.T) {
	ca, err := harness.NewCA("authority")
	if err != nil {
		t.Fatal(err)
	}
	for _, branch := range []string{"2.6", "3.4"} {
		t.Run(branch, func(t *testing.T) {
			dir := t.TempDir()
			pairs := map[string]harness.KeyPair{}
			for _, name := range []string{"known", "wild", "default", "later"} {
				host := map[string]string{"wild": "*.wild.test"}[name]
				if host == "" {
					host = name + ".test"
				}
				pairs[name] = must(t)(ca.Issue(host))
				harness.WriteManifests(t, dir, harness.TLSSecret("shop", name, pairs[name]))
				if name == "known" || name == "wild" {
					harness.WriteManifests(t, dir, strictIngress(name, host))
				}
			}
			harness.WriteManifests(t, dir, harness.IngressClass("headgate", "headgate.dev/ingress-controller"),
				harness.Service("shop", "web", "80:8080"), harness.EndpointSlice("shop", "web", "8080", harness.StartPods(t).IP()))
			s := &site{branch: branch, g: harness.StartHeadgate(t, "--manifests="+dir, "--strict-sni", "--default-certificate=shop/default",
				"--haproxy="+harness.HAProxyPath(t, branch), "--config-dir="+filepath.Join(harness.Root(t), "haproxy-cfg"))}
			workers := harness.WatchWorkers(t, s.g.Dir+"/")
			wantStrict(t, s, pairs, map[string]string{
				"known.test": "known", "KNOWN.test": "known", "a.wild.test": "wild", "b.wild.test": "wild",
				"nobody.test": "", "wild.test": "", "a.b.wild.test": "", "later.test": "", "127.0.0.1": "", // no name at all
			})
			later := strictIngress("later", "later.test")
			harness.WriteManifests(t, dir, later)
			wantStrict(t, s, pairs, map[string]string{"later.test": "later", "known.test": "known", "nobody.test": ""})
			harness.RemoveManifests(t, dir, later)
			wantStrict(t, s, pairs, map[string]string{"later.test": "", "known.test": "known", "a.wild.test": "wild"})
			answer, err := harness.GetTLS(s.g.HTTPS, "known.test", "/", ca.ClientTLS())
			if err != nil || answer.Status != http.StatusOK || answer.Pod() == "" {
				t.Errorf("known.test: %d from %q (%v)", answer.Status, answer.Pod(), err)
			}
			if n := workers.Reloads(); n != 0 {
				t.Errorf("%d reloads, want 0", n)
			}
		})
	}
}

// strictIngress has the rule and the Secret of the name. The class is the only one.
func strictIngress(name, host string) *networkingv1.Ingress {
	return harness.Ingress("shop", name, harness.Class("headgate"), harness.TLS(name, host), harness.Rule(host, "/", "web:80"))
}

// wantStrict waits until each name (SNI) is shown the certificate of its Secret, or
// is refused by an alert where it has none.
func wantStrict(t *testing.T, s *site, pairs map[string]harness.KeyPair, names map[string]string) {
	t.Helper()
	for name, secret := range names {
		harness.Eventually(t, s.branch+": "+name, func() error {
			if secret != "" {
				return s.shows(name, pairs[secret])
			}
			conn, err := tls.Dial("tcp", s.g.HTTPS, &tls.Config{ServerName: name, InsecureSkipVerify: true})
			if err == nil {
				conn.Close()
				return fmt.Errorf("a handshake ended well")
			}
			if !strings.Contains(err.Error(), "remote error: tls: ") {
				return fmt.Errorf("%v, want an alert", err)
			}
			return nil
		})
	}
	if out := openssl(s, "nobody.test"); !strings.Contains(out, "alert") || !strings.Contains(out, "no peer certificate available") {
		t.Errorf("%s: openssl: %s", s.branch, out)
	}
}
