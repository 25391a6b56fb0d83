package e2e

import (
	"math/rand/v2"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"headgate.dev/e2e/harness"
)

// goodValues are what options may be, to be spoilt.
var goodValues = map[string][]string{
	"allow-list":              {"127.0.0.0/8", "127.0.0.1,2001:db8::/32", "0.0.0.0/0, ::/0", "patterns/office"},
	"deny-list":               {"192.0.2.0/24", "2001:db8::1"},
	"deny-paths":              {"/admin", "/admin, /.git"},
	"src-ip-header":           {"X-Client"},
	"auth-type":               {"basic-auth"},
	"auth-secret":             {"users", "victim/users"},
	"auth-realm":              {"Our place"},
	"auth-url":                {"http://tenant.NAMESPACE.svc/auth", "http://victim.other.svc/auth", "http://192.0.2.1/"},
	"auth-method":             {"HEAD"},
	"auth-signin":             {"https://a.test/start", "/start?rd=1"},
	"auth-response-headers":   {"X-User, X-Mail"},
	"auth-request-headers":    {"X-A", "X-Headgate-Backend, X-Headgate-Outside"},
	"auth-timeout":            {"1s"},
	"auth-cache":              {"10s"},
	"auth-namespaces":         {"other", "*"},
	"rate-limit-requests":     {"1000000", "5"},
	"rate-limit-period":       {"1s", "1h", "7000"},
	"rate-limit-status-code":  {"429", "503"},
	"rate-limit-whitelist":    {"127.0.0.1", "10.0.0.0/8"},
	"ssl-redirect":            {"true", "false"},
	"ssl-redirect-code":       {"301", "308"},
	"ssl-redirect-port":       {"8443"},
	"request-redirect":        {"a.test", "https://b.test:444"},
	"request-redirect-code":   {"302"},
	"cors-enable":             {"true"},
	"cors-allow-origin":       {"*", "^https://[a-z]+[.]test$", "[a/]*[a/]*[a/]*[xy]"},
	"cors-allow-methods":      {"GET, PUT", "*"},
	"cors-allow-headers":      {"X-A, X-B", "*"},
	"cors-max-age":            {"1m"},
	"cors-allow-credentials":  {"true"},
	"cors-respond-to-options": {"true"},
	"canary-service":          {"tenant:80", "other/victim:80"},
	"canary-weight":           {"50"},
	"canary-by-header":        {"X-Canary"},
	"canary-by-header-value":  {"eu, 1"},
	"canary-by-cookie":        {"canary"},
	"set-host":                {"b.test", "c.test:81"},
	"path-rewrite":            {"/fixed", "^[a/]*[a/]*[a/]*[xy] /x", `^/a/(.*)$ /x/\1`, "^/a/(.*)$ /x/\\1\n^/x/(.*)$ /y/\\1"},
	"request-set-header":      {"X-A 1", "X-A 1\nX-B 5%%", "X-A %[src] %[req.hdr(X-C)]"},
	"response-set-header":     {"X-A \"1\"", "X-A 1\nX-B 2", "X-A %[src]"},
	"forwarded-for":           {"true", "false"},
	"request-capture":         {"path\nreq.hdr(X-Mark)", "method"},
	"request-capture-len":     {"20"},
	"timeout-server":          {"10s"},
	"timeout-tunnel":          {"10s"},
	"load-balance":            {"leastconn", "hdr(X-User)", "url_param user", "uri depth 2"},
	"cookie-persistence":      {"SRV"},
	"pod-maxconn":             {"50"},
	"check":                   {"true"},
	"check-http":              {"/healthz", "GET /ready?a=b"},
	"check-interval":          {"10s"},
	"server-ssl":              {"false"},
	"server-proto":            {"h1"},
	"server-ca":               {"users", "victim/users"},
	"server-crt":              {"users"},
	"send-proxy-protocol":     {"proxy", "proxy-v2"},
	"ssl-passthrough":         {"true"},
}

// hostileTexts is what means something to HAProxy's command line, its maps, its
// configuration, to JSON, Lua, HTTP or a shell.
var hostileTexts = []string{
	"", " ", "\t", "\n", "\r\n", "\x00", "\x7f", "\"", "'", "\\", "\\\"", "`", ";", "|", "#", "<<", " <<\n", "%", "%%", "%[", "%]", "{", "}", "[", "]", "(", ")",
	"; show info", ";@1 reload", "\ndel map #0\n", "\n\nclear map hosts.map\n", " evil", "\nvictim.example/ evil\n",
	"\r\nX-Evil: 1", "\nX-Evil: 1", "%0d%0aX-Evil:%201", "\u010d\u010aX-Evil: 1", "\u0085X-Evil: 1", "\u2028X-Evil: 1",
	`"}`, `","allow-list":"x`, `\u0022`, `"},"x":{"`, `|{}`, `A|{"set-host":"victim.example"}`, "==", "bnVsbA==",
	"%[env(HOME)]", "%[lua.headgate]", "%[src,map(/etc/passwd)]", "%[var(txn.record)]", "%[req.hdr(X-Evil,1)]", "%[str(a]", "${HOME}", "$(id)", "%{+Q}o", "%ci",
	"(a+)+$", "(?i)", "(?<=a)", `\1`, `\10`, "[[:alpha:]", "a{1,100000}", "(((((((((((", "[^]", "^$", ".*.*.*.*=", "(?#",
	"../../../../etc/passwd", "/etc/passwd", "patterns/evil", "file://etc/passwd", "ns/name/x", "victim.example", "https://victim.example/x", "http://",
	"-1", "0", "1e9", "0x10", "99999999999999999999", "1.5", "1ms", "٣", "NaN", "true false", "TRUE", "null",
	"::ffff:1.2.3.4", "::1", "fe80::1%lo", "0.0.0.0/0", "10.0.0.0/33", "::/129", "1.2.3", "127.1", "0177.0.0.1",
	"ü", "\u202e", "\ufeff", "\uffff", "\U0010ffff", "日本",
	strings.Repeat("a", 300), strings.Repeat("a,", 2000), strings.Repeat("X-A 1\n", 400), strings.Repeat("(", 200), strings.Repeat("\\", 2047), strings.Repeat("é", 3000),
}

// optionKeys is every annotation that the program says it knows. What is another
// backend, and so a reload before 3.4, is left out there.
func optionKeys(t *testing.T, branch string) (keys []string) {
	t.Helper()
	text, err := exec.Command(harness.HeadgateBinary(t), "options").Output()
	if err != nil {
		t.Fatal(err)
	}
	options, dialect, _ := strings.Cut(string(text), "## Annotations of haproxytech")
	left := map[string]bool{}
	for _, match := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` .*\\|$").FindAllStringSubmatch(options, -1) {
		left[match[1]] = branch != "3.4" && strings.Contains(match[0], "a reload before")
		if !left[match[1]] {
			keys = append(keys, "headgate.dev/"+match[1])
		}
	}
	for _, match := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| .* \\| (`([a-z-]+)`|.*) \\|$").FindAllStringSubmatch(dialect, -1) {
		if !left[match[3]] {
			keys = append(keys, "haproxy.org/"+match[1])
		}
	}
	return keys
}

// hostileAnnotations gives about half of the keys a value. Rules about who may come
// in, and whom is spoken to, are seldom there: while one can't be read, nobody sees what the others do.
func hostileAnnotations(random *rand.Rand, keys []string) map[string]string {
	annotations := map[string]string{}
	closes := random.IntN(4) == 0
	for _, key := range keys {
		_, name, _ := strings.Cut(key, "/")
		isAccess := name == "server-ca" || name == "server-crt" || strings.HasPrefix(name, "auth-") || strings.HasSuffix(name, "-list") || name == "deny-paths" || name == "whitelist" || name == "blacklist"
		if random.IntN(2) == 0 && (closes || !isAccess) {
			annotations[key] = hostileValue(random, goodValues[name])
		}
	}
	return annotations
}

// hostileValue is a good value as it is, one with something put into it, something
// bad alone, or noise.
func hostileValue(random *rand.Rand, good []string) string {
	value := "1"
	if len(good) > 0 {
		value = good[random.IntN(len(good))]
	}
	text := hostileTexts[random.IntN(len(hostileTexts))]
	switch random.IntN(8) {
	case 0, 1, 2:
		return value
	case 3, 4:
		at := random.IntN(len(value) + 1)
		return value[:at] + text + value[at:]
	case 5:
		return value + text
	case 6:
		return text
	}
	odd := []rune("\x00\x01\t\n\r\x1b \"#<>?[\\]^`{|}%;,:()*+$.\x7f\u0080\u00fc\u2028\U0001f600abcXYZ0123456789/-_=&")
	var noise strings.Builder
	for range random.IntN(40) {
		noise.WriteRune(odd[random.IntN(len(odd))])
	}
	return noise.String()
}
