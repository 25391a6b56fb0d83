package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"headgate.dev/e2e/harness"
	"k8s.io/apimachinery/pkg/runtime"
)

// manifestScene is a controller that reads a folder instead of an API server.
func manifestScene(t *testing.T, branch string, objects ...runtime.Object) (*routeScene, string) {
	t.Helper()
	s := &routeScene{
		t: t, branch: branch, pods: harness.StartPods(t, routeAltPort),
		ns: "shop", class: "manifests", ips: map[string][]string{},
	}
	dir := t.TempDir()
	harness.WriteManifests(t, dir, append(objects, s.classObject())...)
	s.g = harness.StartHeadgate(t, append(routeFlags(t, branch),
		"--manifests="+dir, "--controller-name="+s.controllerName())...)
	s.workers = harness.WatchWorkers(t, s.g.Dir+"/")
	return s, dir
}

// objects are those of a Service with n pods.
func (s *routeScene) objects(name string, n int) []runtime.Object {
	s.ips[name] = s.pods.IPs(n)
	return []runtime.Object{
		harness.Service(s.ns, name, "80:8080"),
		harness.EndpointSlice(s.ns, name, "8080", s.ips[name]...),
	}
}

// TestManifests changes routes by editing files.
func TestManifests(t *testing.T) {
	eachRouteBranch(t, func(t *testing.T, branch string) {
		s, dir := manifestScene(t, branch)
		write := func(objects ...runtime.Object) { harness.WriteManifests(t, dir, objects...) }
		web := routeAnswer{host: "web.example", path: "/", service: "web"}
		s.wantAnswers(routeAnswer{host: "web.example", path: "/", status: http.StatusNotFound})
		newService := map[string]int{"2.6": 1, "3.4": 0}[branch]
		s.costs(newService, "files come", func() {
			write(append(s.objects("web", 2), s.ingress("web", harness.Rule("web.example", "/", "web:80")))...)
			s.wantAnswers(web)
		})
		traffic := harness.StartProber(t, harness.Traffic{
			Addr: s.g.HTTP, Clients: 2, Pause: 10 * time.Millisecond,
			Next: func(int, int) harness.Route { return harness.Route{Host: "web.example", Path: "/"} },
		})
		s.costs(0, "files change", func() {
			write(harness.EndpointSlice(s.ns, "web", "8080", append(s.pods.IPs(1), s.ips["web"]...)...),
				s.ingress("web", harness.Rule("web.example", "/", "web:80"), harness.Rule("two.example", "/x", "web:80")))
			s.wantAnswers(web, routeAnswer{host: "two.example", path: "/x", service: "web"})
		})
		s.costs(0, "a broken file changes nothing", func() { s.brokenFile(dir) })
		s.costs(0, "a file goes", func() {
			extra := s.ingress("extra", harness.Rule("extra.example", "/", "web:80"))
			write(extra)
			s.wantAnswers(routeAnswer{host: "extra.example", path: "/", service: "web"})
			harness.RemoveManifests(t, dir, extra)
			s.wantAnswers(routeAnswer{host: "extra.example", path: "/", status: http.StatusNotFound})
		})
		traffic.Await(t, 20)
		traffic.Stop().WantNoFailures(t)
		s.healthy()
	})
}

// brokenFile writes what no parser can read over a good file, and next to it a
// good one: the first is reported and keeps its last version, the other is served.
func (s *routeScene) brokenFile(dir string) {
	s.t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*ingress_web.yaml"))
	if err != nil || len(files) != 1 {
		s.t.Fatalf("%v (%v)", files, err)
	}
	good, err := os.ReadFile(files[0])
	if err != nil {
		s.t.Fatal(err)
	}
	from := len(s.g.Log())
	s.write(files[0], "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: web\nspec: ]\n")
	line, from := s.g.WaitLog(s.t, from, "level=warn", "file="+filepath.Base(files[0]))
	if reason := line.Fields["reason"]; !strings.Contains(reason, "line 4") {
		s.t.Errorf("no line in %q", line.Raw)
	}
	if n := s.g.Metrics(s.t).Sum("headgate_manifest_errors"); n != 1 {
		s.t.Errorf("headgate_manifest_errors is %v, want 1", n)
	}
	harness.WriteManifests(s.t, dir, s.ingress("beside", harness.Rule("beside.example", "/", "web:80")))
	s.wantAnswers(
		routeAnswer{host: "beside.example", path: "/", service: "web"},
		routeAnswer{host: "two.example", path: "/x", service: "web"})

	s.write(files[0], string(good))
	s.g.WaitLog(s.t, from, "file="+filepath.Base(files[0]), "level=info")
	if n := s.g.Metrics(s.t).Sum("headgate_manifest_errors"); n != 0 {
		s.t.Errorf("headgate_manifest_errors is %v, want 0", n)
	}
}

func (s *routeScene) write(path, text string) {
	s.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// TestManifestsBrokenAtStart starts on a folder of which one file is broken, and one
// has an object that is.
func TestManifestsBrokenAtStart(t *testing.T) {
	s := &routeScene{t: t, branch: "3.4", pods: harness.StartPods(t), ns: "shop", class: "manifests", ips: map[string][]string{}}
	dir := t.TempDir()
	harness.WriteManifests(t, dir, slices.Concat(s.objects("web", 1), []runtime.Object{
		s.classObject(), s.ingress("web", harness.Rule("web.example", "/", "web:80")),
	})...)
	s.write(filepath.Join(dir, "broken.yaml"), "kind: Ingress\n\tspec: {}\n")
	harness.WriteManifests(t, dir, s.ingress("half", harness.Rule("half.example", "/", "web:80")))
	half := filepath.Join(dir, s.ns+"_ingress_half.yaml")
	good, err := os.ReadFile(half)
	if err != nil {
		t.Fatal(err)
	}
	s.write(half, "apiVersion: v1\nkind: Service\nmetadata: {name: huge, namespace: shop}\nspec: {ports: [{port: 70000}]}\n---\n"+string(good))
	s.g = harness.StartHeadgate(t, append(routeFlags(t, "3.4"),
		"--manifests="+dir, "--controller-name="+s.controllerName())...)
	s.wantAnswers(routeAnswer{host: "web.example", path: "/", service: "web"}, routeAnswer{host: "half.example", path: "/", service: "web"})
	line, _ := s.g.WaitLog(t, 0, "level=warn", "file=broken.yaml")
	if !strings.Contains(line.Fields["reason"], "line 2") {
		t.Errorf("no line in %q", line.Raw)
	}
	line, _ = s.g.WaitLog(t, 0, "level=warn", "file="+filepath.Base(half))
	if want := "line 1: Service 'huge': spec.ports[0].port: must be from 1 to 65535"; line.Fields["reason"] != want {
		t.Errorf("no %q in %q", want, line.Raw)
	}
	if n := s.g.Metrics(t).Sum("headgate_manifest_errors"); n != 2 {
		t.Errorf("headgate_manifest_errors is %v, want 2", n)
	}
	s.healthy()
}
