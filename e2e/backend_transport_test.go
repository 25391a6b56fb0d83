package e2e

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"testing"

	"headgate.dev/e2e/harness"
	"k8s.io/apimachinery/pkg/runtime"
)

const transportHost = "transport.example"

// TestTransports speaks TLS and HTTP/2 without TLS to pods as appProtocol says, tells
// a TLS server the host that is asked for, switches protocols over it, and follows
// a change of appProtocol without a reload.
func TestTransports(t *testing.T) {
	eachRouteBranch(t, func(t *testing.T, branch string) {
		s := newRouteScene(t, branch)
		ip := s.pods.IP()
		name := s.startTLSPod(ip)
		s.c.Apply(t, harness.EndpointSlice(s.ns, "web", "8443", ip), s.transportService("https"),
			s.ingress("web", harness.Rule(transportHost, "/", "web:80"), harness.Rule(streamHost, "/", "web:80")))
		s.start()
		tlsPod := func() error {
			answer, err := harness.Get(s.g.HTTP, transportHost, "/")
			if err != nil || answer.Status != http.StatusOK || answer.Echo.Port != 8443 || answer.Echo.Proto != "HTTP/2.0" {
				return fmt.Errorf("%d from %q, %s, %v", answer.Status, answer.Pod(), answer.Echo.Proto, err)
			}
			if have := name.Load(); have != transportHost {
				return fmt.Errorf("the pod was told the name %v", have)
			}
			return nil
		}
		harness.Eventually(t, branch+": the pod with TLS", tlsPod)
		if c := s.openWebSocket(plainWay); c.ping() != nil {
			t.Errorf("%s: no WebSocket over TLS", branch)
		}
		s.costs(0, "changes of appProtocol", func() {
			s.c.Apply(t, s.transportService("kubernetes.io/h2c"), harness.EndpointSlice(s.ns, "web", "8080", ip))
			harness.Eventually(t, branch+": the pod with HTTP/2", func() error {
				answer, err := harness.Get(s.g.HTTP, transportHost, "/")
				if err != nil || answer.Echo.Port != harness.PodPort || answer.Echo.Proto != "HTTP/2.0" {
					return fmt.Errorf("%d from %q, %s, %v", answer.Status, answer.Pod(), answer.Echo.Proto, err)
				}
				return nil
			})
			s.c.Apply(t, s.transportService("kubernetes.io/ws"))
			harness.Eventually(t, branch+": the pod with HTTP/1.1", func() error {
				answer, err := harness.Get(s.g.HTTP, transportHost, "/")
				if err != nil || answer.Echo.Proto != "HTTP/1.1" {
					return fmt.Errorf("%d from %q, %s, %v", answer.Status, answer.Pod(), answer.Echo.Proto, err)
				}
				return nil
			})
			s.c.Apply(t, harness.EndpointSlice(s.ns, "web", "8443", ip), s.transportService("HTTPS"))
			harness.Eventually(t, branch+": the pod with TLS again", tlsPod)
		})
		s.healthy()
	})
}

func (s *routeScene) transportService(protocol string) runtime.Object {
	service := harness.Service(s.ns, "web", "80:8080")
	service.Spec.Ports[0].AppProtocol = &protocol
	return service
}

// startTLSPod listens on the pod's port 8443 with a certificate that nobody
// trusts, and keeps the server name that it was last asked for.
func (s *routeScene) startTLSPod(ip string) *atomic.Value {
	s.t.Helper()
	name := new(atomic.Value)
	name.Store("")
	ca, err := harness.NewCA("nobody")
	if err != nil {
		s.t.Fatalf("%v", err)
	}
	pair, err := ca.Issue("pod.example")
	if err != nil {
		s.t.Fatalf("%v", err)
	}
	certificate, err := tls.X509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		s.t.Fatalf("%v", err)
	}
	listener, err := net.Listen("tcp4", net.JoinHostPort(ip, "8443"))
	if err != nil {
		s.t.Fatalf("%v", err)
	}
	server := &http.Server{Handler: s.pods.Handler(), TLSConfig: &tls.Config{
		Certificates: []tls.Certificate{certificate},
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			name.Store(hello.ServerName)
			return nil, nil
		},
	}}
	go func() { _ = server.ServeTLS(listener, "", "") }()
	s.t.Cleanup(func() { server.Close() })
	return name
}
