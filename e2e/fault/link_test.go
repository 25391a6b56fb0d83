package fault

import (
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"headgate.dev/e2e/harness"
	"k8s.io/client-go/tools/clientcmd"
)

// faultLink is the way of a controller to the API server. It can be cut while
// everybody else goes on.
type faultLink struct {
	addr     string
	upstream string
	mu       sync.Mutex
	listener net.Listener // nil while it is cut
	conns    map[net.Conn]bool
	accepted int
}

// newFaultLink listens on this IP address.
func newFaultLink(t *testing.T, c *harness.Cluster, ip string) *faultLink {
	t.Helper()
	l := &faultLink{
		addr:     net.JoinHostPort(ip, "0"),
		upstream: strings.TrimPrefix(c.Config.Host, "https://"),
		conns:    map[net.Conn]bool{},
	}
	l.restore(t)
	l.addr = l.listener.Addr().String()
	t.Cleanup(l.cut)
	return l
}

// kubeconfig makes a copy of a kubeconfig that leads through the link.
func (l *faultLink) kubeconfig(t *testing.T, path string) string {
	t.Helper()
	config, err := clientcmd.LoadFromFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, cluster := range config.Clusters {
		cluster.Server = "https://" + l.addr
		cluster.TLSServerName = "127.0.0.1" // what the certificate is for
	}
	path = filepath.Join(t.TempDir(), "link.kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// cut breaks all connections and refuses new ones.
func (l *faultLink) cut() {
	l.mu.Lock()
	if l.listener != nil {
		l.listener.Close()
		l.listener = nil
	}
	l.mu.Unlock()
	l.breakAll()
}

// breakAll breaks all connections; new ones are welcome.
func (l *faultLink) breakAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for conn := range l.conns {
		conn.Close()
	}
}

func (l *faultLink) restore(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp", l.addr)
	if err != nil {
		t.Fatal(err)
	}
	l.mu.Lock()
	l.listener = listener
	l.mu.Unlock()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go l.pass(conn)
		}
	}()
}

// connections is how many there were so far.
func (l *faultLink) connections() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.accepted
}

func (l *faultLink) pass(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", l.upstream)
	if err != nil {
		return
	}
	defer server.Close()
	if !l.track(client, server) {
		return
	}
	defer l.forget(client, server)
	var copies sync.WaitGroup
	for _, pair := range [][2]net.Conn{{client, server}, {server, client}} {
		copies.Add(1)
		go func() {
			defer copies.Done()
			_, _ = io.Copy(pair[0], pair[1])
			client.Close()
			server.Close()
		}()
	}
	copies.Wait()
}

// track is false when the link was cut since the connection came.
func (l *faultLink) track(conns ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.listener == nil {
		return false
	}
	l.accepted++
	for _, conn := range conns {
		l.conns[conn] = true
	}
	return true
}

func (l *faultLink) forget(conns ...net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, conn := range conns {
		delete(l.conns, conn)
	}
}
