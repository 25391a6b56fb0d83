package crash

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"headgate.dev/e2e/harness"
)

// site is a controller and a HAProxy, each started again by the test when it has
// ended, as two containers of one pod are; and a second pair that is new each time.
type site struct {
	t       *testing.T
	branch  string // of HAProxy
	random  *rand.Rand
	world   *world
	relay   *relay
	g       *harness.Headgate
	haproxy *harness.HAProxy
	program string // that starts HAProxy
	dir     string // of the manifests
	fresh   *harness.Headgate
	mirror  string // of the same manifests, for the new pair
	state   string // the state directory as this process can reach it
	renewed string // that of the new controller

	worker   int // that a strike is to kill
	pages    int // that a strike leaves on the disk
	requests int // of all traffic

	forbidden chan struct{} // closed when the state directory is read-only
}

// wrapper starts a program where the state directory is a small file system that
// nobody else has, and without root's right to write where the mode forbids it.
const wrapper = `#!/bin/sh
exec nsenter --mount=%q setpriv --bounding-set=-dac_override,-dac_read_search --inh-caps=-all %q "$@"
`

// keeper makes that file system, and one for the new controller, and keeps them
// while it runs.
const keeper = `mount -t tmpfs -o size=6m none "$1" && mount -t tmpfs none "$2" && echo made && exec sleep infinity`

func newSite(t *testing.T, branch string, seed uint64) *site {
	t.Helper()
	s := &site{t: t, branch: branch, random: rand.New(rand.NewPCG(seed, 0)), dir: t.TempDir(), mirror: t.TempDir()}
	s.world = newWorld(t, s.random, branch != "2.6")
	s.g, s.fresh = harness.NewHeadgate(t), harness.NewHeadgate(t)
	s.isolate(harness.HeadgateBinary(t), harness.HAProxyPath(t, branch))
	base := s.world.base()
	for _, dir := range []string{s.dir, s.mirror} {
		harness.WriteManifestFile(t, filepath.Join(dir, "base.yaml"), base...)
	}
	if out, err := exec.Command(harness.HeadgateBinary(t), "init", "--state-dir="+s.g.StateDir).CombinedOutput(); err != nil {
		t.Fatalf("init: %v\n%s", err, out)
	}
	t.Setenv("HEADGATE_STATE_DIR", s.g.StateDir)
	t.Setenv("HEADGATE_RUN_DIR", s.g.RunDir)
	t.Setenv("HEADGATE_HTTP_BIND", s.g.HTTP)
	t.Setenv("HEADGATE_HTTPS_BIND", s.g.HTTPS)
	t.Setenv("HEADGATE_STATS_BIND", s.g.Stats)
	s.startHAProxy()
	s.relay = startRelay(t, s.haproxy.Runtime, seed)
	s.startController()
	s.g.WaitReady(t)
	return s
}

// isolate gives the state directory a file system that the test can fill, and that
// only the programs that it starts can see.
func (s *site) isolate(headgate, haproxy string) {
	s.t.Helper()
	cmd := exec.Command("unshare", "--mount", "sh", "-c", keeper, "sh", s.g.StateDir, s.fresh.StateDir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err == nil {
		_, err = out.Read(make([]byte, 16))
	}
	if err != nil {
		s.t.Fatalf("a file system for the state: %v", err)
	}
	s.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	proc := fmt.Sprintf("/proc/%d", cmd.Process.Pid)
	s.state, s.renewed = proc+"/root"+s.g.StateDir, proc+"/root"+s.fresh.StateDir
	wrap := func(name, program string) string {
		path := filepath.Join(s.t.TempDir(), name)
		if err := os.WriteFile(path, fmt.Appendf(nil, wrapper, proc+"/ns/mnt", program), 0o755); err != nil {
			s.t.Fatal(err)
		}
		return path
	}
	s.t.Setenv("HEADGATE_BIN", wrap("headgate", headgate))
	s.program = wrap("haproxy", haproxy)
}

func (s *site) startHAProxy() {
	s.t.Helper()
	s.haproxy = harness.StartHAProxyArgs(s.t, s.g.RunDir, s.program,
		"-f", filepath.Join(harness.Root(s.t), "haproxy-cfg"), "-f", filepath.Join(s.g.StateDir, "current", "backends"))
}

func (s *site) flags(manifests string) []string {
	return []string{
		"--manifests=" + manifests, "--controller-name=" + controller, "--self-check",
		"--default-certificate=" + namespace + "/default",
		"--config-dir=" + filepath.Join(harness.Root(s.t), "haproxy-cfg"),
	}
}

func (s *site) startController() {
	s.t.Helper()
	s.g.Start(s.t, append(s.flags(s.dir), "--runtime-socket="+s.relay.socket, "--master-socket="+s.haproxy.Master)...)
}

// startFresh starts a new controller and a new HAProxy on what there is now.
func (s *site) startFresh() {
	s.t.Helper()
	s.fresh.KillAll()
	entries, err := os.ReadDir(s.renewed)
	for _, entry := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(s.renewed, entry.Name())))
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.fresh.Start(s.t, append(s.flags(s.mirror), "--haproxy="+harness.HAProxyPath(s.t, s.branch))...)
}

// write makes a directory's file hold what the world has now.
func (s *site) write(dir string) {
	s.t.Helper()
	harness.WriteManifestFile(s.t, filepath.Join(dir, "passes.yaml"), s.world.objects()...)
}

// traffic goes to all routes that the last change leaves alone, or keeps.
func (s *site) traffic() *harness.Prober {
	s.t.Helper()
	hosts := s.world.probed()
	p := harness.StartProber(s.t, harness.Traffic{
		Addr: s.g.HTTP, Clients: 2, Pause: 10 * time.Millisecond,
		Next: func(client, seq int) harness.Route {
			h := hosts[(client*len(hosts)/2+seq)%len(hosts)]
			return harness.Route{Host: h.name + ".example", Path: "/", Allowed: h.pods.Allowed()}
		},
	})
	p.Await(s.t, 10)
	return p
}

// same is nil when HAProxy has exactly what the new one has.
func (s *site) same() error {
	want, err := harness.TakeDump(s.fresh.RuntimeSocket(), s.fresh.StateDir)
	if err != nil {
		return err
	}
	have, err := harness.TakeDump(s.haproxy.Runtime, s.g.StateDir)
	if err != nil {
		return err
	}
	return have.Difference(want, s.branch == "2.6")
}

// wantSameStores demands that no certificate has been left half made or half
// removed. What is saved was done before, so nobody changes any now.
func (s *site) wantSameStores(what string) {
	s.t.Helper()
	want, err := harness.CertificateStores(s.fresh.RuntimeSocket(), s.fresh.StateDir)
	if err != nil {
		s.t.Fatal(err)
	}
	have, err := harness.CertificateStores(s.haproxy.Runtime, s.g.StateDir)
	if err != nil || !slices.Equal(have, want) {
		s.t.Errorf("%s: certificates %q, want %q (%v)", what, have, want, err)
	}
}

// sameOnDisk compares the state directories. Before 3.4, backends of Services that
// are gone stay until a reload; the others are what HAProxy was compared for.
func (s *site) sameOnDisk() error {
	patterns := []string{"*.map", "certs.list", "certs/*"}
	if s.branch != "2.6" {
		patterns = append(patterns, "backends/*")
	}
	for _, pattern := range patterns {
		want, wantNames := read(filepath.Join(s.renewed, "current"), pattern, s.fresh.StateDir)
		have, haveNames := read(filepath.Join(s.state, "current"), pattern, s.g.StateDir)
		if !slices.Equal(have, want) {
			return fmt.Errorf("%s on disk: %q differ from %q", pattern, haveNames, wantNames)
		}
	}
	return nil
}

// read gives the texts of files that are there, in the order of their names, with
// the state directory's own name taken out.
func read(dir, pattern, name string) (texts, names []string) {
	files, _ := filepath.Glob(filepath.Join(dir, pattern))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err == nil && len(text) > 0 {
			texts = append(texts, filepath.Base(file)+"\n"+strings.ReplaceAll(string(text), name, ""))
			names = append(names, filepath.Base(file))
		}
	}
	return texts, names
}

// fill leaves room for so many pages in the file system of the state.
func (s *site) fill(pages int) error {
	var info syscall.Statfs_t
	if err := syscall.Statfs(s.state, &info); err != nil {
		return err
	}
	size := (int64(info.Bavail) - int64(pages)) * info.Bsize
	if size <= 0 {
		return nil
	}
	err := os.WriteFile(filepath.Join(s.state, "filler"), make([]byte, size), 0o600)
	if errors.Is(err, syscall.ENOSPC) { // the controller was writing, too
		err = nil
	}
	return err
}

// forbidSoon takes the right to write from the state directory when the next save
// has begun, or after a while; the channel is closed when it has.
func (s *site) forbidSoon(done chan<- struct{}) {
	defer close(done)
	before, _ := filepath.Glob(filepath.Join(s.state, "gen.*"))
	for range 2000 {
		now, _ := filepath.Glob(filepath.Join(s.state, "gen.*"))
		if !slices.Equal(before, now) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	_ = os.Chmod(s.state, 0o555)
}

// makeWritable ends what fill and forbidSoon have begun.
func (s *site) makeWritable() {
	s.t.Helper()
	err := os.Chmod(s.state, 0o755)
	if removed := os.Remove(filepath.Join(s.state, "filler")); removed != nil && !os.IsNotExist(removed) {
		err = removed
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// number is a number from the environment.
func number(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}
