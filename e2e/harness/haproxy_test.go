package harness

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// tiny sends a request to the pod that the Host header names: "10-244-1-1.pod".
const tiny = `
global
    stats socket @DIR@/runtime.sock mode 600 level admin
defaults
    mode http
    timeout connect 1s
    timeout client 10s
    timeout server 2s
    retries 0
frontend main
    bind %s
    use_backend b%%[req.hdr(host),lower]
%s`

// tinyConfig has one backend per pod, "b<ip>".
func tinyConfig(addr string, ips []string) string {
	var backends strings.Builder
	for _, ip := range ips {
		fmt.Fprintf(&backends, "backend b%s\n    server s %s\n", ip, PodAddr(ip))
	}
	return fmt.Sprintf(tiny, addr, backends.String())
}

func onlyPod(ips []string) func(client, seq int) Route {
	return func(client, seq int) Route {
		ip := ips[(client+seq)%len(ips)]
		return Route{Host: ip, Path: "/", Allowed: func(pod string) bool { return pod == PodAddr(ip) }}
	}
}

func TestPodsThroughHAProxy(t *testing.T) {
	for _, branch := range []string{"2.6", "3.4"} {
		t.Run(branch, func(t *testing.T) {
			pods := StartPods(t)
			ips := pods.IPs(300)
			addr := fmt.Sprintf("127.0.0.1:%d", FreePort(t))
			h := StartHAProxy(t, HAProxyPath(t, branch), tinyConfig(addr, ips))

			version, err := Runtime(h.Runtime, "show version")
			if err != nil || !strings.HasPrefix(version, branch+".") {
				t.Fatalf("version %q (%v), want %s", version, err, branch)
			}
			for _, ip := range ips {
				answer, err := Get(addr, ip, "/x")
				if err != nil {
					t.Fatal(err)
				}
				if answer.Echo.Pod != ip || answer.Echo.Path != "/x" || answer.Pod() != PodAddr(ip) {
					t.Fatalf("asked for %s: %+v", ip, answer)
				}
				if pods.Requests(ip) != 1 {
					t.Fatalf("%s had %d requests, want 1", ip, pods.Requests(ip))
				}
			}
		})
	}
}

func TestReloadIsOneNewWorker(t *testing.T) {
	for _, branch := range []string{"2.6", "3.4"} {
		t.Run(branch, func(t *testing.T) {
			ips := StartPods(t).IPs(20)
			addr := fmt.Sprintf("127.0.0.1:%d", FreePort(t))
			h := StartHAProxy(t, HAProxyPath(t, branch), tinyConfig(addr, ips))
			workers := WatchWorkers(t, h.Dir+"/")
			prober := StartProber(t, Traffic{Addr: addr, Next: onlyPod(ips)})
			prober.Await(t, 200)
			if n := workers.Distinct(); n != 1 {
				t.Fatalf("%d workers at the start, want 1", n)
			}
			h.Reload(t)
			prober.Await(t, 200)
			if n := workers.Reloads(); n != 1 {
				t.Errorf("%d reloads after the first, want 1: %v", n, workers.PIDs())
			}
			h.Reload(t)
			prober.Await(t, 200)
			sum := prober.Stop()
			workers.Stop()
			if n := workers.Reloads(); n != 2 {
				t.Errorf("%d reloads after the second, want 2: %v", n, workers.PIDs())
			}
			sum.WantNoFailures(t)
			t.Logf("%v", sum)
		})
	}
}

func TestProberSeesFailures(t *testing.T) {
	ips := StartPods(t).IPs(4)
	addr := fmt.Sprintf("127.0.0.1:%d", FreePort(t))
	StartHAProxy(t, HAProxyPath(t, "2.6"), tinyConfig(addr, ips))

	prober := StartProber(t, Traffic{Addr: addr, Next: onlyPod(ips)})
	prober.Await(t, 100)
	prober.Stop().WantNoFailures(t)

	Unreachable(t, ips[0])
	prober = StartProber(t, Traffic{Addr: addr, Next: onlyPod(ips)})
	prober.Await(t, 100)
	sum := prober.Stop()
	// 503 for new connections; 504 for those that HAProxy had kept open.
	if sum.ByStatus[503] == 0 || sum.Failures != sum.ByStatus[503]+sum.ByStatus[504] || len(sum.First) == 0 {
		t.Errorf("want 503, perhaps 504, and no other failure: %v", sum)
	}
	if sum.ByPod[PodAddr(ips[0])] != 0 || sum.ByPod[PodAddr(ips[1])] == 0 {
		t.Errorf("want answers from all but %s: %v", ips[0], sum.ByPod)
	}

	Reachable(t, ips[0])
	prober = StartProber(t, Traffic{Addr: addr, Next: func(client, seq int) Route {
		route := onlyPod(ips[:1])(client, seq)
		route.Allowed = NewPodSet(ips[1:]...).Allowed()
		return route
	}})
	prober.Await(t, 50)
	sum = prober.Stop()
	if sum.WrongBackend != sum.Requests {
		t.Errorf("want every answer to be from a wrong pod: %v", sum)
	}
}

// A server that closes a kept connection makes net/http send again, unseen by
// its caller: the prober must count it.
func TestProberCountsRetries(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { // answers one request and hangs up on the second
				defer conn.Close()
				requests := bufio.NewReader(conn)
				if _, err := http.ReadRequest(requests); err == nil {
					fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
					_, _ = http.ReadRequest(requests)
				}
			}()
		}
	}()
	prober := StartProber(t, Traffic{
		Addr: listener.Addr().String(), Clients: 2,
		Next: func(int, int) Route { return Route{Host: "a.example", Path: "/"} },
	})
	prober.Await(t, 50)
	sum := prober.Stop()
	sum.WantNoFailures(t)
	if sum.Retries != sum.Requests-2 || sum.Connections != sum.Requests {
		t.Errorf("want a retry and a connection for each request: %v", sum)
	}
}

// What is due while a server doesn't answer is sent when it does, after Stop, too.
func TestProberSendsWhatIsDue(t *testing.T) {
	const clients, every = 3, time.Millisecond
	arrived, answer := make(chan struct{}, clients), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		select {
		case arrived <- struct{}{}:
		default:
		}
		<-answer
	}))
	t.Cleanup(server.Close)
	prober := StartProber(t, Traffic{
		Addr: server.Listener.Addr().String(), Clients: clients, Every: every,
		Next: func(int, int) Route { return Route{Host: "a.example", Path: "/"} },
	})
	for range clients {
		<-arrived
	}
	time.Sleep(20 * every)
	time.AfterFunc(20*every, func() { close(answer) })
	sum := prober.Stop()
	sum.WantNoFailures(t)
	// A client has had its last turn, or is about to.
	if atLeast := clients * int(sum.Lasted/every); sum.Requests < atLeast || sum.Requests > atLeast+clients {
		t.Errorf("%d requests in %v, want %d to %d", sum.Requests, sum.Lasted, atLeast, atLeast+clients)
	}
}

func TestCLIProxy(t *testing.T) {
	ips := StartPods(t).IPs(1)
	addr := fmt.Sprintf("127.0.0.1:%d", FreePort(t))
	h := StartHAProxy(t, HAProxyPath(t, "2.6"), tinyConfig(addr, ips))
	proxy := StartCLIProxy(t, h.Runtime)
	reply, err := Runtime(proxy.Socket, "show info; set weight b"+ips[0]+"/s 50%")
	if err != nil || !strings.Contains(reply, "Name: HAProxy") {
		t.Fatalf("reply %q (%v)", reply, err)
	}
	weight, err := Runtime(proxy.Socket, "get weight b"+ips[0]+"/s")
	if err != nil || !strings.Contains(weight, "initial 1") {
		t.Fatalf("weight %q (%v)", weight, err)
	}
	if n, w := len(proxy.Commands()), len(proxy.Writes()); n != 3 || w != 1 {
		t.Errorf("%d commands and %d writes, want 3 and 1: %v", n, w, proxy.Commands())
	}
}
