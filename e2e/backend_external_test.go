package e2e

import (
	"encoding/binary"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"headgate.dev/e2e/harness"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// TestExternalName serves Services that are outside of the cluster: off unless it
// is allowed, resolved by HAProxy, following the object, refusing what no tenant
// may reach, and without a reload on any HAProxy.
func TestExternalName(t *testing.T) {
	dns := startNameServer(t)
	t.Setenv("HEADGATE_NAMESERVER", dns.address)
	eachRouteBranch(t, func(t *testing.T, branch string) {
		s := newRouteScene(t, branch)
		s.ips["api"], s.ips["moved"] = s.pods.IPs(1), s.pods.IPs(1)
		dns.set(map[string]string{
			"api.test": s.ips["api"][0], "moved.test": s.ips["moved"][0],
			"loopback.test": "127.0.0.1", "metadata.test": "169.254.169.254", "nobody.test": "0.0.0.0",
			"nat64.test": "64:ff9b::7f00:1", "metadata64.test": "64:ff9b::a9fe:a9fe",
		})
		s.serve("web", 1)
		s.c.Apply(t, s.external("api", "api.test", 8080),
			s.ingress("web", harness.Rule("web.example", "/", "web:80")),
			s.ingress("api", harness.Rule("api.example", "/", "api:8080")))
		s.start()
		s.wantAnswers(routeAnswer{host: "web.example", path: "/", service: "web"},
			routeAnswer{host: "api.example", path: "/", status: http.StatusServiceUnavailable})
		if n := s.g.Metrics(t).Sum("headgate_diagnostics", `reason="UnsupportedServiceType"`); n != 1 {
			t.Errorf("%s: %v diagnostics of an ExternalName that is not allowed, want 1", branch, n)
		}
		s.g.Stop(t)
		s.start("--allow-external-name")
		s.costs(0, "external Services", func() {
			s.wantAnswers(routeAnswer{host: "api.example", path: "/", service: "api"})
			s.c.Apply(t, s.external("api", "moved.test", 8080))
			s.wantAnswers(routeAnswer{host: "api.example", path: "/", service: "moved"})
			refused := []string{"loopback.test", "metadata.test", "nobody.test"}
			if branch == "2.6" { // newer ones ask for IPv6 only where the machine has it
				refused = append(refused, "nat64.test", "metadata64.test")
			}
			for _, name := range refused {
				s.c.Apply(t, s.external("api", name, 8080))
				s.wantAnswers(routeAnswer{host: "api.example", path: "/", status: http.StatusBadGateway})
			}
			s.c.Apply(t, s.external("api", "missing.test", 8080))
			s.wantAnswers(routeAnswer{host: "api.example", path: "/", status: http.StatusServiceUnavailable})
			s.c.Apply(t, s.external("api", "api.test", 8080))
			s.wantAnswers(routeAnswer{host: "api.example", path: "/", service: "api"},
				routeAnswer{host: "web.example", path: "/", service: "web"})
		})
		s.healthy()
	})
}

func (s *routeScene) external(name, host string, port int32) runtime.Object {
	service := harness.Service(s.ns, name)
	service.Spec = corev1.ServiceSpec{
		Type: corev1.ServiceTypeExternalName, ExternalName: host,
		Ports: []corev1.ServicePort{{Port: port, Protocol: corev1.ProtocolTCP}},
	}
	return service
}

// nameServer answers questions for addresses over UDP; a name has one, of either
// family, and everything else does not exist.
type nameServer struct {
	address string
	conn    net.PacketConn
	mu      sync.Mutex
	names   map[string]string
}

func startNameServer(t *testing.T) *nameServer {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { conn.Close() })
	s := &nameServer{address: conn.LocalAddr().String(), conn: conn}
	go s.serve()
	return s
}

func (s *nameServer) set(names map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names = names
}

func (s *nameServer) serve() {
	buf := make([]byte, 1500)
	for {
		n, from, err := s.conn.ReadFrom(buf)
		if err != nil {
			return
		}
		if answer := s.answer(buf[:n]); answer != nil {
			_, _ = s.conn.WriteTo(answer, from)
		}
	}
}

// answer makes a message of RFC 1035, section 4: the header, the one question, and
// an answer whose name is a pointer to the question's.
func (s *nameServer) answer(query []byte) []byte {
	const header, typeA, typeAAAA, notFound = 12, 1, 28, 3
	var labels []string
	at := header
	for at < len(query) && query[at] != 0 {
		end := at + 1 + int(query[at])
		if end >= len(query) {
			return nil
		}
		labels = append(labels, strings.ToLower(string(query[at+1:end])))
		at = end
	}
	if at+5 > len(query) {
		return nil
	}
	question := query[header : at+5]
	s.mu.Lock()
	ip := net.ParseIP(s.names[strings.Join(labels, ".")])
	s.mu.Unlock()
	kind := uint16(typeAAAA)
	if four := ip.To4(); four != nil {
		ip, kind = four, typeA
	}

	flags, answers := uint16(0x8180), uint16(0)
	if ip == nil {
		flags |= notFound
	} else if binary.BigEndian.Uint16(query[at+1:]) == kind {
		answers = 1
	}
	reply := append([]byte{}, query[:2]...)
	for _, field := range []uint16{flags, 1, answers, 0, 0} {
		reply = binary.BigEndian.AppendUint16(reply, field)
	}
	reply = append(reply, question...)
	if answers == 1 {
		reply = append(reply, 0xc0, header, 0, byte(kind), 0, 1, 0, 0, 0, 1, 0, byte(len(ip)))
		reply = append(reply, ip...)
	}
	return reply
}
