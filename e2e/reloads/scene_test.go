package reloads

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"headgate.dev/e2e/harness"
	"k8s.io/apimachinery/pkg/runtime"
)

const (
	namespace = "shop"
	className = "headgate"
	// controllerName is what the controller is asked to serve; spare is another one.
	controllerName = "headgate.dev/ingress-controller"
	altPort        = 8081 // a second port on which the pods listen
)

// scene is a controller that reads two files: base.yaml, which stays, and
// row.yaml, which holds what one row of the table is about. A file is taken up in
// one pass, so the operations of a change are always the same.
type scene struct {
	t       *testing.T
	branch  string // of HAProxy
	dir     string // of the manifests
	flags   []string
	g       *harness.Headgate
	workers *harness.Workers
	row     string // what row.yaml holds
}

func newScene(t *testing.T, branch string, base []runtime.Object) *scene {
	t.Helper()
	harness.StartPods(t, altPort)
	s := &scene{t: t, branch: branch, dir: t.TempDir(), g: harness.NewHeadgate(t)}
	s.flags = []string{
		"--manifests=" + s.dir,
		"--haproxy=" + harness.HAProxyPath(t, branch),
		"--config-dir=" + filepath.Join(harness.Root(t), "haproxy-cfg"),
		"--controller-name=" + controllerName,
		"--configmap=" + namespace + "/settings",
		"--configmap-errorfiles=" + namespace + "/pages",
		"--configmap-patternfiles=" + namespace + "/patterns",
		"--configmap-tcp-services=" + namespace + "/tcp",
		"--allow-external-name",
		"--enable-ssl-passthrough",
		"--log-level=debug", // passes that change nothing are told at this level only
		"--self-check",
	}
	harness.WriteManifestFile(t, filepath.Join(s.dir, "base.yaml"), base...)
	s.row = harness.WriteManifestFile(t, s.rowFile())
	s.start()
	s.workers = harness.WatchWorkers(t, s.g.Dir+"/")
	return s
}

func (s *scene) rowFile() string { return filepath.Join(s.dir, "row.yaml") }

// start starts the controller, with these flags in place of others of the same
// name, and waits until HAProxy has what is wanted.
func (s *scene) start(flags ...string) {
	s.t.Helper()
	from := len(s.g.Log())
	s.g.Start(s.t, override(s.flags, flags)...)
	s.g.WaitReady(s.t)
	s.settle(from)
}

// override leaves out of flags what is given anew, and what is given as
// "--name=": nothing at all.
func override(flags, by []string) []string {
	var result []string
	for _, flag := range flags {
		name, _, _ := strings.Cut(flag, "=")
		replaced := false
		for _, other := range by {
			otherName, _, _ := strings.Cut(other, "=")
			replaced = replaced || name == otherName
		}
		if !replaced {
			result = append(result, flag)
		}
	}
	for _, flag := range by {
		if !strings.HasSuffix(flag, "=") {
			result = append(result, flag)
		}
	}
	return result
}

// write makes row.yaml hold these objects, and waits until HAProxy has what they
// want.
func (s *scene) write(objects []runtime.Object) {
	s.t.Helper()
	from := len(s.g.Log())
	text := harness.WriteManifestFile(s.t, s.rowFile(), objects...)
	if text != s.row {
		s.row = text
		s.settle(from)
	}
}

// settle waits until row.yaml has been read and a pass has taken it up, and then
// until the last pass has left nothing to do: no server that drains, no reload
// that waits.
func (s *scene) settle(from int) {
	s.t.Helper()
	harness.Eventually(s.t, s.branch+": the controller settling", func() error {
		var last harness.LogLine
		isRead, isTaken := false, false
		for _, line := range s.g.Log()[from:] {
			if line.Has("msg=manifest file read", "file=row.yaml") {
				isRead = true
			}
			if line.Fields["msg"] == "pass" {
				last = line
				isTaken = isTaken || isRead && line.Fields["changes"] != "0"
			}
		}
		if result := last.Fields["result"]; !isTaken || result != "success" && result != "noop" || last.Fields["reload"] != "no" {
			return fmt.Errorf("the last pass was %q", last.Raw)
		}
		return nil
	})
}

// cost is what a change has cost.
type cost struct {
	operations int
	cell       string   // what to write in their place, if anything
	reasons    []string // of the reloads
	workers    int      // new ones
	from, to   int      // the worker's PID
}

// snapshot is what has been counted since the start of the controller.
func (s *scene) snapshot() (operations int, reasons map[string]int) {
	s.t.Helper()
	reasons = map[string]int{}
	for series, value := range s.g.Metrics(s.t) {
		name, labels, _ := strings.Cut(series, "{")
		switch name {
		case "headgate_runtime_operations_total":
			operations += int(value)
		case "headgate_reloads_total":
			reasons[strings.TrimSuffix(strings.TrimPrefix(labels, `reason="`), `"}`)] += int(value)
		}
	}
	return operations, reasons
}

// measure makes a change, which settles before it returns. A change that starts
// the controller anew starts its counters anew, too.
func (s *scene) measure(starts bool, change func()) cost {
	s.t.Helper()
	operations, reasons := s.snapshot()
	if starts {
		operations, reasons = 0, nil
	}
	pids := s.workers.PIDs()
	result := cost{from: s.worker()}
	change()
	result.to = s.worker()
	result.workers = len(s.workers.PIDs()) - len(pids)
	after, reasonsAfter := s.snapshot()
	result.operations = after - operations
	for name, n := range reasonsAfter {
		for range n - reasons[name] {
			result.reasons = append(result.reasons, name)
		}
	}
	return result
}

// worker is the PID of the worker that answers now.
func (s *scene) worker() int {
	s.t.Helper()
	reply, err := harness.Runtime(s.g.RuntimeSocket(), "show info")
	if err != nil {
		s.t.Fatal(err)
	}
	pid := 0
	for _, line := range strings.Split(reply, "\n") {
		if _, err := fmt.Sscanf(line, "Pid: %d", &pid); err == nil {
			break
		}
	}
	return pid
}

// want demands answers, given as "host/path status".
func (s *scene) want(answers []string) {
	s.t.Helper()
	for _, text := range answers {
		var url string
		var status int
		if _, err := fmt.Sscanf(text, "%s %d", &url, &status); err != nil {
			s.t.Fatalf("%q: %v", text, err)
		}
		host, path, _ := strings.Cut(url, "/")
		answer, err := harness.Get(s.g.HTTP, host, "/"+path)
		if err != nil || answer.Status != status {
			s.t.Errorf("%s: %s: status %d (%v)", s.branch, text, answer.Status, err)
		}
	}
}

// docsFile is the page in the repository.
func docsFile(t *testing.T) string { return filepath.Join(harness.Root(t), "docs", "reloads.md") }

func readPage(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(docsFile(t))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(text)
}
