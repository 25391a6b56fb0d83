package main

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"

	"headgate.dev/e2e/apistub"
	"headgate.dev/e2e/harness"
)

const (
	namespace = "bench"
	className = "bench"
)

// world is a stub with objects, a controller and its HAProxy.
type world struct {
	t       *harness.Program // of this world: ended by stop
	stub    *apistub.Stub
	h       *harness.Headgate
	pods    *podServer
	mark    int // of the pods' addresses
	haproxy string
	args    []string
	sites   []*site
	ca      *harness.CA
	serial  string // of the certificate that is rotated
	random  *rand.Rand
	listed  time.Duration // what the API server alone takes for the lists
	execed  time.Time
	client  client
	headers string // of requests to the data plane alone
	tap     *tap
}

// site is an Ingress with one host and one path, a Service with one port, and an
// EndpointSlice with two endpoints.
type site struct {
	name string
	ips  []string
}

func (s *site) host() string { return s.name + ".example.com" }

func (s *site) has(pod string) bool {
	for _, ip := range s.ips {
		if harness.PodAddr(ip) == pod {
			return true
		}
	}
	return false
}

func (s *site) slice() *discoveryv1.EndpointSlice {
	return harness.EndpointSlice(namespace, s.name, "8080", s.ips...)
}

func (s *site) objects() []any {
	return []any{harness.Service(namespace, s.name, "80:8080"), s.slice(), ingress(s.name, s.name)}
}

func ingress(name, service string) any {
	return harness.Ingress(namespace, name, harness.Class(className),
		harness.Rule(name+".example.com", "/", service+":80"))
}

// start makes the objects and then executes the controller.
func start(outer *harness.Program, pods *podServer, size int) *world {
	t := harness.NewProgram("bench")
	w := &world{
		t: t, stub: apistub.Start(t), pods: pods, mark: pods.next,
		haproxy: harness.HAProxyPath(t, haproxyBranch),
		random:  rand.New(rand.NewPCG(1, uint64(size))), // the same changes in every run
	}
	outer.Cleanup(w.stop)
	w.stub.Put(t, harness.IngressClass(className, "headgate.dev/ingress-controller"))
	for i := range size {
		w.sites = append(w.sites, w.newSite(fmt.Sprintf("site-%05d", i)))
		w.stub.Put(t, w.sites[i].objects()...)
	}
	var err error
	if w.ca, err = harness.NewCA("bench"); err != nil {
		t.Fatalf("%v", err)
	}
	w.h = harness.NewHeadgate(t)
	w.args = []string{
		"--kubeconfig=" + w.stub.Kubeconfig(t),
		"--config-dir=" + filepath.Join(harness.Root(t), "haproxy-cfg"),
		"--haproxy=" + w.haproxy,
		"--log-level=warn",
	}
	w.listed = w.listing(t)
	w.client.addr, w.client.tls = w.h.HTTP, w.h.HTTPS
	w.execed = time.Now()
	w.h.Start(t, w.args...)
	return w
}

func (w *world) stop() {
	w.client.close()
	w.t.CleanUp()
	w.pods.rewind(w.mark)
}

func (w *world) newSite(name string) *site {
	return &site{name: name, ips: []string{w.pods.ip(), w.pods.ip()}}
}

func (w *world) anySite() *site { return w.sites[w.random.IntN(len(w.sites))] }

// rest waits until the controller has nothing to do any more, its files being
// written, and weighs it.
func (w *world) rest(t harness.TB) memory {
	w.h.WaitReady(t)
	w.quiet(t)
	return readMemory(t, w.h.PID())
}

// quiet waits until a second has passed without a change confirmed or saved.
func (w *world) quiet(t harness.TB) {
	seen, since := "", time.Now()
	for time.Since(since) < time.Second {
		m := w.h.Metrics(t)
		now := fmt.Sprint(m.Sum("headgate_runtime_operations_total"), m.Sum("headgate_state_writes_total"))
		if now != seen {
			seen, since = now, time.Now()
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// operations is what HAProxy has confirmed so far, by operation.
func (w *world) operations(t harness.TB) harness.Metrics {
	found := harness.Metrics{}
	for series, value := range w.h.Metrics(t) {
		if rest, ok := strings.CutPrefix(series, `headgate_runtime_operations_total{operation="`); ok {
			found[strings.TrimSuffix(rest, `"}`)] = value
		}
	}
	return found
}

// worker is the PID of HAProxy's worker: a reload makes another one.
func (w *world) worker(t harness.TB) string { return w.info(t, "Pid") }

func (w *world) haproxyVersion(t harness.TB) string {
	w.h.WaitReady(t)
	return w.info(t, "Version")
}

func (w *world) info(t harness.TB, name string) string {
	text, err := harness.Runtime(w.h.RuntimeSocket(), "show info")
	if err != nil {
		t.Fatalf("show info: %v", err)
	}
	_, after, _ := strings.Cut("\n"+text, "\n"+name+": ")
	value, _, _ := strings.Cut(after, "\n")
	return value
}

func (w *world) headgateVersion(t harness.TB) string {
	for series := range w.h.Metrics(t) {
		if rest, ok := strings.CutPrefix(series, `headgate_build_info{version="`); ok {
			return strings.TrimSuffix(rest, `"}`)
		}
	}
	return "unknown"
}
