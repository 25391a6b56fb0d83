package e2e

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"headgate.dev/e2e/harness"
	"k8s.io/apimachinery/pkg/runtime"
)

// How often everything changes around the open connections.
const streamRounds = 3

const (
	streamHost = "stream.example"
	grpcHost   = "grpc.example"
	chunk      = 16 * 1024
)

// stream is a connection that stays open. ping demands that it moves in the
// direction in which it goes, both where it goes both ways.
type stream struct {
	name string
	pod  func() string // "ip:port" that it goes to
	ping func() error
	end  func() error
}

// TestLongConnections holds a WebSocket, an event stream, a gRPC stream and a slow
// upload open while endpoints, hosts, paths and Services change around them: their
// own Service loses its route and gets it back, all other pods go, and theirs are
// told to end. None is cut.
func TestLongConnections(t *testing.T) {
	eachRouteBranch(t, func(t *testing.T, branch string) {
		s := newRouteScene(t, branch)
		s.serve("web", 4)
		s.serve("other", 1)
		s.ips["grpc"] = s.pods.IPs(4)
		s.c.Apply(t, harness.EndpointSlice(s.ns, "grpc", "8080", s.ips["grpc"]...), s.grpcService(),
			s.streamIngress("web"), s.ingress("grpc", harness.Rule(grpcHost, "/", "grpc:80")))
		s.start()
		s.wantAnswers(routeAnswer{host: streamHost, path: "/", service: "web"},
			routeAnswer{host: grpcHost, path: "/", service: "grpc"})
		streams := []*stream{s.openWebSocket(), s.openEvents(), s.openGRPC(), s.openUpload()}
		s.pingAll("in the beginning", streams)
		before := s.workers.Distinct()
		for round := range streamRounds {
			s.changeAround(round, streams)
		}
		s.tellToEnd(streams)
		if n := s.workers.Distinct() - before; branch == "3.4" && n != 0 {
			t.Errorf("%s: %d reloads, want 0", branch, n)
		}
		for _, c := range streams {
			if err := c.end(); err != nil {
				t.Errorf("%s: %s: ending: %v", branch, c.name, err)
			}
		}
		s.healthy()
	})
}

func (s *routeScene) grpcService() runtime.Object {
	service, protocol := harness.Service(s.ns, "grpc", "80:8080"), "kubernetes.io/h2c"
	service.Spec.Ports[0].AppProtocol = &protocol
	return service
}

func (s *routeScene) streamIngress(service string, more ...harness.IngressOption) runtime.Object {
	return s.ingress("web", append(more, harness.Rule(streamHost, "/", service+":80"))...)
}

func (s *routeScene) pingAll(when string, streams []*stream) {
	s.t.Helper()
	for _, c := range streams {
		if err := c.ping(); err != nil {
			s.t.Fatalf("%s: %s at %s, %s: %v", s.branch, c.name, c.pod(), when, err)
		}
	}
}

// changeAround makes every kind of change and looks after each whether all streams
// go on.
func (s *routeScene) changeAround(round int, streams []*stream) {
	s.t.Helper()
	held := map[string]bool{}
	for _, c := range streams {
		held[c.pod()] = true
	}
	for _, service := range []string{"web", "grpc"} {
		var ips []string
		for _, ip := range s.ips[service] {
			if held[harness.PodAddr(ip)] {
				ips = append(ips, ip)
			}
		}
		s.ips[service] = append(ips, s.pods.IPs(2)...)
		s.c.Apply(s.t, harness.EndpointSlice(s.ns, service, "8080", s.ips[service]...))
	}
	harness.Eventually(s.t, "the new servers", func() error { return s.hasServers("web", 80, s.ips["web"]...) })
	s.pingAll("other pods have gone", streams)

	extra := fmt.Sprintf("extra%d", round)
	s.serve(extra, 1)
	objects := s.ingress(extra, harness.Rule(extra+".example", "/", extra+":80"))
	s.c.Apply(s.t, objects)
	s.wantAnswers(routeAnswer{host: extra + ".example", path: "/", service: extra})
	s.pingAll("a host and a Service have come", streams)
	s.c.Delete(s.t, objects, harness.Service(s.ns, extra))
	s.wantAnswers(routeAnswer{host: extra + ".example", path: "/", status: http.StatusNotFound})
	s.pingAll("a host and a Service have gone", streams)

	s.c.Apply(s.t, s.streamIngress("web", harness.Rule(streamHost, "/new", "other:80")))
	s.wantAnswers(routeAnswer{host: streamHost, path: "/new", service: "other"})
	s.pingAll("a path has come", streams)
	s.c.Apply(s.t, s.streamIngress("other"))
	s.wantAnswers(routeAnswer{host: streamHost, path: "/", service: "other"})
	s.pingAll("their route leads elsewhere", streams)
	s.c.Apply(s.t, s.streamIngress("web"))
	s.wantAnswers(routeAnswer{host: streamHost, path: "/", service: "web"})
	s.pingAll("their route is back", streams)
}

// tellToEnd lets all pods but one new one terminate; those go on serving.
func (s *routeScene) tellToEnd(streams []*stream) {
	s.t.Helper()
	for _, service := range []string{"web", "grpc"} {
		slice := harness.EndpointSlice(s.ns, service, "8080", s.pods.IP())
		for _, ip := range s.ips[service] {
			slice.Endpoints = append(slice.Endpoints, harness.Endpoint(s.ns, ip, false, true, true))
		}
		s.ips[service] = slice.Endpoints[0].Addresses
		s.c.Apply(s.t, slice)
		host := map[string]string{"web": streamHost, "grpc": grpcHost}[service]
		// Requests find the new pod; the others only finish what they have.
		for range 8 {
			s.wantAnswers(routeAnswer{host: host, path: "/", service: service})
		}
	}
	s.pingAll("their pods are told to end", streams)
}

// dialStream sends a request and reads the head of its answer.
func (s *routeScene) dialStream(head string, status int) (net.Conn, *bufio.Reader, *http.Response) {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.g.HTTP)
	if err != nil {
		s.t.Fatalf("%v", err)
	}
	s.t.Cleanup(func() { conn.Close() })
	_, err = io.WriteString(conn, strings.ReplaceAll(head, "\n", "\r\n")+"\r\n")
	reader := bufio.NewReader(conn)
	if err != nil || status == 0 {
		return conn, reader, nil
	}
	response, err := http.ReadResponse(reader, nil)
	if err != nil || response.StatusCode != status {
		s.t.Fatalf("%s: %v, %v, want %d", head, response, err, status)
	}
	return conn, reader, response
}

func (s *routeScene) openWebSocket() *stream {
	s.t.Helper()
	const key = "aGVhZGdhdGUtaGVhZGdhdA=="
	conn, reader, response := s.dialStream("GET /?do=websocket HTTP/1.1\nHost: "+streamHost+
		"\nConnection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: "+key+"\n",
		http.StatusSwitchingProtocols)
	if have := response.Header.Get("Sec-WebSocket-Accept"); have != harness.WebSocketAccept(key) {
		s.t.Fatalf("Sec-WebSocket-Accept is %q", have)
	}
	n := 0
	return &stream{
		name: "WebSocket",
		pod:  func() string { return response.Header.Get("X-Pod") },
		ping: func() error {
			n++
			line := fmt.Sprintf("message %d\n", n)
			if _, err := io.WriteString(conn, line); err != nil {
				return err
			}
			have, err := reader.ReadString('\n')
			if err == nil && have != line {
				err = fmt.Errorf("%q has come back, want %q", have, line)
			}
			return err
		},
		end: conn.Close,
	}
}

func (s *routeScene) openEvents() *stream {
	s.t.Helper()
	conn, _, response := s.dialStream("GET /?do=events HTTP/1.1\nHost: "+streamHost+"\n", http.StatusOK)
	events := bufio.NewReader(response.Body)
	var last atomic.Int64
	failed := make(chan error, 1)
	go func() {
		for want := 0; ; want++ {
			n, err := harness.ReadEvent(events)
			if err == nil && n != want {
				err = fmt.Errorf("event %d, want %d", n, want)
			}
			if err != nil {
				failed <- err
				return
			}
			last.Store(int64(n))
		}
	}()
	return &stream{
		name: "event stream",
		pod:  func() string { return response.Header.Get("X-Pod") },
		ping: func() error {
			before := last.Load()
			return eventuallyOr(failed, "events", func() error {
				if last.Load() <= before {
					return errors.New("nothing comes")
				}
				return nil
			})
		},
		end: conn.Close,
	}
}

// eventuallyOr waits for check, unless an error comes first.
func eventuallyOr(failed <-chan error, what string, check func() error) error {
	done := make(chan error, 1)
	go func() { done <- harness.Wait(what, check) }()
	select {
	case err := <-failed:
		return err
	case err := <-done:
		return err
	}
}

func (s *routeScene) openGRPC() *stream {
	s.t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+s.g.HTTP,
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithAuthority(grpcHost))
	if err != nil {
		s.t.Fatalf("%v", err)
	}
	s.t.Cleanup(func() { conn.Close() })
	service := s.ns + "/" + s.branch
	states := []grpc_health_v1.HealthCheckResponse_ServingStatus{
		grpc_health_v1.HealthCheckResponse_SERVING, grpc_health_v1.HealthCheckResponse_NOT_SERVING}
	harness.Health.SetServingStatus(service, states[0])
	watch, err := grpc_health_v1.NewHealthClient(conn).Watch(context.Background(),
		&grpc_health_v1.HealthCheckRequest{Service: service})
	if err != nil {
		s.t.Fatalf("gRPC: %v", err)
	}
	header, err := watch.Header()
	if err != nil || len(header.Get("x-pod")) != 1 {
		s.t.Fatalf("gRPC: %v, %v", header, err)
	}
	n := 0
	receive := func() error {
		message, err := watch.Recv()
		if err == nil && message.Status != states[n%2] {
			err = fmt.Errorf("status %v, want %v", message.Status, states[n%2])
		}
		return err
	}
	if err := receive(); err != nil {
		s.t.Fatalf("gRPC: %v", err)
	}
	return &stream{
		name: "gRPC stream",
		pod:  func() string { return header.Get("x-pod")[0] },
		ping: func() error {
			n++
			harness.Health.SetServingStatus(service, states[n%2])
			return receive()
		},
		end: conn.Close,
	}
}

// openUpload begins a request whose body goes on and on. Its pod is the one that
// got a request more.
func (s *routeScene) openUpload() *stream {
	s.t.Helper()
	id := s.ns
	before := map[string]int{}
	for _, ip := range s.ips["web"] {
		before[ip] = s.pods.Requests(ip)
	}
	conn, reader, _ := s.dialStream("POST /?do=upload&id="+id+" HTTP/1.1\nHost: "+streamHost+
		"\nTransfer-Encoding: chunked\n", 0)
	data := bytes.Repeat([]byte("x"), chunk)
	var sent int64
	ping := func() error {
		if _, err := fmt.Fprintf(conn, "%x\r\n%s\r\n", len(data), data); err != nil {
			return err
		}
		sent += int64(len(data))
		return harness.Wait("the upload", func() error {
			if n := harness.Uploaded(id); n != sent {
				return fmt.Errorf("%d bytes have come, want %d", n, sent)
			}
			return nil
		})
	}
	if err := ping(); err != nil {
		s.t.Fatalf("upload: %v", err)
	}
	at := slices.IndexFunc(s.ips["web"], func(ip string) bool { return s.pods.Requests(ip) != before[ip] })
	pod := harness.PodAddr(s.ips["web"][at])
	return &stream{
		name: "upload", ping: ping,
		pod: func() string { return pod },
		end: func() error {
			if _, err := io.WriteString(conn, "0\r\n\r\n"); err != nil {
				return err
			}
			response, err := http.ReadResponse(reader, nil)
			if err != nil {
				return err
			}
			text, err := io.ReadAll(response.Body)
			if err == nil && string(text) != strconv.FormatInt(sent, 10) {
				err = fmt.Errorf("the pod answers %q, want %d", text, sent)
			}
			return errors.Join(err, conn.Close())
		},
	}
}
