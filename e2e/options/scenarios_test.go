package options

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"headgate.dev/e2e/harness"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// What haproxytech's own end-to-end tests do, with names and values of ours: first
// those that are an Ingress, a request and an answer. Where a test there sends more
// than one request, it is a row for each. Those that change something while they look
// are in scenarios_live_test.go.

// access makes the rows of one test: its name, what is on the Ingress, and for each
// client of src-ip-header what it meets.
func access(name string, annotations map[string]string, clients ...[2]string) (all []example) {
	annotations = maps.Clone(annotations)
	annotations["src-ip-header"] = "X-Client-IP"
	for _, client := range clients {
		all = append(all, example{key: "access-control, " + name, annotations: annotations, ask: ask{header: is("X-Client-IP", client[0])}, see: statuses, documented: client[1]})
	}
	return all
}

// corsCases are what Ingresses say, and the ConfigMap.
var corsCases = []struct {
	annotations map[string]string
	method      string
	documented  string
}{
	{is("cors-enable", "true"), "", "*; *; *; 5;"},
	{is("cors-enable", "true", "cors-respond-to-options", "true"), http.MethodOptions, "*; *; *; 5;"},
	{is("cors-enable", "true", "cors-allow-origin", "http://o.example"), "", "http://o.example; *; *; 5;"},
	{is("cors-enable", "true", "cors-allow-methods", "GET"), "", "*; GET; *; 5;"},
	{is("cors-enable", "true", "cors-allow-headers", "Accept"), "", "*; *; Accept; 5;"},
	{is("cors-enable", "true", "cors-max-age", "500s"), "", "*; *; *; 500;"},
	{is("cors-enable", "true", "cors-allow-credentials", "true"), "", "*; *; *; 5; true"},
	{is("cors-enable", "true", "cors-allow-credentials", "false"), "", "*; *; *; 5;"},
	{is("cors-enable", "false", "cors-allow-origin", "http://p.example", "cors-allow-credentials", "true", "cors-allow-methods", "GET", "cors-allow-headers", "Accept"), "", "; ; ; ;"},
}

var corsHeaders = tells("Access-Control-Allow-Origin", "Access-Control-Allow-Methods", "Access-Control-Allow-Headers", "Access-Control-Max-Age", "Access-Control-Allow-Credentials")

func corsAsk(method string) ask { return ask{method: method, header: is("Origin", "http://o.example")} }

func scenarios() []example {
	all := slices.Concat(
		access("inline", is("allow-list", "192.168.2.0/24"), [2]string{"192.168.2.3", "200"}, [2]string{"192.168.5.3", "403"}),
		access("inline, the old name", is("whitelist", "192.168.4.0/24"), [2]string{"192.168.4.3", "200"}, [2]string{"192.168.5.3", "403"}),
		access("inline, both names", is("whitelist", "192.168.4.0/24", "allow-list", "192.168.5.0/24"), [2]string{"192.168.5.3", "200"}, [2]string{"192.168.4.3", "403"}),
		access("a pattern file", is("allow-list", "patterns/one"), [2]string{"192.168.0.3", "200"}, [2]string{"192.168.2.3", "403"}),
		access("a pattern file, the old name", is("whitelist", "patterns/two"), [2]string{"192.169.0.3", "200"}, [2]string{"192.168.2.3", "403"}),
		access("pattern files, both names", is("whitelist", "patterns/two", "allow-list", "patterns/one"), [2]string{"192.168.0.3", "200"}, [2]string{"192.168.2.3", "403"}),
		access("inline", is("deny-list", "192.168.2.0/24"), [2]string{"192.168.2.3", "403"}, [2]string{"192.168.5.3", "200"}),
		access("inline, the old name", is("blacklist", "192.168.4.0/24"), [2]string{"192.168.4.3", "403"}, [2]string{"192.168.5.3", "200"}),
		access("inline, both names", is("blacklist", "192.168.4.0/24", "deny-list", "192.168.5.0/24"), [2]string{"192.168.5.3", "403"}, [2]string{"192.168.4.3", "200"}),
		access("a pattern file", is("deny-list", "patterns/one"), [2]string{"192.168.0.3", "403"}, [2]string{"192.168.2.3", "200"}),
		access("a pattern file, the old name", is("blacklist", "patterns/two"), [2]string{"192.169.0.3", "403"}, [2]string{"192.168.2.3", "200"}),
		access("pattern files, both names", is("blacklist", "patterns/two", "deny-list", "patterns/one"), [2]string{"192.168.0.3", "403"}, [2]string{"192.169.2.3", "200"}),
		[]example{
			{key: "a key without a prefix", annotations: is("/deny-list", "127.0.0.0/8"), see: statuses, documented: "403", here: "200", differs: "annotations without a prefix"},

			{key: "basic-auth, denied", annotations: asksUsers, see: statuses, documented: "401"},
			{key: "basic-auth, DES", annotations: asksUsers, ask: ask{header: basic("des:password")}, see: statuses, documented: "200", here: "401", differs: "hashes in `auth-secret`"},
			{key: "basic-auth, MD5", annotations: asksUsers, ask: ask{header: basic("md5:password")}, see: statuses, documented: "200"},
			{key: "basic-auth, SHA-256", annotations: asksUsers, ask: ask{header: basic("sha-256:password")}, see: statuses, documented: "200"},
			{key: "basic-auth, SHA-512", annotations: asksUsers, ask: ask{header: basic("sha-512:password")}, see: statuses, documented: "200"},

			// By route-acl there, on the second Service.
			{key: "canary-deployment, 0 percent", annotations: share("0"), look: sides, documented: "route"},
			{key: "canary-deployment, 25 percent", annotations: share("25"), look: sides, documented: "both"},
			{key: "canary-deployment, 100 percent", annotations: share("100"), look: sides, documented: "canary"},
			{key: "canary-deployment, how it is said there", differs: "`route-acl` on a second Service"},

			{key: "config-snippet, of a backend", service: "snippet", see: sees("E2e-Test"), documented: "test", here: "", differs: "configuration snippets"},
			{key: "config-snippet, what it is for", annotations: is("request-set-header", "E2e-Test test"), see: sees("E2e-Test"), documented: "test"},

			{key: "cookie-persistence, dynamic", service: "cookie", see: cookie, documented: "mycookie"},
			{key: "cookie-persistence, not dynamic", service: "fixed", see: cookie, documented: "mycookie"},
			{key: "cookie-persistence, none", see: cookie, documented: ""},

			{key: "https, redirect, without TLS", see: statuses, documented: "200"},
			{key: "https, redirect, by TLS", tls: "default", see: statuses, documented: "302", here: "308", differs: "redirect to HTTPS"},
			{key: "https, redirect, another code", annotations: is("ssl-redirect", "true", "ssl-redirect-code", "301"), see: statuses, documented: "301"},
			{key: "https, redirect, turned off", tls: "default", annotations: is("ssl-redirect", "false"), see: statuses, documented: "200"},
			{key: "https, passthrough", annotations: is("ssl-passthrough", "true"), see: uri, documented: "", here: "/a/b?c=d", differs: "TLS passthrough"},

			// An hour, so that a slow machine counts as one period.
			{key: "rate-limiting, 5 a period", annotations: is("rate-limit-requests", "5", "rate-limit-period", "1h", "rate-limit-status-code", "403"), ask: ask{n: 6}, see: statuses, documented: "200 200 200 200 200 403"},
			{key: "rate-limiting, 20 in 2s", annotations: is("rate-limit-requests", "20", "rate-limit-period", "2s", "rate-limit-status-code", "403"), ask: ask{n: 21}, see: refused, documented: "1", here: "0", differs: "stick tables of rate limits"},
			{key: "rate-limiting, another code", annotations: is("rate-limit-requests", "1", "rate-limit-period", "1h", "rate-limit-status-code", "429"), ask: ask{n: 2}, see: statuses, documented: "200 429"},

			{key: "send-proxy-protocol", service: "proxy", see: text, documented: "v1"},

			{key: "service-discovery, by number", service: "unnamed:8080", see: statuses, documented: "200"},
			{key: "service-discovery, by name", service: "named:http", see: statuses, documented: "200"},

			{key: "set-header, request", annotations: is("request-set-header", "Cache-Control no-store,no-cache,private"), see: sees("Cache-Control"), documented: "no-store,no-cache,private"},
			{key: "set-header, request", annotations: is("request-set-header", "X-Custom-Header some-value"), see: sees("X-Custom-Header"), documented: "some-value"},
			{key: "set-header, response", annotations: is("response-set-header", "Cache-Control no-store,no-cache,private"), see: tells("Cache-Control"), documented: "no-store,no-cache,private"},
			{key: "set-header, response", annotations: is("response-set-header", "X-Custom-Header some-value"), see: tells("X-Custom-Header"), documented: "some-value"},
			{key: "set-header, host", annotations: is("set-host", "foo"), see: host, documented: "foo"},
			{key: "set-header, host", annotations: is("set-host", "bar"), see: host, documented: "bar"},

			{key: "source-ip", annotations: is("src-ip-header", "X-Client-IP", "blacklist", "10.0.0.1"), ask: ask{header: is("X-Client-IP", "10.0.0.1")}, see: statuses, documented: "403"},
			{key: "source-ip", annotations: is("src-ip-header", "X-Real-IP", "blacklist", "192.0.2.32"), ask: ask{header: is("X-Real-IP", "192.0.2.32")}, see: statuses, documented: "403"},
			{key: "haproxy-files, no page for 503", service: "idle", see: statuses, documented: "521", here: "503", differs: "error pages"},

			// What isn't served at all. (tls-auth is TestClientCertificates.)
			{key: "haproxy-files, a map from a pattern file", differs: "configuration snippets"},
			{key: "admin-port, profiles", differs: "profiles"},
			{key: "crd, crd-backend, crd-frontend", differs: "configuration snippets"},
			{key: "crd-tcp, endpoints by TCP", differs: "TCP services"},
		})
	for _, c := range corsCases {
		all = append(all, example{key: "cors, Ingress alone", annotations: c.annotations, ask: corsAsk(c.method), see: corsHeaders, documented: c.documented})
	}
	return all
}

var asksUsers = is("auth-type", "basic-auth", "auth-secret", "hashes")

func share(percent string) map[string]string {
	return is(canary+"service", "next:80", canary+"weight", percent)
}

// sides is whose pods answer: "both" as soon as both have, or the one that has
// answered 20 requests.
func sides(s *scene, host, want string) (string, error) {
	seen := map[string]bool{}
	for i := 0; i < 20 || want == "both" && i < 2000 && len(seen) < 2; i++ {
		answers, err := s.ask(host, ask{})
		if err != nil {
			return "", err
		}
		seen[map[string]string{s.ip: "route", s.next: "canary"}[answers[0].Echo.Pod]] = true
	}
	if len(seen) == 2 {
		return "both", nil
	}
	return strings.Join(slices.Collect(maps.Keys(seen)), ""), nil
}

func text(answers []harness.Answer) string { return answers[0].Body }

// refused is how many of them were.
func refused(answers []harness.Answer) string {
	return fmt.Sprint(strings.Count(statuses(answers), "403"))
}

// scenarioObjects are what the rows name besides.
func (s *scene) scenarioObjects(proxy string) []runtime.Object {
	service := func(name, key, value string) *corev1.Service {
		service := harness.Service(namespace, name, "80:8080")
		service.Annotations = map[string]string{prefix + key: value}
		return service
	}
	objects := []runtime.Object{
		service("snippet", "backend-config-snippet", "http-request set-header e2e-test %[str(test)]"),
		service("cookie", "cookie-persistence", "mycookie"),
		service("fixed", "cookie-persistence-no-dynamic", "mycookie"),
		harness.Service(namespace, "named", "http=8080:8080"), harness.EndpointSlice(namespace, "named", "http=8080", s.ip),
		harness.Service(namespace, "unnamed", "8080"), harness.EndpointSlice(namespace, "unnamed", "8080", s.ip),
		harness.Service(namespace, "next", "80:8080"), harness.EndpointSlice(namespace, "next", "8080", s.next),
		harness.Service(namespace, "idle", "80:8080"),
		harness.TLSSecret(namespace, "default", s.pair()),
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "patterns"}, Data: is("one", "192.168.0.0/24\n", "two", "192.169.0.0/24\n")},
		service("proxy", "send-proxy-protocol", "proxy-v1"), harness.EndpointSlice(namespace, "proxy", fmt.Sprint(proxyPort), proxy),
		harness.Secret(namespace, "hashes", is("des", "abJnggxhB/yWI", "md5", "$1$abcdefgh$G//4keteveJp0qb8z2DxG/",
			"sha-256", "$5$abcdefgh$ZLdkj8mkc2XVSrPVjskDAgZPGjtj1VGVaa1aUkrMTU/",
			"sha-512", "$6$abcdefgh$yVfUwsw5T.JApa8POvClA1pQ5peiq97DUNyXCZN5IrF.BMSkiaLQ5kvpuEm/VQ1Tvh/KV2TcaWh8qinoW5dhA1")),
	}
	for _, name := range []string{"snippet", "cookie", "fixed"} {
		objects = append(objects, harness.EndpointSlice(namespace, name, "8080", s.ip))
	}
	return objects
}

func (s *scene) pair() harness.KeyPair {
	s.t.Helper()
	ca, err := harness.NewCA("ca")
	if err != nil {
		s.t.Fatal(err)
	}
	pair, err := ca.Issue("default.test")
	if err != nil {
		s.t.Fatal(err)
	}
	return pair
}
