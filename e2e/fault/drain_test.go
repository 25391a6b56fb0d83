package fault

import (
	"fmt"
	"net/http"
	"testing"

	"headgate.dev/e2e/harness"
)

// faultDrain is how long a request takes whose pod is removed meanwhile.
const faultDrain = "4000"

// A server that still serves can't be deleted: the controller comes back to it now
// and then, and doesn't turn in a circle. Its own restart doesn't end the request.
func TestFaultDrainingServerIsWaitedFor(t *testing.T) {
	faultEachBranch(t, func(t *testing.T, branch string) {
		s := startFaultSite(t, branch, 2)
		flags := s.supervisedFlags()
		r := s.routes[0]
		s.change(r, 1)
		s.arrived(r)
		last := r.ips[0]
		for _, isKilled := range []bool{false, true} {
			answered := make(chan error, 1)
			before := s.pods.Requests(last)
			go func() {
				answer, err := harness.Get(s.g.HTTP, r.host, "/?sleep="+faultDrain)
				if err == nil && (answer.Status != http.StatusOK || answer.Echo.Pod != last) {
					err = fmt.Errorf("status %d from %q", answer.Status, answer.Echo.Pod)
				}
				answered <- err
			}()
			harness.Eventually(t, "the long request", func() error {
				if s.pods.Requests(last) == before {
					return fmt.Errorf("the pod has not got it")
				}
				return nil
			})
			s.change(r, 1)
			s.arrived(r)
			if isKilled {
				s.g.Kill()
				s.g.Start(t, flags...)
				s.g.WaitReady(t)
			}
			if err := <-answered; err != nil {
				t.Errorf("killed %v: the request that was under way: %v", isKilled, err)
			}
			harness.Eventually(t, "deleting the server", func() error {
				return harness.HasServers(s.g.RuntimeSocket(), s.ns+"_svc_"+r.name+"_", 1)
			})
			// Waits grow from 20 ms to a second: ten or so passes for each.
			if n := s.g.Metrics(t).Sum("headgate_reconcile_total", `result="busy"`); n > 40 {
				t.Errorf("killed %v: %v passes for a server that drains, want a few", isKilled, n)
			}
			last = r.ips[0]
		}
		s.healthy()
	})
}
