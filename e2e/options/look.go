package options

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"time"

	"headgate.dev/e2e/harness"
)

// captured is what HAProxy's log shows of a request, in braces.
func captured(s *scene, host, _ string) (string, error) {
	target := fmt.Sprintf("/a/b?mark=%s-%d", host, s.marks.Add(1))
	if _, err := s.ask(host, ask{target: target, header: map[string]string{"X-Mark": "0123456789"}}); err != nil {
		return "", err
	}
	line := regexp.MustCompile(`(\{.*\}) "GET ` + regexp.QuoteMeta(target) + ` `)
	found := ""
	harness.Eventually(s.t, "log line of "+target, func() error {
		for _, l := range s.g.Log() {
			if m := line.FindStringSubmatch(l.Raw); m != nil {
				found = m[1]
				return nil
			}
		}
		return errors.New("it isn't there")
	})
	return found, nil
}

// side is whose pod a request meets that says in every way which one it wants.
func side(s *scene, host, _ string) (string, error) {
	answers, err := s.ask(host, ask{header: is("X-Side", "always", "X-Region", "eu, 1", "Cookie", "a=b; side=always")})
	if err != nil {
		return "", err
	}
	return map[string]string{s.ip: "route", s.next: "canary"}[answers[0].Echo.Pod], nil
}

// tunnel opens a WebSocket and says whether it stays when nobody says anything: at
// least for a second, or for the time that a test waits where it has to close.
func tunnel(s *scene, host, want string) (string, error) {
	conn, err := net.Dial("tcp", s.g.HTTP)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /?do=websocket HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", host)
	r := bufio.NewReader(conn)
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		return "", err
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		return answer.Status, nil
	}
	wait := time.Second
	if want == "closed" {
		wait = time.Minute
	}
	_ = conn.SetReadDeadline(time.Now().Add(wait))
	_, err = r.ReadByte()
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "open", nil
	case errors.Is(err, io.EOF) || err != nil && strings.Contains(err.Error(), "reset"):
		return "closed", nil
	}
	return "", err
}
