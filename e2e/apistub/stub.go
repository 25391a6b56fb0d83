package apistub

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"headgate.dev/e2e/harness"
)

// DefaultToken is the token that is accepted until SetToken.
const DefaultToken = "apistub-token"

// Stub is the server. All methods may be called from any goroutine.
type Stub struct {
	URL string

	ca       *harness.CA
	server   *http.Server
	mu       sync.Mutex
	token    string
	store    store
	watchers map[*watcher]bool
	faults   []*Fault
	requests []*Request
	strange  []string
	bookmark time.Duration
}

// Start serves on a port of its own until the end of the test.
func Start(t harness.TB) *Stub {
	t.Helper()
	s := &Stub{token: DefaultToken, store: newStore(), watchers: map[*watcher]bool{}, bookmark: time.Minute}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("apistub: %v", err)
	}
	if err := s.serve(listener); err != nil {
		t.Fatalf("apistub: %v", err)
	}
	t.Cleanup(func() { _ = s.server.Close() })
	return s
}

func (s *Stub) serve(listener net.Listener) error {
	var err error
	if s.ca, err = harness.NewCA("apistub"); err != nil {
		return err
	}
	pair, err := s.ca.Issue("127.0.0.1", "localhost")
	if err != nil {
		return err
	}
	certificate, err := tls.X509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		return err
	}
	s.URL = "https://" + listener.Addr().String()
	s.server = &http.Server{
		Handler:     http.HandlerFunc(s.handle),
		TLSConfig:   &tls.Config{Certificates: []tls.Certificate{certificate}},
		ConnContext: withWire,
		// Broken connections are what the tests are for.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	go func() { _ = s.server.ServeTLS(wireListener{listener}, "", "") }()
	return nil
}

// Kubeconfig writes a kubeconfig with the token that is accepted now, and
// returns its path.
func (s *Stub) Kubeconfig(t harness.TB) string {
	t.Helper()
	s.mu.Lock()
	token := s.token
	s.mu.Unlock()
	return s.KubeconfigWith(t, &clientcmdapi.AuthInfo{Token: token})
}

// KubeconfigWith writes a kubeconfig with these credentials, wrong ones or a
// file for instance.
func (s *Stub) KubeconfigWith(t harness.TB, user *clientcmdapi.AuthInfo) string {
	t.Helper()
	config := clientcmdapi.NewConfig()
	config.Clusters["stub"] = &clientcmdapi.Cluster{Server: s.URL, CertificateAuthorityData: s.ca.PEM}
	config.AuthInfos["stub"] = user
	config.Contexts["stub"] = &clientcmdapi.Context{Cluster: "stub", AuthInfo: "stub"}
	config.CurrentContext = "stub"
	path := filepath.Join(t.TempDir(), "stub.kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatalf("apistub: %v", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatalf("apistub: %v", err)
	}
	return path
}

// Client trusts the stub's authority, for tests of the stub itself.
func (s *Stub) Client() *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: s.ca.ClientTLS(), ForceAttemptHTTP2: true}}
}

// SetToken changes the token that is accepted. Open watches go on, as they do on
// a real server.
func (s *Stub) SetToken(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = token
}

// SetBookmarks changes how often a watch gets a bookmark, from its next one on.
func (s *Stub) SetBookmarks(every time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bookmark = every
}

// call is a request on its way through the stub.
type call struct {
	resource
	target
	verb     Verb
	selector selector
	w        http.ResponseWriter
	r        *http.Request
	record   *Request
}

func (s *Stub) handle(w http.ResponseWriter, r *http.Request) {
	c := &call{w: w, r: r}
	var ok bool
	if c.resource, c.target, ok = findResource(r.URL.Path); ok {
		c.verb, ok = c.verbOf()
	}
	if !ok {
		s.stranger(r)
		writeStatus(w, http.StatusNotFound, "NotFound", "apistub serves nothing here")
		return
	}
	s.note(c)
	c.w = recorder{w, s, c.record}
	switch c.selector, ok = readSelector(r.URL.Query().Get("fieldSelector")); {
	case !s.authorized(r):
		writeStatus(c.w, http.StatusUnauthorized, "Unauthorized", "Unauthorized")
	case !ok || r.URL.Query().Get("labelSelector") != "":
		s.stranger(r)
		writeStatus(c.w, http.StatusBadRequest, "BadRequest", "apistub knows only metadata.name and type as selectors")
	default:
		s.answer(c)
	}
}

func (s *Stub) answer(c *call) {
	if fault := s.takeFault(c); fault != nil {
		if fault.Hangup {
			s.hangUp(c, fault)
		}
		c.w = fault.writer(c.w, c.r.Context())
		if fault.Status != 0 || fault.Body != nil {
			fault.reply(c.w)
			return
		}
	}
	s.carryOut(c)
}

func (s *Stub) carryOut(c *call) {
	switch c.verb {
	case Watch:
		s.watch(c)
	case List:
		s.list(c)
	default:
		s.write(c)
	}
}

func (s *Stub) authorized(r *http.Request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return r.Header.Get("Authorization") == "Bearer "+s.token
}

// writeStatus answers as an API server does when it refuses.
func writeStatus(w http.ResponseWriter, code int, reason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(statusObject(code, reason, message))
}

func statusObject(code int, reason, message string) []byte {
	text, _ := json.Marshal(map[string]any{
		"kind": "Status", "apiVersion": "v1", "metadata": map[string]any{},
		"status": "Failure", "message": message, "reason": reason, "code": code,
	})
	return text
}

type wireKey struct{}

func withWire(ctx context.Context, conn net.Conn) context.Context {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	return context.WithValue(ctx, wireKey{}, conn)
}
