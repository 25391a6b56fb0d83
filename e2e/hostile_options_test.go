package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"headgate.dev/e2e/harness"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

const (
	// How many values a branch gets; HEADGATE_E2E_VALUES says another number.
	hostileValues = 1000
	// Ingresses that mean harm, each with all keys, written again and again.
	hostileTenants = 4
)

// optionMaps are those in which options end, besides routeMaps.
var optionMaps = []string{"policy.map", "auth.map", "canary.map", "networks.map", "addresses.map", "external.map"}

// TestHostileOptions writes values that mean harm to every annotation that has a
// meaning, of Ingresses and of their Service, and to the keys of a class's
// ConfigMap, beside a victim with a policy and a backend of its own.
func TestHostileOptions(t *testing.T) {
	values := hostileValues
	if text := os.Getenv("HEADGATE_E2E_VALUES"); text != "" {
		var err error
		if values, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	eachRouteBranch(t, func(t *testing.T, branch string) {
		h := newHostileOptions(t, branch)
		n, rounds := 0, 0
		for ; n < values; rounds++ {
			n += h.round(rounds)
		}
		h.finish()
		t.Logf("%s: %d values in %d rounds, %d of them refused", branch, n, rounds, h.refused)
	})
}

type hostileOptions struct {
	*routeScene
	random  *rand.Rand
	keys    []string
	other   string                       // class of every second tenant
	before  map[string]map[string]string // all maps
	traffic *harness.Prober
	lines   int // of the log that have been looked at
	refused int
}

func newHostileOptions(t *testing.T, branch string) *hostileOptions {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	h := &hostileOptions{routeScene: newRouteScene(t, branch), random: rand.New(rand.NewPCG(seed, 0)), keys: optionKeys(t, branch)}
	h.serve("victim", 2)
	h.serve("tenant", 1)
	h.c.GrantController(t, h.ns)
	h.other = "other-" + h.ns
	scope := networkingv1.IngressClassParametersReferenceScopeNamespace
	class := harness.IngressClass(h.other, h.controllerName())
	class.Spec.Parameters = &networkingv1.IngressClassParametersReference{
		Kind: "ConfigMap", Name: h.other, Scope: &scope, Namespace: &h.ns,
	}
	h.c.Apply(t, class, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: h.ns, Name: h.other}})
	t.Cleanup(func() { h.c.Delete(t, class) })
	h.c.Apply(t,
		h.ingress("victim", harness.Rule("victim.example", "/", "victim:80"),
			harness.Annotation("headgate.dev/allow-list", "127.0.0.0/8, 2001:db8::1"),
			harness.Annotation("headgate.dev/response-set-header", "X-Victim yes"),
			harness.Annotation("headgate.dev/load-balance", "leastconn")),
		h.ingress("round", harness.Rule("round.example", "/", "victim:80")))
	for i := range hostileTenants {
		h.c.Apply(t, h.tenant(i))
	}
	h.start("--configmap=" + h.ns + "/settings")
	h.wantAnswers(routeAnswer{host: "victim.example", path: "/", service: "victim"},
		routeAnswer{host: "hostile0.example", path: "/", service: "tenant"})
	h.before = h.readMaps()
	victims := harness.NewPodSet(h.ips["victim"]...)
	h.traffic = harness.StartProber(t, harness.Traffic{
		Addr: h.g.HTTP, Clients: 1, Pause: 10 * time.Millisecond,
		Next: func(int, int) harness.Route {
			return harness.Route{Host: "victim.example", Path: "/", Allowed: victims.Allowed()}
		},
	})
	return h
}

func (h *hostileOptions) tenant(i int) *networkingv1.Ingress {
	ingress := h.ingress(fmt.Sprintf("hostile%d", i),
		harness.Rule(fmt.Sprintf("hostile%d.example", i), "/", "tenant:80")).(*networkingv1.Ingress)
	if i%2 == 1 {
		ingress.Spec.IngressClassName = &h.other
	}
	return ingress
}

// setShared sets the annotations of the Service that all tenants' rules lead to, and
// what the ConfigMap of the other class says. Updates in JSON: it lets through what
// YAML doesn't.
func (h *hostileOptions) setShared(annotations, data map[string]string) {
	h.t.Helper()
	patch := func(path string, value map[string]string) []byte {
		text, err := json.Marshal([]map[string]any{{"op": "add", "path": path, "value": value}})
		if err != nil {
			h.t.Fatal(err)
		}
		return text
	}
	core := h.c.Client.CoreV1()
	_, err := core.Services(h.ns).Patch(context.Background(), "tenant", types.JSONPatchType, patch("/metadata/annotations", annotations), metav1.PatchOptions{})
	if err == nil {
		_, err = core.ConfigMaps(h.ns).Patch(context.Background(), h.other, types.JSONPatchType, patch("/data", data), metav1.PatchOptions{})
	}
	if err != nil {
		h.t.Fatalf("%.300v", err)
	}
}

func (h *hostileOptions) values() map[string]string {
	values := hostileAnnotations(h.random, h.keys)
	for key, value := range values {
		values[key] = strings.ReplaceAll(value, "NAMESPACE", h.ns)
	}
	return values
}

func (h *hostileOptions) readMaps() map[string]map[string]string {
	h.t.Helper()
	all := map[string]map[string]string{}
	for _, name := range append(optionMaps, routeMaps...) {
		all[name] = readMap(h.t, h.g, name)
	}
	return all
}

// round gives every tenant, their Service and their class new values, waits until the
// controller has taken up the former, and looks at what has come of it. It says how
// many values there were.
func (h *hostileOptions) round(number int) (values int) {
	h.t.Helper()
	settings := map[string]string{}
	for key, value := range h.values() {
		_, name, _ := strings.Cut(key, "/")
		settings[name] = value
	}
	annotations := h.values()
	h.setShared(annotations, settings)
	values += len(settings) + len(annotations)
	for i := range hostileTenants {
		ingress := h.tenant(i)
		ingress.Annotations = h.values()
		values += len(ingress.Annotations)
		h.update(ingress)
	}
	// Changes of a kind arrive in order.
	host := fmt.Sprintf("round%d.example", number)
	h.update(h.ingress("round", harness.Rule(host, "/", "victim:80")).(*networkingv1.Ingress))
	h.wantAnswers(routeAnswer{host: host, path: "/", service: "victim"})
	h.check()
	h.askTenants()
	if h.t.Failed() {
		h.t.Fatalf("%s: round %d", h.branch, number)
	}
	return values
}

func (h *hostileOptions) update(ingress *networkingv1.Ingress) {
	h.t.Helper()
	if _, err := h.c.Client.NetworkingV1().Ingresses(h.ns).Update(context.Background(), ingress, metav1.UpdateOptions{}); err != nil {
		h.t.Fatalf("%.300v", err)
	}
}

// check demands that the others' entries are as they were, that what is new is of
// the tenants' own routes and is well-formed, and that nobody complains.
func (h *hostileOptions) check() {
	h.t.Helper()
	own := h.ns + "_svc_tenant_80"
	route := regexp.MustCompile(`^((` + own + `(:[A-Za-z0-9_.:-]+)?|headgate_unavailable)(\|(` + h.policies() + `))?|` + h.ns + `_svc_victim_80)$`)
	for name, entries := range h.readMaps() {
		for key, value := range h.before[name] {
			if !strings.HasPrefix(key, "hostile") && !strings.HasPrefix(key, "round") && entries[key] != value {
				h.t.Errorf("%s: %s: %q was %q and is %q", h.branch, name, key, value, entries[key])
			}
		}
		for key, value := range entries {
			if _, ok := h.before[name][key]; !ok && !h.isOwn(name, key, value) || name == "prefix.map" && strings.HasPrefix(key, "hostile") && !route.MatchString(value) {
				h.t.Errorf("%s: %s: %q is %q", h.branch, name, key, value)
			}
		}
	}
	for _, line := range strings.Split(runtimeReply(h.t, h.g, "show backend"), "\n") {
		if strings.HasPrefix(line, h.ns) && line != h.ns+"_svc_victim_80" && line != h.ns+"_svc_victim_80:leastconn" && !route.MatchString(line) {
			h.t.Errorf("%s: a backend %q", h.branch, line)
		}
	}
	for lines := h.g.Log(); h.lines < len(lines); h.lines++ {
		line := lines[h.lines]
		if line.Fields["reason"] == "AnnotationRefused" {
			h.refused++
		} else if faultLine.MatchString(line.Raw) && !strings.Contains(line.Raw, "has no server available") {
			h.t.Errorf("%s: %s", h.branch, line.Raw)
		}
	}
	wantHealthy(h.t, h.g)
}

var (
	// What HAProxy, its Lua code and sanitizers say when something is wrong.
	faultLine   = regexp.MustCompile(`\[ALERT\]|runtime error|[Pp]anic|Sanitizer|level=error`)
	listEntry   = regexp.MustCompile(`^([0-9a-f]{4}:){4,6}[0-9a-f:.]+/[0-9]+$|^([0-9a-f]{4}:){5}[0-9a-f]{4}\|[0-9a-f:.]+$`)
	listName    = regexp.MustCompile(`^([0-9a-f]{4}:){5}[0-9a-f]{4}$`)
	recordStart = regexp.MustCompile(`^[A-Za-z0-9]*$`)
	shareStart  = regexp.MustCompile(`^[0-9]{1,3}$`)
)

// policies is how the tenants' policies, and their class's, are called.
func (h *hostileOptions) policies() string {
	return h.ns + `/hostile[0-9](/tenant)?|\*/` + h.other
}

// isOwn: an entry that options of the tenants may make, or the round.
func (h *hostileOptions) isOwn(name, key, value string) bool {
	switch name {
	case "hosts.map", "prefix.map", "redirect.map":
		return strings.HasPrefix(key, "round") || strings.HasPrefix(key, "hostile")
	case "networks.map", "addresses.map":
		return listEntry.MatchString(key) && listName.MatchString(value)
	}
	if !regexp.MustCompile(`^(` + h.policies() + `)$`).MatchString(key) {
		return false
	}
	first, rest, _ := strings.Cut(value, "|")
	second, object, hasObject := strings.Cut(rest, "|")
	// None at all, where a value that pods' trust depends on was refused.
	isTenants := first == h.ns+"_svc_tenant_80" || strings.HasPrefix(first, h.ns+"_svc_tenant_80:") || first == "headgate_unavailable"
	switch name {
	case "policy.map":
		return recordStart.MatchString(first) && json.Valid([]byte(rest))
	case "auth.map":
		return isTenants && second == "" && json.Valid([]byte(object))
	case "canary.map":
		return isTenants && shareStart.MatchString(second) && (!hasObject || json.Valid([]byte(object)))
	}
	return false
}

// askTenants sends the tenants' own routes requests that use all that they may have
// asked for. Any answer will do that is one, without headers that were smuggled in;
// or none, from a pod that is spoken to in what it doesn't speak.
func (h *hostileOptions) askTenants() {
	h.t.Helper()
	var all sync.WaitGroup
	for i := range hostileTenants {
		all.Add(1)
		go func() {
			defer all.Done()
			long := strings.Repeat("a/", 2500)
			for _, text := range [][2]string{{"a/b?c=d", "a.test"}, {long, "a.test"}, {"a/b", long}} {
				h.askTenant(i, "/"+text[0], "https://"+text[1])
			}
		}()
	}
	all.Wait()
}

func (h *hostileOptions) askTenant(i int, target, origin string) {
	request, _ := http.NewRequest(http.MethodGet, fmt.Sprintf("http://hostile%d.example%s", i, target), nil)
	request.Header = http.Header{"Origin": {origin}, "X-Client": {"192.0.2.1"}, "Cookie": {"A=1; B=2"}, "X-Headgate-Backend": {h.ns + "_svc_victim_80"}}
	answer, err := harness.Do(h.g.HTTP, request)
	if err != nil && !errors.Is(err, io.EOF) {
		h.t.Errorf("%s: hostile%d: %.300v", h.branch, i, err)
	}
	for _, header := range []http.Header{answer.Header, answer.Echo.Headers} {
		if header.Get("X-Evil") != "" {
			h.t.Errorf("%s: hostile%d: a header that nobody may set: %.300v", h.branch, i, header)
		}
	}
}

// finish takes all values away again: HAProxy has what it had before.
func (h *hostileOptions) finish() {
	h.t.Helper()
	h.setShared(nil, nil)
	for i := range hostileTenants {
		h.update(h.tenant(i))
	}
	h.update(h.ingress("round", harness.Rule("round.example", "/", "victim:80")).(*networkingv1.Ingress))
	harness.Eventually(h.t, h.branch+": what HAProxy has in the end", func() error {
		if have := h.readMaps(); !maps.EqualFunc(h.before, have, maps.Equal) {
			return errors.New(differences(haproxyState{maps: h.before}, haproxyState{maps: have}))
		}
		return nil
	})
	h.wantAnswers(routeAnswer{host: "hostile0.example", path: "/", service: "tenant"})
	if n := h.workers.Reloads(); n != 0 {
		h.t.Errorf("%s: %d reloads, want 0", h.branch, n)
	}
	for verdict, want := range map[string]float64{"applied": 3, "ignored": 0, "refused": 0} { // the victim's
		if n := h.g.Metrics(h.t).Sum("headgate_annotations", `verdict="`+verdict+`"`); n != want {
			h.t.Errorf("%s: headgate_annotations: %v %s, want %v", h.branch, n, verdict, want)
		}
	}
	h.traffic.Await(h.t, 10)
	h.traffic.Stop().WantNoFailures(h.t)
	h.check()
}
