package options

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"

	"headgate.dev/e2e/harness"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// The rest of haproxytech's end-to-end tests: objects change, and requests follow.

// scenarioPorts are those of pods that get another one.
var scenarioPorts = []int{8001, 8002, 8003, 8004}

func (s *scene) live(pods *harness.Pods) {
	s.t.Helper()
	s.scales(pods.IPs(8))
	s.portsChange(pods.IPs(11))
	s.manyPaths()
	s.classComes()
	s.matches(pods)
	s.certificateChanges()
	s.settingsChange()
}

// put replaces what the test before has put, and waits until HAProxy has it.
func (s *scene) put(objects ...runtime.Object) {
	s.t.Helper()
	s.states++
	objects = append(objects, harness.Ingress(namespace, "state", harness.Class("headgate"), harness.Rule(s.state(), "/", web+":80")))
	harness.WriteManifestFile(s.t, filepath.Join(s.dir, "live.yaml"), objects...)
	s.settle()
}

// wantSameWorker: nothing was reloaded since.
func (s *scene) wantSameWorker(what, worker string) {
	s.t.Helper()
	if now := s.info("Pid"); now != worker {
		s.t.Errorf("%s: the worker was %s and is %s", what, worker, now)
	}
}

// eachTwice waits until 2n requests go to n pods, two each.
func (s *scene) eachTwice(what, host string, n int) {
	s.t.Helper()
	harness.Eventually(s.t, what, func() error {
		pods := map[string]int{}
		answers, err := s.ask(host, ask{n: max(2*n, 1)})
		for _, answer := range answers {
			pods[answer.Pod()]++
		}
		for pod, times := range pods {
			if times != 2 && n > 0 || pod == "" && n > 0 || pod != "" && n == 0 {
				err = errors.Join(err, fmt.Errorf("%d answers of %q", times, pod))
			}
		}
		if n > 0 && len(pods) != n {
			err = errors.Join(err, fmt.Errorf("%d pods", len(pods)))
		}
		return err
	})
}

// "endpoints": more and fewer pods. There, HAProxy is reloaded for more of them.
func (s *scene) scales(ips []string) {
	s.t.Helper()
	scaled := func(n int, more ...discoveryv1.Endpoint) []runtime.Object {
		slice := harness.EndpointSlice(namespace, "scaled", "8080", ips[:n]...)
		slice.Endpoints = append(slice.Endpoints, more...)
		return []runtime.Object{harness.Service(namespace, "scaled", "80:8080"), slice,
			harness.Ingress(namespace, "scaled", harness.Class("headgate"), harness.Rule("scaled.test", "/", "scaled:80"))}
	}
	s.put(scaled(1)...)
	s.eachTwice("endpoints: a pod", "scaled.test", 1)
	worker := s.info("Pid")
	for _, n := range []int{4, 8, 2, 0, 3} {
		s.put(scaled(n)...)
		s.eachTwice(fmt.Sprintf("endpoints: %d pods", n), "scaled.test", n)
	}
	s.put(scaled(2, harness.Endpoint(namespace, ips[2], false, false, false))...)
	s.eachTwice("endpoints: one that isn't ready", "scaled.test", 2)
	s.wantSameWorker("endpoints", worker)
}

// "different-ports": pods of one Service listen on different ports.
func (s *scene) portsChange(ips []string) {
	s.t.Helper()
	placed := func(annotation string, replicas ...int) []runtime.Object {
		objects := []runtime.Object{harness.Service(namespace, "ports", "80:http"),
			harness.Ingress(namespace, "ports", harness.Class("headgate"), harness.Rule("ports.test", "/", "ports:80"), harness.Annotation(prefix+"standalone-backend", annotation))}
		from := 0
		for i, n := range replicas {
			slice := harness.EndpointSlice(namespace, "ports", fmt.Sprint(scenarioPorts[i]), ips[from:from+n]...)
			slice.Name = fmt.Sprintf("ports-%d", i)
			objects, from = append(objects, slice), from+n
		}
		return objects
	}
	s.put(placed("false", 1)...)
	s.eachTwice("different-ports: one", "ports.test", 1)
	worker := s.info("Pid")
	s.put(placed("false", 1, 8)...)
	s.eachTwice("different-ports: another one, and more pods", "ports.test", 9)
	s.put(placed("false", 1, 0, 1)...)
	s.eachTwice("different-ports: one comes and one goes", "ports.test", 2)
	s.put(placed("true", 1, 0, 1, 1)...)
	s.eachTwice("different-ports: with standalone-backend", "ports.test", 3)
	s.wantSameWorker("different-ports", worker)
}

// "map-updates": 700 paths at once.
func (s *scene) manyPaths() {
	s.t.Helper()
	options := []harness.IngressOption{harness.Class("headgate")}
	for i := range 700 {
		options = append(options, harness.RuleOf("ImplementationSpecific", "many.test", fmt.Sprintf("/%d", i), web+":80"))
	}
	worker := s.info("Pid")
	s.put(harness.Ingress(namespace, "many", options...))
	entries, err := harness.Runtime(s.g.RuntimeSocket(), "show map "+filepath.Join(s.g.StateDir, "current", "prefix.map"))
	if n := strings.Count(entries, " many.test/"); n != 700 {
		s.t.Errorf("map-updates: %d entries, %v", n, err)
	}
	for path, want := range map[string]string{"/0": "200", "/699": "200", "/700": "404"} {
		example{key: "map-updates, " + path, ask: ask{target: path}, see: statuses, documented: want}.check(s, "many.test")
	}
	s.wantSameWorker("map-updates", worker)
}

// "ingressclass": the name of a class, and the class itself, come and go.
func (s *scene) classComes() {
	s.t.Helper()
	site := harness.Ingress(namespace, "classed", harness.Rule("classed.test", "/", web+":80"))
	want := func(what, status string) {
		s.t.Helper()
		example{key: "ingressclass, " + what, see: statuses, documented: status}.check(s, "classed.test")
	}
	s.put(site)
	want("no name", "404")
	harness.Class("late")(site)
	s.put(site)
	want("no class", "404")
	for range 2 {
		s.put(site, harness.IngressClass("late", controller))
		want("both", "200")
		s.put(site)
		want("the class has gone", "404")
	}
}

// "ingress-match": which rule a request belongs to.
func (s *scene) matches(pods *harness.Pods) {
	s.t.Helper()
	const specific = "ImplementationSpecific"
	rules := []struct{ kind, host, path, requests string }{
		{specific, "app.match", "/", "/ /test /exact/ /exactslash /exactslash/foo /prefixxx"},
		{specific, "app.match", "/a", "/a"},
		{specific, "app.match", "/a/b", "/a/b"},
		{"Exact", "app.match", "/exact", "/exact"},
		{"Exact", "app.match", "/exactslash/", "/exactslash/"},
		{"Prefix", "app.match", "/prefix", "/prefix /prefix/ /prefix/foo"},
		{"Prefix", "app.match", "/prefixslash", "/prefixslash /prefixslash/ /prefixslash/foo/bar"},
		{specific, "sub.app.match", "", "/test"},
		{specific, "*.match", "", "/test"},
		{specific, "", "/test", "/test"},
	}
	ips := pods.IPs(len(rules))
	var objects []runtime.Object
	options := []harness.IngressOption{harness.Class("headgate")}
	for i, r := range rules {
		name := fmt.Sprintf("match-%d", i)
		objects = append(objects, harness.Service(namespace, name, "80:8080"), harness.EndpointSlice(namespace, name, "8080", ips[i]))
		options = append(options, harness.RuleOf(networkingv1.PathType(r.kind), r.host, r.path, name+":80"))
	}
	s.put(append(objects, harness.Ingress(namespace, "match", options...))...)
	harness.WantPod(s.t, s.g.HTTP, rules[0].host, "/", ips[0]) // after a reload, before 3.4
	for i, r := range rules {
		host := strings.Replace(r.host, "*", "test", 1)
		if host == "" {
			host = "foo.bar"
		}
		for _, path := range strings.Fields(r.requests) {
			answers, err := s.ask(host, ask{target: path})
			if err != nil || answers[0].Echo.Pod != ips[i] {
				s.t.Errorf("ingress-match, %s%s: %v, %v; want the pod of rule %d", host, path, answers, err, i)
			}
		}
	}
}

// "https, offload" and "https-runtime": certificates come and change. In the end the
// one of a host is for another name: there, that host gets any other certificate.
func (s *scene) certificateChanges() {
	s.t.Helper()
	ca, err := harness.NewCA("ca")
	if err != nil {
		s.t.Fatal(err)
	}
	pairs := map[string]harness.KeyPair{}
	for _, name := range []string{"offload.test", "two.test", "four.test"} {
		if pairs[name], err = ca.Issue(name); err != nil {
			s.t.Fatal(err)
		}
	}
	secured := func(one string, hosts ...string) []runtime.Object {
		options := []harness.IngressOption{harness.Class("headgate"), harness.Annotation(prefix+"ssl-redirect", "false")}
		for _, host := range hosts {
			options = append(options, harness.Rule(host, "/", web+":80"), harness.TLS(strings.TrimSuffix(host, ".test"), host))
		}
		return []runtime.Object{harness.TLSSecret(namespace, "offload", pairs[one]), harness.TLSSecret(namespace, "two", pairs["two.test"]),
			harness.Ingress(namespace, "secured", options...)}
	}
	shows := func(host, certificate string) {
		s.t.Helper()
		harness.Eventually(s.t, "https: the certificate of "+host, func() error {
			return harness.ShowsCertificate(s.g.HTTPS, host, pairs[certificate])
		})
	}
	s.put(secured("offload.test", "two.test")...)
	shows("two.test", "two.test")
	worker := s.info("Pid")
	s.put(secured("offload.test", "two.test", "offload.test")...)
	shows("offload.test", "offload.test")
	shows("two.test", "two.test")
	s.put(secured("four.test", "two.test", "offload.test")...)
	shows("offload.test", "four.test")
	s.wantSameWorker("https-runtime", worker)
}

// "cors", by the ConfigMap alone; "config-snippet" of the frontend; "global-config".
func (s *scene) settingsChange() {
	s.t.Helper()
	set := func(data map[string]string) []runtime.Object {
		return []runtime.Object{&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "settings"}, Data: data},
			harness.Ingress(namespace, "open", harness.Class("headgate"), harness.Rule("open.test", "/", web+":80"))}
	}
	worker := s.info("Pid")
	for _, c := range corsCases {
		s.put(set(c.annotations)...)
		example{key: "cors, ConfigMap alone", annotations: c.annotations, ask: corsAsk(c.method), see: corsHeaders, documented: c.documented}.check(s, "open.test")
	}
	snippet := is("frontend-config-snippet", "http-request set-header X-Unique-Id 1")
	s.put(set(snippet)...)
	example{key: "config-snippet, of the frontend", see: sees("X-Unique-Id"), documented: "1", here: "", differs: "configuration snippets"}.check(s, "open.test")
	s.wantSameWorker("cors", worker)

	s.put(set(is("maxconn", "1111"))...)
	harness.Eventually(s.t, "global-config, maxconn", func() error {
		if value := s.info("Maxconn"); value != "1111" {
			return errors.New(value)
		}
		return nil
	})
	// (Not put: others can't ask while all have to speak the PROXY protocol.)
	for _, c := range []struct {
		networks string
		status   int
	}{{"0.0.0.0/0", http.StatusNotFound}, {"192.168.1.1", http.StatusBadRequest}} {
		harness.WriteManifestFile(s.t, filepath.Join(s.dir, "live.yaml"), set(is("proxy-protocol", c.networks))...)
		harness.Eventually(s.t, "global-config, proxy-protocol from "+c.networks, func() error { return s.sendsProxied(c.status) })
	}
}

// sendsProxied sends a request with the PROXY protocol in front of it.
func (s *scene) sendsProxied(want int) error {
	conn, err := net.Dial("tcp", s.g.HTTP)
	if err != nil {
		return err
	}
	defer conn.Close()
	fmt.Fprint(conn, "PROXY TCP4 192.0.2.1 127.0.0.1 1000 80\r\nGET / HTTP/1.1\r\nHost: nobody.test\r\nConnection: close\r\n\r\n")
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err == nil && answer.StatusCode != want {
		err = errors.New(answer.Status)
	}
	return err
}
