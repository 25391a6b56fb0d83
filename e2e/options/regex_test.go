package options

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"headgate.dev/e2e/harness"
)

// TestLongMatches: regular expressions of tenants that would keep HAProxy busy for
// so long that it ended itself, on the longest texts that clients can send. They
// match nothing, and nobody else notices.
func TestLongMatches(t *testing.T) {
	patterns := []struct{ host, key, value, header string }{
		{"stars.test", "path-rewrite", "^[a/]*[a/]*[a/]*[xy] /x", ""},
		{"counts.test", "path-rewrite", "^[a/]{0,255}[a/]{0,255}[a/]{0,255}[a/]{0,255}[xy] /x", ""},
		{"origin.test", "cors-allow-origin", "https://[a/]*[a/]*[a/]*[xy]", "Origin"},
	}
	for _, branch := range []string{"2.6", "3.4"} {
		t.Run(branch, func(t *testing.T) {
			t.Parallel()
			s := &scene{t: t, dir: t.TempDir(), ip: harness.StartPods(t).IP(), g: harness.NewHeadgate(t)}
			s.start(branch)
			for _, p := range patterns {
				s.put(harness.IngressClass("headgate", controller), harness.Service(namespace, web, "80:8080"), harness.EndpointSlice(namespace, web, "8080", s.ip),
					harness.Ingress(namespace, "long", harness.Class("headgate"), harness.Rule(p.host, "/", web+":80"),
						harness.Annotation(prefix+"cors-enable", "true"), harness.Annotation(prefix+p.key, p.value)))
				worker := s.info("Pid")
				long := strings.Repeat("a/", 3500)
				a := ask{target: "/" + long, n: 3}
				if p.header != "" {
					a = ask{header: map[string]string{p.header: "https://" + long}, n: 3}
				}
				answers, err := s.ask(p.host, a)
				if fault := new(url.Error); errors.As(err, &fault) {
					err = fault.Err // without the URL
				}
				if err != nil {
					t.Errorf("%s: %v", p.host, err)
				}
				for _, answer := range answers {
					if answer.Status != http.StatusOK || answer.Header.Get("Access-Control-Allow-Origin") != "" && p.header != "" {
						t.Errorf("%s: %d %v", p.host, answer.Status, answer.Header)
					}
				}
				s.wantSameWorker(p.host, worker)
			}
		})
	}
}
