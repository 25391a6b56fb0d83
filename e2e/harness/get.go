package harness

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
)

// Answer is one response, read whole.
type Answer struct {
	Status int
	Header http.Header
	Body   string
	Echo   Echo // filled in when a pod answered
}

// Pod is the "ip:port" that answered, or "" when it was not a pod.
func (a Answer) Pod() string { return a.Header.Get("X-Pod") }

// Get sends one request on a connection of its own to addr ("127.0.0.1:80"),
// with this Host. It follows no redirect.
func Get(addr, host, path string) (Answer, error) {
	request, err := http.NewRequest(http.MethodGet, "http://"+host+path, nil)
	if err != nil {
		return Answer{}, err
	}
	return Do(addr, request)
}

// GetTLS is Get over HTTPS: the certificate must be for the host, and from an
// authority that config trusts.
func GetTLS(addr, host, path string, config *tls.Config) (Answer, error) {
	request, err := http.NewRequest(http.MethodGet, "https://"+host+path, nil)
	if err != nil {
		return Answer{}, err
	}
	return do(addr, request, config)
}

// Do sends a request to addr, whatever host its URL names.
func Do(addr string, request *http.Request) (Answer, error) { return do(addr, request, nil) }

// DoTLS is Do with HTTPS; the URL's host is the server name.
func DoTLS(addr string, request *http.Request, config *tls.Config) (Answer, error) {
	return do(addr, request, config)
}

func do(addr string, request *http.Request, config *tls.Config) (Answer, error) {
	transport := &http.Transport{DisableKeepAlives: true, DialContext: dialer(addr), TLSClientConfig: config}
	response, err := (&http.Client{Transport: transport, Timeout: patience(), CheckRedirect: noRedirect}).Do(request)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	answer := Answer{Status: response.StatusCode, Header: response.Header, Body: string(body)}
	if answer.Pod() != "" {
		_ = json.Unmarshal(body, &answer.Echo)
	}
	return answer, err
}

// PeerCertificates makes a handshake with addr, where name is the server name
// (SNI; none for an IP address), and returns what is shown, trusted or not.
func PeerCertificates(addr, name string) ([]*x509.Certificate, error) {
	conn, err := tls.Dial("tcp", addr, &tls.Config{ServerName: name, InsecureSkipVerify: true})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates, nil
}

// ShowsCertificate is nil when such a handshake ends in the certificate of a pair.
func ShowsCertificate(addr, name string, pair KeyPair) error {
	shown, err := PeerCertificates(addr, name)
	if err != nil {
		return err
	}
	want, err := pair.Leaf()
	if err == nil && !shown[0].Equal(want) {
		err = fmt.Errorf("the certificate is for %v, serial %x, want %v, %x",
			shown[0].DNSNames, shown[0].SerialNumber, want.DNSNames, want.SerialNumber)
	}
	return err
}

// WantPod waits until a route is answered by one of these pods (IP addresses).
func WantPod(t TB, addr, host, path string, ips ...string) {
	t.Helper()
	Eventually(t, "route "+host+path, func() error {
		answer, err := Get(addr, host, path)
		if err != nil {
			return err
		}
		for _, ip := range ips {
			if answer.Status == http.StatusOK && answer.Echo.Pod == ip {
				return nil
			}
		}
		return fmt.Errorf("status %d from %q, want one of %v", answer.Status, answer.Pod(), ips)
	})
}

// WantStatus waits until a route is answered with this status.
func WantStatus(t TB, addr, host, path string, status int) {
	t.Helper()
	Eventually(t, "route "+host+path, func() error {
		answer, err := Get(addr, host, path)
		if err == nil && answer.Status != status {
			err = fmt.Errorf("status %d, want %d", answer.Status, status)
		}
		return err
	})
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// dialer connects to addr, whatever it is asked for.
func dialer(addr string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	}
}
