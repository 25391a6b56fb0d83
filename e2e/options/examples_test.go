package options

import (
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"headgate.dev/e2e/harness"
	"k8s.io/apimachinery/pkg/runtime"
)

// example is what haproxytech's documentation shows for a key, or one of its own
// end-to-end tests does (scenarios_test.go), with values of ours: what is written on an
// Ingress, and what requests meet there.
type example struct {
	key         string
	annotations map[string]string
	path        string // of the rule; "" is /
	service     string // and ":port"; "" is one that is there
	tls         string // the Secret of its host
	ask         ask
	see         see
	look        func(s *scene, host, want string) (string, error) // in place of ask and see; without any of them nothing is asked
	documented  string                                            // what they meet with the original, "HOST" being the example's host
	// here is what they meet here, if it is something else; then differs is the row of
	// docs/migration.md that says so.
	here, differs string
}

func origin(o string) ask { return ask{header: is("Origin", o)} }

func body(answers []harness.Answer) string {
	if answers[0].Pod() == "" {
		return "not a pod"
	}
	return statuses(answers)
}

var examples = []example{
	{key: "allow-list", annotations: is("allow-list", "192.0.2.0/24, 198.51.100.7"), see: statuses, documented: "403"},
	{key: "allow-list", annotations: is("allow-list", "127.0.0.1, 192.0.2.0/24"), see: statuses, documented: "200"},
	{key: "deny-list", annotations: is("deny-list", "127.0.0.0/16, 192.0.2.9"), see: statuses, documented: "403"},
	{key: "whitelist", annotations: is("whitelist", "198.51.100.0/24"), see: statuses, documented: "403"},
	{key: "blacklist", annotations: is("blacklist", "127.0.0.1"), see: statuses, documented: "403"},
	{key: "allow-list", annotations: is("allow-list", "192.0.2.0/24, 192.0.2.0/99"), see: statuses, documented: "200", here: "403", differs: "a bad `allow-list`"},
	{key: "src-ip-header", annotations: is("src-ip-header", "True-Client-IP", "allow-list", "192.0.2.0/24"), ask: ask{header: is("True-Client-IP", "192.0.2.77")}, see: statuses, documented: "200"},
	{key: "forwarded-for", annotations: is(), ask: ask{header: is("X-Forwarded-For", "192.0.2.1")}, see: sees("X-Forwarded-For"), documented: "192.0.2.1|127.0.0.1", here: "127.0.0.1", differs: "X-Forwarded-For"},
	{key: "forwarded-for", annotations: is("forwarded-for", "false"), see: sees("X-Forwarded-For"), documented: ""},

	{key: "cors-enable", annotations: is("cors-enable", "true"), ask: origin("https://o.example"), see: tells("Access-Control-Allow-Origin", "Access-Control-Allow-Methods", "Access-Control-Allow-Headers", "Access-Control-Max-Age"), documented: "*; *; *; 5"},
	{key: "cors-enable", annotations: is("cors-enable", "true"), see: tells("Access-Control-Allow-Origin"), documented: ""},
	{key: "cors-allow-origin", annotations: is("cors-enable", "true", "cors-allow-origin", "^https?://(www[.])?o[.]example(:[0-9]+)?$"), ask: origin("http://www.o.example:81"), see: tells("Access-Control-Allow-Origin"), documented: "http://www.o.example:81"},
	{key: "cors-allow-origin", annotations: is("cors-enable", "true", "cors-allow-origin", "^https://o[.]example$"), ask: origin("https://p.example"), see: tells("Access-Control-Allow-Origin", "Access-Control-Allow-Methods"), documented: ";"},
	{key: "cors-allow-origin", annotations: is("cors-enable", "true", "cors-allow-origin", "^https://o[.]example$"), ask: origin("https://o.example"), see: tells("Vary"), documented: "", here: "Origin", differs: "`cors-allow-origin`"},
	{key: "cors-allow-methods", annotations: is("cors-enable", "true", "cors-allow-methods", "get, Post"), ask: origin("https://o.example"), see: tells("Access-Control-Allow-Methods"), documented: "GET, POST"},
	{key: "cors-allow-headers", annotations: is("cors-enable", "true", "cors-allow-headers", "X-One,  X-Two"), ask: origin("https://o.example"), see: tells("Access-Control-Allow-Headers"), documented: "X-One, X-Two"},
	{key: "cors-max-age", annotations: is("cors-enable", "true", "cors-max-age", "2h"), ask: origin("https://o.example"), see: tells("Access-Control-Max-Age"), documented: "7200"},
	{key: "cors-allow-credentials", annotations: is("cors-enable", "true", "cors-allow-credentials", "true"), ask: origin("https://o.example"), see: tells("Access-Control-Allow-Credentials"), documented: "true"},
	{key: "cors-respond-to-options", annotations: is("cors-enable", "true", "cors-respond-to-options", "true"), ask: ask{method: http.MethodOptions}, see: statuses, documented: "204"},

	{key: "path-rewrite", annotations: is("path-rewrite", "/status"), see: uri, documented: "/status?c=d"},
	{key: "path-rewrite", annotations: is("path-rewrite", `(.*) /deep\1`), see: uri, documented: "/deep/a/b?c=d"},
	{key: "path-rewrite", annotations: is("path-rewrite", `/a/(.*) /\1`), path: "/a", see: uri, documented: "/b?c=d"},
	{key: "path-rewrite", annotations: is("path-rewrite", "/a/(.*) /one/\\1\n/one/(.*) /two/\\1"), see: uri, documented: "/two/b?c=d"},
	{key: "set-host", annotations: is("set-host", "inner.example"), see: host, documented: "inner.example"},
	{key: "request-set-header", annotations: is("request-set-header", "X-Team blue\nX-Long \"a b; c\""), see: sees("X-Long"), documented: "a b; c"},
	{key: "response-set-header", annotations: is("response-set-header", "Cache-Control \"no-store, private\"\nX-Team blue"), see: tells("Cache-Control", "X-Team"), documented: "no-store, private; blue"},

	{key: "request-redirect", annotations: is("request-redirect", "other.example"), see: location, documented: "302 http://other.example/a/b?c=d"},
	{key: "request-redirect", annotations: is("request-redirect", "https://other.example:8443", "request-redirect-code", "303"), see: location, documented: "303 https://other.example:8443/a/b?c=d"},
	{key: "ssl-redirect", annotations: is("ssl-redirect", "true", "ssl-redirect-port", "443"), see: location, documented: "302 https://HOST:443/a/b?c=d", here: "308 https://HOST/a/b?c=d", differs: "redirect to HTTPS"},
	{key: "ssl-redirect-code", annotations: is("ssl-redirect", "true", "ssl-redirect-code", "301", "ssl-redirect-port", "8443"), see: location, documented: "301 https://HOST:8443/a/b?c=d"},

	{key: "rate-limit-requests", annotations: is("rate-limit-requests", "2", "rate-limit-period", "1h"), ask: ask{n: 3}, see: statuses, documented: "200 200 403", here: "200 200 429", differs: "`rate-limit-status-code`"},
	{key: "rate-limit-status-code", annotations: is("rate-limit-requests", "1", "rate-limit-period", "1h", "rate-limit-status-code", "403"), ask: ask{n: 2}, see: statuses, documented: "200 403"},
	{key: "rate-limit-whitelist", annotations: is("rate-limit-requests", "1", "rate-limit-period", "1h", "rate-limit-whitelist", "127.0.0.1, 192.0.2.0/24"), ask: ask{n: 2}, see: statuses, documented: "200 200"},
	{key: "timeout-server", annotations: is("timeout-server", "100ms"), ask: ask{target: "/?sleep=1500"}, see: statuses, documented: "504"},
	{key: "load-balance", annotations: is("load-balance", "leastconn"), see: body, documented: "200"},
	{key: "cookie-persistence", annotations: is("cookie-persistence", "STAY"), see: cookie, documented: "", here: "STAY", differs: "`cookie-persistence` on an Ingress"},
	{key: "frontend-config-snippet", annotations: is("frontend-config-snippet", "http-request deny"), see: statuses, documented: "403", here: "200", differs: "configuration snippets"},

	// What is no key, but is said beside them.
	{key: "a path of elements", path: "/a", ask: ask{target: "/ab"}, see: statuses, documented: "200", here: "404", differs: "`ImplementationSpecific`"},
	{key: "a Service that isn't there", service: "none", see: statuses, documented: "404", here: "503", differs: "a rule whose Service"},
}

func exampleName(i int) string { return "example-" + string(rune('a'+i/26)) + string(rune('a'+i%26)) }

// exampleObjects are an Ingress an example; every third has the second and every
// third the third of the prefixes that mean the same.
func exampleObjects(ip string, all []example) []runtime.Object {
	objects := []runtime.Object{harness.IngressClass("headgate", controller),
		harness.Service(namespace, web, "80:8080"), harness.EndpointSlice(namespace, web, "8080", ip)}
	for i, e := range all {
		path, service := e.path, e.service
		if path == "" {
			path = "/"
		}
		if service == "" {
			service = web
		}
		if !strings.Contains(service, ":") {
			service += ":80"
		}
		options := []harness.IngressOption{harness.Class("headgate"),
			harness.RuleOf("ImplementationSpecific", exampleName(i)+".test", path, service)}
		if e.tls != "" {
			options = append(options, harness.TLS(e.tls, exampleName(i)+".test"))
		}
		prefixes := []string{prefix, "ingress.kubernetes.io/", "haproxy.com/"}
		for _, key := range slices.Sorted(maps.Keys(e.annotations)) {
			name := prefixes[i%3] + key
			if strings.Contains(key, "/") {
				name = strings.TrimPrefix(key, "/") // with a prefix, or to be without
			}
			options = append(options, harness.Annotation(name, e.annotations[key]))
		}
		objects = append(objects, harness.Ingress(namespace, exampleName(i), options...))
	}
	return objects
}

// TestExamples holds Headgate to the documentation of haproxytech's controller, and to
// its end-to-end tests; where it does something else, docs/migration.md has to say so.
func TestExamples(t *testing.T) {
	all := slices.Concat(examples, scenarios())
	wantDifferences(t, all)
	for _, branch := range []string{"2.6", "3.4"} {
		t.Run(branch, func(t *testing.T) {
			t.Parallel()
			pods := harness.StartPods(t, scenarioPorts...)
			s := &scene{t: t, dir: t.TempDir(), ip: pods.IP(), next: pods.IP(), g: harness.NewHeadgate(t)}
			objects := append(exampleObjects(s.ip, all), s.scenarioObjects(startOddPod(t, pods.IP(), newTrust(t)).ip)...)
			harness.WriteManifestFile(t, filepath.Join(s.dir, "all.yaml"), objects...)
			s.start(branch, "--configmap="+namespace+"/settings", "--configmap-patternfiles="+namespace+"/patterns")
			for i, e := range all {
				e.check(s, exampleName(i)+".test")
			}
			s.live(pods)
		})
	}
}

// wantDifferences demands a row of docs/migration.md for each.
func wantDifferences(t *testing.T, all []example) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(harness.Root(t), "docs", "migration.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if row := regexp.MustCompile(`(?m)^\| ` + regexp.QuoteMeta(e.differs)); e.differs != "" && !row.Match(page) {
			t.Errorf("docs/migration.md has no row that begins with %s", e.differs)
		}
	}
}

func (e example) check(s *scene, name string) {
	s.t.Helper()
	want := e.documented
	if e.differs != "" {
		want = e.here
	}
	want = strings.ReplaceAll(want, "HOST", name)
	var got string
	var err error
	switch {
	case e.look != nil:
		got, err = e.look(s, name, want)
	case e.see != nil:
		var answers []harness.Answer
		if answers, err = s.ask(name, e.ask); err == nil {
			got = e.see(answers)
		}
	default:
		return
	}
	if err != nil {
		s.t.Errorf("%s: %v", e.key, err)
	} else if got != want {
		s.t.Errorf("%s, %v: %q instead of %q", e.key, e.annotations, got, want)
	}
}
