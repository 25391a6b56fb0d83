package auth

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"headgate.dev/e2e/harness"
	"k8s.io/apimachinery/pkg/runtime"
)

const controller = "headgate.dev/ingress-controller"

// scene is a controller that reads Services from one file and routes from another.
type scene struct {
	t       *testing.T
	dir     string
	g       *harness.Headgate
	pod     string // that requests reach when they come in
	workers *harness.Workers
}

func newScene(t *testing.T, branch string, services ...runtime.Object) *scene {
	t.Helper()
	return newSceneWith(t, branch, nil, services...)
}

func newSceneWith(t *testing.T, branch string, flags []string, services ...runtime.Object) *scene {
	t.Helper()
	s := &scene{t: t, dir: t.TempDir(), g: harness.NewHeadgate(t), pod: harness.StartPods(t).IP()}
	s.write("services", append(services, harness.IngressClass("headgate", controller),
		harness.Service("shop", "web", "80:8080"), harness.EndpointSlice("shop", "web", "8080", s.pod),
		harness.Ingress("shop", "plain", harness.Class("headgate"), harness.Rule("plain.test", "/", "web:80")))...)
	s.g.Start(t, append(flags, "--manifests="+s.dir, "--haproxy="+harness.HAProxyPath(t, branch), "--self-check",
		"--config-dir="+filepath.Join(harness.Root(t), "haproxy-cfg"), "--controller-name="+controller)...)
	s.g.WaitReady(t)
	harness.WantStatus(t, s.g.HTTP, "plain.test", "/", http.StatusOK)
	s.workers = harness.WatchWorkers(t, s.g.Dir+"/")
	return s
}

func (s *scene) write(name string, objects ...runtime.Object) {
	s.t.Helper()
	harness.WriteManifestFile(s.t, filepath.Join(s.dir, name+".yaml"), objects...)
}

// service is one that is asked, at a port of this machine. Rules lead to it, too, so that HAProxy 2.6 has its backend already.
func service(namespace, name string, port int, annotations ...string) []runtime.Object {
	object := harness.Service(namespace, name, fmt.Sprintf("80:%d", port))
	object.Annotations = pairs(annotations)
	return []runtime.Object{object, harness.EndpointSlice(namespace, name, fmt.Sprint(port), "127.0.0.1"),
		harness.Ingress(namespace, "to-"+name, harness.Class("headgate"), harness.Rule(name+"."+namespace+".test", "/", name+":80"))}
}

func pairs(annotations []string) map[string]string {
	all := map[string]string{}
	for _, text := range annotations {
		name, value, _ := strings.Cut(text, "=")
		all["headgate.dev/"+name] = value
	}
	return all
}

// route is an Ingress with a host of its own, "<name>.test", and options "name=value".
func route(name string, annotations ...string) runtime.Object {
	options := []harness.IngressOption{harness.Class("headgate"), harness.Rule(name+".test", "/", "web:80")}
	for key, value := range pairs(annotations) {
		options = append(options, harness.Annotation(key, value))
	}
	return harness.Ingress("shop", name, options...)
}

// ask sends one request with headers "Name: value".
func (s *scene) ask(method, url, body string, headers ...string) (harness.Answer, error) {
	request, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return harness.Answer{}, err
	}
	for _, text := range headers {
		name, value, _ := strings.Cut(text, ": ")
		request.Header[name] = append(request.Header[name], value)
	}
	return harness.Do(s.g.HTTP, request)
}

func (s *scene) get(url string, headers ...string) harness.Answer {
	s.t.Helper()
	answer, err := s.ask(http.MethodGet, url, "", headers...)
	if err != nil {
		s.t.Fatalf("%s: %v", url, err)
	}
	return answer
}

func (s *scene) wantNoReload() {
	s.t.Helper()
	if n := s.workers.Reloads(); n != 0 {
		s.t.Errorf("%d reloads", n)
	}
}
