package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"headgate.dev/e2e/harness"
)

// statsUser has the name that means nobody elsewhere in HAProxy's environment.
const statsUser = "none"

// statsHash is of "secret", made by `mkpasswd -m sha-256 -R 1000`.
const statsHash = "$5$rounds=1000$headgate$dJExDv3bzLaxshGgkYOsmJ0u2aMLuw.7QiYql6pSzB6"

// TestStatsPage asks for the page as everybody, and as the one that is named: over
// TLS only, where metrics and health stay open to what probes and scrapes.
func TestStatsPage(t *testing.T) {
	c := harness.StartCluster(t)
	pair, err := c.CA.Issue("stats.example")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for name, text := range map[string][]byte{"tls.crt": pair.Cert, "tls.key": pair.Key} {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, branch := range []string{"2.6", "3.4"} {
		t.Run(branch, func(t *testing.T) {
			secure := fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t))
			manifests := t.TempDir()
			harness.WriteManifests(t, manifests, harness.IngressClass("stats", "headgate.dev/ingress-controller"), harness.Service("shop", "web", "80:8080"),
				harness.Ingress("shop", "shop", harness.Class("stats"), harness.Rule("a.example", "/", "web:80"), harness.Rule("b.example", "/b", "web:80")))
			g := harness.StartHeadgate(t, "--manifests="+manifests, "--haproxy="+harness.HAProxyPath(t, branch),
				"--config-dir="+filepath.Join(harness.Root(t), "haproxy-cfg"), "--stats-user="+statsUser+":"+statsHash,
				"--stats-tls-bind="+secure, "--stats-certificate="+filepath.Join(folder, "tls.crt"))
			g.WaitReady(t)
			said, err := exec.Command(harness.HeadgateBinary(t), "status", "--admin-bind="+g.Admin, "--run-dir="+g.RunDir).Output()
			if err != nil || !strings.Contains(string(said), "0 up, 0 down") {
				t.Errorf("headgate status: %v\n%s", err, said)
			}
			roots := x509.NewCertPool()
			roots.AppendCertsFromPEM(c.CA.PEM)
			client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "stats.example"}}}
			defer client.CloseIdleConnections()
			for _, row := range []struct {
				url, password string
				want          int
			}{
				{"http://" + g.Stats + "/", "", http.StatusForbidden},
				{"http://" + g.Stats + "/", "secret", http.StatusForbidden},
				{"http://" + g.Stats + "/healthz", "", http.StatusOK},
				{"http://" + g.Stats + "/readyz", "", http.StatusOK},
				{"http://" + g.Stats + "/metrics", "", http.StatusOK},
				{"https://" + secure + "/", "", http.StatusUnauthorized},
				{"https://" + secure + "/", "wrong", http.StatusUnauthorized},
				{"https://" + secure + "/;csv", "", http.StatusUnauthorized},
				{"https://" + secure + "/", "secret", http.StatusOK},
			} {
				request, err := http.NewRequest(http.MethodGet, row.url, nil)
				if err != nil {
					t.Fatal(err)
				}
				if row.password != "" {
					request.SetBasicAuth(statsUser, row.password)
				}
				answer, err := client.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				answer.Body.Close()
				if answer.StatusCode != row.want {
					t.Errorf("%s with %q: %d, want %d", row.url, row.password, answer.StatusCode, row.want)
				}
			}
			statsFindIngress(t, g)
		})
	}
}

// statsFindIngress goes from the backends of the page to the Ingress, and back.
func statsFindIngress(t *testing.T, g *harness.Headgate) {
	t.Helper()
	type route struct{ Ingress, Host, Path, PathType, Backend string }
	ask := func(path string) []route {
		var found struct{ Routes []route }
		answer, err := harness.Get(g.Admin, g.Admin, path)
		if err == nil {
			err = json.Unmarshal([]byte(answer.Body), &found)
		}
		if err != nil || answer.Status != http.StatusOK {
			t.Fatalf("%s: status %d, %v: %s", path, answer.Status, err, answer.Body)
		}
		return found.Routes
	}
	page, err := harness.Get(g.Stats, g.Stats, "/metrics?scope=backend")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`haproxy_backend_status\{proxy="(\w+_svc_\w+)",state="UP"`).FindAllStringSubmatch(page.Body, -1)
	if len(names) != 1 {
		t.Fatalf("backends in HAProxy's metrics: %q", names)
	}
	of := ask("/backends/" + names[0][1])
	slices.SortFunc(of, func(a, b route) int { return strings.Compare(a.Host, b.Host) })
	said := fmt.Sprint(of)
	if want := "[{shop/shop a.example / Prefix shop_svc_web_80} {shop/shop b.example /b Prefix shop_svc_web_80}]"; said != want {
		t.Errorf("the routes of %s: %s, want %s", names[0][1], said, want)
	}
	if said, want := fmt.Sprint(ask("/ingresses/shop/shop")), "[{ a.example / Prefix shop_svc_web_80} { b.example /b Prefix shop_svc_web_80}]"; said != want {
		t.Errorf("the routes of shop/shop: %s, want %s", said, want)
	}
}
