package fault

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"headgate.dev/e2e/harness"
)

// versionPod is a pod whose HAProxy another version of Headgate has started: with its
// files, its settings and the state that it saved.
type versionPod struct {
	*faultPod
	config  string // HAProxy's folder
	workers *harness.Workers
	traffic *harness.Prober
}

// versionOther is what another version has in place of this one's digests.
const versionOther = "0000000000000000"

var versionSettings = regexp.MustCompile(`(HEADGATE_SETTINGS) '[0-9a-f]{16}`)

// versionMap is a line that names the map.
var versionMap = regexp.MustCompile(`(?m)^.*/tcp\.map\).*$`)

// newVersionPod starts HAProxy with files that have another digest and perhaps lack
// a frontend with its map, while no controller runs; one of the routes changes
// meanwhile.
func newVersionPod(t *testing.T, branch string, lacksMap bool) *versionPod {
	t.Helper()
	p := &versionPod{faultPod: startFaultPod(t, branch, 2), config: filepath.Join(t.TempDir(), "haproxy-cfg")}
	p.saved(p.routes...)
	p.g.Stop(t)
	p.haproxy.Stop()

	harness.InstallConfig(t, p.config, versionOther)
	if lacksMap {
		harness.EditFile(t, filepath.Join(p.config, "40-fixed-backends.cfg"), versionMap, "")
		if err := os.Remove(filepath.Join(p.config, "35-tcp.cfg")); err != nil {
			t.Fatal(err)
		}
	}
	settings := filepath.Join(p.g.StateDir, "settings.cfg")
	harness.EditFile(t, settings, versionSettings, "$1 '"+versionOther)
	p.haproxy = harness.StartHAProxyArgs(t, p.g.RunDir, harness.HAProxyPath(t, branch),
		"-f", settings, "-f", p.config, "-f", filepath.Join(p.g.StateDir, "current", "backends"))
	p.serves("started by another version")
	p.traffic = p.faultPod.traffic()
	p.change(p.routes[0], 3)
	p.workers = harness.WatchWorkers(t, p.g.Dir+"/")
	return p
}

// install makes HAProxy's folder what this version brings.
func (p *versionPod) install() {
	p.t.Helper()
	harness.InstallConfig(p.t, p.config, "")
}

// start starts the controller, and does not wait.
func (p *versionPod) start() {
	p.t.Helper()
	p.g.Start(p.t, p.attachedFlags("--audit-interval=1s")...)
}

// status is what `headgate status` says.
func (p *versionPod) status() string {
	out, _ := exec.Command(faultBinary(p.t), "status", "--admin-bind="+p.g.Admin,
		"--runtime-socket="+p.haproxy.Runtime).CombinedOutput()
	return string(out)
}

// wantReloads demands so many reloads, all for the configuration.
func (p *versionPod) wantReloads(n int) {
	p.t.Helper()
	metrics := p.g.Metrics(p.t)
	all, ours := metrics.Sum("headgate_reloads_total"), metrics.Sum("headgate_reloads_total", `reason="configuration"`)
	if workers := p.workers.Reloads(); workers != n || int(all) != n || int(ours) != n {
		p.t.Errorf("%s: %d new workers, %v reloads, %v for the configuration: want %d", p.branch, workers, all, ours, n)
	}
}

// works changes the routes and demands that HAProxy follows without another word.
func (p *versionPod) works() {
	p.t.Helper()
	p.arrived(p.routes...)
	p.change(p.routes[1], 3)
	p.arrived(p.routes...)
	p.saved(p.routes...)
	audits := p.g.Metrics(p.t).Sum("headgate_audits_total")
	harness.Eventually(p.t, "an audit", func() error {
		if p.g.Metrics(p.t).Sum("headgate_audits_total") < audits+2 {
			return fmt.Errorf("no audit has ended")
		}
		return nil
	})
	if n := p.g.Metrics(p.t).Sum("headgate_audit_drift_total"); n != 0 {
		p.t.Errorf("%s: an audit found %v things that differ", p.branch, n)
	}
}

// The files are this version's when the controller comes, as after an upgrade of a
// package: one reload reads them, and brings what has changed meanwhile.
func TestFaultOtherVersion(t *testing.T) {
	faultBranchByBranch(t, func(t *testing.T, branch string) {
		p := newVersionPod(t, branch, true)
		p.install()
		p.start()
		p.g.WaitReady(t)
		p.works()
		p.traffic.Stop().WantNoFailures(t)
		p.wantReloads(1)
		if settings := faultReadAll(filepath.Join(p.g.StateDir, "settings.cfg")); strings.Contains(settings, versionOther) {
			t.Error("the settings are the other version's")
		}
		p.healthy()
	})
}

// The files stay the other version's, and that shows in nothing: one reload, one line,
// and everything works. A reload that is asked for by SIGHUP finds them mended.
func TestFaultOtherVersionStays(t *testing.T) {
	faultBranchByBranch(t, func(t *testing.T, branch string) {
		const said = "no reload brings this one's"
		p := newVersionPod(t, branch, false)
		p.start()
		p.g.WaitReady(t)
		p.works()
		p.wantReloads(1)
		if text := p.status(); !strings.Contains(text, "with the configuration of another version") {
			t.Errorf("status does not say it:\n%s", text)
		}
		n := 0
		for _, line := range p.g.Log() {
			if strings.Contains(line.Raw, said) {
				n++
			}
		}
		if n != 1 {
			t.Errorf("the log says it %d times", n)
		}

		p.install()
		p.g.Signal(syscall.SIGHUP)
		harness.Eventually(t, "the second reload", func() error {
			if text := p.status(); p.workers.Reloads() < 2 || strings.Contains(text, "another version") {
				return fmt.Errorf("%s", text)
			}
			return nil
		})
		p.works()
		p.wantReloads(2)
		p.traffic.Stop().WantNoFailures(t)
		p.healthy()
	})
}

// HAProxy refuses the files: it is not asked for ever, and everything works with the
// worker that there is. SIGHUP has them tried again.
func TestFaultOtherVersionRefused(t *testing.T) {
	faultBranchByBranch(t, func(t *testing.T, branch string) {
		p := newVersionPod(t, branch, false)
		if err := os.WriteFile(filepath.Join(p.config, "99-broken.cfg"), []byte("nonsense\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		counts := func(reloads, refusals float64) error {
			metrics := p.g.Metrics(t)
			is, isRefused := metrics.Sum("headgate_reloads_total"), metrics.Sum("headgate_reload_errors_total")
			if is != reloads || isRefused != refusals {
				return fmt.Errorf("%v reloads and %v refused ones, want %v and %v", is, isRefused, reloads, refusals)
			}
			return nil
		}
		p.start()
		p.g.WaitReady(t)
		p.works()
		if err := counts(0, 4); err != nil {
			t.Error(err)
		}
		p.install()
		p.g.Signal(syscall.SIGHUP)
		harness.Eventually(t, "the reload", func() error { return counts(1, 4) })
		p.works()
		p.traffic.Stop().WantNoFailures(t)
		p.healthy()
	})
}

// The files stay the other version's and lack a map: nothing is done with a HAProxy
// that can't be told everything, but what it has it serves. One that is started with
// this version's files needs no reload.
func TestFaultOtherVersionLacksMap(t *testing.T) {
	faultBranchByBranch(t, func(t *testing.T, branch string) {
		p := newVersionPod(t, branch, true)
		p.start()
		p.g.WaitSaid(t, 0, "start it anew with this one's (--config-dir)")
		readbacks := p.g.Metrics(t).Sum("headgate_readbacks_total")
		harness.Eventually(t, "reading back again", func() error {
			if p.g.Metrics(t).Sum("headgate_readbacks_total") < readbacks+2 {
				return fmt.Errorf("once is no loop")
			}
			return nil
		})
		harness.WantStatus(t, p.g.Admin, p.g.Admin, "/readyz", http.StatusServiceUnavailable)
		p.traffic.Stop().WantNoFailures(t)
		p.wantReloads(1)

		p.haproxy.Stop()
		p.startHAProxy()
		p.g.WaitReady(t)
		p.works()
		p.healthy()
	})
}
