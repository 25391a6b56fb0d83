package main

import (
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"
	"time"

	"headgate.dev/e2e/apistub"
	"headgate.dev/e2e/harness"
)

// Metrics that growth.go looks for.
const (
	atRest        = "controller, private"
	firstRight    = "event sent to first right answer"
	coldStarted   = "exec to all routes right (sample)"
	period        = "the prober's own period"
	processorTime = "controller's processor time per 1,000"
)

// measure takes all figures for one number of Ingresses.
func measure(t *harness.Program, report *report, pods *podServer, size int, o options) {
	w := start(t, pods, size)
	defer w.stop()
	cold := w.coldStart(t)
	report.add(size, "cold start", coldStarted, ms(cold))
	spent := time.Duration(cpuTime(t, w.h.PID()).own * float64(time.Second))
	w.h.WaitReady(t)
	wrong := w.sweep(t, w.sites)
	report.add(size, "cold start", "routes wrong in a full sweep after it", count(wrong))
	report.add(size, "cold start", "of it, what the API server takes for the lists", ms(w.listed))
	report.add(size, "cold start", "controller's processor time", ms(spent))
	worker := w.worker(t)

	rest := w.rest(t)
	report.add(size, "memory", atRest, kib(rest.private))
	report.add(size, "memory", "controller, private, per Ingress", figure{
		value: float64(rest.private-report.idle.private) * 1024 / float64(size), unit: "B"})
	report.add(size, "memory", "controller, peak of the cold start to rest (VmHWM to VmRSS)",
		figure{value: float64(rest.peak) / float64(rest.resident)})

	for _, class := range classes {
		w.latency(t, report, size, class, o.samples)
	}
	for _, class := range classes {
		w.cost(t, report, size, class, o.churn)
	}
	after := w.rest(t)
	report.add(size, "memory", "controller, private, after the changes", kib(after.private))
	report.add(size, "memory", "controller, peak (VmHWM)", kib(after.peak))

	w.restartBehindTap(t)
	for _, class := range classes {
		w.share(t, report, size, class, o.samples)
	}
	for _, n := range o.bursts {
		w.burst(t, report, size, n)
	}
	reloads := w.h.Metrics(t).Sum("headgate_reloads_total")
	if w.worker(t) != worker {
		reloads = max(reloads, 1)
	}
	report.add(size, "reloads", "in all changes (worker PID before and after)", count(int(reloads)))
	report.compiler = compiler(w.h.PID())
}

// sampled is how many routes a cold start looks at in turn; asking for all of
// them all the time would be most of what it measures.
const sampled = 100

// coldLimit is no measurement.
const coldLimit = 10 * time.Minute

// coldStart is the time from exec until a sample of the routes, spread over all
// of them with the last one among them, is right in one round.
func (w *world) coldStart(t harness.TB) time.Duration {
	sample := someOf(w.sites, sampled)
	for time.Since(w.execed) < coldLimit {
		if w.wrong(sample, 1) == 0 {
			return time.Since(w.execed)
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("after %v, not all routes are right; the controller's metrics: %v", coldLimit, w.h.Metrics(t))
	return 0
}

// swept is how many routes are asked for after each class of changes.
const swept = 5000

// someOf is at most n of the sites, spread over all of them, the last one first.
func someOf(sites []*site, n int) (some []*site) {
	n = min(n, len(sites))
	for i := range n {
		some = append(some, sites[len(sites)-1-i*len(sites)/n])
	}
	return some
}

// sweep asks for every route once and counts the wrong answers.
func (w *world) sweep(t harness.TB, sites []*site) int {
	wrong := w.wrong(sites, len(sites))
	if wrong > 0 {
		t.Errorf("%d of %d routes are wrong", wrong, len(sites))
	}
	return wrong
}

// wrong counts routes that are not answered by one of their pods, up to a limit.
func (w *world) wrong(sites []*site, limit int) int {
	n := 0
	for _, s := range sites {
		w.client.target(s.host())
		if a, err := w.client.ask(); err != nil || a.status != http.StatusOK || !s.has(a.pod) {
			if n++; n == limit {
				break
			}
		}
	}
	return n
}

// change is one change of a class: what to do, what to expect, how to undo it.
type change struct {
	host    string
	isTLS   bool // asked by handshakes, not by requests
	put     func(t harness.TB) []sent
	right   func(answer) bool
	allowed func(answer) bool // before that
	undo    func(t harness.TB)
}

// sent names the events that a change sends.
type sent struct {
	kind    apistub.Kind
	version apistub.Version
}

// class is a kind of change.
type class struct {
	name string
	make func(w *world, i int) change
}

var classes = []class{
	{"endpoint replaced", endpointReplaced},
	{"new host on a Service", newHost},
	{"new Service, slice, Ingress", newService},
	{"new certificate, new host", newCertificate},
	{"certificate rotated", certificateRotated},
}

// endpointReplaced takes one of a Service's two pods away and brings another.
// Right is the first answer of the new one: round robin asks it within the next
// three requests.
func endpointReplaced(w *world, _ int) change {
	s := w.anySite()
	old := append([]string(nil), s.ips...)
	next := &site{name: s.name, ips: []string{s.ips[1], w.pods.ip()}}
	return change{
		host: s.host(),
		put: func(t harness.TB) []sent {
			s.ips = next.ips
			return []sent{{apistub.EndpointSlice, w.stub.Put(t, next.slice())}}
		},
		right: func(a answer) bool { return a.pod == harness.PodAddr(next.ips[1]) },
		allowed: func(a answer) bool {
			return a.status == http.StatusOK && ((&site{ips: old}).has(a.pod) || next.has(a.pod))
		},
	}
}

// newHost is one object, and two map entries.
func newHost(w *world, i int) change {
	s := w.anySite()
	name := fmt.Sprintf("host-%05d", i)
	return change{
		host:    name + ".example.com",
		put:     func(t harness.TB) []sent { return []sent{{apistub.Ingress, w.stub.Put(t, ingress(name, s.name))}} },
		right:   func(a answer) bool { return s.has(a.pod) },
		allowed: func(a answer) bool { return a.status == http.StatusNotFound },
		undo:    func(t harness.TB) { w.stub.Delete(t, ingress(name, s.name)) },
	}
}

// newService is three objects at once; their events travel in three streams.
func newService(w *world, i int) change {
	s := w.newSite(fmt.Sprintf("new-%05d", i))
	return change{
		host: s.host(),
		put: func(t harness.TB) []sent {
			last := w.stub.Put(t, s.objects()...)
			return []sent{{apistub.Service, last - 2}, {apistub.EndpointSlice, last - 1}, {apistub.Ingress, last}}
		},
		right: func(a answer) bool { return s.has(a.pod) },
		// Where the Ingress comes first, there is nothing behind it yet.
		allowed: func(a answer) bool {
			return a.status == http.StatusNotFound || a.status == http.StatusServiceUnavailable
		},
		undo: func(t harness.TB) { w.stub.Delete(t, s.objects()...) },
	}
}

// sentAt is when the first and the last one of these events went to the
// controller's socket. False: not all have yet.
func (w *world) sentAt(events []sent) (first, last time.Time, ok bool) {
	for i, e := range events {
		at, ok := w.stub.Sent(e.kind, e.version)
		if !ok {
			return first, last, false
		}
		if i == 0 || at.Before(first) {
			first = at
		}
		if i == 0 || at.After(last) {
			last = at
		}
	}
	return first, last, true
}

// pause between samples: HAProxy's last answers, and saving, which starts after
// 20 ms, are not to meet the next one.
const pause = 35 * time.Millisecond

// withoutGC runs f without the Go collector, which would stop the prober, the
// pods and the API server at once.
func withoutGC(f func()) {
	runtime.GC()
	old := debug.SetGCPercent(-1)
	defer debug.SetGCPercent(old)
	f()
}

// latency takes the time from the event to the first right answer.
func (w *world) latency(t harness.TB, report *report, size int, class class, samples int) {
	var share, periods []time.Duration
	failures := 0
	before := w.operations(t)
	withoutGC(func() {
		for i := range samples {
			c := class.make(w, i)
			p := w.client.startProbe(c)
			<-p.started
			time.Sleep(time.Duration(w.random.IntN(2000)) * time.Microsecond) // not in step with anything
			events := c.put(t)
			<-p.done
			if p.found.IsZero() {
				t.Fatalf("%s: not right after %v: %s", class.name, limit, p.last)
			}
			failures += p.failures
			_, last, ok := w.sentAt(events)
			if !ok {
				t.Fatalf("%s: right before all events were sent", class.name)
			}
			share = append(share, p.found.Sub(last))
			periods = append(periods, p.period())
			time.Sleep(pause)
		}
	})
	report.add(size, class.name, firstRight, times(share))
	report.add(size, class.name, period, times(periods))
	report.add(size, class.name, "wrong answers on the way", count(failures))
	w.quiet(t)
	report.addOperations(size, class.name, before, w.operations(t), samples)
	w.undo(t, class, samples)
}

// undo takes back what a class made, by name.
func (w *world) undo(t harness.TB, class class, n int) {
	mark := w.pods.next
	for i := range n {
		if c := class.make(w, i); c.undo != nil {
			c.undo(t)
		}
	}
	w.pods.rewind(mark)
	w.quiet(t)
}

// churnPause makes 200 changes a second, so that each is a pass of its own.
const churnPause = 5 * time.Millisecond

// cost takes the processor time of changes without a prober.
func (w *world) cost(t harness.TB, report *report, size int, class class, n int) {
	w.quiet(t)
	before := cpuTime(t, w.h.PID())
	for i := range n {
		class.make(w, i).put(t)
		time.Sleep(churnPause)
	}
	w.quiet(t)
	after := cpuTime(t, w.h.PID())
	report.add(size, class.name, processorTime, figure{value: (after.own - before.own) * 1e6 / float64(n), unit: "ms"})
	report.add(size, class.name, "processor time of saving per 1,000",
		figure{value: (after.children - before.children) * 1e6 / float64(n), unit: "ms"})
	w.undo(t, class, n)
	if wrong := w.sweep(t, someOf(w.sites, swept)); wrong > 0 {
		t.Fatalf("after %s, %d routes are wrong", class.name, wrong)
	}
}
