package fault

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"headgate.dev/e2e/harness"
)

// faultStateWrapper gives the controller a small file system for its state, which
// only it and its children see, and takes from root the right to write where the
// mode of a folder forbids it.
const faultStateWrapper = `#!/bin/sh
exec unshare --mount setpriv --bounding-set=-dac_override,-dac_read_search --inh-caps=-all sh -c '
	mount -t tmpfs -o size=512k none "$FAULT_STATE" && exec "$FAULT_BINARY" "$@"' headgate "$@"
`

// startFaultDisk starts a controller whose state directory is on a file system
// that the test can fill. The folder it returns is the one that the controller sees.
func startFaultDisk(t *testing.T, branch string) (s *faultSite, dir string) {
	t.Helper()
	s = newFaultSite(t, branch, 3)
	t.Setenv("FAULT_BINARY", faultBinary(t))
	t.Setenv("FAULT_STATE", s.g.StateDir)
	wrapper := filepath.Join(t.TempDir(), "headgate")
	if err := os.WriteFile(wrapper, []byte(faultStateWrapper), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HEADGATE_BIN", wrapper)
	s.g.Start(t, s.supervisedFlags()...)
	s.g.WaitReady(t)
	s.arrived(s.routes...)
	dir = fmt.Sprintf("/proc/%d/root%s", s.g.PID(), s.g.StateDir)
	s.savedIn(dir, s.routes...)
	return s, dir
}

// stateErrors is how many writes of the state have failed.
func (s *faultSite) stateErrors() float64 {
	s.t.Helper()
	return s.g.Metrics(s.t).Sum("headgate_state_errors_total")
}

// faultFill writes until nothing fits any more, and returns how to make room.
func faultFill(t *testing.T, dir string) (mend func()) {
	t.Helper()
	path := filepath.Join(dir, "filler")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for block := make([]byte, 4096); err == nil; {
		_, err = file.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("filling %s: %v", dir, err)
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

// faultForbid takes the right to write from the owner of the folder.
func faultForbid(t *testing.T, dir string) (mend func()) {
	t.Helper()
	chmod := func(mode os.FileMode) {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
	}
	chmod(0o555)
	return func() { chmod(0o755) }
}

// The state can't be written: requests and changes at run time don't suffer, what is
// on disk stays whole, and all is made good when the cause is gone.
func TestFaultStateCannotBeWritten(t *testing.T) {
	for _, fault := range []struct {
		name   string
		damage func(t *testing.T, dir string) (mend func())
	}{{"full", faultFill}, {"forbidden", faultForbid}} {
		t.Run(fault.name, func(t *testing.T) {
			faultBranchByBranch(t, func(t *testing.T, branch string) {
				s, dir := startFaultDisk(t, branch)
				before := slices.Clone(s.routes)
				traffic := s.traffic(before...)
				if n := s.stateErrors(); n != 0 {
					t.Fatalf("%v errors before the fault", n)
				}
				mend := fault.damage(t, dir)
				s.change(s.routes[0], 3)
				s.arrived(s.routes[0])
				harness.Eventually(t, "the metric", func() error {
					if s.stateErrors() == 0 {
						return errors.New("no error is counted")
					}
					return nil
				})
				s.g.WaitLog(t, 0, "level=error")
				added := s.newRoute(2)
				s.change(s.routes[1], 1)
				s.arrived(s.routes[1])
				if branch == "3.4" { // 2.6 needs a reload, and that the state
					s.arrived(added)
				}
				traffic.Await(t, 100)
				traffic.Stop().WantNoFailures(t)

				// A new HAProxy starts from what could be saved, and is brought up to date.
				s.killSupervised("master")
				s.arrived(before...)

				traffic = s.traffic(before...)
				mend()
				s.arrived(s.routes...)
				s.savedIn(dir, s.routes...)
				s.change(s.routes[0], 2)
				s.arrived(s.routes...)
				s.savedIn(dir, s.routes...)
				traffic.Stop().WantNoFailures(t)
				s.healthy()

				s.reloaded()
				s.g.Signal(syscall.SIGSTOP)
				s.serves("mended")
				s.g.Signal(syscall.SIGCONT)
				s.killSupervised("worker")
				s.serves("mended, worker killed")
				if status := s.g.Stop(t); status != 0 {
					t.Errorf("exit status %d", status)
				}
			})
		})
	}
}
