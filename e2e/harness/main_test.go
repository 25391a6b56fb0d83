package harness

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
)

func TestMain(m *testing.M) {
	if os.Getenv(fakeEnv) != "" { // started by a test in place of the controller
		fakeHeadgate()
		return
	}
	Main(m)
}

func TestIsolation(t *testing.T) {
	interfaces, err := net.Interfaces()
	if err != nil || len(interfaces) != 1 || interfaces[0].Name != "lo" {
		t.Fatalf("interfaces %v (%v), want lo alone", interfaces, err)
	}
	if conn, err := net.Dial("tcp", "192.0.2.1:80"); err == nil {
		conn.Close()
		t.Errorf("an address outside was reached")
	}
	if l, err := net.Listen("tcp", "127.0.0.1:80"); err != nil {
		t.Errorf("port 80 is not free: %v", err)
	} else {
		l.Close()
	}
}

func TestMetrics(t *testing.T) {
	text := "# HELP x y\na 1\nb{c=\"d e\",f=\"}\"} 2.5 1700000000\nb{c=\"g\"} 3\n"
	metrics, err := ParseMetrics(text)
	if err != nil {
		t.Fatal(err)
	}
	if metrics["a"] != 1 || metrics[`b{c="g"}`] != 3 || metrics.Sum("b") != 5.5 || metrics.Sum("b", `c="g"`) != 3 {
		t.Errorf("%v", metrics)
	}
}

func TestLogLine(t *testing.T) {
	line := parseLogLine(`level=info msg="two \"words\"" reason=backend-set empty= n=3`)
	if !line.Has("level=info", `msg=two "words"`, "reason=backend-set", "empty=", "n=3") || line.Has("n=4") {
		t.Errorf("%q", line.Fields)
	}
	if other := parseLogLine("[NOTICE] (12) : New worker"); len(other.Fields) != 0 {
		t.Errorf("%q", other.Fields)
	}
	// Both write to the same file.
	var log logLines
	const ours = `time=2026-11-27T01:31:45.899Z level=info msg="HAProxy says time=2026-11-27T01:31:45.898Z level=info"`
	_, _ = log.Write([]byte("[WARNING]  (2492) : Server a/b is going DOWN." + ours + "\n\n" + ours + "\n"))
	if lines := log.all(); len(lines) != 4 || lines[0].Raw != "[WARNING]  (2492) : Server a/b is going DOWN." || lines[1].Raw != ours || lines[2].Raw != "" || lines[3].Raw != ours {
		t.Errorf("%q", lines)
	}
}

func TestCommandsAndWrites(t *testing.T) {
	p := &CLIProxy{}
	payload := false
	for _, line := range []string{
		`show info; set server a/b weight 10`,
		`@1 show proc`,
		`add map /m <<`, `a.example x;y`, ``,
		`set map /m key a\;b`,
		`prompt`, `set timeout cli 1h`, `experimental-mode on`,
	} {
		payload = p.record(line, payload)
	}
	var texts []string
	for _, c := range p.Writes() {
		texts = append(texts, c.Text)
	}
	want := `set server a/b weight 10|add map /m <<|set map /m key a\;b`
	if got := strings.Join(texts, "|"); got != want {
		t.Errorf("writes %q, want %q", got, want)
	}
	if n := len(p.Commands()); n != 8 {
		t.Errorf("%d commands, want 8: %v", n, p.Commands())
	}
	if got := p.Writes()[1].Payload; got != "a.example x;y\n\n" {
		t.Errorf("payload %q", got)
	}
}

func TestNamespaceName(t *testing.T) {
	got := namespaceName("TestIngress/with_TLS#01"+strings.Repeat("x", 50), 7)
	if want := fmt.Sprintf("%s-7", ("ingress-with-tls-01" + strings.Repeat("x", 50))[:40]); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestPodSet(t *testing.T) {
	set := NewPodSet("10.244.1.1")
	early := set.Allowed()
	set.Add("10.244.1.2")
	set.Set("10.244.1.2", "10.244.1.3")
	late := set.Allowed()
	for ip, want := range map[string][2]bool{
		"10.244.1.1": {true, false}, "10.244.1.2": {true, true}, "10.244.1.3": {true, true}, "10.244.1.4": {false, false},
	} {
		if got := [2]bool{early(PodAddr(ip)), late(PodAddr(ip))}; got != want {
			t.Errorf("%s: %v, want %v", ip, got, want)
		}
	}
}
