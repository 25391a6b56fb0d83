package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"headgate.dev/e2e/harness"
)

const (
	// instrumented is the number of hosts up to which instructions are counted: under
	// valgrind, HAProxy takes minutes to start with more.
	instrumented = 1000
	// counted is how many requests the count is the mean of.
	counted = 500
)

// countInstructions is what a request costs in instructions of HAProxy, which is
// the same on a machine that does other things. The kernel's are not in it.
func (w *world) countInstructions(t *harness.Program, report *report, hosts int, o options) {
	const subject = "data plane, HTTP"
	if _, err := exec.LookPath("valgrind"); err != nil {
		report.add(hosts, subject, "instructions per request", figure{note: "not measured: there is no valgrind"})
		return
	}
	hand := w.instructions(t, w.handWritten(t), false)
	ours := w.instructions(t, w.headgateArgs(t, ""), false)
	report.add(hosts, subject, "Headgate: instructions per request", figure{value: ours})
	report.add(hosts, subject, "by hand: instructions per request", figure{value: hand})
	report.add(hosts, subject, "instructions per request, by hand to Headgate", figure{value: hand / ours})
	handTLS := w.instructions(t, w.handWritten(t), true)
	oursTLS := w.instructions(t, w.headgateArgs(t, ""), true)
	report.add(hosts, "data plane, TLS", "instructions per request, by hand to Headgate", figure{value: handTLS / oursTLS})
	passes := write(t, filepath.Join(t.TempDir(), "passes.cfg"), "global\n\tsetenv HEADGATE_SSL_PASSTHROUGH true\n")
	passing := w.instructions(t, append([]string{"-f", passes}, w.headgateArgs(t, "")...), true)
	report.add(hosts, "data plane, TLS", "instructions per request that ends here, with --enable-ssl-passthrough", figure{value: passing})
	report.add(hosts, "data plane, TLS", "the same without the flag", figure{value: oursTLS})
	if !o.lines {
		return
	}
	text, err := os.ReadFile(filepath.Join(harness.Root(t), "haproxy-cfg", "30-http.cfg"))
	if err != nil {
		t.Fatalf("%v", err)
	}
	routing, _, _ := strings.Cut(string(text), "---- Policies ----")
	for _, line := range strings.Split(routing, "\n") {
		if strings.HasPrefix(line, "\thttp-request ") && !isNeeded(line) {
			without := w.instructions(t, w.headgateArgs(t, line), false)
			report.add(hosts, "instructions of a line", strings.TrimSpace(line), figure{value: ours - without})
		}
	}
}

// isNeeded says whether nothing would be found without a line.
func isNeeded(line string) bool {
	for _, text := range []string{"txn.vhost) \"var(txn.host),map", "authority) req", "txn.host) var", "txn.path) path", "prefix.map"} {
		if strings.Contains(line, text) {
			return true
		}
	}
	return false
}

func (w *world) instructions(t *harness.Program, args []string, isTLS bool) float64 {
	out := filepath.Join(t.TempDir(), "out")
	p := w.startProxy(t, []string{"valgrind", "-q", "--tool=callgrind", "--callgrind-out-file=" + out}, args)
	defer p.stop()
	w.drive(t, p, isTLS, 200)
	pid := strconv.Itoa(p.cmd.Process.Pid)
	control(t, "-z", pid)
	w.drive(t, p, isTLS, counted)
	control(t, "-d", pid)
	text, err := os.ReadFile(out + ".1")
	if err != nil {
		t.Fatalf("%v", err)
	}
	_, after, _ := strings.Cut(string(text), "\ntotals: ")
	total, err := strconv.ParseFloat(strings.Fields(after + " ?")[0], 64)
	if err != nil {
		t.Fatalf("%s: no total: %v", out, err)
	}
	return total / counted
}

func control(t harness.TB, what, pid string) {
	if text, err := exec.Command("callgrind_control", what, pid).CombinedOutput(); err != nil {
		t.Fatalf("callgrind_control: %v", fmt.Errorf("%w: %s", err, text))
	}
}
