package tls

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"headgate.dev/e2e/harness"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestTLS goes through the life of certificates with the same two controllers.
func TestTLS(t *testing.T) {
	r := newRig(t)
	for _, part := range []struct {
		name string
		test func(*testing.T, *rig)
	}{
		{"SNI", testNames},
		{"KeyTypes", testKeyTypes},
		{"Outranking", testOutranking},
		{"Chains", testChains},
		{"ALPN", testALPN},
		{"Redirect", testRedirect},
		{"Broken", testBroken},
		{"DefaultByKey", testDefaultByKey},
		{"Restart", testRestart}, // while there are few certificates, and saving them takes no time
		{"Thousand", testThousand},
		{"Rotations", testRotations},
		{"WorkerKilled", testWorkerKilled}, // last: it is a new worker
	} {
		t.Run(part.name, func(t *testing.T) { part.test(t, r) })
	}
}

// testNames asks for exact names, a wildcard, and names that nobody has.
func testNames(t *testing.T, r *rig) {
	pairs := map[string]harness.KeyPair{
		"exact": r.issue(t, "exact.test", "second.test"), "wild": r.issue(t, "*.wild.test"), "under": r.issue(t, "x.wild.test"),
		"default": r.issue(t, "default.test"), // another one than at the start
	}
	for name, pair := range pairs {
		r.put(t, name, pair)
	}
	r.ingress(t, "exact", "exact.test", "second.test")
	r.ingress(t, "wild", "*.wild.test")
	r.ingress(t, "under", "x.wild.test")
	for name, secret := range map[string]string{
		"exact.test": "exact", "EXACT.test": "exact", "second.test": "exact", "a.wild.test": "wild", "b.wild.test": "wild",
		"x.wild.test": "under", "a.b.wild.test": "default", "wild.test": "default", "nobody.test": "default",
		"default.test": "default", "": "default",
	} {
		if name == "" {
			name = "127.0.0.1" // Go sends no SNI for an address
		}
		r.wantCertificate(t, name, pairs[secret])
	}
	// A name that goes is nobody's again.
	r.c.Delete(t, r.ours("under"))
	r.wantCertificate(t, "x.wild.test", pairs["wild"])
	r.wantQuiet(t)
}

// openssl makes a handshake and gives what openssl says about it.
func openssl(s *site, name string, args ...string) string {
	command := exec.Command("openssl", append([]string{"s_client", "-connect", s.g.HTTPS, "-servername", name}, args...)...)
	out, _ := command.CombinedOutput() // its status is of no use here
	return string(out)
}

// testKeyTypes has an RSA and an ECDSA certificate for one name.
func testKeyTypes(t *testing.T, r *rig) {
	r.put(t, "rsa", must(t)(r.c.CA.IssueRSA("both.test")))
	r.put(t, "ecdsa", r.issue(t, "both.test"))
	r.c.Apply(t, r.ours("both", harness.TLS("rsa", "both.test"), harness.TLS("ecdsa", "both.test"),
		harness.Rule("both.test", "/", "web:80")))
	r.each(t, func(t *testing.T, s *site) {
		for args, want := range map[string]string{
			"-sigalgs rsa_pss_rsae_sha256:rsa_pkcs1_sha256":   "Peer signature type: RSA-PSS",
			"-sigalgs ecdsa_secp256r1_sha256":                 "Peer signature type: ECDSA",
			"-tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256":     "Cipher is ECDHE-RSA-AES128-GCM-SHA256",
			"-tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256":   "Cipher is ECDHE-ECDSA-AES128-GCM-SHA256",
			"-tls1_1 -cipher DEFAULT@SECLEVEL=0":              "no peer certificate available",
			"-tls1_2 -cipher ECDHE-RSA-AES128-SHA@SECLEVEL=0": "no peer certificate available",
		} {
			harness.Eventually(t, "openssl s_client "+args, func() error {
				out := openssl(s, "both.test", strings.Fields(args)...)
				isRight := strings.Contains(out, want)
				if isRight && strings.HasPrefix(want, "no peer") != strings.Contains(out, "CN = both.test") {
					return nil
				}
				return fmt.Errorf("want %q and the certificate of both.test:\n%s", want, out)
			})
		}
	})
	r.wantQuiet(t)
}

// testALPN speaks HTTP/2 and 1.1 with Go and curl.
func testALPN(t *testing.T, r *rig) {
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, r.c.CA.PEM, 0o644); err != nil {
		t.Fatal(err)
	}
	r.each(t, func(t *testing.T, s *site) {
		if proto, err := get(s.client(r), "anchor.test"); err != nil || proto != "HTTP/2.0" {
			t.Errorf("Go: %s (%v), want HTTP/2.0", proto, err)
		}
		_, port, _ := strings.Cut(s.g.HTTPS, ":")
		for option, want := range map[string]string{"--http2": "2 200", "--http1.1": "1.1 200"} {
			out, err := exec.Command("curl", "-sS", option, "--cacert", ca, "-o", "/dev/null", "-w", "%{http_version} %{http_code}",
				"--resolve", "anchor.test:"+port+":127.0.0.1", "https://anchor.test:"+port+"/").CombinedOutput()
			if err != nil || string(out) != want {
				t.Errorf("curl %s: %q (%v), want %q", option, out, err, want)
			}
		}
	})
}

// wantRedirect waits for the answer to plain HTTP: a redirect, or that of a pod.
func wantRedirect(t *testing.T, addr, host string, isWanted bool) {
	t.Helper()
	harness.Eventually(t, "plain HTTP to "+host, func() error {
		answer, err := harness.Get(addr, host+":8080", "/a/b?c=d")
		location := answer.Header.Get("Location")
		switch {
		case err != nil:
			return err
		case isWanted && (answer.Status != http.StatusPermanentRedirect || location != "https://"+host+"/a/b?c=d"):
		case !isWanted && (answer.Status != http.StatusOK || answer.Echo.URI != "/a/b?c=d"):
		default:
			return nil
		}
		return fmt.Errorf("status %d, location %q", answer.Status, location)
	})
}

// testRedirect has a class whose ConfigMap turns redirects off, and on again.
func testRedirect(t *testing.T, r *rig) {
	namespace, scope, name := harness.ControllerNamespace, networkingv1.IngressClassParametersReferenceScopeNamespace, r.class+"-plain"
	class := harness.IngressClass(name, "headgate.dev/"+r.class)
	class.Spec.Parameters = &networkingv1.IngressClassParametersReference{
		Kind: "ConfigMap", Name: name, Scope: &scope, Namespace: &namespace,
	}
	options := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Data: map[string]string{"ssl-redirect": "false"},
	}
	r.c.Apply(t, options, class, harness.Ingress(r.ns, "plain", harness.Class(name),
		harness.TLS("anchor", "plain.test"), harness.Rule("plain.test", "/", "web:80")))
	t.Cleanup(func() { r.c.Delete(t, class, options, harness.Ingress(r.ns, "plain")) })
	r.each(t, func(t *testing.T, s *site) {
		wantRedirect(t, s.g.HTTP, "anchor.test", true)
		wantRedirect(t, s.g.HTTP, "plain.test", false)
	})
	options.Data["ssl-redirect"] = "true"
	r.c.Apply(t, options)
	r.each(t, func(t *testing.T, s *site) { wantRedirect(t, s.g.HTTP, "plain.test", true) })
	r.wantQuiet(t)
}

// TestNoRedirect serves plain HTTP, too, when it is told so.
func TestNoRedirect(t *testing.T) {
	ca, err := harness.NewCA("authority")
	if err != nil {
		t.Fatal(err)
	}
	dir, pair := t.TempDir(), must(t)(ca.Issue("web.test"))
	harness.WriteManifests(t, dir, harness.IngressClass("headgate", "headgate.dev/ingress-controller"),
		harness.TLSSecret("shop", "web", pair), harness.Service("shop", "web", "80:8080"),
		harness.EndpointSlice("shop", "web", "8080", harness.StartPods(t).IP()),
		harness.Ingress("shop", "web", harness.Class("headgate"), harness.TLS("web", "web.test"), harness.Rule("web.test", "/", "web:80")))
	g := harness.StartHeadgate(t, "--manifests="+dir, "--no-ssl-redirect", "--haproxy="+harness.HAProxyPath(t, "3.4"),
		"--config-dir="+filepath.Join(harness.Root(t), "haproxy-cfg"))
	wantRedirect(t, g.HTTP, "web.test", false)
	if err := (&site{g: g}).shows("web.test", pair); err != nil {
		t.Error(err)
	}
}

// breakages are the ways in which a Secret that was good can become unusable.
var breakages = []struct {
	name   string
	reason string
	breaks func(t *testing.T, r *rig, secret, host string)
}{
	{"unparsable", "CertificateInvalid", func(t *testing.T, r *rig, secret, _ string) {
		r.put(t, secret, harness.KeyPair{Cert: []byte("no certificate"), Key: []byte("no key")})
	}},
	{"mismatched", "CertificateInvalid", func(t *testing.T, r *rig, secret, host string) {
		r.put(t, secret, harness.KeyPair{Cert: r.issue(t, host).Cert, Key: r.issue(t, host).Key})
	}},
	{"expired", "CertificateExpired", func(t *testing.T, r *rig, secret, host string) {
		r.put(t, secret, must(t)(r.c.CA.IssueExpired(host)))
	}},
	{"wrong-type", "SecretNotFound", func(t *testing.T, r *rig, secret, host string) {
		object := harness.TLSSecret(r.ns, secret, r.issue(t, host))
		r.c.Delete(t, object) // the type can't be changed
		object.Type = corev1.SecretTypeOpaque
		r.c.Apply(t, object)
	}},
	{"deleted", "SecretNotFound", func(t *testing.T, r *rig, secret, _ string) {
		r.c.Delete(t, harness.TLSSecret(r.ns, secret, harness.KeyPair{}))
	}},
}

// testBroken breaks Secrets: what was served last stays, all else is untouched,
// and the verdict names the Secret. Good again, they are served.
func testBroken(t *testing.T, r *rig) {
	good := map[string]harness.KeyPair{}
	for _, b := range breakages {
		good[b.name] = r.issue(t, b.name+".test")
		r.put(t, b.name, good[b.name])
		r.ingress(t, b.name, b.name+".test")
	}
	r.ingress(t, "missing", "missing.test") // never had one
	wantAll := func() {
		t.Helper()
		for name, pair := range good {
			r.wantCertificate(t, name+".test", pair)
		}
	}
	wantAll()
	for _, s := range r.sites {
		s.cli.Reset()
	}
	for _, b := range breakages {
		b.breaks(t, r, b.name, b.name+".test")
		for _, s := range r.sites {
			s.wantVerdict(t, r.ns+"/"+b.name, b.reason, "Secret "+r.ns+"/"+b.name)
		}
		wantAll()
	}
	for _, s := range r.sites {
		s.wantVerdict(t, r.ns+"/missing", "SecretNotFound", "Secret "+r.ns+"/missing")
		if writes := s.cli.Writes(); len(writes) != 0 {
			t.Errorf("%s: HAProxy was written to: %v", s.branch, writes)
		}
	}
	for _, name := range append([]string{"missing"}, keys(good)...) {
		good[name] = r.issue(t, name+".test")
		r.c.Delete(t, harness.TLSSecret(r.ns, name, harness.KeyPair{})) // for the type
		r.put(t, name, good[name])
	}
	wantAll()
	r.wantQuiet(t)
}

func keys(m map[string]harness.KeyPair) []string {
	var names []string
	for name := range maps.Keys(m) {
		names = append(names, name)
	}
	return names
}
