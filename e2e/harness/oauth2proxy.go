package harness

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// StartOAuth2Proxy starts the real oauth2-proxy, behind a reverse proxy and with one
// user, who signs in with a form and comes back to the host; it ends with the test.
// It returns the port on 127.0.0.1.
func StartOAuth2Proxy(t TB, user, password, host string) int {
	t.Helper()
	path, err := askTool(toolRequest{Script: oauth2Script})
	if err != nil {
		t.Fatalf("oauth2-proxy: %v", err)
	}
	port := FreePort(t)
	sum := sha1.Sum([]byte(password))
	users := filepath.Join(shortTempDir(t), "users")
	line := fmt.Sprintf("%s:{SHA}%s\n", user, base64.StdEncoding.EncodeToString(sum[:]))
	if err := os.WriteFile(users, []byte(line), 0o600); err != nil {
		t.Fatalf("%v", err)
	}
	// The provider is never asked: users come from the file.
	p, err := startProcess(testLog(t, "oauth2-proxy.log"), nil, path, fmt.Sprintf("--http-address=127.0.0.1:%d", port),
		"--htpasswd-file="+users, "--provider=github", "--client-id=none", "--client-secret=none", "--cookie-secret=0123456789abcdef",
		"--cookie-secure=false", "--email-domain=*", "--reverse-proxy=true", "--trusted-proxy-ip=127.0.0.1", "--set-xauthrequest=true",
		"--upstream=static://202", "--whitelist-domain="+host)
	if err != nil {
		t.Fatalf("oauth2-proxy: %v", err)
	}
	t.Cleanup(p.stop)
	Eventually(t, "oauth2-proxy", func() error {
		if !p.running() {
			t.Fatalf("oauth2-proxy has ended: %s", p.tail())
		}
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			conn.Close()
		}
		return err
	})
	return port
}
