package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
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
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"headgate.dev/e2e/harness"
)

const chunk = 16 * 1024

// streamWay is how clients come: plain, or over TLS with a certificate that they
// verify.
type streamWay struct {
	name string
	host string // goes to the Service web
	grpc string // goes to the Service grpc
	tls  *tls.Config
}

const (
	streamHost = "stream.example"
	grpcHost   = "grpc.example"
	secureHost = "stream.secure.example"
	secureGRPC = "grpc.secure.example"
)

var plainWay = streamWay{name: "plain", host: streamHost, grpc: grpcHost}

func (s *routeScene) secureWay() streamWay {
	return streamWay{"TLS", secureHost, secureGRPC, s.c.CA.ClientTLS()}
}

// stream is a connection that stays open. ping demands that it moves in the
// direction in which it goes, both where it goes both ways: one message further,
// whole and in order.
type stream struct {
	name string
	way  streamWay
	pod  func() string // "ip:port" that it goes to
	ping func() error
	// over waits for the end, says what it was (nil when it isn't one), and closes
	// the client's side, as clients do: until then HAProxy waits for what it may
	// still send, and keeps the server.
	over  func() error
	end   func() error
	pings int
}

// TestLongConnections holds WebSockets, event streams, gRPC streams and slow uploads
// open, plain and over TLS, while everything around them changes (streamChanges).
// Then their pods are told to end: none is cut before its own pod goes.
func TestLongConnections(t *testing.T) {
	eachRouteBranch(t, func(t *testing.T, branch string) {
		s := newRouteScene(t, branch)
		s.serve("web", streamPods)
		s.serve("other", 1)
		s.ips["grpc"] = s.pods.IPs(streamPods)
		s.c.Apply(t, harness.EndpointSlice(s.ns, "grpc", "8080", s.ips["grpc"]...), s.grpcService())
		pair := s.rotate()
		s.c.Apply(t, s.streamIngress("web"), s.grpcIngress())
		s.start()
		s.wantCertificate(secureHost, pair)
		var streams []*stream
		for _, way := range []streamWay{plainWay, s.secureWay()} {
			s.wantStreamRoutes("web", way)
			streams = append(streams, s.openWebSocket(way), s.openEvents(way), s.openGRPC(way), s.openUpload(way))
		}
		s.pingAll("in the beginning", streams)
		before := s.workers.Distinct()
		for round := range streamRounds {
			for _, c := range streamChanges {
				c.change(s, round, streams)
				s.pingAll(c.name, streams)
			}
		}
		ending := s.tellToEnd()
		s.pingAll("their pods are told to end", streams)
		left := s.letPodsGo(streams, ending)
		if n := s.workers.Distinct() - before; branch == "3.4" && n != 0 {
			t.Errorf("%s: %d reloads, want 0", branch, n)
		}
		for _, c := range streams {
			t.Logf("%s: %s: %d messages, all in order", branch, c.name, c.pings)
		}
		for _, c := range left {
			if err := c.end(); err != nil {
				t.Errorf("%s: %s: ending: %v", branch, c.name, err)
			}
		}
		s.healthy()
	})
}

func (s *routeScene) pingAll(when string, streams []*stream) {
	s.t.Helper()
	for _, c := range streams {
		if err := c.ping(); err != nil {
			s.t.Fatalf("%s: %s at %s, %s: %v", s.branch, c.name, c.pod(), when, err)
		}
		c.pings++
	}
}

// dialStream sends a request and reads the head of its answer.
func (s *routeScene) dialStream(way streamWay, head string, status int) (net.Conn, *bufio.Reader, *http.Response) {
	s.t.Helper()
	conn, err := s.dialWay(way)
	if err != nil {
		s.t.Fatalf("%s: %v", way.name, err)
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

func (s *routeScene) dialWay(way streamWay) (net.Conn, error) {
	if way.tls == nil {
		return net.Dial("tcp", s.g.HTTP)
	}
	config := way.tls.Clone()
	config.ServerName, config.NextProtos = way.host, []string{"http/1.1"}
	return tls.Dial("tcp", s.g.HTTPS, config)
}

func (s *routeScene) openWebSocket(way streamWay) *stream {
	s.t.Helper()
	const key = "aGVhZGdhdGUtaGVhZGdhdA=="
	conn, reader, response := s.dialStream(way, "GET /?do=websocket HTTP/1.1\nHost: "+way.host+
		"\nConnection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: "+key+"\n",
		http.StatusSwitchingProtocols)
	if have := response.Header.Get("Sec-WebSocket-Accept"); have != harness.WebSocketAccept(key) {
		s.t.Fatalf("Sec-WebSocket-Accept is %q", have)
	}
	n := 0
	return &stream{
		name: way.name + " WebSocket",
		way:  way,
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
		over: func() error {
			_, err := reader.ReadByte()
			return errors.Join(err, conn.Close())
		},
		end: conn.Close,
	}
}

func (s *routeScene) openEvents(way streamWay) *stream {
	s.t.Helper()
	conn, _, response := s.dialStream(way, "GET /?do=events HTTP/1.1\nHost: "+way.host+"\n", http.StatusOK)
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
		name: way.name + " event stream",
		way:  way,
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
		over: func() error { return errors.Join(<-failed, conn.Close()) },
		end:  conn.Close,
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

func (s *routeScene) openGRPC(way streamWay) *stream {
	s.t.Helper()
	addr, secrecy := s.g.HTTP, insecure.NewCredentials()
	if way.tls != nil {
		addr, secrecy = s.g.HTTPS, credentials.NewTLS(way.tls) // HTTP/2 by ALPN, or no connection
	}
	conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(secrecy), grpc.WithAuthority(way.grpc))
	if err != nil {
		s.t.Fatalf("%v", err)
	}
	s.t.Cleanup(func() { conn.Close() })
	service := s.ns + "/" + way.name
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
		name: way.name + " gRPC stream",
		way:  way,
		pod:  func() string { return header.Get("x-pod")[0] },
		ping: func() error {
			n++
			harness.Health.SetServingStatus(service, states[n%2])
			return receive()
		},
		over: func() error {
			_, err := watch.Recv()
			return err
		},
		end: conn.Close,
	}
}

// openUpload begins a request whose body goes on and on. Its pod is the one that
// got a request more.
func (s *routeScene) openUpload(way streamWay) *stream {
	s.t.Helper()
	id := s.ns + "-" + way.name
	before := map[string]int{}
	for _, ip := range s.ips["web"] {
		before[ip] = s.pods.Requests(ip)
	}
	conn, reader, _ := s.dialStream(way, "POST /?do=upload&id="+id+" HTTP/1.1\nHost: "+way.host+
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
		name: way.name + " upload", way: way, ping: ping,
		pod: func() string { return pod },
		over: func() error {
			response, err := http.ReadResponse(reader, nil)
			if err == nil && response.StatusCode != http.StatusOK {
				err = errors.New(response.Status)
			}
			return errors.Join(err, conn.Close())
		},
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
