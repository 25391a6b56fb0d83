package fault

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"headgate.dev/e2e/harness"
)

// faultWorker is the PID of the worker that answers on a runtime socket, or 0.
func faultWorker(socket string) int {
	reply, err := harness.Runtime(socket, "show info")
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(reply, "\nPid: ")
	line, _, _ := strings.Cut(after, "\n")
	pid, _ := strconv.Atoi(line)
	return pid
}

// faultParent is the PID of a process's parent, or 0: of a worker, the master.
func faultParent(pid int) int {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The name, in parentheses, may hold anything; state and parent follow.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	parent, _ := strconv.Atoi(fields[1])
	return parent
}

// faultChildren is every child of a process: of a master, its workers.
func faultChildren(pid int) []int {
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	var children []int
	for _, file := range files {
		child, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err == nil && faultParent(child) == pid {
			children = append(children, child)
		}
	}
	return children
}

// faultKill ends processes as a crash would, and waits until they are gone.
func faultKill(t *testing.T, pids ...int) {
	t.Helper()
	for _, pid := range pids {
		if pid <= 1 {
			t.Fatalf("no process to kill: %v", pids)
		}
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	for _, pid := range pids {
		faultGone(t, pid)
	}
}

// faultGone waits until a process has ended; whether somebody has asked for its
// exit status is not of interest.
func faultGone(t *testing.T, pid int) {
	t.Helper()
	harness.Eventually(t, fmt.Sprintf("the end of process %d", pid), func() error {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err == nil && !strings.Contains(string(stat), ") Z ") {
			return errors.New("it runs")
		}
		return nil
	})
}

// faultBinary is the controller, as the harness finds it.
func faultBinary(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("HEADGATE_BIN"); path != "" {
		return path
	}
	return filepath.Join(harness.Root(t), "build", "headgate")
}

// faultRun runs a command that has to succeed.
func faultRun(t *testing.T, argv ...string) {
	t.Helper()
	if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", argv, err, out)
	}
}
