package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"headgate.dev/e2e/harness"
)

// contestRounds is how often the subjects take turns, so that what else the machine does
// meets all of them.
const contestRounds = 2

// contest is an API server with routes, which one subject after the other serves.
type contest struct {
	o       options
	t       *harness.Program // of this turn
	cluster *harness.Cluster
	haproxy string
	pods    *podServer
	sites   []*site
	ca      *harness.CA
	serial  string // of the certificate that is rotated
	random  *rand.Rand
	scores  *scores

	served
	subject string
	workers *harness.Workers
	client  client
	last    string // wrong answer
}

// trial is a kind of change. It says what comes and what is right then, writes it, and
// takes it back.
type trial struct {
	name string
	make func(w *contest, i int) change
}

var trials = []trial{
	{"endpoint replaced", (*contest).endpointReplaced},
	{"new host on a Service", (*contest).newHost},
	{"new Service, slice, Ingress", (*contest).newService},
	{"certificate rotated", (*contest).certificateRotated},
}

func comparePeers(o options) (code int) {
	t := harness.NewProgram("peers")
	defer func() {
		recovered := recover()
		if recovered != nil {
			t.Errorf("ended early") // the turn's own failure has been told
		}
		code = t.End(recovered)
	}()
	limit = 3 * time.Minute // a guard for those that begin with a second and end with many routes
	o.scores = newScores(o)
	for _, size := range o.sizes {
		w := newContest(t, o, size)
		for round := range contestRounds {
			for _, s := range w.entrants() {
				harness.NewProgram("peers").Logf("%d routes, round %d: %s", size, round+1, s.name)
				w.turn(t, s)
			}
		}
		w.remove(w.objects())
	}
	o.scores.finish(t)
	return 0
}

func newContest(t *harness.Program, o options, size int) *contest {
	w := &contest{
		o: o, t: t, cluster: harness.StartCluster(t), haproxy: harness.HAProxyPath(t, haproxyBranch),
		pods: startPods(t), random: rand.New(rand.NewPCG(1, uint64(size))), scores: o.scores,
	}
	w.client.pause = time.Millisecond
	w.scores.haproxy = strings.TrimPrefix(output(w.haproxy, "-v"), "HAProxy version ")
	w.cluster.Apply(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
	for i := range size {
		w.sites = append(w.sites, w.newSite(fmt.Sprintf("site-%05d", i)))
	}
	var err error
	if w.ca, err = harness.NewCA("peers"); err != nil {
		t.Fatalf("%v", err)
	}
	begun := time.Now()
	w.write(w.objects())
	pair, number := w.issue(rotatedHost)
	w.serial = number
	w.cluster.Apply(t, harness.TLSSecret(namespace, rotated, pair), w.rotatedIngress())
	t.Logf("%d routes written in %v", size, time.Since(begun).Round(time.Second))
	return w
}

// entrants are the subjects that take part, in the order of the table.
func (w *contest) entrants() (some []subject) {
	for _, name := range strings.Split(w.o.subjects, ",") {
		i := slices.IndexFunc(subjects, func(s subject) bool { return s.name == name })
		if i < 0 {
			w.t.Fatalf("-subjects: there is no %q", name)
		}
		some = append(some, subjects[i])
	}
	return some
}

func (w *contest) newSite(name string) *site {
	return &site{name: name, ips: []string{w.pods.ip(), w.pods.ip()}}
}

func (w *contest) anySite() *site { return w.sites[w.random.IntN(len(w.sites))] }

func (w *contest) objects() (all []any) {
	for _, s := range w.sites {
		all = append(all, s.objects()...)
	}
	return all
}

// write and remove keep eight requests on the way.
func (w *contest) write(objects []any) {
	w.inParallel(objects, func(o runtime.Object) error { return w.cluster.TryApply(o) })
}

func (w *contest) remove(objects []any) {
	w.inParallel(objects, func(o runtime.Object) error { w.cluster.Delete(w.t, o); return nil })
}

func (w *contest) inParallel(objects []any, do func(runtime.Object) error) {
	var wait sync.WaitGroup
	next, failed := make(chan any), make(chan error, len(objects))
	for range 8 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for object := range next {
				if err := do(object.(runtime.Object)); err != nil {
					failed <- err
				}
			}
		}()
	}
	for _, object := range objects {
		next <- object
	}
	close(next)
	wait.Wait()
	close(failed)
	if err := <-failed; err != nil {
		w.t.Fatalf("%v", err)
	}
}

// turn has one subject start, take every trial, and end.
func (w *contest) turn(outer *harness.Program, s subject) {
	w.t, w.subject = harness.NewProgram("peers"), s.name
	outer.Cleanup(w.t.CleanUp)
	w.cluster.Delete(w.t, harness.IngressClass(className, s.controller))
	w.cluster.Apply(w.t, harness.IngressClass(className, s.controller))

	execed := time.Now()
	w.served = s.start(w, s)
	w.t.Cleanup(w.stop)
	w.client.addr, w.client.tls = w.http, w.https
	w.workers = harness.WatchWorkers(w.t, w.dir+"/")
	w.add("cold start until every route is right", sample(ms(w.awaitAll(w.sites).Sub(execed))))
	w.quiet()
	w.add("controller's processor time of the cold start", largest(ms(w.spent())))
	memory := readMemory(w.t, w.pid)
	w.add("controller's private memory at rest", largest(kib(memory.private)))
	w.add("HAProxy's private memory at rest", largest(kib(w.haproxyMemory())))
	reloaded := w.workers.Distinct()

	traffic := harness.StartProber(w.t, harness.Traffic{Addr: w.http, Rate: w.o.rate, Next: func(_, seq int) harness.Route {
		return harness.Route{Host: w.sites[seq*7919%len(w.sites)].host(), Path: "/"}
	}})
	for _, trial := range trials {
		w.latency(trial)
	}
	sum := traffic.Stop()
	w.add("requests during the changes", total(count(sum.Requests)))
	w.add("failed requests during the changes", total(count(sum.Failures)))
	if sum.Failures > 0 {
		w.t.Logf("%s: %v", w.subject, sum)
	}
	for _, trial := range trials[:2] {
		w.cost(trial)
	}
	w.add("controller's peak memory (VmHWM)", largest(kib(readMemory(w.t, w.pid).peak)))
	w.add("reloads in the whole turn after the start", total(count(w.workers.Distinct()-reloaded)))
	w.client.close()
	w.t.CleanUp()
}

func (w *contest) add(metric string, f score) { w.scores.add(len(w.sites), w.subject, metric, f) }

// awaitAll waits for sites, first for a few that are spread over all of them, and
// says when all were right.
func (w *contest) awaitAll(sites []*site) time.Time {
	few := someOf(sites, sampled)
	for begun := time.Now(); time.Since(begun) < limit; time.Sleep(10 * time.Millisecond) {
		if w.wrong(few) == 0 {
			at := time.Now()
			if w.wrong(sites) == 0 {
				return at
			}
		}
	}
	w.t.Fatalf("%s: not all routes are right after %v: %s", w.subject, limit, w.last)
	return time.Time{}
}

// wrong is how many of the sites aren't answered by one of their pods, 1 for all
// that come after the first.
func (w *contest) wrong(sites []*site) int {
	for _, s := range sites {
		w.client.target(s.host())
		a, err := w.client.ask()
		if err != nil { // HAProxy closes connections that are idle while it reloads
			a, err = w.client.ask()
		}
		if err != nil || a.status != http.StatusOK || !s.has(a.pod) {
			w.last = fmt.Sprintf("%s: %d from %q, %v", s.host(), a.status, a.pod, err)
			return 1
		}
	}
	return 0
}

// latency takes the time from the acknowledgement of the last write to the first right
// answer, 0 if that comes first, and counts the reloads meanwhile.
func (w *contest) latency(trial trial) {
	var found []time.Duration
	var undo []func(harness.TB)
	reloads := w.workers.Distinct()
	most := 0
	for i := range max(w.o.samples/contestRounds, 1) {
		c := trial.make(w, i)
		p := w.client.startProbe(c)
		<-p.started
		time.Sleep(time.Duration(w.random.IntN(1000)) * time.Millisecond) // in step with nobody's period
		c.put(w.t)
		acknowledged := time.Now()
		<-p.done
		if p.found.IsZero() {
			w.t.Fatalf("%s, %s: not right after %v: %s", w.subject, trial.name, limit, p.last)
		}
		found = append(found, max(p.found.Sub(acknowledged), 0))
		most = max(most, w.haproxyMemory())
		if c.undo != nil {
			undo = append(undo, c.undo)
		}
	}
	w.quiet()
	w.add(trial.name+": acknowledged to first right answer", score{figure: times(found)})
	w.add(trial.name+": reloads", total(count(w.workers.Distinct()-reloads)))
	w.add("HAProxy's private memory, most during the changes", largest(kib(most)))
	for _, f := range undo {
		f(w.t)
	}
	w.quiet()
}

// churnRate is how many changes a second cost makes.
const churnRate = 20

// cost takes the processor time of changes, of the controller with the processes
// that it starts, and of HAProxy.
func (w *contest) cost(trial trial) {
	var undo []func(harness.TB)
	controller, haproxy := w.spent(), w.haproxySpent()
	var last change
	begun := time.Now()
	for i := range w.o.churn {
		last = trial.make(w, i)
		last.put(w.t)
		if last.undo != nil {
			undo = append(undo, last.undo)
		}
		time.Sleep(time.Until(begun.Add(time.Duration(i+1) * time.Second / churnRate)))
	}
	took := time.Since(begun)
	<-w.client.startProbe(last).done
	w.quiet()
	per := func(d time.Duration) score { return largest(ms(d * 1000 / time.Duration(w.o.churn))) }
	w.add(trial.name+": controller's processor time per 1,000", per(w.spent()-controller))
	w.add(trial.name+": HAProxy's processor time per 1,000", per(w.haproxySpent()-haproxy))
	w.add(trial.name+": changes a second of these", sample(figure{value: float64(w.o.churn) / took.Seconds()}))
	for _, f := range undo {
		f(w.t)
	}
	w.quiet()
}

// calm is how long nothing must happen, and little is what may be spent in that time.
const (
	calm   = 1500 * time.Millisecond
	little = 30 * time.Millisecond
)

// quiet waits until the controller is idle and no reload has come for a while.
func (w *contest) quiet() {
	for begun := time.Now(); time.Since(begun) < limit; {
		workers, spent := w.workers.Distinct(), w.spent()
		time.Sleep(calm)
		if w.workers.Distinct() == workers && w.spent()-spent <= little {
			return
		}
	}
	w.t.Fatalf("%s isn't idle after %v", w.subject, limit)
}

// spent is the processor time of the controller and its children so far.
func (w *contest) spent() time.Duration {
	all := cpuTime(w.t, w.pid)
	return time.Duration((all.own + all.children) * float64(time.Second))
}

// haproxySpent is that of HAProxy: the master's children are the workers that ended.
func (w *contest) haproxySpent() (all time.Duration) {
	for _, pid := range harness.HAProxyPIDs(w.dir + "/") {
		if spent, err := tryCPUTime(pid); err == nil {
			all += time.Duration((spent.own + spent.children) * float64(time.Second))
		}
	}
	return all
}

// haproxyMemory is what all processes of HAProxy have for themselves; one that is
// just ending counts no more.
func (w *contest) haproxyMemory() (kib int) {
	for _, pid := range harness.HAProxyPIDs(w.dir + "/") {
		if private, err := harness.PrivateMemory(pid); err == nil {
			kib += private
		}
	}
	return kib
}

func (w *contest) endpointReplaced(_ int) change {
	s := w.anySite()
	s.ips = []string{s.ips[1], w.pods.ip()}
	next := harness.PodAddr(s.ips[1])
	slice := s.slice()
	return change{
		host:    s.host(),
		put:     func(t harness.TB) []sent { w.cluster.Apply(t, slice); return nil },
		right:   func(a answer) bool { return a.pod == next },
		allowed: func(a answer) bool { return a.status == http.StatusOK },
	}
}

func (w *contest) newHost(i int) change {
	s := w.anySite()
	name := fmt.Sprintf("host-%05d", i)
	return w.made(name+".example.com", s, ingress(name, s.name))
}

func (w *contest) newService(i int) change {
	s := w.newSite(fmt.Sprintf("new-%05d", i))
	return w.made(s.host(), s, s.objects()...)
}

// made is a change that makes objects, after which the site answers for the host.
func (w *contest) made(host string, s *site, objects ...any) change {
	return change{
		host: host,
		put: func(t harness.TB) []sent {
			for _, o := range objects {
				w.cluster.Apply(t, o.(runtime.Object))
			}
			return nil
		},
		right:   func(a answer) bool { return s.has(a.pod) },
		allowed: func(a answer) bool { return a.status >= http.StatusNotFound },
		undo: func(t harness.TB) {
			for _, o := range slices.Backward(objects) {
				w.cluster.Delete(t, o.(runtime.Object))
			}
		},
	}
}

const rotatedHost = rotated + ".example.com"

func (w *contest) rotatedIngress() runtime.Object {
	return tlsIngress(rotated, w.sites[0].name).(runtime.Object)
}

func (w *contest) certificateRotated(_ int) change {
	pair, number := w.issue(rotatedHost)
	return change{
		host:    rotatedHost,
		isTLS:   true,
		put:     func(t harness.TB) []sent { w.cluster.Apply(t, harness.TLSSecret(namespace, rotated, pair)); return nil },
		right:   func(a answer) bool { return a.serial == number },
		allowed: func(a answer) bool { return a.serial != "" },
	}
}

func (w *contest) issue(host string) (harness.KeyPair, string) {
	pair, err := w.ca.Issue(host)
	leaf, leafErr := pair.Leaf()
	if err = errors.Join(err, leafErr); err != nil {
		w.t.Fatalf("%v", err)
	}
	return pair, serial(leaf)
}
