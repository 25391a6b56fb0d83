package options

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"headgate.dev/e2e/harness"
	"k8s.io/apimachinery/pkg/runtime"
)

const (
	affinityClients = 1000
	affinityChanges = 50
	// How many clients ask after each change: all of them five times over.
	affinityAsking  = affinityClients * 5 / affinityChanges
	affinityHost    = "stay.example"
	affinityBackend = variantNamespace + "_svc_" + web + "_80:cookie-STAY"
)

// affinity is pods that come, drain and go, and clients that have one each.
type affinity struct {
	*variantScene
	ips      []string // of pods that are there
	draining string   // one of them, or ""
	gone     map[string]bool
	clients  []affinityClient
}

type affinityClient struct{ cookie, pod string }

// TestAffinity: 1,000 clients keep their pod through 50 changes of the endpoints,
// unless their own pod has gone; a pod that drains keeps its clients and gets no
// new ones. On 3.4 without a reload.
func TestAffinity(t *testing.T) {
	pods := harness.StartPods(t)
	for _, branch := range []string{"2.6", "3.4"} {
		t.Run(branch, func(t *testing.T) {
			a := &affinity{ips: pods.IPs(6), gone: map[string]bool{}}
			ingress := harness.Ingress(variantNamespace, "stay", harness.Class("headgate"),
				harness.Rule(affinityHost, "/", web+":80"), harness.Annotation("haproxy.org/cookie-persistence", "STAY"))
			a.variantScene = newVariantScene(t, branch, a.objects()[1:], []runtime.Object{ingress})
			a.awaitServers()
			reloads := a.workers.Distinct()
			for range affinityClients {
				a.clients = append(a.clients, a.newClient())
			}
			for i := range affinityChanges {
				a.change(i, pods)
				for j := range affinityAsking {
					a.check((i*affinityAsking + j) % affinityClients)
				}
			}
			for i := range a.clients {
				a.check(i)
			}
			if n := a.workers.Distinct() - reloads; n != 0 {
				t.Errorf("%d reloads, want none", n)
			}
		})
	}
}

// objects: the class, the Service and its endpoints.
func (a *affinity) objects() []runtime.Object {
	slice := harness.EndpointSlice(variantNamespace, web, "8080")
	for _, ip := range a.ips {
		drains := ip == a.draining
		slice.Endpoints = append(slice.Endpoints, harness.Endpoint(variantNamespace, ip, !drains, true, drains))
	}
	return []runtime.Object{harness.IngressClass("headgate", variantController), harness.Service(variantNamespace, web, "80:8080"), slice}
}

// change adds a pod, lets one drain, or lets the one go that drains, in turns.
func (a *affinity) change(i int, pods *harness.Pods) {
	a.t.Helper()
	switch i % 3 {
	case 0:
		a.ips = append(a.ips, pods.IP())
	case 1:
		a.draining = a.ips[0]
	case 2:
		a.gone[harness.PodAddr(a.draining)] = true
		a.ips = slices.DeleteFunc(a.ips, func(ip string) bool { return ip == a.draining })
		a.draining = ""
	}
	a.writePods(a.objects()...)
	a.awaitServers()
	if a.draining != "" {
		for range 10 {
			if c := a.newClient(); c.pod == harness.PodAddr(a.draining) {
				a.t.Errorf("%s: a new client got %s, which drains", a.branch, c.pod)
			}
		}
	}
}

// awaitServers waits until HAProxy has the pods, and only them, in use.
func (a *affinity) awaitServers() {
	a.t.Helper()
	const drain = "8" // srv_admin_state
	harness.Eventually(a.t, a.branch+": the servers", func() error {
		states, err := a.serverStates(affinityBackend)
		if err == nil && len(states) != len(a.ips) {
			err = fmt.Errorf("%v, want %v", states, a.ips)
		}
		for _, ip := range a.ips {
			state := states[harness.PodName(ip)]
			if err == nil && (state == "" || strings.HasSuffix(state, " "+drain) != (ip == a.draining)) {
				err = fmt.Errorf("%s: state %q", ip, state)
			}
		}
		return err
	})
}

func (a *affinity) newClient() affinityClient {
	a.t.Helper()
	return a.ask("")
}

// ask says the pod that answers, and the cookie that the client has then.
func (a *affinity) ask(cookie string) affinityClient {
	a.t.Helper()
	request, err := http.NewRequest(http.MethodGet, "http://"+affinityHost+"/", nil)
	if err != nil {
		a.t.Fatal(err)
	}
	if cookie != "" {
		request.Header.Set("Cookie", cookie)
	}
	answer, err := harness.Do(a.g.HTTP, request)
	if err != nil || answer.Status != http.StatusOK {
		a.t.Fatalf("%s: status %d, %v", a.branch, answer.Status, err)
	}
	if set, _, _ := strings.Cut(answer.Header.Get("Set-Cookie"), ";"); set != "" {
		cookie = set
	}
	return affinityClient{cookie, answer.Pod()}
}

func (a *affinity) check(i int) {
	a.t.Helper()
	before := a.clients[i]
	now := a.ask(before.cookie)
	if now.pod != before.pod && !a.gone[before.pod] {
		a.t.Errorf("%s: client %d went from %s to %s, and the pod is there", a.branch, i, before.pod, now.pod)
	}
	if now.pod != before.pod && now.cookie == before.cookie {
		a.t.Errorf("%s: client %d is at %s without a new cookie", a.branch, i, now.pod)
	}
	a.clients[i] = now
}
