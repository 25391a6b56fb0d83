package harness

import (
	"os/exec"
)

// Foreign is another project's controller, run for comparison.
type Foreign struct {
	dir     string
	process *process
}

// StartForeign starts a controller. Its output goes to a log file of that name. All
// that it starts has dir in its command line, by which it is found and ended with the
// controller, which the end of the test does if nobody else has.
func StartForeign(t TB, name, dir string, cmd *exec.Cmd) *Foreign {
	t.Helper()
	process, err := startCommand(testLog(t, name+".log"), nil, cmd)
	if err != nil {
		t.Fatalf("%v", err)
	}
	f := &Foreign{dir: dir, process: process}
	t.Cleanup(f.Stop)
	return f
}

// PID is the controller's.
func (f *Foreign) PID() int { return f.process.pid() }

// Running says whether the controller is.
func (f *Foreign) Running() bool { return f.process.running() }

// Tail is the end of the log, for messages.
func (f *Foreign) Tail() string { return f.process.tail() }

// Stop ends the controller and what it started; nothing is to be saved.
func (f *Foreign) Stop() {
	if f.process.running() {
		f.process.kill()
	}
	killByCommandLine(f.dir + "/")
}
