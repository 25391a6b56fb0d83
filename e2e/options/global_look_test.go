package options

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"headgate.dev/e2e/harness"
)

// globalRow is keys of the controller's ConfigMap: what is set in the states
// after the first, and what is seen in each (where it isn't said: what is seen in
// the first).
type globalRow struct {
	keys string // that it shows, separated by blanks
	set  []map[string]string
	look func(s *globalScene, want string) (string, error)
	want []string
}

// How long a connection has to stay open to count as such. What closes it waits
// for two seconds where it is set, and for at least five where it isn't.
const isOpen = 3 * time.Second

// in is what is set in a state.
func (r globalRow) in(state int) map[string]string {
	if state > 0 && state <= len(r.set) {
		return r.set[state-1]
	}
	return nil
}

func times(texts ...string) (all []map[string]string) {
	for _, text := range texts {
		all = append(all, pair(text))
	}
	return all
}

// pair is "key: value", or several with a semicolon between them.
func pair(text string) map[string]string {
	all := map[string]string{}
	for _, one := range strings.Split(text, ";") {
		if key, value, ok := strings.Cut(one, ":"); ok {
			all[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
	return all
}

var globalRows = []globalRow{
	{keys: "timeout-http-request", set: times("timeout-http-request: 2s", "timeout-http-request: 10m", "timeout-http-request: 2000", "timeout-http-request: 2s"),
		look: idles("GET / HTTP/1.1\r\nHost: plain.test\r\n", 0), want: []string{"open", "closed", "open", "closed", "closed"}},
	// (In the fourth state connections without a request are not logged.)
	{keys: "timeout-http-request dontlognull", look: unused, want: []string{"open", "408", "open", "408", "closed"}},
	// (In the third state connections are not kept: see below.)
	{keys: "timeout-http-keep-alive", set: times("timeout-http-keep-alive: 2s", "timeout-http-keep-alive: 10m", ""),
		look: idles("GET / HTTP/1.1\r\nHost: plain.test\r\n\r\n", 1), want: []string{"open", "closed", "open", "closed"}},
	{keys: "timeout-client", set: times("timeout-client: 2s", "timeout-client: 10m", "timeout-client: 2s"),
		look: readsNothing, want: []string{"open", "closed", "open", "closed"}},
	// What these do takes a peer that has said goodbye and doesn't take the rest: what HAProxy was started with is looked at.
	{keys: "timeout-client-fin", set: times("timeout-client-fin: 2s", "timeout-client-fin: 10m", ""), look: told("HEADGATE_TIMEOUT_CLIENT_FIN"),
		want: []string{"30000ms", "2000ms", "600000ms", "30000ms"}},
	{keys: "timeout-server-fin", set: times("timeout-server-fin: 2s", "timeout-server-fin: 10m", ""), look: told("HEADGATE_TIMEOUT_SERVER_FIN"),
		want: []string{"30000ms", "2000ms", "600000ms", "30000ms"}},
	{keys: "timeout-connect", set: times("timeout-connect: 500ms", "timeout-connect: 10m", ""), look: idles("GET / HTTP/1.1\r\nHost: deaf.test\r\n\r\n", 0),
		want: []string{"open", "closed", "open", "open"}},
	{keys: "timeout-queue", set: times("timeout-queue: 1s", "timeout-queue: 10m", ""), look: queued, want: []string{"open", "closed", "open", "open"}},
	{keys: "timeout-check", set: times("timeout-check: 200ms", "timeout-check: 10s", ""), look: lastCheck, want: []string{"L7OK", "L7TOUT", "L7OK", "L7OK"}},
	{keys: "maxconn", set: times("maxconn: 5000", "maxconn: 4000", "maxconn: 3000"), look: info("Maxconn", "5000", "4000", "3000"),
		want: []string{"another", "5000", "4000", "3000"}},
	{keys: "nbthread", set: times("nbthread: 3", "nbthread: 5", "nbthread: 3"), look: info("Nbthread", "3", "5"), want: []string{"another", "3", "5", "3"}},
	// Of a tunnel that was opened in the state before.
	{keys: "hard-stop-after", set: times("hard-stop-after: 2s", "hard-stop-after: 1h", ""), look: outlived, want: []string{"open", "open", "closed", "open", "open"}},
	{keys: "http-connection-mode http-keep-alive http-server-close",
		set:  times("http-server-close: true", "http-server-close: true; http-keep-alive: true", "http-connection-mode: httpclose; http-keep-alive: true"),
		look: connectionMode, want: []string{"kept", "pod's closed", "kept", "both closed"}},
	{keys: "dontlognull", set: times("dontlognull: false", "dontlognull: true", "dontlognull: false"), look: loggedNull, want: []string{"no", "yes", "no", "yes"}},
	{keys: "logasap", set: times("", "logasap: true", "logasap: false"), look: loggedSoon, want: []string{"no", "no", "yes", "no"}},
	// In states of their own, as the others look for lines in the usual format.
	{keys: "log-format", set: times("", "", "", "log-format: own %ST %{+Q}[capture.req.uri] %[ssl_fc]", "log-format: json"), look: logFormat,
		want: []string{"usual", "usual", "usual", "usual", "own", "JSON: shop plain plain 200"}},
	{keys: "syslog-server", set: times("", "", "", "syslog-server: address:127.0.0.1, port:PORT, level:info, facility:local1\naddress:stdout, format:raw, level:info",
		"syslog-server: address:stdout, format:raw, level:info, length:8192"), look: syslogged, want: []string{"no", "no", "no", "no", "yes", "no"}},
	{keys: "client-strict-sni", set: times("client-strict-sni: true", "client-strict-sni: false", ""), look: strangeName, want: []string{"default", "alert", "default", "default"}},
	{keys: "tls-alpn", set: times("tls-alpn: http/1.1", "", "tls-alpn: http/1.1"), look: protocol, want: []string{"h2", "http/1.1", "h2", "http/1.1"}},
	{keys: "proxy-protocol", set: times("proxy-protocol: 127.0.0.2, 192.0.2.0/24", "proxy-protocol: 192.0.2.0/24", ""), look: proxied,
		want: []string{"400", "198.51.100.7", "400", "400"}},
}

// quiet waits for the end of a connection after what comes before: "closed", or
// "open" when it doesn't come.
func quiet(conn net.Conn, r io.Reader, want string) string {
	wait := isOpen
	if want == "closed" {
		wait = time.Minute
	}
	_ = conn.SetReadDeadline(time.Now().Add(wait))
	if _, err := io.Copy(io.Discard, r); errors.Is(err, os.ErrDeadlineExceeded) {
		return "open"
	}
	return "closed"
}

// idles sends a text, reads so many answers, and looks whether the connection
// closes when nothing follows.
func idles(text string, answers int) func(*globalScene, string) (string, error) {
	return func(s *globalScene, want string) (string, error) {
		conn, r, err := s.send(text)
		if err != nil {
			return "", err
		}
		defer conn.Close()
		for range answers {
			answer, err := http.ReadResponse(r, nil)
			if err != nil {
				return "", err
			}
			_, _ = io.Copy(io.Discard, answer.Body)
		}
		return quiet(conn, r, want), nil
	}
}

// unused says nothing, and looks what becomes of the connection.
func unused(s *globalScene, want string) (string, error) {
	conn, err := net.Dial("tcp", s.g.HTTP)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	r := bufio.NewReader(conn)
	if want == "open" {
		return quiet(conn, r, want), nil
	}
	_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
	answer, err := http.ReadResponse(r, nil)
	switch {
	case err == nil:
		return strconv.Itoa(answer.StatusCode), nil
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "closed", nil
	}
	return "", err
}

// readsNothing asks for more than fits anywhere on the way, and doesn't read it.
func readsNothing(s *globalScene, want string) (string, error) {
	target := fmt.Sprintf("/?size=20000000&mark=%d", s.marks.Add(1))
	conn, r, err := s.send("GET " + target + " HTTP/1.1\r\nHost: plain.test\r\nConnection: close\r\n\r\n")
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if want == "closed" {
		harness.Eventually(s.t, "the end of "+target, func() error {
			for _, l := range s.g.Log() {
				if strings.Contains(l.Raw, "GET "+target+" ") && strings.Contains(l.Raw, " cD") {
					return nil
				}
			}
			return errors.New("no line of a client that was too slow")
		})
		return "closed", nil
	}
	time.Sleep(isOpen)
	if n, err := io.Copy(io.Discard, r); err != nil || n < 20000000 {
		return "closed", nil
	}
	return "open", nil
}

func (s *globalScene) send(text string) (net.Conn, *bufio.Reader, error) {
	conn, err := net.Dial("tcp", s.g.HTTP)
	if err != nil {
		return nil, nil, err
	}
	if _, err := io.WriteString(conn, text); err != nil {
		conn.Close()
		return nil, nil, err
	}
	return conn, bufio.NewReader(conn), nil
}

const upgrade = "GET /?do=websocket HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

func (s *globalScene) upgraded(host string) (net.Conn, *bufio.Reader, error) {
	conn, r, err := s.send(fmt.Sprintf(upgrade, host))
	if err != nil {
		return nil, nil, err
	}
	answer, err := http.ReadResponse(r, nil)
	if err == nil && answer.StatusCode != http.StatusSwitchingProtocols {
		err = errors.New(answer.Status)
	}
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	return conn, r, nil
}

// told is a variable that HAProxy was started with.
func told(variable string) func(*globalScene, string) (string, error) {
	return func(s *globalScene, _ string) (string, error) {
		reply, err := harness.Runtime(s.g.RuntimeSocket(), "show env "+variable)
		return strings.TrimPrefix(strings.TrimSpace(reply), variable+"="), err
	}
}

// queued waits behind a request of somebody else.
func queued(s *globalScene, want string) (string, error) {
	first, _, err := s.send("GET /?sleep=60000 HTTP/1.1\r\nHost: queue.test\r\n\r\n")
	if err != nil {
		return "", err
	}
	defer first.Close()
	harness.Eventually(s.t, "the pod's request", func() error {
		reply, err := s.stat("queue")
		if err == nil && reply[4] != "1" { // scur
			err = fmt.Errorf("%s requests", reply[4])
		}
		return err
	})
	return idles("GET / HTTP/1.1\r\nHost: queue.test\r\nConnection: close\r\n\r\n", 0)(s, want)
}

// stat is the line of `show stat` of the only pod of a Service.
func (s *globalScene) stat(service string) ([]string, error) {
	reply, err := harness.Runtime(s.g.RuntimeSocket(), "show stat")
	if err != nil {
		return nil, err
	}
	for _, line := range strings.Split(reply, "\n") {
		fields := strings.Split(line, ",")
		if strings.HasPrefix(line, namespace+"_svc_"+service+"_80") && fields[1] != "BACKEND" {
			return fields, nil
		}
	}
	return nil, errors.New("no server of " + service)
}

// lastCheck is what the last check of a slow pod has given.
func lastCheck(s *globalScene, want string) (string, error) {
	got := ""
	harness.Eventually(s.t, "a check", func() error {
		fields, err := s.stat("slow")
		if err == nil {
			got = strings.TrimPrefix(fields[36], "* ")
		}
		if err == nil && got != want {
			err = errors.New(got)
		}
		return err
	})
	return got, nil
}

func (s *scene) info(key string) string {
	reply, err := harness.Runtime(s.g.RuntimeSocket(), "show info")
	if err != nil {
		return err.Error()
	}
	match := regexp.MustCompile(`(?m)^` + key + `: (.*)$`).FindStringSubmatch(reply)
	if match == nil {
		return ""
	}
	return match[1]
}

// info is a line of `show info`: one of these, or another.
func info(key string, known ...string) func(*globalScene, string) (string, error) {
	return func(s *globalScene, _ string) (string, error) {
		value := s.info(key)
		for _, k := range known {
			if k == value {
				return value, nil
			}
		}
		return "another", nil
	}
}

// kept is a tunnel that is still to be looked at.
type kept struct {
	conn net.Conn
	r    *bufio.Reader
}

// outlived looks at the tunnel of the state before, whose worker was replaced, and
// opens the next one.
func outlived(s *globalScene, want string) (string, error) {
	got := "open"
	if s.tunnel.conn != nil {
		got = quiet(s.tunnel.conn, s.tunnel.r, want)
		s.tunnel.conn.Close()
	}
	conn, r, err := s.upgraded("plain.test")
	if err != nil {
		return "", err
	}
	s.tunnel = kept{conn, r}
	s.t.Cleanup(func() { conn.Close() })
	return got, nil
}

func connectionMode(s *globalScene, _ string) (string, error) {
	conn, r, err := s.send("GET / HTTP/1.1\r\nHost: plain.test\r\n\r\n")
	if err != nil {
		return "", err
	}
	defer conn.Close()
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return "", err
	}
	switch ofPod := regexp.MustCompile(`(?i)"Connection":\["close"\]`).Match(body); {
	case answer.Close && ofPod:
		return "both closed", nil
	case ofPod:
		return "pod's closed", nil
	case answer.Close:
		return "client's closed", nil
	}
	return "kept", nil
}

// logLine waits for the log line of a marked request.
func (s *globalScene) logLine() (string, error) {
	target := fmt.Sprintf("/?mark=%d", s.marks.Add(1))
	if _, err := s.scene.ask("plain.test", ask{target: target}); err != nil {
		return "", err
	}
	line := ""
	harness.Eventually(s.t, "the log line of "+target, func() error {
		for _, l := range s.g.Log() {
			if strings.Contains(l.Raw, target+" ") || strings.Contains(l.Raw, target+`"`) {
				line = l.Raw
				return nil
			}
		}
		return errors.New("it isn't there")
	})
	return line, nil
}

// loggedNull is whether a connection in which nothing comes is in the log.
func loggedNull(s *globalScene, want string) (string, error) {
	conn, err := net.Dial("tcp", s.g.HTTP)
	if err != nil {
		return "", err
	}
	mark, from := conn.LocalAddr().String()+" [", len(s.g.Log())
	conn.Close()
	deadline := time.Now().Add(isOpen)
	if want == "yes" {
		deadline = time.Now().Add(time.Minute)
	}
	for ; time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		for _, l := range s.g.Log()[from:] {
			if strings.Contains(l.Raw, mark) && strings.Contains(l.Raw, "<BADREQ>") {
				return "yes", nil
			}
		}
	}
	return "no", nil
}

func loggedSoon(s *globalScene, _ string) (string, error) {
	line, err := s.logLine()
	if err == nil && regexp.MustCompile(`/\+\d+ 200 \+\d+ `).MatchString(line) {
		return "yes", nil
	}
	return "no", err
}

// logFormat is how a request is logged.
func logFormat(s *globalScene, _ string) (string, error) {
	line, err := s.logLine()
	var fields struct {
		Namespace, Ingress, Service, Pod, Method, Host, URI, TLS string
		Status                                                   int
		ID                                                       string  `json:"request_id"`
		Total                                                    float64 `json:"total_ms"`
	}
	switch {
	case err != nil:
		return "", err
	case regexp.MustCompile(`^own 200 "/\?mark=\d+" 0$`).MatchString(line):
		return "own", nil
	case !strings.HasPrefix(line, "{"):
		return "usual", nil
	}
	if err := json.Unmarshal([]byte(line), &fields); err != nil {
		return "", fmt.Errorf("%w: %s", err, line)
	}
	if fields.Pod == "" || fields.Method != "GET" || fields.Host != "plain.test" || len(fields.ID) != 36 || fields.TLS != "-" {
		return line, nil
	}
	return fmt.Sprintf("JSON: %s %s %s %d", fields.Namespace, fields.Ingress, fields.Service, fields.Status), nil
}

// syslogServer keeps what comes.
type syslogServer struct {
	port  string
	mu    sync.Mutex
	lines []string
}

func startSyslog(t *testing.T) *syslogServer {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	s := &syslogServer{}
	_, s.port, _ = net.SplitHostPort(conn.LocalAddr().String())
	go func() {
		buffer := make([]byte, 16384)
		for {
			n, _, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			s.mu.Lock()
			s.lines = append(s.lines, string(buffer[:n]))
			s.mu.Unlock()
		}
	}()
	return s
}

func (s *syslogServer) has(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, line := range s.lines {
		if strings.Contains(line, text) {
			return true
		}
	}
	return false
}

// syslogged is whether the server gets the line of a request.
func syslogged(s *globalScene, want string) (string, error) {
	line, err := s.logLine()
	if err != nil {
		return "", err
	}
	mark := regexp.MustCompile(`/\?mark=\d+[" ]`).FindString(line)
	deadline := time.Now().Add(time.Second)
	if want == "yes" {
		deadline = time.Now().Add(time.Minute)
	}
	for ; time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if s.syslog.has(mark) {
			return "yes", nil
		}
	}
	return "no", nil
}

// strangeName is what a client gets whose name no certificate is for.
func strangeName(s *globalScene, _ string) (string, error) {
	conn, err := tls.Dial("tcp", s.g.HTTPS, &tls.Config{ServerName: "nobody.test", InsecureSkipVerify: true})
	if err == nil {
		conn.Close()
		return "default", nil
	}
	if strings.Contains(err.Error(), "unrecognized name") || strings.Contains(err.Error(), "handshake failure") {
		return "alert", nil
	}
	return "", err
}

// protocol is what a client gets that speaks both. (Its name has no certificate:
// the default one has to do, unless that is refused.)
func protocol(s *globalScene, _ string) (string, error) {
	conn, err := tls.Dial("tcp", s.g.HTTPS, &tls.Config{ServerName: "headgate.invalid", InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}})
	if err != nil {
		return "", err
	}
	defer conn.Close()
	return conn.ConnectionState().NegotiatedProtocol, nil
}

// proxied is the client's address that the pod is told, of a proxy at 127.0.0.2.
func proxied(s *globalScene, _ string) (string, error) {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	conn, err := dialer.Dial("tcp", s.g.HTTP)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	fmt.Fprintf(conn, "PROXY TCP4 198.51.100.7 192.0.2.1 1000 80\r\nGET / HTTP/1.1\r\nHost: plain.test\r\nConnection: close\r\n\r\n")
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(answer.Body)
	if match := regexp.MustCompile(`"X-Forwarded-For":\["([^"]*)"\]`).FindSubmatch(body); match != nil {
		return string(match[1]), err
	}
	return fmt.Sprint(answer.StatusCode), err
}
