package harness

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
)

// fakeEnv makes the test binary stand in for the controller: it serves the admin
// port, logs a line, and starts a HAProxy that outlives it.
const fakeEnv = "HEADGATE_E2E_FAKE"

func fakeHeadgate() {
	flags := flag.NewFlagSet("fake", flag.ExitOnError)
	values := map[string]*string{}
	for _, name := range []string{"http-bind", "https-bind", "stats-bind", "admin-bind", "config-dir", "state-dir", "run-dir", "log-format", "haproxy"} {
		values[name] = flags.String(name, "", "")
	}
	_ = flags.Parse(os.Args[2:])
	runDir := *values["run-dir"]
	if _, err := os.Stat(filepath.Join(runDir, "master.sock")); err != nil {
		config := filepath.Join(runDir, "haproxy.cfg")
		text := fmt.Sprintf("global\n stats socket %s/runtime.sock level admin\nlisten l\n mode http\n timeout client 1s\n"+
			" timeout server 1s\n timeout connect 1s\n bind %s\n http-request return status 200\n", runDir, *values["http-bind"])
		_ = os.WriteFile(config, []byte(text), 0o644)
		cmd := exec.Command(*values["haproxy"], "-W", "-S", filepath.Join(runDir, "master.sock"), "-f", config)
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := cmd.Start(); err != nil {
			fmt.Fprintf(os.Stderr, "level=error msg=%q\n", err)
			os.Exit(1)
		}
	}
	http.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	http.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "# TYPE headgate_reloads_total counter\nheadgate_reloads_total{reason=\"backend-set\"} 2")
	})
	fmt.Fprintf(os.Stderr, "level=info msg=\"the fake is up\" pid=%d\n", os.Getpid())
	go func() {
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, syscall.SIGTERM)
		<-signals
		os.Exit(7)
	}()
	_ = http.ListenAndServe(*values["admin-bind"], nil)
}

func TestHeadgate(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("HEADGATE_BIN", self)
	t.Setenv(fakeEnv, "1")
	haproxy := "--haproxy=" + HAProxyPath(t, "3.4")
	dir := ""
	t.Run("life", func(t *testing.T) {
		h := StartHeadgate(t, haproxy)
		dir = h.Dir
		workers := WatchWorkers(t, h.Dir+"/")
		line, next := h.WaitLog(t, 0, "level=info", "msg=the fake is up")
		if line.Fields["pid"] != fmt.Sprint(h.PID()) {
			t.Errorf("pid %q, want %d", line.Fields["pid"], h.PID())
		}
		if n := h.Metrics(t).Sum("headgate_reloads_total", `reason="backend-set"`); n != 2 {
			t.Errorf("reloads %v, want 2", n)
		}
		WantStatus(t, h.HTTP, "a.example", "/", 200)

		h.Kill()
		WantStatus(t, h.HTTP, "a.example", "/", 200) // HAProxy goes on
		h.Start(t, haproxy)
		h.WaitReady(t)
		h.WaitLog(t, next, "msg=the fake is up")
		if n := workers.Reloads(); n != 0 {
			t.Errorf("%d reloads, want 0", n)
		}
		if status := h.Stop(t); status != 7 {
			t.Errorf("exit status %d, want 7", status)
		}
		if reply, err := Runtime(h.RuntimeSocket(), "show info"); err != nil || reply == "" {
			t.Errorf("HAProxy has ended with the controller: %v", err)
		}
	})
	own, err := netNamespace(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for _, pid := range processesIn(own) {
		if line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); len(line) > 0 && pid != os.Getpid() {
			if hasText(line, dir+"/") {
				t.Errorf("process %d was left: %q", pid, line)
			}
		}
	}
}
