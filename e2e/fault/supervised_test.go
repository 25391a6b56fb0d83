package fault

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"headgate.dev/e2e/harness"
)

// killSupervised ends the worker or the master of the HAProxy that the controller
// started, and waits until another worker answers.
func (s *faultSite) killSupervised(what string) {
	s.t.Helper()
	socket := s.g.RuntimeSocket()
	worker := 0
	harness.Eventually(s.t, "a worker", func() error {
		if worker = faultWorker(socket); faultParent(worker) <= 1 {
			return fmt.Errorf("worker %d has no master", worker)
		}
		return nil
	})
	if what == "master" {
		faultKill(s.t, faultParent(worker))
	} else {
		faultKill(s.t, worker)
	}
	harness.Eventually(s.t, "another worker", func() error {
		if pid := faultWorker(socket); pid == 0 || pid == worker {
			return fmt.Errorf("worker %d, was %d", pid, worker)
		}
		return nil
	})
}

// reloaded waits until the controller knows how its last reload went. Until then
// it can't know which of the two states is served, and doesn't count the new one
// as committed.
func (s *faultSite) reloaded() {
	s.t.Helper()
	harness.Eventually(s.t, "the outcome of a reload", func() error {
		begun, ended := 0, 0
		for _, line := range s.g.Log() {
			switch line.Fields["msg"] {
			case "reloading HAProxy":
				begun++
			case "HAProxy was reloaded", "HAProxy was not reloaded: the old worker goes on":
				ended++
			}
		}
		if begun != ended {
			return fmt.Errorf("%d reloads have begun, %d have ended", begun, ended)
		}
		return nil
	})
}

// faultChurnPause keeps the API server, which all tests share, free for others.
const faultChurnPause = 20 * time.Millisecond

// churn changes the endpoints of a route without end, until the function that it
// returns is called.
func (s *faultSite) churn(r *faultRoute) (stop func()) {
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for n := 1; ; n = n%4 + 1 {
			select {
			case <-end:
				return
			case <-time.After(faultChurnPause):
				s.change(r, n)
			}
		}
	}()
	return sync.OnceFunc(func() {
		close(end)
		<-done
	})
}

// A HAProxy that dies is started again, serves what is on disk, and is brought up
// to date with what has changed.
func TestFaultHAProxyKilled(t *testing.T) {
	faultEachBranch(t, func(t *testing.T, branch string) {
		s := startFaultSite(t, branch, 3)
		for _, what := range []string{"worker", "master", "worker", "master"} {
			s.reloaded()
			s.saved(s.routes...)
			s.killSupervised(what)
			s.serves(what + " killed")
			s.change(s.routes[0], 3)
			s.newRoute(1)
			s.arrived(s.routes...)
		}
		s.healthy()
		if n := s.g.Metrics(t).Sum("headgate_haproxy_restarts_total"); n < 4 {
			t.Errorf("%v restarts were counted, want 4", n)
		}
	})
}

// A HAProxy that dies in the middle of a reload leaves it to be done again.
func TestFaultHAProxyKilledInReload(t *testing.T) {
	s := startFaultSite(t, "2.6", 2)
	next := len(s.g.Log())
	for range 3 {
		s.reloaded()
		s.newRoute(2)
		_, next = s.g.WaitLog(t, next, "msg=reloading HAProxy")
		faultKill(t, faultParent(faultWorker(s.g.RuntimeSocket())))
		s.arrived(s.routes...)
	}
	s.reloaded()
	s.saved(s.routes...)
	s.healthy()
}

// The same while endpoints change all the time. The other routes are those on disk.
func TestFaultHAProxyKilledUnderChurn(t *testing.T) {
	faultEachBranch(t, func(t *testing.T, branch string) {
		s := startFaultSite(t, branch, 3)
		s.saved(s.routes...)
		busy := s.routes[0]
		s.routes = s.routes[1:]
		s.reloaded()
		stop := s.churn(busy)
		t.Cleanup(stop)
		for _, what := range []string{"worker", "master", "worker", "master"} {
			s.killSupervised(what)
			s.serves(what + " killed")
			s.change(s.routes[0], 2)
			s.arrived(s.routes...)
			s.saved(s.routes...)
		}
		stop()
		s.arrived(busy)
		s.arrived(s.newRoute(2))
		s.saved(s.routes...)
		s.healthy()
	})
}

// A crash of the controller is not seen by requests, whatever it is doing.
func TestFaultControllerKilledUnderTraffic(t *testing.T) {
	faultEachBranch(t, func(t *testing.T, branch string) {
		s := startFaultSite(t, branch, 4)
		flags := s.supervisedFlags()
		workers := harness.WatchWorkers(t, s.g.Dir+"/")
		traffic := s.traffic()
		stop := s.churn(s.routes[0])
		t.Cleanup(stop)
		for range 4 {
			traffic.Await(t, 100)
			s.g.Kill()
			traffic.Await(t, 100)
			s.g.Start(t, flags...)
			s.g.WaitReady(t)
		}
		stop()
		s.arrived(s.routes...)
		traffic.Stop().WantNoFailures(t)
		if n := workers.Reloads(); n != 0 {
			t.Errorf("%d reloads, want none: endpoints are not a reason", n)
		}
		s.healthy()
	})
}

// A second controller must not write to the first one's HAProxy and folders.
func TestFaultSecondControllerIsRefused(t *testing.T) {
	faultEachBranch(t, func(t *testing.T, branch string) {
		s := startFaultSite(t, branch, 2)
		flags := append(s.supervisedFlags(), "--state-dir="+s.g.StateDir, "--run-dir="+s.g.RunDir,
			"--http-bind="+s.g.HTTP, "--https-bind="+s.g.HTTPS, "--stats-bind="+s.g.Stats)
		workers := harness.WatchWorkers(t, s.g.Dir+"/")
		readbacks := s.g.Metrics(t).Sum("headgate_readbacks_total")
		traffic := s.traffic()
		second := harness.NewHeadgate(t)
		second.Start(t, flags...)
		harness.Eventually(t, "the second controller's end", func() error {
			if second.Running() {
				return fmt.Errorf("it runs")
			}
			return nil
		})
		if status := second.Stop(t); status != 3 {
			t.Errorf("exit status %d, want 3", status)
		}
		second.WaitLog(t, 0, "level=error")
		s.change(s.routes[0], 3)
		s.arrived(s.routes...)
		traffic.Stop().WantNoFailures(t)
		if n := s.g.Metrics(t).Sum("headgate_readbacks_total"); n != readbacks {
			t.Errorf("the first one read back %v times, %v before", n, readbacks)
		}
		if n := workers.Reloads(); n != 0 {
			t.Errorf("%d reloads, want none", n)
		}
		s.healthy()
	})
}

// Controller and HAProxy begin anew while the API server is away: what is on disk is
// served until there is more to know.
func TestFaultColdStartWithoutAPI(t *testing.T) {
	faultEachBranch(t, func(t *testing.T, branch string) {
		s := newFaultSite(t, branch, 3)
		link := newFaultLink(t, s.c, "127.0.0.1")
		flags := s.flags("--haproxy="+harness.HAProxyPath(t, branch),
			"--kubeconfig="+link.kubeconfig(t, s.c.Kubeconfig(t)))
		s.g.Start(t, flags...)
		s.g.WaitReady(t)
		s.arrived(s.routes...)
		s.saved(s.routes...)

		link.cut()
		master := faultParent(faultWorker(s.g.RuntimeSocket()))
		s.g.Kill()
		faultKill(t, append(faultChildren(master), master)...)
		s.g.Start(t, flags...)
		harness.Eventually(t, "a worker", func() error {
			if faultWorker(s.g.RuntimeSocket()) == 0 {
				return fmt.Errorf("none answers")
			}
			return nil
		})
		s.serves("API server away since the start")
		harness.WantStatus(t, s.g.Admin, s.g.Admin, "/readyz", 503)

		removed := s.routes[2]
		s.removeRoute(removed)
		s.change(s.routes[0], 3)
		s.newRoute(1)
		link.restore(t)
		s.g.WaitReady(t)
		s.arrived(s.routes...)
		harness.WantStatus(t, s.g.HTTP, removed.host, "/", 404)
		s.healthy()
	})
}
