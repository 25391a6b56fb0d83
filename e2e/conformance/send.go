package conformance

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"headgate.dev/e2e/harness"
)

// answer is a response, read whole.
type answer struct {
	harness.Answer
	leaf   *x509.Certificate // with TLS
	client string            // the address that the request came from
}

// exchangeTimeout is a guard: no answer takes this long.
const exchangeTimeout = 30 * time.Second

// send sends the bytes that the request says and no others.
func (r *Request) send(addr string, roots *x509.CertPool) (answer, error) {
	var a answer
	conn, err := net.DialTimeout("tcp", addr, exchangeTimeout)
	if err != nil {
		return a, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(exchangeTimeout))
	a.client, _, _ = net.SplitHostPort(conn.LocalAddr().String())
	if r.IsTLS {
		secure := tls.Client(conn, r.tlsConfig(roots))
		if err := secure.Handshake(); err != nil {
			return a, err
		}
		a.leaf, conn = secure.ConnectionState().PeerCertificates[0], secure
	}
	if _, err := io.WriteString(conn, r.bytes()); err != nil {
		return a, err
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: r.Method})
	if err != nil {
		return a, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	a.Status, a.Header, a.Body = response.StatusCode, response.Header, string(body)
	if a.Pod() != "" && r.Method != http.MethodHead {
		err = json.Unmarshal(body, &a.Echo)
	}
	return a, err
}

// tlsConfig verifies the certificate for the name that was asked for, unless the
// request expects another one.
func (r *Request) tlsConfig(roots *x509.CertPool) *tls.Config {
	return &tls.Config{
		ServerName: r.SNI, RootCAs: roots, NextProtos: []string{"http/1.1"},
		InsecureSkipVerify: r.SNI == "" || (r.Certificate != "" && r.Certificate != r.SNI),
	}
}

func (r *Request) bytes() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/%s\r\n", r.Method, r.Target, r.Version)
	if r.HasHost {
		fmt.Fprintf(&b, "Host: %s\r\n", r.Host)
	}
	for _, header := range r.Sends {
		fmt.Fprintf(&b, "%s\r\n", header)
	}
	if r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch {
		b.WriteString("Content-Length: 0\r\n")
	}
	b.WriteString("User-Agent: headgate-conformance\r\nConnection: close\r\n\r\n")
	return b.String()
}

// check compares an answer with what is wanted. The pods are those of Service.
func (r *Request) check(a answer, pods []string) error {
	for _, name := range r.Headers {
		if a.Header.Get(name) == "" {
			return fmt.Errorf("the answer has no header %s", name)
		}
	}
	if r.Certificate != "" && a.leaf.VerifyHostname(r.Certificate) != nil {
		return fmt.Errorf("the certificate is for %v, want %s", a.leaf.DNSNames, r.Certificate)
	}
	if r.Service == "" {
		if !slices.Contains(r.Statuses, a.Status) || a.Pod() != "" {
			return fmt.Errorf("status %d from %q, want %v from nobody", a.Status, a.Pod(), r.Statuses)
		}
		if got := a.Header.Get("Location"); got != r.Location {
			return fmt.Errorf("Location is %q, want %q", got, r.Location)
		}
		return nil
	}
	if !isOneOf(a.Pod(), pods) || a.Status != http.StatusOK {
		return fmt.Errorf("status %d from %q, want 200 from a pod of %s %v", a.Status, a.Pod(), r.Service, pods)
	}
	if r.Method == http.MethodHead {
		return nil
	}
	if r.Protocol != "" && a.Echo.Proto != r.Protocol {
		return fmt.Errorf("the pod was asked in %s, want %s", a.Echo.Proto, r.Protocol)
	}
	if err := r.checkSeen(a); err != nil {
		return err
	}
	for _, field := range []struct{ name, got, want string }{
		{"method", a.Echo.Method, r.Method}, {"target", originForm(a.Echo.URI), originForm(r.Target)},
		{"Host", a.Echo.Host, r.Host},
	} {
		if field.got != field.want && (field.name != "Host" || r.HasHost) {
			return fmt.Errorf("the pod saw %s %q, want %q", field.name, field.got, field.want)
		}
	}
	return nil
}

// checkSeen compares the headers that the pod has seen with those that it should have.
func (r *Request) checkSeen(a answer) error {
	for _, header := range r.Sees {
		name, want, _ := strings.Cut(header, "=")
		if want == "<client>" {
			want = a.client
		}
		if got := strings.Join(a.Echo.Headers.Values(name), ","); got != want {
			return fmt.Errorf("the pod saw %s %q, want %q", name, got, want)
		}
	}
	return nil
}

// originForm is a request target without scheme and authority: the form that a
// server is asked in; a proxy may leave them (RFC 9112, 3.2).
func originForm(target string) string {
	for _, scheme := range []string{"http://", "https://"} {
		if rest, ok := strings.CutPrefix(target, scheme); ok {
			if i := strings.IndexByte(rest, '/'); i >= 0 {
				return rest[i:]
			}
			return "/"
		}
	}
	return target
}

func isOneOf(pod string, ips []string) bool {
	host, _, _ := net.SplitHostPort(pod)
	for _, ip := range ips {
		if host == ip {
			return true
		}
	}
	return false
}
