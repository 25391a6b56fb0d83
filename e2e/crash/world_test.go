package crash

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"headgate.dev/e2e/harness"
	"k8s.io/apimachinery/pkg/runtime"
)

const (
	namespace  = "crash"
	className  = "crash"
	controller = "headgate.dev/crash"
	nStable    = 6   // hosts that no pass touches
	maxHosts   = 160 // that passes make, change and remove
	maxPods    = 3   // of one host
)

// host is a host with a Service of its own, or of a stable one.
type host struct {
	name   string
	pods   *harness.PodSet
	ips    []string
	stable string           // Service of a stable host that it leads to; "" = its own
	pair   *harness.KeyPair // nil = no TLS
	isKept bool             // it was there before the last change
}

// world is the objects: stable ones, and those that passes are about.
type world struct {
	t      *testing.T
	random *rand.Rand
	ca     *harness.CA
	live   bool // new Services are operations, not a reload
	free   []string
	stable []*host
	hosts  []*host
	made   int
}

func newWorld(t *testing.T, random *rand.Rand, live bool) *world {
	t.Helper()
	w := &world{t: t, random: random, live: live}
	w.free = harness.StartPods(t).IPs(nStable*maxPods + 4*maxHosts*maxPods)
	var err error
	if w.ca, err = harness.NewCA("crash"); err != nil {
		t.Fatal(err)
	}
	for range nStable {
		w.stable = append(w.stable, w.newHost(2))
	}
	return w
}

func (w *world) newHost(pods int) *host {
	w.made++
	h := &host{name: fmt.Sprintf("h%d", w.made), pods: harness.NewPodSet()}
	w.givePods(h, pods)
	return h
}

// givePods replaces pods by others. Addresses come round, so that each is somebody
// else's long after it was somebody's.
func (w *world) givePods(h *host, n int) {
	w.free = append(w.free, h.ips...)
	h.ips, w.free = slices.Clone(w.free[:n]), w.free[n:]
	h.pods.Add(h.ips...)
}

func (w *world) issue(h *host) {
	pair, err := w.ca.Issue(h.name + ".example")
	if err != nil {
		w.t.Fatal(err)
	}
	h.pair = &pair
}

// What a change of a host costs HAProxy, roughly: a backend and its entries, a
// server that comes or goes, a certificate that comes or goes.
const (
	entryCost  = 2
	serverCost = 2
	certCost   = 4
)

// change makes changes that take about so many operations, and returns how many
// they were thought to take.
func (w *world) change(operations int) int {
	for _, h := range w.hosts {
		h.isKept = true
	}
	cost := 0
	for cost < operations {
		cost += w.changeOne()
	}
	return cost
}

func (w *world) changeOne() int {
	i := -1
	if len(w.hosts) > 0 {
		i = w.random.IntN(len(w.hosts))
	}
	switch dice := w.random.IntN(10); {
	case i < 0 || dice < 4 && len(w.hosts) < maxHosts:
		return w.add()
	case dice < 6:
		return w.remove(i)
	case w.hosts[i].pair != nil && dice < 7:
		w.issue(w.hosts[i])
		return certCost
	case w.hosts[i].stable == "":
		before := len(w.hosts[i].ips)
		w.givePods(w.hosts[i], 1+w.random.IntN(maxPods))
		return serverCost * (before + len(w.hosts[i].ips))
	}
	return 0
}

func (w *world) add() int {
	cost := entryCost
	h := w.newHost(0)
	switch dice := w.random.IntN(8); {
	case dice < 2:
		h.stable = w.stable[dice].name
		h.pods.Set(w.stable[dice].ips...)
	default:
		w.givePods(h, 1+w.random.IntN(maxPods))
		if w.live {
			cost += entryCost + serverCost*len(h.ips)
		} else {
			cost = 0
		}
		if dice == 2 {
			w.issue(h)
			cost += certCost
		}
	}
	w.hosts = append(w.hosts, h)
	return cost
}

func (w *world) remove(i int) int {
	h := w.hosts[i]
	w.hosts = slices.Delete(w.hosts, i, i+1)
	w.free = append(w.free, h.ips...)
	return entryCost + serverCost*len(h.ips)
}

// settled is told when everything has arrived.
func (w *world) settled() {
	for _, h := range w.hosts {
		if h.stable == "" {
			h.pods.Set(h.ips...)
		}
	}
}

// probed is the hosts that work before, during and after the last change. A host
// with TLS only redirects.
func (w *world) probed() []*host {
	found := slices.Clone(w.stable)
	for _, h := range w.hosts {
		if h.isKept && h.pair == nil {
			found = append(found, h)
		}
	}
	return found
}

// objects are those of the file that passes are about.
func (w *world) objects() []runtime.Object {
	var objects []runtime.Object
	for _, h := range w.hosts {
		objects = append(objects, h.objects()...)
	}
	return objects
}

// base is the objects that stay.
func (w *world) base() []runtime.Object {
	pair, err := w.ca.Issue("default.example")
	if err != nil {
		w.t.Fatal(err)
	}
	objects := []runtime.Object{
		harness.IngressClass(className, controller), harness.TLSSecret(namespace, "default", pair),
	}
	for _, h := range w.stable {
		objects = append(objects, h.objects()...)
	}
	return objects
}

func (h *host) objects() []runtime.Object {
	service := h.stable
	var objects []runtime.Object
	if service == "" {
		service = h.name
		objects = append(objects,
			harness.Service(namespace, h.name, "80:8080"),
			harness.EndpointSlice(namespace, h.name, "8080", h.ips...))
	}
	traits := []harness.IngressOption{
		harness.Class(className), harness.Rule(h.name+".example", "/", service+":80"),
	}
	if h.pair != nil {
		traits = append(traits, harness.TLS(h.name, h.name+".example"))
		objects = append(objects, harness.TLSSecret(namespace, h.name, *h.pair))
	}
	return append(objects, harness.Ingress(namespace, h.name, traits...))
}
