package harness

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"
)

// Route is one request to send and what may answer it.
type Route struct {
	Host, Path string
	Header     http.Header // further ones; may be nil
	// Status is the one wanted; 0 is 200.
	Status int
	// Allowed says whether the pod ("ip:port") may answer. Nil allows any. See
	// PodSet for routes whose pods change during the traffic.
	Allowed func(pod string) bool
}

// Traffic describes a Prober.
type Traffic struct {
	Addr    string                      // where to connect, "127.0.0.1:80"
	Clients int                         // goroutines with a connection each; 0 is 4
	Next    func(client, seq int) Route // chooses each request
	Pause   time.Duration               // of a client after each request; 0 is 5 ms, < 0 none
	Every   time.Duration               // if not 0, instead: from one request of a client to its next, by the clock
	TLS     *tls.Config                 // if not nil, HTTPS with the route's host as SNI
	HTTP2   bool                        // over TLS, for whoever offers it; else HTTP/1.1
	// Rate, if not 0, is requests a second by the clock, however long the answers
	// take: Clients and Pause mean nothing then, and client is always 0.
	Rate int
}

// Prober sends requests without end, over connections that are kept open, and
// checks each answer.
type Prober struct {
	traffic Traffic
	started time.Time
	stop    chan struct{}
	stopped time.Time // when it was asked to; zero if it has to be at once
	clients sync.WaitGroup
	mu      sync.Mutex
	summary Summary
}

// StartProber starts the traffic. It ends with Stop, or with the test.
func StartProber(t TB, traffic Traffic) *Prober {
	t.Helper()
	if traffic.Clients == 0 {
		traffic.Clients = 4
	}
	if traffic.Pause == 0 {
		traffic.Pause = 5 * time.Millisecond
	}
	p := &Prober{traffic: traffic, started: time.Now(), stop: make(chan struct{}), summary: newSummary()}
	t.Cleanup(func() { p.end(time.Time{}) })
	if traffic.Rate > 0 {
		p.clients.Add(1)
		go p.runByClock()
		return p
	}
	for client := range traffic.Clients {
		p.clients.Add(1)
		go p.run(client)
	}
	return p
}

// Stop ends the traffic, the requests in flight included, and sums up. Where clients
// go by the clock, requests that were due before are sent first, however late: so a
// slow machine changes when they are sent, and not how many.
func (p *Prober) Stop() Summary {
	p.end(time.Now())
	return p.Summary()
}

func (p *Prober) end(at time.Time) {
	p.mu.Lock()
	select {
	case <-p.stop:
	default:
		p.stopped = at
		close(p.stop)
		if p.traffic.Every > 0 {
			p.summary.Lasted = at.Sub(p.started)
		}
	}
	p.mu.Unlock()
	p.clients.Wait()
}

// Summary is the sum so far.
func (p *Prober) Summary() Summary {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.summary.clone()
}

// Await waits until n further requests have been answered, well or not. It is
// how a test says "under traffic" without naming a time.
func (p *Prober) Await(t TB, n int) {
	t.Helper()
	want := p.Summary().Requests + n
	Eventually(t, "traffic", func() error {
		if have := p.Summary().Requests; have < want {
			return fmt.Errorf("%d requests, want %d", have, want)
		}
		return nil
	})
}

func (p *Prober) run(client int) {
	defer p.clients.Done()
	web := p.client(1)
	defer web.CloseIdleConnections()
	// Clients take turns. Who is late, because answers were, makes up for it as soon
	// as it can, but has one request at a time: a slow machine is not buried in them.
	due := p.started.Add(p.traffic.Every * time.Duration(client) / time.Duration(p.traffic.Clients))
	for seq := 0; p.awaits(due); seq++ {
		due = due.Add(p.traffic.Every)
		p.add(p.request(web, p.traffic.Next(client, seq)))
		if p.traffic.Every == 0 && p.traffic.Pause > 0 {
			time.Sleep(p.traffic.Pause)
		}
	}
}

// awaits is false when the traffic ends before a request is due. Without a clock one
// always is.
func (p *Prober) awaits(due time.Time) bool {
	if p.traffic.Every == 0 {
		return !p.isStopped()
	}
	select {
	case <-time.After(time.Until(due)):
	case <-p.stop:
	}
	return !p.isStopped() || due.Before(p.stopped)
}

// runByClock starts each request when it is due, at once if that is past: after
// any time, as many have been started as the rate says.
func (p *Prober) runByClock() {
	defer p.clients.Done()
	web := p.client(p.traffic.Rate)
	defer web.CloseIdleConnections()
	var requests sync.WaitGroup
	defer requests.Wait()
	started := time.Now()
	for seq := 0; ; {
		took := time.Since(started)
		for due := int(took.Seconds() * float64(p.traffic.Rate)); seq < due; seq++ {
			route := p.traffic.Next(0, seq)
			requests.Add(1)
			go func() {
				defer requests.Done()
				p.add(p.request(web, route))
			}()
		}
		if p.isStopped() {
			p.mu.Lock()
			p.summary.Lasted = took
			p.mu.Unlock()
			return
		}
		time.Sleep(time.Second / time.Duration(p.traffic.Rate))
	}
}

func (p *Prober) isStopped() bool {
	select {
	case <-p.stop:
		return true
	default:
		return false
	}
}

func (p *Prober) add(result Result) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.summary.add(result)
}

// client keeps up to so many connections open while they are not needed.
func (p *Prober) client(connections int) *http.Client {
	// Each has its own: one for HTTP/2 is written to.
	config := p.traffic.TLS
	if config != nil {
		config = config.Clone()
	}
	return &http.Client{Timeout: patience(), CheckRedirect: noRedirect, Transport: &http.Transport{
		DialContext:         dialer(p.traffic.Addr),
		TLSClientConfig:     config,
		ForceAttemptHTTP2:   p.traffic.HTTP2,
		MaxIdleConnsPerHost: connections,
		DisableCompression:  true,
	}}
}

// request sends one request. Routes share the connection of their client, as
// those of a browser's proxy would; with TLS each host has one, for its name.
func (p *Prober) request(web *http.Client, route Route) Result {
	result := Result{Route: route, At: time.Now()}
	url := "http://" + p.traffic.Addr + route.Path
	if p.traffic.TLS != nil {
		url = "https://" + route.Host + route.Path
	}
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		result.Err = err
		return result
	}
	request.Host = route.Host
	for key, values := range route.Header {
		request.Header[key] = values
	}
	// net/http sends a GET again when a kept connection is closed under it before
	// a byte of the answer; each attempt gets a connection, so that shows here.
	attempts := 0
	request = request.WithContext(httptrace.WithClientTrace(request.Context(), &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			attempts++
			if !info.Reused {
				result.Connections++
			}
		},
	}))
	response, err := web.Do(request)
	if err == nil {
		result.Status = response.StatusCode
		if p.traffic.HTTP2 && response.ProtoMajor != 2 {
			result.Err = fmt.Errorf("answered in %s", response.Proto)
		}
		result.Pod = response.Header.Get("X-Pod")
		_, err = io.Copy(io.Discard, response.Body)
		response.Body.Close()
	}
	if err != nil {
		result.Err = err
	}
	result.Retries = max(attempts-1, 0)
	result.Took = time.Since(result.At)
	return result
}
