package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"headgate.dev/e2e/harness"
)

// What `headgate run --help` promises.
const (
	statusUsage   = 2
	statusInput   = 3
	statusRefused = 4
	statusHAProxy = 5
)

// inputCase is a controller that can't run, and what it has to say about it: one
// line that names what is wrong and what to do.
type inputCase struct {
	name   string
	args   []string
	status int
	says   []string
}

func TestInput(t *testing.T) {
	c := harness.StartCluster(t)
	dir := t.TempDir()
	good := c.Kubeconfig(t)
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	text, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	wrongToken := file("token.kubeconfig", regexp.MustCompile(`token: .*`).ReplaceAllString(string(text), "token: wrong"))
	broken := file("broken.kubeconfig", "apiVersion: v1\nclusters: [\n\tx\n")
	scalar := file("scalar.kubeconfig", "just a text\n")
	haproxy := "--haproxy=" + harness.HAProxyPath(t, "3.4")
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	manifests := "--manifests=" + t.TempDir()

	for _, test := range []inputCase{
		{"unknown flag", []string{"--nonsense"}, statusUsage, []string{"--nonsense", "headgate run --help"}},
		{"flag without its argument", []string{"--kubeconfig"}, statusUsage, []string{"--kubeconfig", "headgate run --help"}},
		{"empty argument", []string{"--state-dir="}, statusUsage, []string{"--state-dir", "empty"}},
		{"further argument", []string{"extra"}, statusUsage, []string{"extra", "headgate run --help"}},
		{"log level", []string{"--log-level=loud"}, statusUsage, []string{"--log-level", "loud", "debug, info, warn or error"}},
		{"log format", []string{"--log-format=xml"}, statusUsage, []string{"--log-format", "xml", "logfmt or json"}},
		{"default backend", []string{"--default-backend=web:80"}, statusUsage, []string{"--default-backend", "NAMESPACE/SERVICE:PORT"}},
		{"ConfigMap", []string{"--configmap=settings"}, statusUsage, []string{"--configmap", "NAMESPACE/NAME"}},
		{"two sources", []string{manifests, "--kubeconfig=" + good}, statusUsage, []string{"--manifests", "--kubeconfig", "one of them"}},
		{"missing kubeconfig", []string{haproxy, "--kubeconfig=" + dir + "/absent"}, statusInput, []string{dir + "/absent", "No such file", "--kubeconfig"}},
		{"kubeconfig is no YAML", []string{haproxy, "--kubeconfig=" + broken}, statusInput, []string{broken, "line 4", "--kubeconfig"}},
		{"kubeconfig is something else", []string{haproxy, "--kubeconfig=" + scalar}, statusInput, []string{scalar, "not a kubeconfig", "--kubeconfig"}},
		{"neither kubeconfig nor pod", []string{haproxy}, statusInput, []string{"--kubeconfig"}},
		{"missing manifests", []string{haproxy, "--manifests=" + dir + "/absent"}, statusInput, []string{dir + "/absent", "No such file", "--manifests"}},
		{"missing manifests beside HAProxy of others", []string{"--manifests=" + dir + "/absent"}, statusInput, []string{dir + "/absent", "No such file", "--manifests"}},
		{"state directory", []string{haproxy, manifests, "--state-dir=/dev/null/state"}, statusInput, []string{"/dev/null/state", "--state-dir"}},
		{"run directory", []string{haproxy, manifests, "--run-dir=/dev/null/run"}, statusInput, []string{"/dev/null/run", "--run-dir"}},
		{"admin port in use", []string{haproxy, manifests, "--admin-bind=" + busy.Addr().String()}, statusInput,
			[]string{"--admin-bind", busy.Addr().String(), "choose another"}},
		{"refused token", []string{haproxy, "--kubeconfig=" + wrongToken}, statusRefused, []string{"401", "token"}},
		{"missing HAProxy", []string{"--haproxy=" + dir + "/haproxy", manifests}, statusHAProxy, []string{dir + "/haproxy", "No such file", "--haproxy"}},
		{"no HAProxy on PATH", []string{"--haproxy=haproxy-is-not-here", manifests}, statusHAProxy, []string{"haproxy-is-not-here", "install HAProxy", "--haproxy"}},
		{"not HAProxy", []string{"--haproxy=/bin/true", manifests}, statusHAProxy, []string{"/bin/true is not HAProxy", "--haproxy"}},
		{"missing configuration", []string{haproxy, manifests, "--config-dir=" + dir + "/absent"}, statusInput, []string{dir + "/absent", "No such file", "--config-dir"}},
		{"bind address", []string{haproxy, manifests, "--http-bind=nonsense"}, statusHAProxy, []string{"'nonsense'", "--http-bind"}},
		{"state directory HAProxy can't be told", []string{haproxy, manifests, "--state-dir=" + dir + "/a,b"}, statusInput, []string{dir + "/a,b", "--state-dir"}},
		{"runtime socket", []string{manifests, "--runtime-socket=" + dir + "/" + strings.Repeat("x", 120)}, statusHAProxy, []string{"choose a shorter one"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			checkInput(t, test, headgateCommand(t, nil, append([]string{"run"}, test.args...)...))
		})
	}
	t.Run("unknown command", func(t *testing.T) {
		test := inputCase{status: statusUsage, says: []string{"walk", "headgate --help"}}
		checkInput(t, test, headgateCommand(t, nil, "walk"))
	})
}

// TestSocketWithoutPermission attaches to a HAProxy whose socket is closed to us.
func TestSocketWithoutPermission(t *testing.T) {
	g := harness.NewHeadgate(t)
	state := filepath.Join(g.Dir, "made")
	if out, err := headgateCommand(t, nil, "init", "--state-dir="+state).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Setenv("HEADGATE_STATE_DIR", state)
	t.Setenv("HEADGATE_RUN_DIR", g.RunDir)
	t.Setenv("HEADGATE_HTTP_BIND", g.HTTP)
	t.Setenv("HEADGATE_HTTPS_BIND", g.HTTPS)
	t.Setenv("HEADGATE_STATS_BIND", g.Stats)
	harness.StartHAProxyArgs(t, g.RunDir, harness.HAProxyPath(t, "3.4"),
		"-f", filepath.Join(harness.Root(t), "haproxy-cfg"), "-f", state+"/current/backends")
	if err := os.Chmod(g.RuntimeSocket(), 0); err != nil {
		t.Fatal(err)
	}
	// Root may open everything, unless it gives that right away.
	setpriv := []string{"setpriv", "--bounding-set=-all", "--inh-caps=-all"}
	test := inputCase{status: statusHAProxy, says: []string{g.RuntimeSocket(), "Permission denied", "same user"}}
	checkInput(t, test, headgateCommand(t, setpriv, "run", "--manifests="+t.TempDir(),
		"--state-dir="+state, "--run-dir="+g.RunDir))
}

// headgateCommand runs the controller, by way of another program if one is given,
// in folders of its own unless the arguments name others.
func headgateCommand(t *testing.T, through []string, args ...string) *exec.Cmd {
	t.Helper()
	binary := os.Getenv("HEADGATE_BIN")
	if binary == "" {
		binary = filepath.Join(harness.Root(t), "build", "headgate")
	}
	dir := t.TempDir()
	argv := append(append(through, binary), args...)
	if args[0] == "run" {
		argv = append(append([]string{}, argv[:len(through)+2]...), "--self-check",
			"--state-dir="+dir+"/state", "--run-dir="+dir+"/run",
			"--config-dir="+filepath.Join(harness.Root(t), "haproxy-cfg"),
			fmt.Sprintf("--http-bind=127.0.0.1:%d", harness.FreePort(t)),
			fmt.Sprintf("--https-bind=127.0.0.1:%d", harness.FreePort(t)),
			fmt.Sprintf("--stats-bind=127.0.0.1:%d", harness.FreePort(t)),
			fmt.Sprintf("--admin-bind=127.0.0.1:%d", harness.FreePort(t)))
		argv = append(argv, args[1:]...) // the last one of a flag counts
	}
	// A guard against a controller that doesn't end.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return exec.CommandContext(ctx, argv[0], argv[1:]...)
}

// checkInput demands the exit status, and one line of error with these texts.
func checkInput(t *testing.T, test inputCase, cmd *exec.Cmd) {
	t.Helper()
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != test.status {
		t.Errorf("ended with %v, want exit status %d:\n%s", err, test.status, out)
	}
	var complaints []string
	for _, line := range strings.Split(string(out), "\n") {
		if strings.HasPrefix(line, "headgate: ") || strings.Contains(line, "level=error") {
			complaints = append(complaints, line)
		}
	}
	if len(complaints) != 1 {
		t.Fatalf("%d lines of error, want 1:\n%s", len(complaints), out)
	}
	for _, text := range test.says {
		if !strings.Contains(complaints[0], text) {
			t.Errorf("%q is not in: %s", text, complaints[0])
		}
	}
	t.Logf("%s", complaints[0])
}
