package main

import (
	"bytes"
	"fmt"
	"net/http"
	"time"

	"headgate.dev/e2e/apistub"
	"headgate.dev/e2e/harness"
)

// burst makes n Ingresses with a new host each as fast as the API server sends
// them, and waits until every one of them is answered right.
func (w *world) burst(t harness.TB, report *report, size, n int) {
	subject := fmt.Sprintf("burst of %d Ingresses", n)
	var objects []any
	var made []*site
	for i := range n {
		s := w.anySite()
		name := fmt.Sprintf("burst-%05d", i)
		objects, made = append(objects, ingress(name, s.name)), append(made, &site{name: name, ips: s.ips})
	}
	w.quiet(t)
	before, operations := w.h.Metrics(t), w.operations(t)
	spent := processorNanoseconds(t, w.h.PID())
	w.tap.record()
	var last apistub.Version
	var live time.Time
	withoutGC(func() {
		last = w.stub.Put(t, objects...)
		live = w.allLive(t, made)
	})
	spent = processorNanoseconds(t, w.h.PID()) - spent
	w.quiet(t)
	asking := time.Now()
	w.sweep(t, made)
	asked := time.Since(asking)
	sent, _ := w.stub.Sent(apistub.Ingress, last)
	_, answered := w.tap.times()
	after := w.h.Metrics(t)
	report.add(size, subject, "last event sent to all live, every route asked", ms(live.Sub(sent)))
	report.add(size, subject, "what asking for every route takes by itself", ms(asked))
	report.add(size, subject, "last event sent to HAProxy's last answer", ms(answered.Sub(sent)))
	report.add(size, subject, "controller's processor time until all live", ms(time.Duration(spent)))
	report.add(size, subject, "passes", count(int(after.Sum("headgate_reconcile_total")-before.Sum("headgate_reconcile_total"))))
	report.addOperations(size, subject, operations, w.operations(t), n)
	lines, size64 := w.tap.said()
	report.add(size, subject, "lines to HAProxy", count(lines))
	report.add(size, subject, "bytes to HAProxy", count(size64))
	ages := w.ages(made, last-apistub.Version(n)+1)
	report.add(size, subject, "age of a change when its host is written", ages)
	report.add(size, subject, "the oldest change to the median", figure{value: ages.quantile(1) / ages.quantile(0.5)})
	w.stub.Delete(t, objects...)
	w.quiet(t)
}

// allLive asks for each site until it is right, one after the other.
func (w *world) allLive(t harness.TB, sites []*site) time.Time {
	begun := time.Now()
	for _, s := range sites {
		w.client.target(s.host())
		for {
			if a, err := w.client.ask(); err == nil && a.status == http.StatusOK && s.has(a.pod) {
				break
			}
			if time.Since(begun) > coldLimit {
				t.Fatalf("%s isn't live after %v", s.host(), coldLimit)
			}
		}
	}
	return time.Now()
}

// ages are the times from an event to the passing of the last command that names
// its host; the first event has the version given.
func (w *world) ages(made []*site, first apistub.Version) figure {
	written := map[string]time.Time{}
	for _, c := range w.tap.chunks() {
		for _, word := range bytes.Fields(c.text) {
			written[string(word)] = c.at
		}
	}
	var ages []time.Duration
	for i, s := range made {
		sent, _ := w.stub.Sent(apistub.Ingress, first+apistub.Version(i))
		ages = append(ages, written[s.host()].Sub(sent))
	}
	return times(ages)
}
