package tls

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"headgate.dev/e2e/harness"
)

// shownTo is what a client with these options of `openssl s_client` is shown: the
// common name and the type of the signature, or nothing.
func shownTo(s *site, name, options string) string {
	out := openssl(s, name, strings.Fields(options)...)
	if strings.Contains(out, "no peer certificate available") {
		return "nothing"
	}
	_, subject, _ := strings.Cut(out, "CN = ")
	_, signature, _ := strings.Cut(out, "Peer signature type: ")
	subject, _, _ = strings.Cut(subject, "\n")
	signature, _, _ = strings.Cut(signature, "\n")
	return subject + " " + signature
}

const (
	rsaClient   = "-sigalgs rsa_pss_rsae_sha256:rsa_pkcs1_sha256"
	ecdsaClient = "-sigalgs ecdsa_secp256r1_sha256"
	anyClient   = ""
)

// wantShown asks for names (SNI) as clients of several abilities.
func (r *rig) wantShown(t *testing.T, want map[[2]string]string) {
	t.Helper()
	for _, s := range r.sites {
		for client, certificate := range want {
			harness.Eventually(t, fmt.Sprint(s.branch, ": what is shown to ", client), func() error {
				if shown := shownTo(s, client[0], client[1]); shown != certificate {
					return fmt.Errorf("%q, want %q", shown, certificate)
				}
				return nil
			})
		}
	}
}

// testOutranking has a name with an RSA certificate below a wildcard of another
// namespace with one of ECDSA, which HAProxy would prefer: whoever asks for the name
// is shown its own, or nothing, whatever happens around it.
func testOutranking(t *testing.T, r *rig) {
	others := r.c.Namespace(t)
	wild, shop := r.issue(t, "*.rank.test"), must(t)(r.c.CA.IssueRSA("shop.rank.test"))
	r.c.Apply(t, harness.TLSSecret(others, "wild", wild),
		harness.Ingress(others, "wild", harness.Class(r.class), harness.TLS("wild", "*.rank.test"), harness.Rule("*.rank.test", "/", "web:80")))
	r.wantCertificate(t, "shop.rank.test", wild)
	r.put(t, "shop", shop)
	r.ingress(t, "shop", "shop.rank.test")
	own := map[[2]string]string{
		{"shop.rank.test", anyClient}: "shop.rank.test RSA-PSS", {"shop.rank.test", rsaClient}: "shop.rank.test RSA-PSS",
		{"shop.rank.test", ecdsaClient}: "nothing",
		{"blog.rank.test", anyClient}:   "*.rank.test ECDSA", {"blog.rank.test", ecdsaClient}: "*.rank.test ECDSA",
		{"blog.rank.test", rsaClient}: "nothing",
	}
	r.wantShown(t, own)
	r.wantUndisturbed(t, "shop.rank.test", shop, func() {
		for i := range 5 {
			name := fmt.Sprintf("rank%d", i)
			r.put(t, name, must(t)(r.c.CA.IssueRSA(name+".rank.test")))
			r.ingress(t, name, name+".rank.test")
			wild = r.issue(t, "*.rank.test")
			r.c.Apply(t, harness.TLSSecret(others, "wild", wild))
			r.wantCertificate(t, "blog.rank.test", wild)
			r.c.Delete(t, r.ours(name))
			r.wantCertificate(t, name+".rank.test", wild)
		}
	})
	r.wantShown(t, own)

	// With one of each type, clients choose; then the wildcard is for the name again.
	r.put(t, "shop-ecdsa", r.issue(t, "shop.rank.test"))
	r.c.Apply(t, r.ours("shop", harness.TLS("shop", "shop.rank.test"), harness.TLS("shop-ecdsa", "shop.rank.test"),
		harness.Rule("shop.rank.test", "/", "web:80")))
	r.wantShown(t, map[[2]string]string{
		{"shop.rank.test", rsaClient}: "shop.rank.test RSA-PSS", {"shop.rank.test", ecdsaClient}: "shop.rank.test ECDSA",
	})
	r.c.Delete(t, r.ours("shop"))
	r.wantCertificate(t, "shop.rank.test", wild)
	r.wantQuiet(t)
}

// wantUndisturbed demands that every handshake for a name ends in this certificate
// while something else changes.
func (r *rig) wantUndisturbed(t *testing.T, name string, pair harness.KeyPair, change func()) {
	t.Helper()
	var isOver atomic.Bool
	ended := make(chan error)
	for _, s := range r.sites {
		go func() {
			var errs []error
			n := 0
			for ; n == 0 || !isOver.Load(); n++ {
				if err := s.shows(name, pair); err != nil {
					errs = append(errs, fmt.Errorf("%s: handshake %d: %w", s.branch, n, err))
				}
			}
			t.Logf("%s: %d handshakes for %s, %d of them wrong", s.branch, n, name, len(errs))
			ended <- errors.Join(errs...)
		}()
	}
	change()
	isOver.Store(true)
	for range r.sites {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}
