package options

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"

	"headgate.dev/e2e/harness"
)

// row is one option: what requests meet without it, with it, and with another
// value of it. Each row has an Ingress and a host of its own.
type row struct {
	keys   string            // of haproxytech's that it shows, separated by blanks
	fixed  map[string]string // annotations that are there all the time
	set    map[string]string // what comes
	change map[string]string // what it becomes
	// onService: these are annotations of the Service.
	onService bool
	ask       ask
	see       see
	want      [3]string // without, set, changed; "HOST" is the row's host
	// look is for what takes more than requests and answers: in place of ask and see.
	look func(s *scene, host, want string) (string, error)
	// after is what is seen when it has gone again, if that is not the first of want.
	after string
}

// ask is a request, sent n times (0 is once).
type ask struct {
	method string // "" is GET
	target string // "" is /a/b?c=d
	header map[string]string
	n      int
}

// see makes a short text of the answers.
type see func(answers []harness.Answer) string

func statuses(answers []harness.Answer) string {
	var texts []string
	for _, a := range answers {
		texts = append(texts, fmt.Sprint(a.Status))
	}
	return strings.Join(texts, " ")
}

func location(answers []harness.Answer) string {
	a := answers[0]
	return strings.TrimSpace(fmt.Sprintf("%d %s", a.Status, a.Header.Get("Location")))
}

// sees is what the pod has seen of a header.
func sees(name string) see {
	return func(answers []harness.Answer) string {
		if answers[0].Status != http.StatusOK {
			return fmt.Sprint(answers[0].Status)
		}
		return strings.Join(answers[0].Echo.Headers.Values(name), "|")
	}
}

// tells is what the answer has of a header.
func tells(names ...string) see {
	return func(answers []harness.Answer) string {
		var texts []string
		for _, name := range names {
			texts = append(texts, strings.Join(answers[0].Header.Values(name), "|"))
		}
		return strings.TrimSpace(strings.Join(texts, "; "))
	}
}

// cookie is the name of the one that the answer sets.
func cookie(answers []harness.Answer) string {
	name, _, _ := strings.Cut(answers[0].Header.Get("Set-Cookie"), "=")
	return name
}

func uri(answers []harness.Answer) string { return answers[0].Echo.URI }

func host(answers []harness.Answer) string { return answers[0].Echo.Host }

// from is a client's address for src-ip-header.
func from(address string) map[string]string { return map[string]string{"X-Client": address} }

var source = map[string]string{"src-ip-header": "X-Client"}

func with(more ...string) map[string]string {
	all := map[string]string{"src-ip-header": "X-Client"}
	for i := 0; i < len(more); i += 2 {
		all[more[i]] = more[i+1]
	}
	return all
}

// canary is what the options about a second Service begin with: they have no other names.
const canary = "headgate.dev/canary-"

// basic is the header of a user and a password.
func basic(credentials string) map[string]string {
	return is("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(credentials)))
}

func is(pairs ...string) map[string]string {
	all := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i]] = pairs[i+1]
	}
	return all
}

// The client is 127.0.0.1, where no row says otherwise.
var rows = []row{
	{keys: "allow-list", set: is("allow-list", "192.0.2.0/24, 2001:db8::/32"), change: is("allow-list", "192.0.2.0/24,127.0.0.0/8"), see: statuses, want: [3]string{"200", "403", "200"}},
	{keys: "allow-list", fixed: source, set: is("allow-list", "2001:db8::/32"), change: is("allow-list", "2001:db8::2"), ask: ask{header: from("2001:db8::1")}, see: statuses, want: [3]string{"200", "200", "403"}},
	{keys: "allow-list", fixed: source, set: is("allow-list", "2001:db8::2"), change: is("allow-list", "2001:db8::1, 10.0.0.0/8"), ask: ask{header: from("2001:db8::1")}, see: statuses, want: [3]string{"200", "403", "200"}},
	// What can't be read lets nobody in.
	{keys: "allow-list", set: is("allow-list", "127.0.0.0/8, nobody"), change: is("allow-list", "127.0.0.0/8"), see: statuses, want: [3]string{"200", "403", "200"}},
	{keys: "whitelist", set: is("whitelist", "192.0.2.1"), change: is("whitelist", "127.0.0.1"), see: statuses, want: [3]string{"200", "403", "200"}},
	{keys: "deny-list", set: is("deny-list", "127.0.0.0/8"), change: is("deny-list", "192.0.2.0/24"), see: statuses, want: [3]string{"200", "403", "200"}},
	{keys: "deny-list", fixed: source, set: is("deny-list", "2001:db8::/32"), change: is("deny-list", "2001:db8::2"), ask: ask{header: from("2001:db8::1")}, see: statuses, want: [3]string{"200", "403", "200"}},
	{keys: "blacklist", set: is("blacklist", "127.0.0.1"), change: is("blacklist", "127.0.0.2"), see: statuses, want: [3]string{"200", "403", "200"}},
	{set: is("headgate.dev/deny-paths", "/admin, /a"), change: is("headgate.dev/deny-paths", "/b"), ask: ask{target: "/%61/b"}, see: statuses, want: [3]string{"200", "403", "200"}},
	{set: is("headgate.dev/deny-paths", "a"), change: is("headgate.dev/deny-paths", "/"), see: statuses, want: [3]string{"200", "403", "403"}},
	{keys: "src-ip-header", set: is("src-ip-header", "X-Client"), change: is("src-ip-header", "X-Other"), ask: ask{header: from("192.0.2.9")}, see: sees("X-Forwarded-For"), want: [3]string{"127.0.0.1", "192.0.2.9", "127.0.0.1"}},
	{keys: "forwarded-for", set: is("forwarded-for", "false"), change: is("forwarded-for", "true"), see: sees("X-Forwarded-For"), want: [3]string{"127.0.0.1", "", "127.0.0.1"}},
	{keys: "forwarded-for", onService: true, set: is("forwarded-for", "false"), change: is("forwarded-for", "true"), see: sees("X-Forwarded-For"), want: [3]string{"127.0.0.1", "", "127.0.0.1"}},

	{keys: "auth-type", fixed: is("auth-secret", "users"), set: is("auth-type", "basic-auth"), change: is("auth-type", "digest"), see: statuses, want: [3]string{"200", "401", "403"}},
	{keys: "auth-secret", fixed: is("auth-type", "basic-auth"), set: is("auth-secret", "users"), change: is("auth-secret", "shop/others"), ask: ask{header: basic("joe:secret")}, see: statuses, want: [3]string{"403", "200", "401"}},
	{keys: "auth-secret", fixed: is("auth-type", "basic-auth"), set: is("auth-secret", "others"), change: is("auth-secret", "away/users"), ask: ask{header: basic("j\u00f6:a:b")}, see: statuses, want: [3]string{"403", "200", "403"}},
	{keys: "auth-secret", fixed: is("auth-type", "basic-auth"), set: is("auth-secret", "users"), change: is("auth-secret", "nowhere"), ask: ask{header: basic("joe:secret")}, see: sees("Authorization"), want: [3]string{"403", "Basic am9lOnNlY3JldA==", "403"}},
	{keys: "auth-realm", fixed: is("auth-type", "basic-auth", "auth-secret", "users"), set: is("auth-realm", "Our place"), change: is("auth-realm", "x"), see: tells("WWW-Authenticate"), want: [3]string{`Basic realm="Protected Content", charset="UTF-8"`, `Basic realm="Our place", charset="UTF-8"`, `Basic realm="x", charset="UTF-8"`}},

	{keys: "ssl-redirect", set: is("ssl-redirect", "true"), change: is("ssl-redirect", "false"), see: location, want: [3]string{"200", "308 https://HOST/a/b?c=d", "200"}},
	{keys: "ssl-redirect-code", fixed: is("ssl-redirect", "true"), set: is("ssl-redirect-code", "301"), change: is("ssl-redirect-code", "302"), see: location, want: [3]string{"308 https://HOST/a/b?c=d", "301 https://HOST/a/b?c=d", "302 https://HOST/a/b?c=d"}},
	{keys: "ssl-redirect-port", fixed: is("ssl-redirect", "true"), set: is("ssl-redirect-port", "8443"), change: is("ssl-redirect-port", "443"), see: location, want: [3]string{"308 https://HOST/a/b?c=d", "308 https://HOST:8443/a/b?c=d", "308 https://HOST/a/b?c=d"}},
	{keys: "request-redirect", set: is("request-redirect", "b.test"), change: is("request-redirect", "https://c.test:444"), see: location, want: [3]string{"200", "302 http://b.test/a/b?c=d", "302 https://c.test:444/a/b?c=d"}},
	{keys: "request-redirect-code", fixed: is("request-redirect", "b.test"), set: is("request-redirect-code", "307"), change: is("request-redirect-code", "303"), see: location, want: [3]string{"302 http://b.test/a/b?c=d", "307 http://b.test/a/b?c=d", "303 http://b.test/a/b?c=d"}},

	// Counted for an hour, as a slow machine may not send these in a second; what has been counted stays.
	{keys: "rate-limit-requests", fixed: is("rate-limit-period", "1h"), set: is("rate-limit-requests", "2"), change: is("rate-limit-requests", "100"), ask: ask{n: 4}, see: statuses, want: [3]string{"200 200 200 200", "200 200 429 429", "200 200 200 200"}},
	{keys: "rate-limit-requests", fixed: with("rate-limit-period", "1h"), set: is("rate-limit-requests", "2"), change: is("rate-limit-requests", "100"), ask: ask{n: 4, header: from("2001:db8:5::1")}, see: statuses, want: [3]string{"200 200 200 200", "200 200 429 429", "200 200 200 200"}},
	// 2 in 2 s are 10 in the window of 10 s.
	{keys: "rate-limit-period", fixed: is("rate-limit-requests", "3600"), set: is("rate-limit-period", "1h", "rate-limit-requests", "3"), change: is("rate-limit-period", "2h", "rate-limit-requests", "1000"), ask: ask{n: 4}, see: statuses, want: [3]string{"200 200 200 200", "200 200 200 429", "200 200 200 200"}},
	{keys: "rate-limit-status-code", fixed: is("rate-limit-period", "1h", "rate-limit-requests", "1"), set: is("rate-limit-status-code", "403"), change: is("rate-limit-status-code", "503"), ask: ask{n: 2}, see: statuses, want: [3]string{"200 429", "403 403", "503 503"}, after: "429 429"},
	{keys: "rate-limit-whitelist", fixed: is("rate-limit-period", "1h", "rate-limit-requests", "1"), set: is("rate-limit-whitelist", "127.0.0.0/8"), change: is("rate-limit-whitelist", "192.0.2.0/24"), ask: ask{n: 2}, see: statuses, want: [3]string{"200 429", "200 200", "429 429"}, after: "429 429"},

	{keys: "cors-enable", set: is("cors-enable", "true"), change: is("cors-enable", "false"), ask: ask{header: is("Origin", "https://o.test")}, see: tells("Access-Control-Allow-Origin", "Access-Control-Allow-Methods"), want: [3]string{";", "*; *", ";"}},
	{keys: "cors-allow-origin", fixed: is("cors-enable", "true"), set: is("cors-allow-origin", "^https://[a-z]+[.]test$"), change: is("cors-allow-origin", "^https://p[.]test$"), ask: ask{header: is("Origin", "https://o.test")}, see: tells("Access-Control-Allow-Origin", "Vary"), want: [3]string{"*;", "https://o.test; Origin", ";"}},
	{keys: "cors-allow-methods", fixed: is("cors-enable", "true"), set: is("cors-allow-methods", "get, PUT"), change: is("cors-allow-methods", "PATCH"), ask: ask{header: is("Origin", "https://o.test")}, see: tells("Access-Control-Allow-Methods"), want: [3]string{"*", "GET, PUT", "PATCH"}},
	{keys: "cors-allow-headers", fixed: is("cors-enable", "true"), set: is("cors-allow-headers", "X-A,X-B"), change: is("cors-allow-headers", "X-C"), ask: ask{header: is("Origin", "https://o.test")}, see: tells("Access-Control-Allow-Headers"), want: [3]string{"*", "X-A, X-B", "X-C"}},
	{keys: "cors-max-age", fixed: is("cors-enable", "true"), set: is("cors-max-age", "2m"), change: is("cors-max-age", "7000"), ask: ask{header: is("Origin", "https://o.test")}, see: tells("Access-Control-Max-Age"), want: [3]string{"5", "120", "7"}},
	{keys: "cors-allow-credentials", fixed: is("cors-enable", "true"), set: is("cors-allow-credentials", "true"), change: is("cors-allow-credentials", "false"), ask: ask{header: is("Origin", "https://o.test")}, see: tells("Access-Control-Allow-Credentials"), want: [3]string{"", "true", ""}},
	{keys: "cors-respond-to-options", fixed: is("cors-enable", "true"), set: is("cors-respond-to-options", "true"), change: is("cors-respond-to-options", "false"), ask: ask{method: "OPTIONS"}, see: statuses, want: [3]string{"200", "204", "200"}},

	{keys: "set-host", set: is("set-host", "b.test"), change: is("set-host", "c.test:81"), see: host, want: [3]string{"HOST", "b.test", "c.test:81"}},
	{keys: "path-rewrite", set: is("path-rewrite", "/fixed"), change: is("path-rewrite", `^/a/(.*)$ /x/\1`), see: uri, want: [3]string{"/a/b?c=d", "/fixed?c=d", "/x/b?c=d"}},
	{keys: "path-rewrite", set: is("path-rewrite", "^/a/(.*)$ /x/\\1\n^/x/(.*)$ /y/\\1"), change: is("path-rewrite", "^/none/(.*)$ /x/\\1"), see: uri, want: [3]string{"/a/b?c=d", "/y/b?c=d", "/a/b?c=d"}},
	{keys: "request-set-header", set: is("request-set-header", "X-A 1\nX-B 5%%"), change: is("request-set-header", "X-A %[src] %[req.hdr(X-C)]"), ask: ask{header: is("X-A", "0", "X-C", "c")}, see: sees("X-A"), want: [3]string{"0", "1", "127.0.0.1 c"}},
	{keys: "response-set-header", set: is("response-set-header", "X-A \"1\"\nX-B 2"), change: is("response-set-header", "X-A %[src]"), see: tells("X-A"), want: [3]string{"", "1", "127.0.0.1"}},

	{keys: "request-capture", set: is("request-capture", "path\nreq.hdr(X-Mark)"), change: is("request-capture", "method"), look: captured, want: [3]string{"{|||}", "{/a/b|0123456789||}", "{GET|||}"}},
	{keys: "request-capture-len", fixed: is("request-capture", "req.hdr(X-Mark)"), set: is("request-capture-len", "3"), change: is("request-capture-len", "5"), look: captured, want: [3]string{"{0123456789|||}", "{012|||}", "{01234|||}"}},

	// Which of two Services it was.
	{set: is(canary+"service", "next:80", canary+"weight", "100"), change: is(canary+"service", "next:81", canary+"weight", "100"), look: side, want: [3]string{"route", "canary", "route"}},
	{fixed: is(canary+"service", "next:80"), set: is(canary+"weight", "100"), change: is(canary+"weight", "0"), look: side, want: [3]string{"route", "canary", "route"}},
	{fixed: is(canary+"service", "next:80"), set: is(canary+"by-header", "X-Side"), change: is(canary+"by-header", "X-Other"), look: side, want: [3]string{"route", "canary", "route"}},
	{fixed: is(canary+"service", "next:80", canary+"by-header", "X-Region"), set: is(canary+"by-header-value", "eu, 1"), change: is(canary+"by-header-value", "eu"), look: side, want: [3]string{"route", "canary", "route"}},
	{fixed: is(canary+"service", "next:80", "cookie-persistence", "SRV"), set: is(canary+"by-cookie", "side"), change: is(canary+"by-cookie", "other"), look: side, want: [3]string{"route", "canary", "route"}},

	// Beside a cookie that clients stay with their pod by, whose name is in the backend's.
	{fixed: is("cookie-persistence", "SRV"), set: is("set-host", "b.test"), change: is("set-host", "c.test"), see: cookie, want: [3]string{"SRV", "SRV", "SRV"}},

	{keys: "timeout-server", set: is("timeout-server", "100"), change: is("timeout-server", "1h"), ask: ask{target: "/?sleep=1500"}, see: statuses, want: [3]string{"200", "504", "200"}},
	{keys: "timeout-server", onService: true, set: is("timeout-server", "100"), change: is("timeout-server", "10m"), ask: ask{target: "/?sleep=1500"}, see: statuses, want: [3]string{"200", "504", "200"}},
	{keys: "timeout-tunnel", set: is("timeout-tunnel", "100"), change: is("timeout-tunnel", "2h"), look: tunnel, want: [3]string{"open", "closed", "open"}},
}
