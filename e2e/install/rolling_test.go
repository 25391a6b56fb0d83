package install

import (
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"headgate.dev/e2e/chart"
	"headgate.dev/e2e/harness"
)

const (
	// 500 requests a second, or as many as a busy machine is good for.
	rollingRate    = 500
	rollingClients = 25
	rollingHost    = "rolling.example"
	drainDelay     = 3 * time.Second
	drainTime      = 3 * time.Second
)

// rolling is a Deployment of pods behind a load balancer. The pods share a network,
// so each has ports of its own.
type rolling struct {
	*podScene
	lb *balancer
	n  int
}

// replica is a pod and its ports.
type replica struct {
	pod               *harness.RunningPod
	http, stat, admin string
	stopping          time.Time
}

func (r *rolling) start(t *testing.T) *replica {
	t.Helper()
	port := func(i int) int { return 18000 + 10*r.n + i }
	addr := func(i int) string { return fmt.Sprintf("127.0.0.1:%d", port(i)) }
	r.n++
	objects := render(t, chart.Release{Name: "headgate", Namespace: "headgate"}, fmt.Sprintf(
		`{controller: {drainDelaySeconds: %d, drainTimeoutSeconds: %d, containerPort: {http: %d, https: %d, stat: %d, admin: %d}}}`,
		drainDelay/time.Second, drainTime/time.Second, port(0), port(1), port(2), port(3)))
	_, template := workload(t, objects)
	p := &replica{pod: r.c.StartPod(t, "headgate", template.Spec), http: addr(0), stat: addr(2), admin: addr(3)}
	p.pod.WaitReady(t)
	r.lb.add(p)
	return p
}

// stop tells a pod to end and does not wait. Like a load balancer that looks now and
// then, this one goes on sending connections until the pod says that it isn't ready.
func (r *rolling) stop(p *replica) {
	p.stopping = time.Now()
	p.pod.Terminate()
}

// TestRollingReplacement changes the pods under traffic: scaled from one to three and
// back, replaced by a new one, and that by an old one again.
func TestRollingReplacement(t *testing.T) {
	s, _ := newManifestScene(t)
	s.c.Apply(t, harness.Service(s.ns, "web", "80:9090"), harness.EndpointSlice(s.ns, "web", "9090", s.pods.IPs(2)...),
		harness.Ingress(s.ns, "web", harness.Class("headgate"), harness.Rule(rollingHost, "/", "web:80")))
	r := &rolling{podScene: s, lb: startBalancer(t)}
	first := r.start(t)
	harness.WantStatus(t, r.lb.addr, rollingHost, "/", http.StatusOK)
	traffic := harness.StartProber(t, harness.Traffic{Addr: r.lb.addr, Clients: rollingClients,
		Pause: time.Second * rollingClients / rollingRate, Next: nextRequest})
	traffic.Await(t, rollingRate)

	second, third := r.start(t), r.start(t)
	traffic.Await(t, rollingRate/2)
	streams := []*longConnection{openLong(t, second), openLong(t, first)}
	r.stop(second)
	r.stop(third)
	upgraded := r.start(t)
	r.stop(first)
	traffic.Await(t, rollingRate)
	streams = append(streams, openLong(t, upgraded))
	r.start(t) // the old one again
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
	traffic.Await(t, rollingRate)
	summary := traffic.Stop()
	summary.WantNoFailures(t)
	t.Logf("%v", summary)
	if r.lb.refused.Load() > 0 {
		t.Errorf("%d connections were refused", r.lb.refused.Load())
	}
	served := r.lb.served()
	if len(served) != 5 || slices.Min(slices.Collect(maps.Values(served))) == 0 {
		t.Errorf("connections by pod: %v", served)
	}
}

// nextRequest keeps its connection most of the time: so new pods get some, too.
func nextRequest(_, seq int) harness.Route {
	route := harness.Route{Host: rollingHost, Path: "/"}
	if seq%10 == 9 {
		route.Header = http.Header{"Connection": {"close"}}
	}
	return route
}

// longConnection is an answer without end, straight from a pod.
type longConnection struct {
	p     *replica
	ended chan time.Time
	n     atomic.Int64 // bytes
}

func openLong(t *testing.T, p *replica) *longConnection {
	t.Helper()
	l := &longConnection{p: p, ended: make(chan time.Time, 1)}
	request, err := http.NewRequest(http.MethodGet, "http://"+p.http+"/?do=events", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = rollingHost
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil || response.StatusCode != http.StatusOK {
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

// check: it went on until the pod's time was over. Only a lower bound: nothing here
// is too slow.
func (l *longConnection) check(t *testing.T) {
	t.Helper()
	ended := <-l.ended
	if lasted := ended.Sub(l.p.stopping); l.p.stopping.IsZero() || lasted < drainDelay+drainTime {
		t.Errorf("a long answer ended %v after its pod was told to end, with %d bytes", lasted, l.n.Load())
	}
}

// balancer passes connections on to pods that are ready, in turn, and does not try
// another one when one is refused: what kube-proxy does.
type balancer struct {
	addr    string
	refused atomic.Int64
	mu      sync.Mutex
	pods    []*replica
	ready   map[*replica]bool
	counts  map[string]int
	turn    int
}

func startBalancer(t *testing.T) *balancer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &balancer{addr: listener.Addr().String(), ready: map[*replica]bool{}, counts: map[string]int{}}
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
	for _, p := range pods {
		ready := true
		for _, addr := range []string{p.stat, p.admin} {
			answer, err := harness.Get(addr, addr, "/readyz")
			ready = ready && err == nil && answer.Status == http.StatusOK
		}
		b.mu.Lock()
		b.ready[p] = ready
		b.mu.Unlock()
	}
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
	server, err := net.Dial("tcp", p.http)
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
