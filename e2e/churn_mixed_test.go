package e2e

import (
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"headgate.dev/e2e/harness"
)

// The pace of the mixed churn. HEADGATE_E2E_CHURN=30m lets it go on for longer, and
// from mixedDrift on it is looked at whether memory grows: before, what allocators
// keep is more than what could be lost.
const (
	mixedTime  = 30 * time.Second
	mixedDrift = 5 * time.Minute
	// The controller may have this many files more. A watch on which nothing was heard
	// for 90 seconds, or that the API server ended, comes up anew on another connection,
	// and the one before stays for the other watches: a socket and libcurl's pair of
	// sockets to wake it, at most once for each of the kinds.
	mixedFiles  = 3 * 5
	mixedRate   = 500 // requests a second
	mixedSecure = 10  // hosts with a certificate
)

// What the allocators of both may keep, in kB. After half an hour, 81,000 changes,
// the latter is 50 bytes for each.
var mixedKept = [2]int{1024, 4096}

// mixedChurn is a churn with every kind of change in it.
type mixedChurn struct {
	*churn
	kinds [9]*mixedChurn // what each kind works on
	done  [9]int         // how many changes of each there were
}

// TestMixedChurn changes fifty things a second, of all kinds that a tenant can
// change, under traffic. No request fails or reaches a wrong pod, nothing is
// reloaded, and neither process has more files open or more memory than when it
// had the same objects before.
func TestMixedChurn(t *testing.T) {
	lasts := mixedTime
	if text := os.Getenv("HEADGATE_E2E_CHURN"); text != "" {
		var err error
		if lasts, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	c := &mixedChurn{churn: newChurn(t, "3.4")}
	c.secure()
	c.rest()
	quiet := c.files()
	traffic := harness.StartProber(t, harness.Traffic{
		Addr: c.g.HTTP, Rate: mixedRate,
		Next: func(_, seq int) harness.Route {
			route := c.routes[seq*7%churnRoutes]
			return harness.Route{Host: route.name + ".example", Path: "/", Allowed: route.allowed.Allowed()}
		},
	})
	traffic.Await(t, churnRoutes)
	workers := c.workers.Distinct()
	started := time.Now()
	c.change(lasts / 10)
	c.rest()
	before, files := c.memory(), c.files()
	c.change(lasts - lasts/10)
	c.rest()
	after := c.memory()
	took := time.Since(started)
	summary := traffic.Stop()
	summary.WantNoFailures(t)
	if n := c.workers.Distinct() - workers; n != 0 {
		t.Errorf("%d reloads, want 0", n)
	}
	total := 0
	for i, n := range c.done {
		total += n
		t.Logf("%s: %d changes", mixedKinds[i].name, n)
		if n == 0 {
			t.Errorf("no change of %s", mixedKinds[i].name)
		}
	}
	t.Logf("%d changes, %.1f a second; %v; memory of the controller %d, then %d kB, of HAProxy %d, then %d kB",
		total, float64(total)/took.Seconds(), summary, before[0], after[0], before[1], after[1])
	for i, name := range []string{"the controller", "HAProxy"} {
		if lasts < mixedDrift || i == 0 && statusIsSanitized(t, c.g.PID()) {
			continue // sanitizers keep what was freed, in order to notice its use
		}
		// A leak grows with the changes, a tenth of which come before. An allocator keeps what was needed at
		// worst, when much waited at once, and gives it back bit by bit.
		harness.Eventually(t, "as much memory as before for "+name, func() error {
			if now := c.memory(); now[i] > before[i]+before[i]/10+mixedKept[i] {
				return fmt.Errorf("it grew from %d to %d kB", before[i], now[i])
			}
			return nil
		})
	}
	harness.Eventually(t, "as many open files as before", func() error {
		// Connections to the API server come up in the first part, those of HAProxy are gone when the traffic is.
		if now := c.files(); now[0] > files[0]+mixedFiles || now[1] > quiet[1] {
			return fmt.Errorf("the controller has %d, HAProxy %d; before %d and %d", now[0], now[1], files[0], quiet[1])
		}
		return nil
	})
	c.workers.Stop()
	// HAProxy carries out what it was told before it is read back: a loss is an error of one pass, and nothing is refused after it.
	losses := c.losses()
	t.Logf("HAProxy didn't answer in time %d times", losses)
	wantHealthyBut(t, c.g, losses)
}

// losses is how often the controller gave the socket up: on a machine with too much
// to do HAProxy may have no turn for so long.
func (c *mixedChurn) losses() int {
	n := 0
	for _, line := range c.g.Log() {
		if line.Fields["msg"] == "lost HAProxy's runtime socket" {
			n++
		}
	}
	return n
}

// secure makes the hosts with certificates, and those that the other changes are of.
func (c *mixedChurn) secure() {
	c.t.Helper()
	for i := range mixedSecure {
		c.rotate(i)
	}
	for _, name := range []string{"scaled", "classed", "flagged", "hosted"} {
		c.serve(name, 1)
		c.c.Apply(c.t, c.ingress(name, harness.Rule(name+".example", "/", name+":80")))
	}
	for _, name := range []string{"scaled", "classed", "flagged", "hosted"} {
		c.wantAnswers(routeAnswer{host: name + ".example", path: "/", service: name})
	}
}

// mixedKinds are the kinds of changes, and how many a second there are to be of each, fifty in all. Each kind
// goes its own way, so that one that waits for its effect holds up no other.
var mixedKinds = []struct {
	name   string
	share  int
	change func(c *mixedChurn, n int)
}{
	{"endpoints of even routes", 15, func(c *mixedChurn, n int) { c.changeEndpoints(2 * n) }},
	{"endpoints of odd routes", 15, func(c *mixedChurn, n int) { c.changeEndpoints(2*n + 1) }},
	{"services", 3, func(c *mixedChurn, n int) { c.changeService(n) }},
	{"paths", 3, func(c *mixedChurn, n int) { c.changePath(n) }},
	{"certificates", 2, func(c *mixedChurn, n int) { c.rotate(n % mixedSecure) }},
	{"scale", 3, func(c *mixedChurn, n int) { c.scale(n) }},
	{"class", 3, func(c *mixedChurn, n int) { c.changeClass(n) }},
	{"annotations", 3, func(c *mixedChurn, n int) { c.changeAnnotation(n) }},
	{"hosts", 3, func(c *mixedChurn, n int) { c.changeHost(n) }},
}

// change makes changes of all kinds side by side for some time. They aren't parallel
// in the sense of package testing, which runs as many of those as there are
// processors, and the others when these are through.
func (c *mixedChurn) change(lasts time.Duration) {
	c.t.Helper()
	end := time.Now().Add(lasts)
	c.t.Run("changes", func(t *testing.T) {
		var all sync.WaitGroup
		for i, kind := range mixedKinds {
			all.Add(1)
			go func() {
				defer all.Done()
				t.Run(kind.name, func(t *testing.T) {
					own := c.forKind(t, i)
					tick := time.NewTicker(time.Second / time.Duration(kind.share))
					defer tick.Stop()
					for time.Now().Before(end) {
						<-tick.C
						kind.change(own, c.done[i])
						c.done[i]++
					}
				})
			}()
		}
		all.Wait()
	})
}

// forKind is what one kind of changes works on, kept for the next part.
func (c *mixedChurn) forKind(t *testing.T, i int) *mixedChurn {
	if c.kinds[i] == nil {
		scene := *c.routeScene
		scene.ips = maps.Clone(c.ips)
		c.kinds[i] = &mixedChurn{churn: &churn{routeScene: &scene, routes: c.routes}}
	}
	c.kinds[i].t = t
	return c.kinds[i]
}

// rest brings everything into the state that it always has between two parts.
func (c *mixedChurn) rest() {
	c.t.Helper()
	for _, route := range c.routes {
		c.settle(route)
		route.ips = c.pods.IPs(2)
		route.allowed.Add(route.ips...)
		c.c.Apply(c.t, harness.EndpointSlice(c.ns, route.name, "8080", route.ips...))
	}
	for _, route := range c.routes {
		c.settle(route)
	}
	for _, kind := range c.kinds {
		if kind == nil {
			continue
		}
		for kind.t = c.t; len(kind.extras) > 0; {
			kind.removeService()
		}
	}
	for _, change := range []func(int){c.scale, c.changeClass, c.changeAnnotation, c.changeHost} {
		change(0)
		change(1)
	}
}

// rotate gives a host a new certificate, and waits for the last one before.
func (c *mixedChurn) rotate(i int) {
	c.t.Helper()
	host := fmt.Sprintf("secure%d.example", i)
	pair, err := c.c.CA.Issue(host)
	if err != nil {
		c.t.Fatal(err)
	}
	name := fmt.Sprintf("secure%d", i)
	c.c.Apply(c.t, harness.TLSSecret(c.ns, name, pair),
		c.ingress(name, harness.Rule(host, "/", c.routes[i].name+":80"), harness.TLS(name, host),
			harness.Annotation("headgate.dev/ssl-redirect", "false")))
	leaf, err := pair.Leaf()
	if err != nil {
		c.t.Fatal(err)
	}
	harness.Eventually(c.t, "the new certificate of "+host, func() error {
		conn, err := tls.Dial("tcp", c.g.HTTPS, &tls.Config{ServerName: host, InsecureSkipVerify: true})
		if err != nil {
			return err
		}
		defer conn.Close()
		if !conn.ConnectionState().PeerCertificates[0].Equal(leaf) {
			return errors.New("another certificate is shown")
		}
		return nil
	})
}

// scale takes the only pod of a Service away, and gives it another.
func (c *mixedChurn) scale(n int) {
	c.t.Helper()
	if n%2 == 0 {
		c.c.Apply(c.t, harness.EndpointSlice(c.ns, "scaled", "8080"))
		c.wantAnswers(routeAnswer{host: "scaled.example", path: "/", status: http.StatusServiceUnavailable})
		return
	}
	c.serve("scaled", 1)
	c.wantAnswers(routeAnswer{host: "scaled.example", path: "/", service: "scaled"})
}

// changeClass gives an Ingress away to another class, and takes it back.
func (c *mixedChurn) changeClass(n int) {
	c.t.Helper()
	rule := harness.Rule("classed.example", "/", "classed:80")
	if n%2 == 0 {
		c.c.Apply(c.t, c.ingress("classed", rule, harness.Class("another")))
		c.wantAnswers(routeAnswer{host: "classed.example", path: "/", status: http.StatusNotFound})
		return
	}
	c.c.Apply(c.t, c.ingress("classed", rule))
	c.wantAnswers(routeAnswer{host: "classed.example", path: "/", service: "classed"})
}

// changeAnnotation sends plain HTTP to HTTPS, and stops that.
func (c *mixedChurn) changeAnnotation(n int) {
	c.t.Helper()
	options := []harness.IngressOption{
		harness.Rule("flagged.example", "/", "flagged:80"), harness.TLS("secure0", "flagged.example"),
	}
	if n%2 == 0 {
		c.c.Apply(c.t, c.ingress("flagged", append(options, harness.Annotation("haproxy.org/ssl-redirect", "true"))...))
		c.wantAnswers(routeAnswer{host: "flagged.example", path: "/", status: http.StatusPermanentRedirect})
		return
	}
	c.c.Apply(c.t, c.ingress("flagged", append(options, harness.Annotation("haproxy.org/ssl-redirect", "false"))...))
	c.wantAnswers(routeAnswer{host: "flagged.example", path: "/", service: "flagged"})
}

// changeHost gives an Ingress another host, and the first one back.
func (c *mixedChurn) changeHost(n int) {
	c.t.Helper()
	host, gone := "hosted.example", "moved.example"
	if n%2 == 0 {
		host, gone = gone, host
	}
	c.c.Apply(c.t, c.ingress("hosted", harness.Rule(host, "/", "hosted:80")))
	c.wantAnswers(routeAnswer{host: host, path: "/", service: "hosted"},
		routeAnswer{host: gone, path: "/", status: http.StatusNotFound})
}

// processes is the controller and HAProxy's worker.
func (c *mixedChurn) processes() [2]int {
	pids := c.workers.PIDs()
	return [2]int{c.g.PID(), pids[len(pids)-1]}
}

// files counts the open ones of both: the fewest of many looks, as an audit and a
// save have some of their own while they last.
func (c *mixedChurn) files() [2]int {
	c.t.Helper()
	var fewest [2]int
	for look := range 100 {
		for i, pid := range c.processes() {
			entries, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(pid), "fd"))
			if err != nil {
				c.t.Fatal(err)
			}
			if look == 0 || len(entries) < fewest[i] {
				fewest[i] = len(entries)
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fewest
}

// memory is what both have that no file has, in kB. What is private to a process
// would depend on others: files that they use as well, and a copy of the controller
// that saves the state, whose pages are shared until it ends.
func (c *mixedChurn) memory() [2]int {
	c.t.Helper()
	var sizes [2]int
	for i, pid := range c.processes() {
		rollup, err := harness.ProcFields(pid, "smaps_rollup")
		if err != nil {
			c.t.Fatal(err)
		}
		sizes[i] = rollup["Anonymous"]
	}
	return sizes
}
