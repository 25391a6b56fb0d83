package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"headgate.dev/e2e/harness"
)

// level is a number of policies that one route has: as annotations, and as someone
// would write them into haproxy.cfg for this one host, "IT" being the condition.
type level struct {
	name        string
	annotations []string // "name: value"
	front, back string   // lines of the frontend and of the backend
}

const (
	oneFront  = "	http-request deny if IT !{ src 127.0.0.0/8 10.0.0.0/8 }\n"
	fiveFront = oneFront + `	http-request track-sc0 src table rates if IT
	http-request deny deny_status 429 if IT { sc_http_req_rate(0) gt 1000000 }
	http-request set-header Host other.example.com if IT
	http-response set-header X-A 1 if IT
`
	fiveBack = "	http-request set-timeout server 30s if IT\n"
	allFront = "	http-request set-src req.fhdr(X-Client) if IT { req.fhdr(X-Client) -m found }\n" +
		"	http-request deny if IT { src 192.0.2.0/24 }\n" + fiveFront + `	http-request capture req.fhdr(User-Agent) len 64 if IT
	http-request set-header X-B 1 if IT
	http-request set-header X-C %[src] if IT
	http-request replace-path /(.*) /x/\1 if IT
	http-request return status 204 if IT METH_OPTIONS
	http-request set-var(txn.origin) req.fhdr(origin) if IT
	http-after-response set-header Access-Control-Allow-Origin %[var(txn.origin)] if IT { var(txn.origin) -m reg ^https://[a-z]+[.]example[.]com$ }
	http-after-response set-header Vary Origin if IT { var(txn.origin) -m found }
	http-after-response set-header Access-Control-Allow-Methods "GET, PUT" if IT { var(txn.origin) -m found }
	http-after-response set-header Access-Control-Allow-Headers X-A if IT { var(txn.origin) -m found }
	http-after-response set-header Access-Control-Max-Age 60 if IT { var(txn.origin) -m found }
	http-after-response set-header Access-Control-Allow-Credentials true if IT { var(txn.origin) -m found }
`
	allBack = fiveBack + "	http-request set-timeout tunnel 2h if IT\n"
)

var (
	one  = []string{"allow-list: 127.0.0.0/8, 10.0.0.0/8"}
	five = append(one[:1:1], "rate-limit-requests: 1000000", "rate-limit-period: 10s", "set-host: other.example.com",
		"response-set-header: X-A 1", "timeout-server: 30s")
	levels = []level{
		{name: "0"},
		{"1", one, oneFront, ""},
		{"5", five, fiveFront, fiveBack},
		{"all", append(five[:6:6], "src-ip-header: X-Client", "deny-list: 192.0.2.0/24", "request-capture: req.fhdr(User-Agent)",
			"request-capture-len: 64", "request-set-header: X-B 1\nX-C %[src]", `path-rewrite: ^/(.*)$ /x/\1`, "ssl-redirect: false",
			"cors-enable: true", "cors-respond-to-options: true", "cors-allow-origin: ^https://[a-z]+[.]example[.]com$", "cors-allow-methods: GET, PUT",
			"cors-allow-headers: X-A", "cors-max-age: 60s", "cors-allow-credentials: true", "timeout-tunnel: 2h"), allFront, allBack},
	}
)

// policyCosts compares what a request costs whose route has no policy, some and all,
// among many routes, with the same by hand.
func policyCosts(t *harness.Program, report *report, pods *podServer, routes int, o options) {
	const subject = "policies"
	w := start(t, pods, 1)
	defer w.stop()
	w.headers = "Origin: https://a.example.com\r\nX-Client: 10.1.2.3\r\nUser-Agent: bench\r\n"
	target := w.sites[0]
	for i := range routes {
		w.stub.Put(t, ingress(fmt.Sprintf("route-%05d", i), target.name))
	}
	for _, l := range levels {
		options := []harness.IngressOption{harness.Class(className), harness.Rule(l.host(), "/", target.name+":80")}
		for _, annotation := range l.annotations {
			name, value, _ := strings.Cut(annotation, ": ")
			options = append(options, harness.Annotation("headgate.dev/"+name, value))
		}
		w.stub.Put(t, harness.Ingress(namespace, "level-"+l.name, options...))
	}
	w.rest(t)
	_, lookErr := exec.LookPath("valgrind")
	for _, l := range levels {
		w.sites = []*site{{name: "level-" + l.name, ips: target.ips}}
		ways := []struct {
			name string
			args []string
		}{{"Headgate", w.headgateArgs(t, "")}, {"by hand", w.handWrittenPolicy(t, l, routes)}}
		for _, way := range ways {
			p := w.startProxy(t, nil, way.args)
			var costs []float64
			for range 2 * rounds {
				costs = append(costs, w.requestCost(t, p, false, o.requests))
			}
			p.stop()
			report.add(routes, subject, fmt.Sprintf("%s, %s: processor time per request", l.name, way.name), spread(costs))
			if lookErr == nil {
				report.add(routes, subject, fmt.Sprintf("%s, %s: instructions per request", l.name, way.name),
					figure{value: w.instructions(t, way.args, false)})
			}
		}
	}
}

func (l level) host() string { return "level-" + l.name + ".example.com" }

// handWrittenPolicy has the same routes in a map of hosts, and the rules of one.
func (w *world) handWrittenPolicy(t harness.TB, l level, routes int) []string {
	var hosts strings.Builder
	dir := t.TempDir()
	for i := range routes {
		fmt.Fprintf(&hosts, "route-%05d.example.com web\n", i)
	}
	fmt.Fprintf(&hosts, "%s web\n", l.host())
	write(t, filepath.Join(dir, "hosts.map"), hosts.String())
	cfg := oneThread + `defaults
	mode http
	timeout client 60s
	timeout connect 5s
	timeout server 60s
backend rates
	stick-table type ip size 100k expire 20s store http_req_rate(10s)
frontend entry
	bind "${HEADGATE_HTTP_BIND}"
	http-request set-var(txn.host) req.hdr(host),lower
` + l.front + "	use_backend %[var(txn.host),map_str(" + dir + "/hosts.map)]\nbackend web\n" + l.back
	cfg = strings.ReplaceAll(cfg, "IT", "{ var(txn.host) -m str "+l.host()+" }")
	for i, ip := range w.sites[0].ips {
		cfg += fmt.Sprintf("\tserver s%d %s\n", i, harness.PodAddr(ip))
	}
	return []string{"-f", write(t, filepath.Join(dir, "hand.cfg"), cfg)}
}
