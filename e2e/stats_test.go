package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
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
			g := harness.StartHeadgate(t, "--manifests="+t.TempDir(), "--haproxy="+harness.HAProxyPath(t, branch),
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
		})
	}
}
