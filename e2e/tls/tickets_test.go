package tls

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"headgate.dev/e2e/harness"
)

// keeper is a session cache that keeps the first session that it gets.
type keeper struct {
	mu      sync.Mutex
	session *tls.ClientSessionState
}

func (k *keeper) Get(string) (*tls.ClientSessionState, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.session, k.session != nil
}

func (k *keeper) Put(_ string, session *tls.ClientSessionState) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.session == nil {
		k.session = session
	}
}

// resumes makes a connection and sends a request, which a pod has to answer; the
// result is whether the kept session was taken up again.
func (k *keeper) resumes(addr, host string) (bool, error) {
	conn, err := tls.Dial("tcp", addr, &tls.Config{ServerName: host, InsecureSkipVerify: true, ClientSessionCache: k})
	if err != nil {
		return false, err
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host); err != nil {
		return false, err
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return false, err
	}
	_, err = io.Copy(io.Discard, response.Body)
	response.Body.Close()
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d", response.StatusCode)
	}
	return conn.ConnectionState().DidResume, err
}

// newSession waits for a session that can be taken up again: keys may change
// just between its two connections.
func newSession(t *testing.T, addr, host string) *keeper {
	t.Helper()
	var kept *keeper
	harness.Eventually(t, "taking up a session again", func() error {
		kept = &keeper{}
		if _, err := kept.resumes(addr, host); err != nil {
			return err
		}
		again, err := kept.resumes(addr, host)
		if err == nil && !again {
			err = errors.New("a whole handshake")
		}
		return err
	})
	return kept
}

func ticketRotations(t *testing.T, g *harness.Headgate, result string) float64 {
	t.Helper()
	return g.Metrics(t).Sum("headgate_ticket_rotations_total", fmt.Sprintf("result=%q", result))
}

func waitRotations(t *testing.T, g *harness.Headgate, n float64) {
	t.Helper()
	harness.Eventually(t, fmt.Sprintf("rotation %v of the ticket keys", n), func() error {
		if have := ticketRotations(t, g, "success"); have < n {
			return fmt.Errorf("%v so far", have)
		}
		return nil
	})
}

// TestTicketRotation lets controllers rotate the keys of session tickets: a
// session can't be taken up for ever, and nothing is reloaded for that.
func TestTicketRotation(t *testing.T) {
	for _, branch := range []string{"2.6", "3.4"} {
		t.Run(branch, func(t *testing.T) { testTicketRotation(t, branch) })
	}
}

func testTicketRotation(t *testing.T, branch string) {
	const host = "web.test"
	dir := t.TempDir()
	authority, err := harness.NewCA("authority")
	if err != nil {
		t.Fatal(err)
	}
	harness.WriteManifests(t, dir, harness.IngressClass("headgate", "headgate.dev/ingress-controller"),
		harness.TLSSecret("shop", "web", must(t)(authority.Issue(host))), harness.Service("shop", "web", "80:8080"),
		harness.EndpointSlice("shop", "web", "8080", harness.StartPods(t).IP()),
		harness.Ingress("shop", "web", harness.Class("headgate"), harness.TLS("web", host), harness.Rule(host, "/", "web:80")))
	g := harness.NewHeadgate(t)
	flags := []string{"--manifests=" + dir, "--haproxy=" + harness.HAProxyPath(t, branch),
		"--config-dir=" + filepath.Join(harness.Root(t), "haproxy-cfg")}
	g.Start(t, append(flags, "--ticket-rotation=10")...)
	g.WaitReady(t)
	workers := harness.WatchWorkers(t, g.Dir+"/")

	session := newSession(t, g.HTTPS, host)
	for range 3 {
		waitRotations(t, g, ticketRotations(t, g, "success")+1)
	}
	if again, err := session.resumes(g.HTTPS, host); again || err != nil {
		t.Errorf("after three rotations: taken up again: %v (%v), want a whole handshake", again, err)
	}
	if n := ticketRotations(t, g, "error"); n != 0 {
		t.Errorf("%v rotations failed", n)
	}

	// A new controller goes by the age of the file. The one that is killed may be
	// just about to rotate; the ones after it are not, once that was due.
	file := filepath.Join(g.StateDir, "tickets.keys")
	restart := func(age time.Duration, more ...string) {
		t.Helper()
		g.Kill()
		then := time.Now().Add(-age)
		if err := os.Chtimes(file, then, then); err != nil {
			t.Fatal(err)
		}
		g.Start(t, append(flags, more...)...)
		g.WaitReady(t)
	}
	restart(time.Hour)
	waitRotations(t, g, 1)
	session = newSession(t, g.HTTPS, host)
	before, err := os.Stat(file)
	if err != nil || before.Mode() != 0o600 {
		t.Fatalf("%s: %v (%v)", file, before.Mode(), err)
	}
	restart(time.Hour, "--ticket-rotation=604800")
	if after, err := os.Stat(file); err != nil || !os.SameFile(before, after) || ticketRotations(t, g, "success") != 0 {
		t.Errorf("a start of the controller was a rotation (%v)", err)
	}
	restart(time.Hour)
	waitRotations(t, g, 1)
	if again, err := session.resumes(g.HTTPS, host); !again || err != nil {
		t.Errorf("after one rotation: taken up again: %v (%v)", again, err)
	}
	if n := workers.Reloads(); n != 0 {
		t.Errorf("%d reloads", n)
	}
}
