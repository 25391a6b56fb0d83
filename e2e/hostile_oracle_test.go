package e2e

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// hostilePathLimit is the longest path that is taken.
const hostilePathLimit = 4096

// pathIsFit is the oracle: what RFC 3986, section 3.3, lets stand in a path, with
// whole percent triplets. Nothing of it was taken from the controller.
func pathIsFit(path string) bool {
	if len(path) > hostilePathLimit {
		return false
	}
	for i := 0; i < len(path); i++ {
		c := path[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case strings.IndexByte("-._~"+"!$&'()*+,;="+":@"+"/", c) >= 0:
		case c == '%':
			if i+2 >= len(path) || !isHex(path[i+1]) || !isHex(path[i+2]) {
				return false
			}
			i += 2
		default:
			return false
		}
	}
	return true
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// prefixKey is the map's key for a host and a path of type ImplementationSpecific,
// which means Prefix here.
func prefixKey(host, path string) string {
	return host + strings.TrimRight(path, "/") + "/"
}

// hostilePaths is a catalogue: what has broken other controllers, what HAProxy's
// command line, map files and configuration give a meaning to, each byte, and
// each pair of the bytes that mean something.
func hostilePaths() []string {
	paths := []string{
		"/x;disable server headgate_not_found/s0",
		"/x;\\ disable server b1/s0",
		"/sp evilbackend",
		"/tab\tevilbackend",
		"/n\nvictim.example/ evilbackend\n",
		"/r\r\nvictim.example/ evilbackend\r\n",
		"/n\n\nclear map hosts.map\n",
		"/\"quoted;x\"",
		"/'quoted x'",
		"/back\\;slash",
		"/back\\ slash",
		"/trailing\\",
		"/<<", "/ <<", "/<<%0000%", "/%00%", "/a <<\nb",
		"/" + strings.Repeat("a", 20<<10),
		"/" + strings.Repeat("a", 64<<10),
		"/" + strings.Repeat("a", hostilePathLimit-1),
		"/" + strings.Repeat("a", hostilePathLimit),
		"/#comment", "/ # comment", "/@1 show info", "/;@1 reload",
		"/%[env(HOME)]", "/%[src]", "/${HOME}", "/$(id)", "/`id`", "/%{+Q}o", "/%n%s%p", "/%", "/%2", "/%zz", "/%25", "/%2f..%2f",
		"/{a,b}", "/[a-z]+", "/(a|b)*", "/^a$", "/a?b", "/a|b",
		"/../../etc/passwd", "/./x", "//x", "/x//y", "/.", "/..",
		"/ü", "/\u202e", "/\ufeff", "/\uffff", "/\U0010ffff", "/日本", "/\u0085", "/\u2028",
		"/*", "/-", "/*/", "/victim.example/",
		"/\x00", "/good\x00evil", "/good\x00;disable server a/b",
	}
	for b := byte(0); b < 0x80; b++ {
		paths = append(paths, fmt.Sprintf("/byte%02x%cend", b, b))
	}
	pair := "\n\r;<\\\"' \t#%[]{}$,"
	for _, a := range []byte(pair) {
		for _, b := range []byte(pair) {
			paths = append(paths, fmt.Sprintf("/pair%02x%02x%c%cend", a, b, a, b))
		}
	}
	return paths
}

// randomPath makes paths of which about half are fit, and most of the others
// nearly so.
func randomPath(random *rand.Rand) string {
	fit := []rune("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789-._~!$&'()*+,;=:@//")
	odd := []rune("\x00\x01\t\n\r\x1b \"#<>?[\\]^`{|}\x7f\u0080\u00fc\u2028\U0001f600")
	var path strings.Builder
	path.WriteByte('/')
	isOdd := random.IntN(2) == 0
	for range random.IntN(24) {
		switch n := random.IntN(20); {
		case n == 0:
			fmt.Fprintf(&path, "%%%02X", random.IntN(256))
		case isOdd && n <= 2:
			path.WriteRune(odd[random.IntN(len(odd))])
		case isOdd && n == 3:
			path.WriteString([]string{"%", "%4", "%g1", "%%"}[random.IntN(4)])
		default:
			path.WriteRune(fit[random.IntN(len(fit))])
		}
	}
	return path.String()
}

// hostileHosts is what no host name may be, and a few that may.
func hostileHosts() []string {
	return []string{
		"*", "*.", "*.*.example", "a.*.example", "*a.example", "a*.example", "**.example",
		"a b.example", "a;b.example", "a\nb.example", "a.example\nvictim.example", "a.example/x", "a.example:80", "a.example victim",
		"A.example", "Üa.example", "xn--ber-goa.example", "a_b.example", "-a.example", "a-.example", ".a.example", "a..example", "a.example.",
		"\"a\".example", "'a'.example", "a\\.example", "#a.example", "%61.example", "${HOME}.example", "<<", "a.example <<",
		"10.0.0.1", "[::1]", "::1", "@1", "-", "*;", "*.example;x",
		strings.Repeat("a", 63) + ".example", strings.Repeat("a", 64) + ".example",
		strings.Repeat("a.", 123) + "example", strings.Repeat("a.", 124) + "example", strings.Repeat("a.", 4000) + "example",
		"\x00", "a.example\x00.victim.example",
	}
}

// hostIsFit is the oracle for hosts: names of RFC 1123 in lower case, with one
// wildcard label in front at the most.
func hostIsFit(host string) bool {
	if host == "" || len(host) > 253 {
		return false
	}
	for _, label := range strings.Split(strings.TrimPrefix(host, "*."), ".") {
		if len(label) == 0 || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-') {
				return false
			}
		}
	}
	return true
}
