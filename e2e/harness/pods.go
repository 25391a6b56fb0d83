package harness

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// PodPort is where every pod listens.
const PodPort = 8080

// Pods is one HTTP server that is all the pods: it listens on every address of
// PodNetwork, and says in each answer which address was asked.
//
// A request can ask for behaviour: ?sleep=MS waits first, ?status=N answers
// with that status, ?size=N sends a plain body of N bytes instead of Echo; for
// what takes longer see serveStream.
type Pods struct {
	mu       sync.Mutex
	servers  map[int]*http.Server
	requests map[string]int // by "ip:port"
	next     int            // of the addresses
	open     map[net.Conn]bool
}

// Echo is what a pod answers, as JSON. The header X-Pod holds "ip:port".
type Echo struct {
	Pod     string      `json:"pod"` // the address that was asked
	Port    int         `json:"port"`
	Method  string      `json:"method"`
	Proto   string      `json:"proto"`
	Host    string      `json:"host"`
	URI     string      `json:"uri"` // path and query as they came
	Path    string      `json:"path"`
	Query   string      `json:"query"`
	Headers http.Header `json:"headers"`
}

var pods = &Pods{servers: map[int]*http.Server{}, requests: map[string]int{}, next: 1 << 8, open: map[net.Conn]bool{}}

// StartPods gives the pods of this run, listening on PodPort and on any extra
// port asked for. They are shared by all tests and stay until the end.
func StartPods(t TB, extra ...int) *Pods {
	t.Helper()
	return StartPodsOn(t, append([]int{PodPort}, extra...)...)
}

// StartPodsOn is StartPods for pods that listen on these ports only, for who needs
// PodPort himself.
func StartPodsOn(t TB, ports ...int) *Pods {
	t.Helper()
	for _, port := range ports {
		if err := pods.listen(port); err != nil {
			t.Fatalf("pods: %v", err)
		}
	}
	return pods
}

// IP gives an address that no other test has.
func (p *Pods) IP() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		p.next++
		if last := p.next & 0xff; last != 0 && last != 0xff {
			break
		}
	}
	if p.next > 0xffff {
		panic("harness: no pod address is left in " + PodNetwork)
	}
	return fmt.Sprintf("10.244.%d.%d", p.next>>8, p.next&0xff)
}

// IPs gives n addresses.
func (p *Pods) IPs(n int) []string {
	ips := make([]string, n)
	for i := range ips {
		ips[i] = p.IP()
	}
	return ips
}

// Requests is how many requests the pod at ip has had on PodPort.
func (p *Pods) Requests(ip string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.requests[PodAddr(ip)]
}

// Hangup closes all connections to the pod at ip, as the end of its process would.
func (p *Pods) Hangup(ip string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.open {
		if host, _, _ := net.SplitHostPort(conn.LocalAddr().String()); host == ip {
			_ = conn.Close()
			delete(p.open, conn)
		}
	}
}

// note keeps the connections that are open. One that has switched protocols is
// nobody's: net/http doesn't say when it ends, and closing it twice does no harm.
func (p *Pods) note(conn net.Conn, state http.ConnState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch state {
	case http.StateNew:
		p.open[conn] = true
	case http.StateClosed:
		delete(p.open, conn)
	}
}

// PodAddr is the value of X-Pod for the pod at ip on PodPort.
func PodAddr(ip string) string { return net.JoinHostPort(ip, strconv.Itoa(PodPort)) }

// Handler is what every pod answers with, for servers of a test's own.
func (p *Pods) Handler() http.Handler { return http.HandlerFunc(p.serve) }

func (p *Pods) listen(port int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.servers[port] != nil {
		return nil
	}
	listener, err := net.Listen("tcp4", fmt.Sprintf("0.0.0.0:%d", port))
	if err != nil {
		return err
	}
	server := &http.Server{Handler: http.HandlerFunc(p.serve), Protocols: new(http.Protocols), ConnState: p.note}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true) // for `proto h2` and gRPC backends
	p.servers[port] = server
	if len(p.servers) == 1 {
		atEnd.add(p.close)
	}
	go func() { _ = server.Serve(listener) }()
	return nil
}

func (p *Pods) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, server := range p.servers {
		_ = server.Close()
	}
}

func (p *Pods) serve(w http.ResponseWriter, r *http.Request) {
	local := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	name := local.String()
	p.mu.Lock()
	p.requests[name]++
	p.mu.Unlock()
	if p.serveStream(w, r, name) {
		return
	}

	query := r.URL.Query()
	if ms, err := strconv.Atoi(query.Get("sleep")); err == nil {
		select {
		case <-time.After(time.Duration(ms) * time.Millisecond):
		case <-r.Context().Done(): // the client is gone
			return
		}
	}
	status := http.StatusOK
	if n, err := strconv.Atoi(query.Get("status")); err == nil && n >= 200 && n < 1000 {
		status = n
	}
	w.Header().Set("X-Pod", name)
	if size, err := strconv.Atoi(query.Get("size")); err == nil && size >= 0 {
		w.Header().Set("Content-Length", strconv.Itoa(size))
		w.WriteHeader(status)
		_, _ = w.Write([]byte(strings.Repeat("x", size)))
		return
	}
	body, _ := json.Marshal(Echo{
		Pod: local.IP.String(), Port: local.Port, Method: r.Method, Proto: r.Proto,
		Host: r.Host, URI: r.RequestURI, Path: r.URL.Path, Query: r.URL.RawQuery, Headers: r.Header,
	})
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}
