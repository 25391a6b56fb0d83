package fault

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"headgate.dev/e2e/harness"
)

// faultPod is two containers of one pod: the controller, and a HAProxy that the
// test starts (and starts again when it ends) as a container runtime does.
type faultPod struct {
	*faultSite
	haproxy *harness.HAProxy
}

// newFaultPod makes the state directory and starts HAProxy, in this order, as
// the init container and the container of HAProxy do.
func newFaultPod(t *testing.T, branch string, n int) *faultPod {
	t.Helper()
	p := &faultPod{faultSite: newFaultSite(t, branch, n)}
	faultRun(t, faultBinary(t), "init", "--state-dir="+p.g.StateDir)
	t.Setenv("HEADGATE_STATE_DIR", p.g.StateDir)
	t.Setenv("HEADGATE_RUN_DIR", p.g.RunDir)
	t.Setenv("HEADGATE_HTTP_BIND", p.g.HTTP)
	t.Setenv("HEADGATE_HTTPS_BIND", p.g.HTTPS)
	t.Setenv("HEADGATE_STATS_BIND", p.g.Stats)
	p.startHAProxy()
	return p
}

// startFaultPod starts the controller as well.
func startFaultPod(t *testing.T, branch string, n int) *faultPod {
	t.Helper()
	p := newFaultPod(t, branch, n)
	p.g.Start(t, p.attachedFlags()...)
	p.g.WaitReady(t)
	p.arrived(p.routes...)
	return p
}

// attachedFlags are for a controller that finds HAProxy at its sockets.
func (p *faultPod) attachedFlags(more ...string) []string {
	return p.flags(append([]string{
		"--kubeconfig=" + p.c.Kubeconfig(p.t), "--master-socket=" + p.haproxy.Master,
	}, more...)...)
}

func (p *faultPod) startHAProxy() {
	p.t.Helper()
	p.haproxy = harness.StartHAProxyArgs(p.t, p.g.RunDir, harness.HAProxyPath(p.t, p.branch),
		"-f", filepath.Join(harness.Root(p.t), "haproxy-cfg"), "-f", filepath.Join(p.g.StateDir, "current", "backends"))
}

// killHAProxy ends the container: when its first process ends, the kernel ends
// the others. When the worker is killed, the master ends by itself.
func (p *faultPod) killHAProxy(what string) {
	p.t.Helper()
	master := p.haproxy.PID()
	workers := faultChildren(master)
	switch what {
	case "worker":
		faultKill(p.t, workers...)
		faultGone(p.t, master)
	case "master":
		faultKill(p.t, append(workers, master)...)
	}
}

// Routes, endpoint changes and new Services, with HAProxy in another container.
func TestFaultTwoContainers(t *testing.T) {
	faultBranchByBranch(t, func(t *testing.T, branch string) {
		p := startFaultPod(t, branch, 2)
		workers := harness.WatchWorkers(t, p.g.Dir+"/")
		traffic := p.traffic()
		for range 3 {
			p.change(p.routes[0], 3)
			p.arrived(p.routes[0])
		}
		if n := workers.Reloads(); n != 0 {
			t.Errorf("endpoint changes made %d reloads", n)
		}
		added := p.newRoute(2)
		p.arrived(added)
		if n := workers.Reloads(); (branch == "2.6") != (n == 1) || n > 1 {
			t.Errorf("a new Service made %d reloads", n)
		}
		traffic.Await(t, 100)
		p.removeRoute(added)
		harness.WantStatus(t, p.g.HTTP, added.host, "/", 404)
		p.change(p.routes[1], 1)
		p.arrived(p.routes...)
		traffic.Stop().WantNoFailures(t)
		p.healthy()
	})
}

// A controller that comes back to a HAProxy that has everything only looks.
func TestFaultControllerKilledWritesNothing(t *testing.T) {
	faultBranchByBranch(t, func(t *testing.T, branch string) {
		p := newFaultPod(t, branch, 5)
		proxy := harness.StartCLIProxy(t, p.haproxy.Runtime)
		flags := p.attachedFlags("--runtime-socket=" + proxy.Socket)
		p.g.Start(t, flags...)
		p.g.WaitReady(t)
		p.arrived(p.routes...)
		workers := harness.WatchWorkers(t, p.g.Dir+"/")
		traffic := p.traffic()
		for round := range 3 {
			p.change(p.routes[0], 2+round)
			p.arrived(p.routes[0])
			p.settled()
			p.g.Kill()
			traffic.Await(t, 100)
			proxy.Reset()
			p.g.Start(t, flags...)
			p.g.WaitReady(t)
			traffic.Await(t, 100)
			commands := proxy.Commands()
			if writes := proxy.Writes(); len(writes) != 0 || len(commands) == 0 {
				t.Errorf("round %d: %d commands, want some, and of these %d write, want none: %v",
					round, len(commands), len(writes), writes)
			}
			// All that is written from here on is for one more change: nothing was
			// put off until somebody looks elsewhere.
			p.change(p.routes[1], 2)
			p.arrived(p.routes[1])
			if len(proxy.Writes()) == 0 {
				t.Errorf("round %d: a change has come past the proxy", round)
			}
			for _, write := range proxy.Writes() {
				if !strings.Contains(write.Text, "_"+p.routes[1].name+"_") {
					t.Errorf("round %d: written without need: %q", round, write.Text)
				}
			}
		}
		traffic.Stop().WantNoFailures(t)
		if n := workers.Reloads(); n != 0 {
			t.Errorf("%d reloads", n)
		}
		p.healthy()
	})
}

// settled waits until the servers that were taken out are deleted: a controller
// that is killed before that has something left to do.
func (p *faultPod) settled() {
	p.t.Helper()
	want := 0
	for _, r := range p.routes {
		want += len(r.ips)
	}
	harness.Eventually(p.t, "deleting old servers", func() error {
		return harness.HasServers(p.haproxy.Runtime, p.ns+"_svc_", want)
	})
}

// What was saved is served by a new HAProxy while the controller stands still,
// and what changed meanwhile arrives when it goes on.
func TestFaultLastGoodWithoutController(t *testing.T) {
	faultBranchByBranch(t, func(t *testing.T, branch string) {
		p := startFaultPod(t, branch, 4)
		for round, what := range []string{"worker", "master", "worker", "master"} {
			p.change(p.routes[0], 3)
			p.arrived(p.routes[0])
			p.saved(p.routes...)
			isKilled := round >= 2
			if isKilled {
				p.g.Kill()
			} else {
				p.g.Signal(syscall.SIGSTOP)
			}
			p.killHAProxy(what)
			p.startHAProxy()
			p.serves(what + " killed, controller away")
			p.change(p.routes[1], 2)
			late := p.newRoute(1)
			if isKilled {
				p.g.Start(t, p.attachedFlags()...)
				p.g.WaitReady(t)
			} else {
				p.g.Signal(syscall.SIGCONT)
			}
			p.arrived(p.routes...)
			p.saved(late)
		}
		p.healthy()
	})
}

// The controller runs while HAProxy is away: what changes meanwhile arrives.
func TestFaultChangesWhileHAProxyIsDown(t *testing.T) {
	faultBranchByBranch(t, func(t *testing.T, branch string) {
		p := startFaultPod(t, branch, 3)
		p.saved(p.routes...)
		for _, what := range []string{"worker", "master"} {
			p.killHAProxy(what)
			harness.WantStatus(t, p.g.Admin, p.g.Admin, "/readyz", 503)
			p.change(p.routes[0], 2)
			p.newRoute(2)
			removed := p.routes[1]
			p.removeRoute(removed)
			p.startHAProxy()
			p.arrived(p.routes...)
			harness.WantStatus(t, p.g.HTTP, removed.host, "/", 404)
			harness.WantStatus(t, p.g.Admin, p.g.Admin, "/readyz", 200)
			p.saved(p.routes...)
		}
		p.healthy()
	})
}
