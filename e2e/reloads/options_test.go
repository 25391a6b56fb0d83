package reloads

import (
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"headgate.dev/e2e/harness"
	"k8s.io/apimachinery/pkg/runtime"
)

// option is what a tenant may write on an Ingress: a value that comes, and the one
// that it becomes before it goes.
type option struct {
	name        string
	set, change string
	with        []string // "name: value" of options that are there all the time, without which it does nothing
}

const optionsSection = "Options: set, changed, removed"

var hourly = []string{"rate-limit-period: 1h", "rate-limit-requests: 1000000"}

// The Service that is asked has a rule, and so a backend; naming another one costs
// what a new Service costs.
const questions = "http://row.shop.svc/"

var asking = []string{"auth-url: " + questions}

// The Service that takes a part has a rule, too.
var splitting = []string{"canary-service: row:80"}

// requestOptions act on requests: they are in the policy of the Ingress.
var requestOptions = []option{
	{"allow-list", "127.0.0.0/8", "127.0.0.0/8, 2001:db8::/32", nil},
	{"deny-list", "192.0.2.0/24", "192.0.2.0/24, 2001:db8::1", nil},
	{"deny-paths", "/admin", "/admin, /.git", nil},
	{"src-ip-header", "X-Client", "X-Other", nil},
	{"auth-type", "basic-auth", "digest", []string{"auth-secret: people"}},
	{"auth-secret", "people", "others", []string{"auth-type: basic-auth"}},
	{"auth-realm", "A", "B", []string{"auth-type: basic-auth", "auth-secret: people"}},
	{"rate-limit-requests", "1000000", "2000000", nil},
	{"rate-limit-period", "1m", "1h", []string{"rate-limit-requests: 1000000"}},
	{"rate-limit-status-code", "403", "503", hourly},
	{"rate-limit-whitelist", "192.0.2.0/24", "192.0.2.1", hourly},
	{"ssl-redirect", "true", "false", nil},
	{"ssl-redirect-code", "301", "302", []string{"ssl-redirect: true"}},
	{"ssl-redirect-port", "8443", "9443", []string{"ssl-redirect: true"}},
	{"request-redirect", "a.test", "https://b.test:444", nil},
	{"request-redirect-code", "301", "307", []string{"request-redirect: a.test"}},
	{"cors-enable", "true", "false", nil},
	{"cors-allow-origin", "^https://a[.]test$", "^https://b[.]test$", []string{"cors-enable: true"}},
	{"cors-allow-methods", "GET", "GET, PUT", []string{"cors-enable: true"}},
	{"cors-allow-headers", "X-A", "X-A, X-B", []string{"cors-enable: true"}},
	{"cors-max-age", "1m", "1h", []string{"cors-enable: true"}},
	{"cors-allow-credentials", "true", "false", []string{"cors-enable: true"}},
	{"cors-respond-to-options", "true", "false", []string{"cors-enable: true"}},
	{"auth-url", questions + "a", questions + "b", nil},
	{"auth-method", "HEAD", "POST", asking},
	{"auth-signin", "/login", "https://login.test/", asking},
	{"auth-response-headers", "X-A", "X-A, X-B", asking},
	{"auth-request-headers", "X-A", "X-A, X-B", asking},
	{"auth-timeout", "1s", "2s", asking},
	{"auth-cache", "10s", "20s", asking},
	{"canary-service", "row:80", "nobody:80", nil},
	{"canary-weight", "10", "20", splitting},
	{"canary-by-header", "X-A", "X-B", splitting},
	{"canary-by-header-value", "a", "b", []string{"canary-service: row:80", "canary-by-header: X-A"}},
	{"canary-by-cookie", "a", "b", splitting},
	{"set-host", "a.test", "b.test", nil},
	{"path-rewrite", "/fixed", `^/a/(.*)$ /b/\1`, nil},
	{"request-set-header", "X-A 1", "X-A 2\nX-B 1", nil},
	{"response-set-header", "X-A 1", "X-A 2\nX-B 1", nil},
	{"forwarded-for", "false", "true", nil},
	{"request-capture", "path", "method", nil},
	{"request-capture-len", "10", "20", []string{"request-capture: path"}},
	{"timeout-server", "10s", "20s", nil},
	{"timeout-tunnel", "10s", "20s", nil},
}

// backendOptions say how pods are chosen and spoken to, which HAProxy fixes when it
// makes a backend: with another value it is another backend.
var backendOptions = []option{
	{"load-balance", "leastconn", "random", nil},
	{"cookie-persistence", "A", "B", nil},
	{"pod-maxconn", "10", "20", nil},
	{"check", "true", "false", nil},
	{"check-http", "/healthz", "/ready", nil},
	{"check-interval", "10s", "20s", []string{"check: true"}},
	{"server-ssl", "true", "false", nil},
	{"server-proto", "h2", "h1", nil},
	{"server-ca", "first-ca", "second-ca", nil},
	{"server-crt", "standard", "other-standard", nil},
	{"send-proxy-protocol", "proxy", "proxy-v2", nil},
	{"ssl-passthrough", "true", "false", nil},
}

// with is the site "row" with these annotations, as "name: value".
func with(annotations ...string) []runtime.Object {
	options := []harness.IngressOption{harness.Rule("row.test", "/", "row:80")}
	for _, annotation := range annotations {
		name, value, _ := strings.Cut(annotation, ": ")
		options = append(options, harness.Annotation("headgate.dev/"+name, value))
	}
	return objects(served("row", pods(1, 2)...), row(options...), people("people", "ann"), people("others", "joe"))
}

// people is a Secret with one user.
func people(name, user string) []runtime.Object {
	return one(harness.Secret(namespace, name, map[string]string{user: "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="}))
}

// runOptions measures three changes an option; a cell has all three, or one where
// they cost the same.
func (s *scene) runOptions(page *table, isLive bool) {
	s.t.Helper()
	for _, o := range slices.Concat(requestOptions, backendOptions) {
		without := with(o.with...)
		s.write(without)
		var cells []string
		for _, to := range [][]runtime.Object{
			with(append(slices.Clone(o.with), o.name+": "+o.set)...),
			with(append(slices.Clone(o.with), o.name+": "+o.change)...),
			without,
		} {
			c := s.measure(false, func() { s.write(to) })
			s.agrees(o.name, c)
			if isLive && c.workers != 0 {
				s.t.Errorf("%s: %s: a tenant's change reloads", s.branch, o.name)
			}
			cells = append(cells, cell(c))
		}
		if slices.Equal(cells[1:], cells[:2]) {
			cells = cells[:1]
		}
		page.add(s.t, optionsSection, "`"+o.name+"`", s.branch, strings.Join(cells, " / "))
	}
	s.write(nil)
}

// TestEveryOptionHasARow compares the tables with what the program says that an
// Ingress can have.
func TestEveryOptionHasARow(t *testing.T) {
	text, err := exec.Command(harness.HeadgateBinary(t), "options").Output()
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\|.*\\| ([A-Za-z, ]+) \\| ([^|]+) \\|$")
	var all, names []string
	for _, match := range line.FindAllStringSubmatch(string(text), -1) {
		if strings.Contains(match[2], "Ingress") && match[3] != "not supported yet" {
			all = append(all, match[1])
		}
	}
	for _, o := range slices.Concat(requestOptions, backendOptions) {
		names = append(names, o.name)
	}
	slices.Sort(all)
	slices.Sort(names)
	if !slices.Equal(all, names) {
		t.Errorf("the tables have\n%v\nand the program\n%v", names, all)
	}
}
