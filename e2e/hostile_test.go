package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"headgate.dev/e2e/harness"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestHostilePaths puts every path of the catalogue between two good ones of the
// same Ingress, beside another tenant's routes.
func TestHostilePaths(t *testing.T) {
	eachRouteBranch(t, func(t *testing.T, branch string) {
		h := newHostileScene(t, branch)
		for i, path := range hostilePaths() {
			host := fmt.Sprintf("host%04d.example", i)
			h.add(host, "/before", path, "/after")
		}
		h.check()
		for _, ingress := range h.ingresses {
			host := ingress.Spec.Rules[0].Host
			h.wantAnswers(
				routeAnswer{host: host, path: "/before", service: "tenant"},
				routeAnswer{host: host, path: "/after/x", service: "tenant"})
		}
		h.finish()
	})
}

// TestHostileRandomPaths does the same with 10,000 random paths, a hundred to an
// Ingress.
func TestHostileRandomPaths(t *testing.T) {
	eachRouteBranch(t, func(t *testing.T, branch string) {
		h := newHostileScene(t, branch)
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 0))
		for i := range 100 {
			paths := []string{"/good-one"}
			for range 100 {
				paths = append(paths, randomPath(random))
			}
			h.add(fmt.Sprintf("random%03d.example", i), paths...)
		}
		h.check()
		for i := range 100 {
			h.wantAnswers(routeAnswer{host: fmt.Sprintf("random%03d.example", i), path: "/good-one/x", service: "tenant"})
		}
		h.finish()
	})
}

// TestHostileHosts offers the API server every host of the catalogue; it takes a
// few, and of those the controller reports what it doesn't.
func TestHostileHosts(t *testing.T) {
	eachRouteBranch(t, func(t *testing.T, branch string) {
		h := newHostileScene(t, branch)
		for _, host := range hostileHosts() {
			h.add(host, "/")
		}
		h.check()
		h.finish()
	})
}

// hostileScene is a victim's routes and, of the same class, those of a tenant who
// means harm.
type hostileScene struct {
	*routeScene
	ingresses []*networkingv1.Ingress
	before    haproxyState
	refused   map[string]string    // by the API server: host to its message
	wanted    map[string]string    // entries of prefix.map: key to backend
	hosts     map[string]string    // entries of hosts.map
	faults    map[[2]string]string // ingress and field to the reason wanted
	traffic   *harness.Prober
}

func newHostileScene(t *testing.T, branch string) *hostileScene {
	t.Helper()
	h := &hostileScene{
		routeScene: newRouteScene(t, branch), refused: map[string]string{},
		wanted: map[string]string{}, hosts: map[string]string{}, faults: map[[2]string]string{},
	}
	h.serve("victim", 2)
	h.serve("tenant", 1)
	h.c.Apply(t,
		h.ingress("victim",
			harness.Rule("victim.example", "/", "victim:80"), harness.RuleOf(routeExact, "victim.example", "/exact", "victim:80"),
			harness.Rule("*.victim.example", "/", "victim:80"), harness.Rule("", "/any", "victim:80")),
		h.ingress("all", harness.DefaultBackend("victim:80")),
		h.ingress("tenant", harness.Rule("tenant.example", "/", "tenant:80")))
	h.start()
	h.wantAnswers(routeAnswer{host: "tenant.example", path: "/", service: "tenant"},
		routeAnswer{host: "victim.example", path: "/", service: "victim"})
	h.before = readHAProxy(t, h.g)
	victims := harness.NewPodSet(h.ips["victim"]...)
	h.traffic = harness.StartProber(t, harness.Traffic{
		Addr: h.g.HTTP, Clients: 1, Pause: 10 * time.Millisecond,
		Next: func(_, seq int) harness.Route {
			hosts := []string{"victim.example", "a.victim.example", "nobody.test"}
			return harness.Route{Host: hosts[seq%len(hosts)], Path: "/any", Allowed: victims.Allowed()}
		},
	})
	return h
}

// add makes an Ingress with these paths, of the type that the API server looks at
// least, and writes down what has to come of it.
func (h *hostileScene) add(host string, paths ...string) {
	name := fmt.Sprintf("hostile%04d", len(h.ingresses))
	options := []harness.IngressOption{}
	for _, path := range paths {
		options = append(options, harness.RuleOf(networkingv1.PathTypeImplementationSpecific, host, path, "tenant:80"))
	}
	h.ingresses = append(h.ingresses, h.ingress(name, options...).(*networkingv1.Ingress))
}

// expect says what a tenant's Ingress, now in the API server, has to become.
func (h *hostileScene) expect(ingress *networkingv1.Ingress) {
	object := ingress.Namespace + "/" + ingress.Name
	rule := ingress.Spec.Rules[0]
	if !hostIsFit(rule.Host) {
		h.faults[[2]string{object, "spec.rules[0].host"}] = "InvalidHost"
		return
	}
	for i, path := range rule.HTTP.Paths {
		field := [2]string{object, fmt.Sprintf("spec.rules[0].http.paths[%d].path", i)}
		key := prefixKey(rule.Host, path.Path)
		switch {
		case !pathIsFit(path.Path):
			h.faults[field] = "InvalidPath"
		case h.wanted[key] != "":
			h.faults[field] = "PathTaken"
		default:
			h.wanted[key] = h.ns + "_svc_tenant_80"
			h.hosts[rule.Host] = rule.Host
		}
	}
}

// check makes all the Ingresses and compares what HAProxy has then, to the byte,
// with what the oracle says; and what was reported, with what is wrong.
func (h *hostileScene) check() {
	h.t.Helper()
	h.create()
	for _, ingress := range h.ingresses {
		if _, ok := h.refused[ingress.Name]; !ok {
			h.expect(ingress)
		}
	}
	want := h.before
	want.maps = maps.Clone(want.maps)
	for name, entries := range map[string]map[string]string{"prefix.map": h.wanted, "hosts.map": h.hosts} {
		merged := maps.Clone(want.maps[name])
		maps.Copy(merged, entries)
		want.maps[name] = merged
	}
	harness.Eventually(h.t, h.branch+": what HAProxy has", func() error {
		have := readHAProxy(h.t, h.g)
		if sameHAProxy(want, have) {
			return nil
		}
		return errors.New(differences(want, have))
	})
	reported := map[[2]string]string{}
	harness.Eventually(h.t, h.branch+": what was reported", func() error {
		for _, line := range h.g.Log() {
			if line.Fields["reason"] != "" && line.Fields["field"] != "" {
				reported[[2]string{line.Fields["ingress"], line.Fields["field"]}] = line.Fields["reason"]
			}
		}
		if !maps.Equal(h.faults, reported) {
			return fmt.Errorf("%d faults reported, want %d", len(reported), len(h.faults))
		}
		return nil
	})
	h.t.Logf("%s: %d Ingresses, %d refused by the API server, %d paths served, %d faults reported",
		h.branch, len(h.ingresses), len(h.refused), len(h.wanted), len(reported))
}

// create makes the Ingresses, a few at a time. That the API server refuses one is
// no failure, but must be its validation.
func (h *hostileScene) create() {
	h.t.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	slots := make(chan struct{}, 4)
	for _, ingress := range h.ingresses {
		all.Add(1)
		slots <- struct{}{}
		go func() {
			defer func() { <-slots; all.Done() }()
			_, err := h.c.Client.NetworkingV1().Ingresses(h.ns).
				Create(context.Background(), ingress, metav1.CreateOptions{})
			if err == nil {
				return
			}
			if !apierrors.IsInvalid(err) {
				h.t.Errorf("%s: %.300v", ingress.Name, err)
			}
			mu.Lock()
			h.refused[ingress.Name] = err.Error()
			mu.Unlock()
		}()
	}
	all.Wait()
}

// finish takes everything hostile away again: HAProxy has what it had before.
func (h *hostileScene) finish() {
	h.t.Helper()
	metrics := h.g.Metrics(h.t)
	counts := map[string]int{}
	for _, reason := range h.faults {
		counts[reason]++
	}
	for _, reason := range []string{"InvalidPath", "InvalidHost", "PathTaken", "ServiceNotFound"} {
		if n := metrics.Sum("headgate_diagnostics", `reason="`+reason+`"`); int(n) != counts[reason] {
			h.t.Errorf("%s: headgate_diagnostics of %s is %v, want %d", h.branch, reason, n, counts[reason])
		}
	}
	h.wantAnswers(routeAnswer{host: "tenant.example", path: "/", service: "tenant"},
		routeAnswer{host: "victim.example", path: "/exact", service: "victim"})
	err := h.c.Client.NetworkingV1().Ingresses(h.ns).DeleteCollection(context.Background(), metav1.DeleteOptions{},
		metav1.ListOptions{FieldSelector: "metadata.name!=victim,metadata.name!=all,metadata.name!=tenant"})
	if err != nil {
		h.t.Fatal(err)
	}
	harness.Eventually(h.t, h.branch+": what HAProxy has when all is gone", func() error {
		if have := readHAProxy(h.t, h.g); !sameHAProxy(h.before, have) {
			return errors.New(differences(h.before, have))
		}
		return nil
	})
	if n := h.g.Metrics(h.t).Sum("headgate_diagnostics"); n != 0 {
		h.t.Errorf("%s: headgate_diagnostics is %v in the end, want 0", h.branch, n)
	}
	h.wantAnswers(routeAnswer{host: "host0000.example", path: "/before", service: "victim"})
	h.traffic.Await(h.t, 10)
	h.traffic.Stop().WantNoFailures(h.t)
	if n := h.workers.Reloads(); n != 0 && h.branch == "3.4" {
		h.t.Errorf("%d reloads, want 0", n)
	}
	h.healthy()
}

// differences is for messages: at most a few keys of each map.
func differences(want, have haproxyState) string {
	var text strings.Builder
	for _, name := range routeMaps {
		var missing, foreign []string
		for key, value := range want.maps[name] {
			if have.maps[name][key] != value {
				missing = append(missing, key)
			}
		}
		for key, value := range have.maps[name] {
			if want.maps[name][key] != value {
				foreign = append(foreign, key)
			}
		}
		if len(missing)+len(foreign) > 0 {
			fmt.Fprintf(&text, "%s: %d missing or other %.200q, %d not wanted %.200q; ",
				name, len(missing), missing[:min(3, len(missing))], len(foreign), foreign[:min(3, len(foreign))])
		}
	}
	if !slices.Equal(want.backends, have.backends) {
		fmt.Fprintf(&text, "backends %v, want %v; ", have.backends, want.backends)
	}
	if !maps.EqualFunc(want.servers, have.servers, slices.Equal) {
		fmt.Fprintf(&text, "servers %v, want %v", have.servers, want.servers)
	}
	return text.String()
}
