package main

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"headgate.dev/e2e/harness"
)

// proxy is a HAProxy with one thread that serves the sites of a world.
type proxy struct {
	http, https string
	cmd         *exec.Cmd
	ended       chan error
}

// rounds is how often the two proxies take turns, as A B B A.
const rounds = 10

// dataPlane compares what a request costs HAProxy with Headgate's configuration,
// and with the least that anyone would write by hand for the same sites.
func dataPlane(t *harness.Program, report *report, pods *podServer, hosts int, o options) {
	w := start(t, pods, hosts)
	defer w.stop()
	w.coldStart(t)
	w.rest(t) // saved
	ours := w.startProxy(t, nil, w.headgateArgs(t, ""))
	hand := w.startProxy(t, nil, w.handWritten(t))
	for _, isTLS := range []bool{false, true} {
		subject := "data plane, HTTP"
		if isTLS {
			subject = "data plane, TLS"
		}
		var costs [2][]float64
		for round := range rounds {
			order := []int{0, 1, 1, 0}
			if round%2 == 1 {
				order = []int{1, 0, 0, 1}
			}
			for _, which := range order {
				p := []*proxy{ours, hand}[which]
				costs[which] = append(costs[which], w.requestCost(t, p, isTLS, o.requests))
			}
		}
		report.add(hosts, subject, "Headgate: processor time per request", spread(costs[0]))
		report.add(hosts, subject, "by hand: processor time per request", spread(costs[1]))
		report.add(hosts, subject, "requests per processor second, Headgate to by hand",
			figure{value: spread(costs[1]).value / spread(costs[0]).value, note: "aim: 0.97; with 100,000 hosts 0.95"})
	}
	ours.stop()
	hand.stop()
	if hosts <= instrumented {
		w.countInstructions(t, report, hosts, o)
	}
}

func spread(all []float64) figure {
	f := figure{unit: "us", samples: slices.Sorted(slices.Values(all))}
	f.value = f.quantile(0.5)
	return f
}

// requestCost sends requests over kept connections and returns the processor time
// (us) that the proxy spent on each.
func (w *world) requestCost(t harness.TB, p *proxy, isTLS bool, n int) float64 {
	before := processorNanoseconds(t, p.cmd.Process.Pid)
	w.drive(t, p, isTLS, n)
	return float64(processorNanoseconds(t, p.cmd.Process.Pid)-before) / 1e3 / float64(n)
}

// drive asks for random sites over one kept connection.
func (w *world) drive(t harness.TB, p *proxy, isTLS bool, n int) {
	c := client{addr: p.http, headers: w.headers}
	if isTLS {
		conn, err := tls.Dial("tcp", p.https, &tls.Config{InsecureSkipVerify: true, ServerName: w.sites[0].host(), NextProtos: []string{"http/1.1"}})
		if err != nil {
			t.Fatalf("%v", err)
		}
		c.use(conn)
	}
	defer c.close()
	for range n {
		s := w.anySite()
		c.target(s.host())
		if a, err := c.ask(); err != nil || a.status != http.StatusOK || !s.has(a.pod) {
			t.Fatalf("%s: %d from %q, %v", s.host(), a.status, a.pod, err)
		}
	}
}

// processorNanoseconds is finer than what /proc/PID/stat has.
func processorNanoseconds(t harness.TB, pid int) int {
	sum := 0
	paths, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatalf("%v", err)
		}
		n, _ := strconv.Atoi(strings.Fields(string(text))[0])
		sum += n
	}
	return sum
}

// oneThread is for figures that don't depend on who got which connection.
const oneThread = "global\n\tnbthread 1\n"

func write(t harness.TB, path, text string) string {
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatalf("%v", err)
	}
	return path
}

// headgateArgs is Headgate's configuration with the state that the controller has
// saved; without one line of part 3, if that is given.
func (w *world) headgateArgs(t harness.TB, without string) []string {
	dir := t.TempDir()
	parts, _ := filepath.Glob(filepath.Join(harness.Root(t), "haproxy-cfg", "*.cfg"))
	args := []string{"-f", write(t, filepath.Join(dir, "one-thread.cfg"), oneThread)}
	for _, part := range parts {
		text, err := os.ReadFile(part)
		if err != nil {
			t.Fatalf("%v", err)
		}
		kept := string(text)
		if without != "" {
			kept = strings.Replace(kept, without+"\n", "\n", 1)
		}
		args = append(args, "-f", write(t, filepath.Join(dir, filepath.Base(part)), kept))
	}
	return append(args, "-f", filepath.Join(w.h.StateDir, "current", "backends"))
}

// handWritten is a map of hosts, and a backend for each.
func (w *world) handWritten(t harness.TB) []string {
	var hosts, cfg strings.Builder
	dir := t.TempDir()
	fmt.Fprintf(&cfg, `%sdefaults
	mode http
	timeout client 60s
	timeout connect 5s
	timeout server 60s
frontend web
	bind "${HEADGATE_HTTP_BIND}"
	bind "${HEADGATE_HTTPS_BIND}" ssl crt %s/current/certs/default.pem alpn h2,http/1.1
	use_backend %%[req.hdr(host),lower,map_str(%s/hosts.map)]
`, oneThread, w.h.StateDir, dir)
	for _, s := range w.sites {
		fmt.Fprintf(&hosts, "%s %s\n", s.host(), s.name)
		fmt.Fprintf(&cfg, "backend %s\n", s.name)
		for i, ip := range s.ips {
			fmt.Fprintf(&cfg, "\tserver s%d %s\n", i, harness.PodAddr(ip))
		}
	}
	write(t, filepath.Join(dir, "hosts.map"), hosts.String())
	return []string{"-f", write(t, filepath.Join(dir, "hand.cfg"), cfg.String())}
}

func (w *world) startProxy(t *harness.Program, wrapper, args []string) *proxy {
	address := func() string { return fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t)) }
	p := &proxy{http: address(), https: address()}
	argv := append(append(slices.Clone(wrapper), w.haproxy, "-db"), args...)
	p.cmd = exec.Command(argv[0], argv[1:]...)
	p.cmd.Env = append(os.Environ(), "HEADGATE_STATE_DIR="+w.h.StateDir, "HEADGATE_RUN_DIR="+t.TempDir(),
		"HEADGATE_HTTP_BIND="+p.http, "HEADGATE_HTTPS_BIND="+p.https, "HEADGATE_STATS_BIND="+address(),
		"HEADGATE_NAMESERVER=127.0.0.1:53")
	var said bytes.Buffer
	p.cmd.Stdout, p.cmd.Stderr = &said, &said
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("%v", err)
	}
	p.ended = make(chan error, 1)
	go func() { p.ended <- p.cmd.Wait() }()
	c := client{addr: p.http, headers: w.headers}
	defer c.close()
	c.target(w.sites[0].host())
	for begun := time.Now(); time.Since(begun) < coldLimit; time.Sleep(10 * time.Millisecond) {
		if a, err := c.ask(); err == nil && a.status == http.StatusOK {
			return p
		}
		select {
		case err := <-p.ended:
			t.Fatalf("%v: %v\n%s", argv, err, said.String())
		default:
		}
	}
	p.stop()
	t.Fatalf("%v doesn't answer", argv)
	return nil
}

func (p *proxy) stop() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}
