package harness

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Headgate is the controller under test. Killed and started again, it keeps its
// folders and its addresses, as it does in a pod.
type Headgate struct {
	Dir       string // holds config/, state/ and run/
	HTTP      string // addresses that HAProxy serves
	HTTPS     string
	Stats     string
	Admin     string // the controller's own: /healthz, /readyz, /metrics
	ConfigDir string
	StateDir  string
	RunDir    string

	log     logLines
	logFile string
	process *process
}

// NewHeadgate prepares a controller; Start starts it. Its folders, sockets and
// addresses are given to it as flags, unless Start is given its own.
func NewHeadgate(t TB) *Headgate {
	t.Helper()
	dir := shortTempDir(t)
	h := &Headgate{
		Dir:       dir,
		HTTP:      fmt.Sprintf("127.0.0.1:%d", FreePort(t)),
		HTTPS:     fmt.Sprintf("127.0.0.1:%d", FreePort(t)),
		Stats:     fmt.Sprintf("127.0.0.1:%d", FreePort(t)),
		Admin:     fmt.Sprintf("127.0.0.1:%d", FreePort(t)),
		ConfigDir: filepath.Join(dir, "config"),
		StateDir:  filepath.Join(dir, "state"),
		RunDir:    filepath.Join(dir, "run"),
	}
	for _, folder := range []string{h.ConfigDir, h.StateDir, h.RunDir} {
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatalf("%v", err)
		}
	}
	h.logFile = testLog(t, "headgate.log")
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the controller's log is %s", h.logFile)
		}
		h.end()
	})
	return h
}

// StartHeadgate is NewHeadgate, Start and WaitReady.
func StartHeadgate(t TB, args ...string) *Headgate {
	t.Helper()
	h := NewHeadgate(t)
	h.Start(t, args...)
	h.WaitReady(t)
	return h
}

// Start runs `headgate run` with these flags and those of NewHeadgate.
func (h *Headgate) Start(t TB, args ...string) {
	t.Helper()
	if h.process != nil && h.process.running() {
		t.Fatalf("the controller is running already")
	}
	argv := []string{HeadgateBinary(t), "run"}
	for _, flag := range []string{
		"--http-bind=" + h.HTTP, "--https-bind=" + h.HTTPS, "--stats-bind=" + h.Stats, "--admin-bind=" + h.Admin,
		"--config-dir=" + h.ConfigDir, "--state-dir=" + h.StateDir, "--run-dir=" + h.RunDir,
		"--log-format=logfmt",
	} {
		name, _, _ := strings.Cut(flag, "=")
		if !hasFlag(args, name) {
			argv = append(argv, flag)
		}
	}
	var err error
	if h.process, err = startProcess(h.logFile, &h.log, append(argv, args...)...); err != nil {
		t.Fatalf("%v", err)
	}
}

// WaitReady waits until /readyz answers 200.
func (h *Headgate) WaitReady(t TB) {
	t.Helper()
	Eventually(t, "the controller becoming ready", func() error {
		if !h.process.running() {
			t.Fatalf("the controller ended: %v\n%s", h.process.err, h.process.tail())
		}
		answer, err := Get(h.Admin, h.Admin, "/readyz")
		if err == nil && answer.Status != http.StatusOK {
			err = fmt.Errorf("/readyz: %d %s", answer.Status, answer.Body)
		}
		return err
	})
}

// Stop asks the controller to end (SIGTERM), waits, and returns its exit status
// (-1 for a signal).
func (h *Headgate) Stop(t TB) int {
	t.Helper()
	h.process.stop()
	return h.process.cmd.ProcessState.ExitCode()
}

// Kill ends the controller as a crash would. HAProxy goes on.
func (h *Headgate) Kill() { h.process.kill() }

// KillAll ends the controller and its HAProxy as the end of their machine would.
func (h *Headgate) KillAll() {
	if h.Running() {
		h.process.kill()
	}
	killByCommandLine(h.Dir + "/")
}

// Signal sends the controller a signal (SIGSTOP plays a hang).
func (h *Headgate) Signal(s syscall.Signal) { h.process.signal(s) }

// Running says whether the controller is.
func (h *Headgate) Running() bool { return h.process != nil && h.process.running() }

// PID is the controller's, for looking into /proc.
func (h *Headgate) PID() int { return h.process.pid() }

// RuntimeSocket is that of the HAProxy that the controller starts.
func (h *Headgate) RuntimeSocket() string { return filepath.Join(h.RunDir, "runtime.sock") }

// MasterSocket is that of the HAProxy that the controller starts.
func (h *Headgate) MasterSocket() string { return filepath.Join(h.RunDir, "master.sock") }

// Log is every line so far, of all starts, with those of HAProxy among them.
func (h *Headgate) Log() []LogLine { return h.log.all() }

// WaitLog waits for a line that has all of these "key=value" pairs, from line
// number `from` on (0 for the beginning), and returns it with the number after.
func (h *Headgate) WaitLog(t TB, from int, pairs ...string) (LogLine, int) {
	t.Helper()
	var found LogLine
	next := from
	Eventually(t, "log line "+strings.Join(pairs, " "), func() error {
		for lines := h.Log(); next < len(lines); {
			line := lines[next]
			next++
			if line.Has(pairs...) {
				found = line
				return nil
			}
		}
		return fmt.Errorf("not among the %d lines of %s", next, h.logFile)
	})
	return found, next
}

// WaitSaid waits for a line with this text in it, from line number `from` on.
func (h *Headgate) WaitSaid(t TB, from int, text string) {
	t.Helper()
	Eventually(t, text, func() error {
		for _, line := range h.Log()[from:] {
			if strings.Contains(line.Raw, text) {
				return nil
			}
		}
		return fmt.Errorf("the log does not say %q", text)
	})
}

// Metrics scrapes /metrics.
func (h *Headgate) Metrics(t TB) Metrics {
	t.Helper()
	answer, err := Get(h.Admin, h.Admin, "/metrics")
	if err != nil || answer.Status != http.StatusOK {
		t.Fatalf("/metrics: status %d, %v", answer.Status, err)
	}
	metrics, err := ParseMetrics(answer.Body)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return metrics
}

// end stops the controller and then whatever HAProxy it has left: a process in
// our namespace with our folder in its command line is nobody else's.
func (h *Headgate) end() {
	if h.Running() {
		h.process.signal(syscall.SIGCONT)
		h.process.stop()
	}
	killByCommandLine(h.Dir + "/")
}

// HeadgateBinary is HEADGATE_BIN or what the repository's Makefile builds.
func HeadgateBinary(t TB) string {
	t.Helper()
	path := os.Getenv("HEADGATE_BIN")
	if path == "" {
		path = filepath.Join(Root(t), "build", "headgate")
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("no controller to test: %v; run make, or set HEADGATE_BIN", err)
	}
	return path
}

func hasFlag(args []string, name string) bool {
	for _, arg := range args {
		if arg == name || strings.HasPrefix(arg, name+"=") {
			return true
		}
	}
	return false
}
