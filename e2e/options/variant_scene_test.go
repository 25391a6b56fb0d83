package options

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"headgate.dev/e2e/harness"
	"k8s.io/apimachinery/pkg/runtime"
)

const (
	variantNamespace  = "shop"
	variantController = "headgate.dev/ingress-controller"
	// Ports of pods that speak something else than HTTP.
	tlsPort, proxyPort, checkPort, h2cPort, mutualPort = 8443, 8445, 8446, 8447, 8448
)

// variantScene is a controller that reads two files: pods.yaml with the Services
// and routes.yaml with the Ingresses.
type variantScene struct {
	t       *testing.T
	branch  string
	dir     string
	args    []string
	g       *harness.Headgate
	workers *harness.Workers
}

func newVariantScene(t *testing.T, branch string, pods, routes []runtime.Object) *variantScene {
	t.Helper()
	s := &variantScene{t: t, branch: branch, dir: t.TempDir(), g: harness.NewHeadgate(t)}
	class := harness.IngressClass("headgate", variantController)
	s.writePods(append(pods, class)...)
	s.writeRoutes(routes...)
	s.workers = harness.WatchWorkers(t, s.g.Dir+"/")
	s.args = []string{"--manifests=" + s.dir, "--haproxy=" + harness.HAProxyPath(t, branch),
		"--config-dir=" + filepath.Join(harness.Root(t), "haproxy-cfg"),
		"--controller-name=" + variantController, "--self-check"}
	s.g.Start(t, s.args...)
	s.g.WaitReady(t)
	return s
}

func (s *variantScene) writePods(objects ...runtime.Object) {
	harness.WriteManifestFile(s.t, filepath.Join(s.dir, "pods.yaml"), objects...)
}

func (s *variantScene) writeRoutes(objects ...runtime.Object) {
	harness.WriteManifestFile(s.t, filepath.Join(s.dir, "routes.yaml"), objects...)
}

// backendOf is where requests for a host go, as HAProxy has it.
func (s *variantScene) backendOf(host string) (string, error) {
	reply, err := harness.Runtime(s.g.RuntimeSocket(), "show map "+s.g.StateDir+"/current/prefix.map")
	if err != nil {
		return "", err
	}
	for _, line := range strings.Split(reply, "\n") {
		if words := strings.Fields(line); len(words) == 3 && words[1] == host+"/" {
			return words[2], nil
		}
	}
	return "", fmt.Errorf("no entry for %s", host)
}

// serverStates is the operational and the administrative state of a backend's
// servers, by their names.
func (s *variantScene) serverStates(backend string) (map[string]string, error) {
	reply, err := harness.Runtime(s.g.RuntimeSocket(), "show servers state "+backend)
	if err != nil {
		return nil, err
	}
	states := map[string]string{}
	for _, line := range strings.Split(reply, "\n") {
		// be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state
		if words := strings.Fields(line); len(words) > 7 && words[1] == backend {
			states[words[3]] = words[5] + " " + words[6]
		}
	}
	return states, nil
}

// ask sends one request, with headers "Name: value", on a connection of its own.
func (s *variantScene) ask(host, path string, headers ...string) (harness.Answer, error) {
	request, err := http.NewRequest(http.MethodGet, "http://"+host+path, nil)
	if err != nil {
		return harness.Answer{}, err
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Set(name, value)
	}
	answer, err := harness.Do(s.g.HTTP, request)
	if err == nil && answer.Status != http.StatusOK {
		err = fmt.Errorf("%s%s: status %d", host, path, answer.Status)
	}
	return answer, err
}

// podsOf is the set of pods that answer n requests; "%d" in path and headers is
// the number of the request.
func (s *variantScene) podsOf(n int, host, path string, headers ...string) (map[string]bool, error) {
	pods := map[string]bool{}
	for i := range n {
		number := fmt.Sprint(i)
		var own []string
		for _, header := range headers {
			own = append(own, strings.ReplaceAll(header, "%d", number))
		}
		answer, err := s.ask(host, strings.ReplaceAll(path, "%d", number), own...)
		if err != nil {
			return nil, err
		}
		pods[answer.Pod()] = true
	}
	return pods, nil
}

// oddPod is a pod that is not one of the harness's.
type oddPod struct {
	ip string

	mu       sync.Mutex
	requests []string // "METHOD URI", of checks
	isSick   bool
}

func (p *oddPod) setSick(isSick bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.isSick = isSick
}

func (p *oddPod) sawCheck(want string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.requests); n == 0 || p.requests[n-1] != want {
		return fmt.Errorf("checks seen: %q, want %q", p.requests[max(0, n-3):], want)
	}
	return nil
}

// ServeHTTP answers with what was spoken; what comes to localhost is a check.
func (p *oddPod) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.Host == "localhost" {
		p.requests = append(p.requests, r.Method+" "+r.RequestURI)
		if p.isSick {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
	}
	spoken := r.Proto
	if r.TLS != nil {
		spoken += " TLS " + r.TLS.ServerName
		for _, shown := range r.TLS.PeerCertificates[:min(1, len(r.TLS.PeerCertificates))] {
			spoken += " from " + shown.Subject.CommonName
		}
	}
	w.Header().Set("X-Pod", net.JoinHostPort(p.ip, "0"))
	fmt.Fprint(w, spoken)
}

func startOddPod(t *testing.T, ip string, trust *trust) *oddPod {
	t.Helper()
	p := &oddPod{ip: ip}
	config := &tls.Config{Certificates: []tls.Certificate{trust.pod}, NextProtos: []string{"h2", "http/1.1"}}
	mutual := config.Clone()
	mutual.ClientAuth, mutual.ClientCAs = tls.RequireAndVerifyClientCert, trust.right.ClientTLS().RootCAs
	quiet := log.New(io.Discard, "", 0)
	p.serve(t, tlsPort, func(l net.Listener) error {
		return (&http.Server{Handler: p, TLSConfig: config, ErrorLog: quiet}).ServeTLS(l, "", "")
	})
	p.serve(t, mutualPort, func(l net.Listener) error {
		return (&http.Server{Handler: p, TLSConfig: mutual, ErrorLog: quiet}).ServeTLS(l, "", "")
	})
	p.serve(t, checkPort, func(l net.Listener) error { return http.Serve(l, p) })
	p.serve(t, h2cPort, func(l net.Listener) error {
		protocols := &http.Protocols{}
		protocols.SetHTTP1(true)
		protocols.SetUnencryptedHTTP2(true)
		return (&http.Server{Handler: p, Protocols: protocols}).Serve(l)
	})
	p.serve(t, proxyPort, func(l net.Listener) error {
		for {
			conn, err := l.Accept()
			if err != nil {
				return err
			}
			go answerProxy(conn)
		}
	})
	return p
}

func (p *oddPod) serve(t *testing.T, port int, serve func(net.Listener) error) {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(p.ip, fmt.Sprint(port)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		if err := serve(listener); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Logf("pod: %v", err)
		}
	}()
}

// answerProxy answers one request with the version of the PROXY protocol in front
// of it, and whether it says something of TLS.
func answerProxy(conn net.Conn) {
	defer conn.Close()
	head := make([]byte, 4096)
	n := 0
	for !strings.Contains(string(head[:n]), "\r\n\r\nGET ") && !strings.Contains(string(head[:n]), " HTTP/1.1\r\n") && n < len(head) {
		more, err := conn.Read(head[n:])
		if err != nil {
			return
		}
		n += more
	}
	said := "none"
	if strings.HasPrefix(string(head[:n]), "PROXY TCP4 127.0.0.1 ") {
		said = "v1"
	} else if n > 16 && strings.HasPrefix(string(head[:n]), "\r\n\r\n\x00\r\nQUIT\n") {
		said = "v2"
		if head[15] > 12 || head[14] > 0 { // more than two IPv4 addresses and ports
			said = "v2 and more"
		}
	}
	fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(said), said)
}
