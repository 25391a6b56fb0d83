package migration

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"headgate.dev/e2e/harness"
)

const controller = "headgate.dev/ingress-controller"

var sets = []string{"plain", "tls", "annotations"}

// scene has the three sets, moved: their files with another class, and what a
// cluster makes of them, endpoints and certificates.
type scene struct {
	g        *harness.Headgate
	ca       *harness.CA
	services map[string]string // by pod
}

func newScene(t *testing.T) *scene {
	t.Helper()
	dir, pods := t.TempDir(), harness.StartPods(t)
	ca, err := harness.NewCA("migration")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := ca.Issue("www.example.org", "both.example.org", "permanent.example.org")
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{ca: ca, services: map[string]string{}, g: harness.NewHeadgate(t)}
	cluster := []runtime.Object{harness.IngressClass("headgate", controller), harness.TLSSecret("tls", "web-tls", pair)}
	for _, set := range sets {
		text := moved(t, set)
		if err := os.WriteFile(filepath.Join(dir, set+".yaml"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		objects, err := harness.ParseManifests(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, object := range objects {
			if object.GetKind() == "Service" && object.GetLabels()["endpoints"] != "none" {
				ip := pods.IP()
				s.services[ip] = object.GetName()
				cluster = append(cluster, harness.EndpointSlice(object.GetNamespace(), object.GetName(), firstPort(object)+"8080", ip))
			}
		}
	}
	harness.WriteManifestFile(t, filepath.Join(dir, "cluster.yaml"), cluster...)
	s.g.Start(t, "--manifests="+dir, "--haproxy="+harness.HAProxyPath(t, "3.4"), "--controller-name="+controller,
		"--config-dir="+filepath.Join(harness.Root(t), "haproxy-cfg"))
	s.g.WaitReady(t)
	return s
}

// moved is the set as it is here: the class is another one, and nothing else.
func moved(t *testing.T, set string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", set+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "ingressClassName: haproxy\n", "ingressClassName: headgate\n")
}

// firstPort is the name of a Service's first port with "=" behind, or "".
func firstPort(service *unstructured.Unstructured) string {
	ports, _, _ := unstructured.NestedSlice(service.Object, "spec", "ports")
	if name, _ := ports[0].(map[string]any)["name"].(string); name != "" {
		return name + "="
	}
	return ""
}

// answer is a request's answer in a few words.
func (s *scene) answer(r row) (string, error) {
	method, url := http.MethodGet, r.request
	if first, rest, ok := strings.Cut(url, " "); ok {
		method, url = first, rest
	}
	request, err := http.NewRequest(method, url, nil)
	if err != nil {
		return "", err
	}
	if r.header[0] != "" {
		request.Header.Set(r.header[0], r.header[1])
	}
	var answer harness.Answer
	if request.URL.Scheme == "https" {
		answer, err = harness.DoTLS(s.g.HTTPS, request, s.ca.ClientTLS())
	} else {
		answer, err = harness.Do(s.g.HTTP, request)
	}
	if err != nil {
		return "", err
	}
	words := []string{fmt.Sprint(answer.Status), s.services[answer.Echo.Pod], answer.Header.Get("Location"), seen(r.see, answer)}
	return strings.Join(strings.Fields(strings.Join(words, " ")), " "), nil
}

func seen(what string, answer harness.Answer) string {
	name, ofRequest := strings.CutPrefix(what, "> ")
	switch {
	case ofRequest:
		return strings.Join(answer.Echo.Headers.Values(name), ", ")
	case what == "uri":
		return answer.Echo.URI
	case what == "host":
		return answer.Echo.Host
	case what == "Set-Cookie name":
		name, _, _ := strings.Cut(answer.Header.Get("Set-Cookie"), "=")
		return name
	}
	return answer.Header.Get(what)
}

// TestAnswers sends what clients of the old controller send, and compares each
// answer with the one that it is documented to give; differences are those that
// docs/migration.md owns up to.
func TestAnswers(t *testing.T) {
	s := newScene(t)
	page, err := os.ReadFile(filepath.Join(harness.Root(t), "docs/migration.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		want := r.here
		if want == "" {
			want = r.there
		} else if !strings.Contains(string(page), "\n| "+r.why+" | ") {
			t.Errorf("%s: docs/migration.md has no row %q", r.request, r.why)
		}
		have, err := s.answer(r)
		if err != nil || have != want {
			t.Errorf("%s: %s %v: %q instead of %q, %v", r.set, r.request, r.header, have, want, err)
		}
	}
}

// TestCheck: what `headgate check` says of the sets before they are moved, for
// people to read: testdata/*.txt, which HEADGATE_UPDATE=1 writes.
func TestCheck(t *testing.T) {
	for set, status := range map[string]int{"plain": 0, "tls": 0, "annotations": 1} {
		command := exec.Command(harness.HeadgateBinary(t), "check", "--output=wide", "testdata/"+set+".yaml")
		output, err := command.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		if have := command.ProcessState.ExitCode(); have != status {
			t.Errorf("%s: exit status %d instead of %d", set, have, status)
		}
		path := "testdata/" + set + ".txt"
		if os.Getenv("HEADGATE_UPDATE") != "" {
			if err := os.WriteFile(path, output, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil || string(want) != string(output) {
			t.Errorf("%s: %v, headgate check says\n%s", path, err, output)
		}
	}
}
