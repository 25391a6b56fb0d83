package e2e

import (
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"headgate.dev/e2e/harness"
)

const (
	rollingPods = 10
	rollingRate = 200 // requests a second, by the clock
	// Answered between two steps: the update lasts as long as they take.
	rollingBetween = rollingRate / 2
	adminDrain     = "8" // srv_admin_state
	adminBegan     = 4
)

var rollingLabels = map[string]string{"app": "rolling"}

// TestRollingUpdate replaces ten pods, one after the other, as a Deployment does:
// the real controllers make the EndpointSlices, and the test writes what a kubelet
// would, in its order. A pod that was told to end goes on serving; it leaves the
// network when HAProxy has drained it. In the end all of them are told to end at
// once, and serve on, because nothing else is left. No request fails.
func TestRollingUpdate(t *testing.T) {
	eachRouteBranch(t, func(t *testing.T, branch string) {
		r := newRolling(t, branch)
		traffic := harness.StartProber(t, harness.Traffic{
			Addr: r.g.HTTP, Rate: rollingRate,
			Next: func(int, int) harness.Route {
				return harness.Route{Host: "rolling.example", Path: "/", Allowed: r.allowed.Allowed()}
			},
		})
		before := r.workers.Distinct()
		for _, old := range r.current {
			traffic.Await(t, rollingBetween)
			r.replace(traffic, old)
		}
		for _, ip := range r.current {
			r.c.TerminatePod(t, r.ns, ip)
		}
		traffic.Await(t, 2*rollingBetween)
		r.wantStates("", r.current...)
		summary := traffic.Stop()
		summary.WantNoFailures(t)
		t.Logf("%s: %d pods replaced in %v, %.1f requests a second; %v", branch, rollingPods, summary.Lasted,
			float64(summary.Requests)/summary.Lasted.Seconds(), summary)
		// What the clock has asked for has been sent and answered, and the update was
		// made to last for so many.
		atLeast := max(int(summary.Lasted.Seconds()*rollingRate), (2*rollingPods+2)*rollingBetween)
		if summary.Requests < atLeast {
			t.Errorf("%s: %d requests, want at least %d", branch, summary.Requests, atLeast)
		}
		r.workers.Stop()
		if n := r.workers.Distinct() - before; n != 0 {
			t.Errorf("%s: %d reloads, want 0", branch, n)
		}
		r.healthy()
	})
}

type rolling struct {
	*routeScene
	current []string // the pods that are not told to end
	allowed *harness.PodSet
}

func newRolling(t *testing.T, branch string) *rolling {
	t.Helper()
	r := &rolling{routeScene: newRouteScene(t, branch)}
	r.c.StartControllerManager(t)
	service := harness.Service(r.ns, "web", "80:8080")
	service.Spec.Selector = rollingLabels
	r.c.Apply(t, service, r.ingress("web", harness.Rule("rolling.example", "/", "web:80")))
	r.current = r.pods.IPs(rollingPods)
	r.allowed = harness.NewPodSet(r.current...)
	for _, ip := range r.current {
		r.c.PlacePod(t, r.ns, ip, rollingLabels, true)
	}
	r.start()
	r.wantStates("", r.current...)
	harness.WantPod(t, r.g.HTTP, "rolling.example", "/", r.current...)
	return r
}

// replace is one step of the update: a new pod comes, and when it is ready an old
// one is told to end, drains, stops and is gone.
func (r *rolling) replace(traffic *harness.Prober, old string) {
	r.t.Helper()
	ip := r.pods.IP()
	r.allowed.Add(ip)
	r.c.PlacePod(r.t, r.ns, ip, rollingLabels, false)
	traffic.Await(r.t, rollingBetween)
	r.c.SetPodReady(r.t, r.ns, ip, true)
	r.wantStates("", ip)

	r.c.TerminatePod(r.t, r.ns, old)
	r.wantStates(adminDrain, old)
	harness.Eventually(r.t, "the requests at "+old, func() error { return r.isIdle(old) })
	harness.Unreachable(r.t, old)
	r.allowed.Set(append(r.others(old), ip)...)
	traffic.Await(r.t, rollingBetween)
	r.c.SetPodReady(r.t, r.ns, old, false)
	r.c.RemovePod(r.t, r.ns, old)
	harness.Eventually(r.t, "the server of "+old, func() error {
		states, err := r.states()
		if state, ok := states[harness.PodName(old)]; err == nil && ok {
			err = fmt.Errorf("still there, state %s", state)
		}
		return err
	})
	r.current = append(r.others(old), ip)
}

func (r *rolling) others(old string) []string {
	var ips []string
	for _, ip := range r.current {
		if ip != old {
			ips = append(ips, ip)
		}
	}
	return ips
}

// wantStates waits until HAProxy says this of the servers of these pods; "" is
// neither drained nor in maintenance.
func (r *rolling) wantStates(admin string, ips ...string) {
	r.t.Helper()
	if admin == "" {
		admin = "0"
	}
	harness.Eventually(r.t, "administrative state "+admin, func() error {
		states, err := r.states()
		for _, ip := range ips {
			if have := states[harness.PodName(ip)]; err == nil && have != admin {
				err = fmt.Errorf("%s has %q", ip, have)
			}
		}
		return err
	})
}

// states is srv_admin_state of `show servers state`, by the name of the server.
func (r *rolling) states() (map[string]string, error) {
	const column = 6
	reply, err := harness.Runtime(r.g.RuntimeSocket(), "show servers state "+r.ns+"_svc_web_80")
	states := map[string]string{}
	for _, line := range strings.Split(reply, "\n") {
		if fields := strings.Fields(line); len(fields) > column && fields[0] != "#" {
			if bits, err := strconv.Atoi(fields[column]); err == nil {
				// The bit says how the server began.
				states[fields[3]] = strconv.Itoa(bits &^ adminBegan)
			}
		}
	}
	return states, err
}

// isIdle is nil when the pod has no request to answer.
func (r *rolling) isIdle(ip string) error {
	reply, err := harness.Runtime(r.g.RuntimeSocket(), "show stat "+r.ns+"_svc_web_80 4 -1")
	if err != nil {
		return err
	}
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(reply, "# "))).ReadAll()
	if err != nil {
		return err
	}
	for _, row := range rows {
		if row[1] == harness.PodName(ip) && row[4] != "0" {
			return fmt.Errorf("%s sessions", row[4])
		}
	}
	return nil
}
