package harness

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// HAProxyPath is a HAProxy of the branch ("2.6", "3.4"), fetched when it has to
// be.
func HAProxyPath(t TB, branch string) string {
	t.Helper()
	path, err := askTool(toolRequest{Script: haproxyScript, Args: []string{branch}})
	if err != nil {
		t.Fatalf("HAProxy %s: %v", branch, err)
	}
	return path
}

// Runtime sends one command (with its payload, if any) to a HAProxy CLI socket
// and returns the whole reply.
func Runtime(socket, command string) (string, error) {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience()))
	if _, err := io.WriteString(conn, command+"\n"); err != nil {
		return "", err
	}
	reply, err := io.ReadAll(conn)
	return string(reply), err
}

// masterOptions follow the path of the master's socket on HAProxy's command line, and
// on no other.
const masterOptions = ",mode,600"

// HAProxy is one that a test runs itself, without a controller that starts it:
// master-worker mode, with both sockets.
type HAProxy struct {
	Dir     string // holds haproxy.cfg and the sockets
	Runtime string // the worker's socket, as the configuration names it
	Master  string // the master's socket
	process *process
}

// StartHAProxy writes the configuration and starts HAProxy on it. "@DIR@" in the
// configuration becomes HAProxy.Dir; a `stats socket @DIR@/runtime.sock` line is
// the caller's to write. It ends with the test.
func StartHAProxy(t TB, path, configuration string) *HAProxy {
	t.Helper()
	dir := shortTempDir(t)
	file := filepath.Join(dir, "haproxy.cfg")
	text := strings.ReplaceAll(configuration, "@DIR@", dir)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatalf("%v", err)
	}
	return StartHAProxyArgs(t, dir, path, "-f", file)
}

// StartHAProxyArgs starts HAProxy with these further arguments, for configurations
// that are already on disk. The master's socket is dir/master.sock; the
// configuration has to make the other one dir/runtime.sock.
func StartHAProxyArgs(t TB, dir, path string, args ...string) *HAProxy {
	t.Helper()
	h := &HAProxy{
		Dir:     dir,
		Runtime: filepath.Join(dir, "runtime.sock"),
		Master:  filepath.Join(dir, "master.sock"),
	}
	argv := append([]string{path, "-W", "-S", h.Master + masterOptions}, args...)
	var err error
	if h.process, err = startProcess(testLog(t, "haproxy.log"), nil, argv...); err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(h.Stop)
	h.await(t, "starting", 1)
	return h
}

// Reload asks the master for a reload and waits until the new worker serves.
func (h *HAProxy) Reload(t TB) {
	t.Helper()
	before := h.worker()
	h.process.signal(syscall.SIGUSR2)
	h.await(t, "reloading", before)
}

// PID is the master's.
func (h *HAProxy) PID() int { return h.process.pid() }

// Worker is the PID of the worker that answers on the runtime socket, or 0.
func (h *HAProxy) Worker() int { return h.worker() }

// Kill ends the master and its workers as a crash of their container would: when
// its first process has ended, the kernel ends the others.
func (h *HAProxy) Kill() {
	h.process.kill()
	killByCommandLine(h.Master + masterOptions)
}

// Ended waits for the master to end, as it does when its worker has died, and then
// ends what is left.
func (h *HAProxy) Ended(t TB) {
	t.Helper()
	Eventually(t, "the end of HAProxy", func() error {
		if h.process.running() {
			return fmt.Errorf("the master %d runs", h.PID())
		}
		return nil
	})
	h.Kill()
}

// Stop ends the master and its workers at once.
func (h *HAProxy) Stop() {
	if h.process.running() {
		h.process.stop()
	}
}

// await waits for a worker other than the one before to answer on its socket.
func (h *HAProxy) await(t TB, what string, before int) {
	t.Helper()
	Eventually(t, what+" HAProxy", func() error {
		if !h.process.running() {
			t.Fatalf("HAProxy ended: %v\n%s", h.process.err, h.process.tail())
		}
		if pid := h.worker(); pid == 0 || pid == before {
			return fmt.Errorf("no new worker answers on %s\n%s", h.Runtime, h.process.tail())
		}
		return nil
	})
}

// worker is the PID that the runtime socket reports, or 0.
func (h *HAProxy) worker() int {
	reply, err := Runtime(h.Runtime, "show info")
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(reply, "\nPid: ")
	var pid int
	_, _ = fmt.Sscanf(after, "%d", &pid)
	return pid
}
