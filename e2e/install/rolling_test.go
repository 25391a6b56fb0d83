package install

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"headgate.dev/e2e/chart"
	"headgate.dev/e2e/harness"
)

const (
	// More than 500 requests a second by the clock. A client waits for its answer, so a busy machine
	// is late; but what was due is sent.
	rollingRate    = 550
	rollingClients = 100
	rollingSecure  = 20 // of them speak HTTP/2, over TLS
	rollingHost    = "rolling.example"
	secureHost     = "secure.rolling.example"
	drainDelay     = 3 * time.Second
	drainTime      = 3 * time.Second
)

// rolling is a Deployment of pods behind a load balancer. The pods share a network,
// so each has ports of its own.
type rolling struct {
	*podScene
	lb     *balancer
	secure *balancer // the same, for HTTPS
	n      int
}

// replica is a pod and its ports.
type replica struct {
	pod                      *harness.RunningPod
	http, https, stat, admin string
	stopping                 time.Time
}

func (r *rolling) start(t *testing.T) *replica {
	t.Helper()
	port := func(i int) int { return 18000 + 10*r.n + i }
	addr := func(i int) string { return fmt.Sprintf("127.0.0.1:%d", port(i)) }
	r.n++
	objects := render(t, chart.Release{Name: "headgate", Namespace: "headgate"}, fmt.Sprintf(
		`{controller: {drainDelaySeconds: %d, drainTimeoutSeconds: %d, containerPort: {http: %d, https: %d, stat: %d, admin: %d}}, haproxy: {ipv6: true}}`,
		drainDelay/time.Second, drainTime/time.Second, port(0), port(1), port(2), port(3)))
	_, template := workload(t, objects)
	p := &replica{pod: r.c.StartPod(t, "headgate", template.Spec), http: addr(0), https: addr(1), stat: addr(2), admin: addr(3)}
	p.pod.WaitReady(t)
	r.lb.add(p)
	r.secure.add(p)
	return p
}

// stop tells a pod to end and does not wait. Like a load balancer that looks now and
// then, this one goes on sending connections until the pod says that it isn't ready.
func (r *rolling) stop(p *replica) {
	p.stopping = time.Now()
	p.pod.Terminate()
}

// await waits until each pod has had connections of both kinds.
func (r *rolling) await(t *testing.T) {
	t.Helper()
	for _, lb := range []*balancer{r.lb, r.secure} {
		harness.Eventually(t, "connections for each pod", func() error {
			if served := lb.served(); len(served) != r.n {
				return fmt.Errorf("%v of %d pods", served, r.n)
			}
			return nil
		})
	}
}

// TestRollingReplacement changes the pods under traffic: scaled from one to three and
// back, replaced by a new one, and that by an old one again.
func TestRollingReplacement(t *testing.T) {
	s, _ := newManifestScene(t)
	pair, err := s.c.CA.Issue(secureHost)
	if err != nil {
		t.Fatal(err)
	}
	s.c.Apply(t, harness.Service(s.ns, "web", "80:9090"), harness.EndpointSlice(s.ns, "web", "9090", s.pods.IPs(2)...),
		harness.TLSSecret(s.ns, "secure", pair), harness.Ingress(s.ns, "web", harness.Class("headgate"), harness.Rule(rollingHost, "/", "web:80"),
			harness.Rule(secureHost, "/", "web:80"), harness.TLS("secure", secureHost)))
	r := &rolling{podScene: s}
	r.lb = startBalancer(t, func(p *replica) string { return p.http })
	r.secure = startBalancer(t, func(p *replica) string { return p.https })
	first := r.start(t)
	harness.WantStatus(t, r.lb.addr, rollingHost, "/", http.StatusOK)
	if listener, err := net.Listen("tcp", "[::1]:0"); err == nil { // where this machine has it
		listener.Close()
		harness.WantStatus(t, strings.Replace(first.http, "127.0.0.1", "[::1]", 1), rollingHost, "/", http.StatusOK)
	} else {
		t.Logf("no IPv6 here: %v", err)
	}
	const every = time.Second * rollingClients / rollingRate
	plain := harness.StartProber(t, harness.Traffic{Addr: r.lb.addr, Clients: rollingClients - rollingSecure, Every: every, Next: nextRequest(rollingHost)})
	secure := harness.StartProber(t, harness.Traffic{Addr: r.secure.addr, Clients: rollingSecure, Every: every, Next: nextRequest(secureHost),
		TLS: s.c.CA.ClientTLS(), HTTP2: true})
	plain.Await(t, rollingRate)

	second, third := r.start(t), r.start(t)
	r.await(t)
	streams := []*longConnection{openLong(t, second, nil), openLong(t, first, s.c.CA.ClientTLS())}
	r.stop(second)
	r.stop(third)
	upgraded := r.start(t)
	r.await(t)
	r.stop(first)
	plain.Await(t, rollingRate)
	streams = append(streams, openLong(t, upgraded, nil))
	r.start(t) // the old one again
	r.await(t)
	r.stop(upgraded)
	for _, p := range []*replica{first, second, third, upgraded} {
		for name, status := range p.pod.Ended(t) {
			if status != 0 {
				t.Errorf("%s ended with status %d", name, status)
			}
		}
	}
	for _, stream := range streams {
		stream.check(t)
	}
	plain.Await(t, rollingRate)
	for _, part := range []struct {
		what    string
		prober  *harness.Prober
		clients int
	}{{"HTTP/1.1", plain, rollingClients - rollingSecure}, {"HTTP/2 over TLS", secure, rollingSecure}} {
		summary := part.prober.Stop()
		summary.WantNoFailures(t)
		t.Logf("%s: %.0f requests a second; %v", part.what, float64(summary.Requests)/summary.Lasted.Seconds(), summary)
		// Of a client, one request is due each time that `every` has passed.
		if due := part.clients * int(summary.Lasted/every); summary.Requests < due {
			t.Errorf("%s: %d requests in %v, and %d were due", part.what, summary.Requests, summary.Lasted, due)
		}
	}
	for _, lb := range []*balancer{r.lb, r.secure} {
		if lb.refused.Load() > 0 {
			t.Errorf("connections by pod: %v; %d were refused", lb.served(), lb.refused.Load())
		}
	}
}

// nextRequest keeps its connection most of the time: so new pods get some, too.
func nextRequest(host string) func(int, int) harness.Route {
	return func(client, seq int) harness.Route {
		route := harness.Route{Host: host, Path: "/"}
		if (client+seq)%10 == 9 { // not all clients at once
			route.Header = http.Header{"Connection": {"close"}}
		}
		return route
	}
}

// longConnection is an answer without end, straight from a pod; with TLS over HTTP/2.
type longConnection struct {
	p     *replica
	ended chan time.Time
	n     atomic.Int64 // bytes
}

func openLong(t *testing.T, p *replica, secure *tls.Config) *longConnection {
	t.Helper()
	l := &longConnection{p: p, ended: make(chan time.Time, 1)}
	url, addr, version := "http://"+rollingHost, p.http, 1
	if secure != nil {
		url, addr, version = "https://"+secureHost, p.https, 2
	}
	transport := &http.Transport{TLSClientConfig: secure, ForceAttemptHTTP2: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	}}
	response, err := (&http.Client{Transport: transport}).Get(url + "/?do=events")
	if err != nil || response.StatusCode != http.StatusOK || response.ProtoMajor != version {
		t.Fatalf("a long answer: %v, %v", response, err)
	}
	go func() {
		defer response.Body.Close()
		_, _ = io.Copy(writerFunc(func(b []byte) (int, error) { l.n.Add(int64(len(b))); return len(b), nil }), response.Body)
		l.ended <- time.Now()
	}()
	return l
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// check: it went on until the pod's time was over, and ended then. The pod has ended,
// by itself and in order: whatever was open has to be closed by now.
func (l *longConnection) check(t *testing.T) {
	t.Helper()
	harness.Eventually(t, "the end of a long answer", func() error {
		if len(l.ended) == 0 {
			return fmt.Errorf("it goes on, after %d bytes", l.n.Load())
		}
		return nil
	})
	lasted := (<-l.ended).Sub(l.p.stopping)
	if l.p.stopping.IsZero() || lasted < drainDelay+drainTime || l.n.Load() == 0 {
		t.Errorf("a long answer ended %v after its pod was told to end, with %d bytes", lasted, l.n.Load())
	}
	t.Logf("a long answer ended %v after its pod was told to end, with %d bytes", lasted.Round(time.Millisecond), l.n.Load())
}

// balancer passes connections on to pods that are ready, in turn, and does not try
// another one when one is refused: what kube-proxy does.
type balancer struct {
	addr    string
	port    func(p *replica) string
	refused atomic.Int64
	mu      sync.Mutex
	pods    []*replica
	ready   map[*replica]bool
	counts  map[string]int
	turn    int
}

func startBalancer(t *testing.T, port func(p *replica) string) *balancer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &balancer{addr: listener.Addr().String(), port: port, ready: map[*replica]bool{}, counts: map[string]int{}}
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop); listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go b.serve(client)
		}
	}()
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Millisecond):
				b.look()
			}
		}
	}()
	return b
}

func (b *balancer) add(p *replica) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pods = append(b.pods, p)
	b.ready[p] = true
}

// look asks every pod, as the kubelet does, by the probes of both containers.
func (b *balancer) look() {
	b.mu.Lock()
	pods := slices.Clone(b.pods)
	b.mu.Unlock()
	var looks sync.WaitGroup
	for _, p := range pods {
		looks.Add(1)
		go func() {
			defer looks.Done()
			ready := true
			for _, addr := range []string{p.stat, p.admin} {
				answer, err := harness.Get(addr, addr, "/readyz")
				ready = ready && err == nil && answer.Status == http.StatusOK
			}
			b.mu.Lock()
			b.ready[p] = ready
			b.mu.Unlock()
		}()
	}
	looks.Wait()
}

func (b *balancer) next() *replica {
	b.mu.Lock()
	defer b.mu.Unlock()
	for range b.pods {
		b.turn++
		if p := b.pods[b.turn%len(b.pods)]; b.ready[p] {
			b.counts[p.http]++
			return p
		}
	}
	return nil
}

func (b *balancer) served() map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.counts)
}

func (b *balancer) serve(client net.Conn) {
	defer client.Close()
	p := b.next()
	if p == nil {
		b.refused.Add(1)
		return
	}
	server, err := net.Dial("tcp", b.port(p))
	if err != nil {
		b.refused.Add(1)
		return
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(server, client)
		_ = server.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(client, server)
}
