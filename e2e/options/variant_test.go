package options

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"headgate.dev/e2e/harness"
	"k8s.io/apimachinery/pkg/runtime"
)

// variantRow is an Ingress whose annotations are set, changed and removed. A
// Service is "web" with harness's pods, or one of the odd pod's ports.
type variantRow struct {
	host        string
	service     string
	set, change []string // "key: value"
	// Words of the backend that each leads to, and what can be seen of it.
	words, changedWords string
	want, wantChanged   func(s *variantScene, host string) error
}

const web = "web"

func spread(atLeast, atMost, n int, path string, headers ...string) func(*variantScene, string) error {
	return func(s *variantScene, host string) error {
		pods, err := s.podsOf(n, host, path, headers...)
		if err == nil && (len(pods) < atLeast || len(pods) > atMost) {
			err = fmt.Errorf("%s%s %v: %d pods, want %d to %d", host, path, headers, len(pods), atLeast, atMost)
		}
		return err
	}
}

func all(wants ...func(*variantScene, string) error) func(*variantScene, string) error {
	return func(s *variantScene, host string) error {
		for _, want := range wants {
			if err := want(s, host); err != nil {
				return err
			}
		}
		return nil
	}
}

func says(text string) func(*variantScene, string) error {
	return func(s *variantScene, host string) error {
		answer, err := s.ask(host, "/")
		if err == nil && answer.Body != text {
			err = fmt.Errorf("%s: %q, want %q", host, answer.Body, text)
		}
		return err
	}
}

// column is what `show stat` says of each server of the host's backend.
func column(number int, want string) func(*variantScene, string) error {
	return func(s *variantScene, host string) error {
		backend, err := s.backendOf(host)
		if err != nil {
			return err
		}
		reply, err := harness.Runtime(s.g.RuntimeSocket(), "show stat")
		if err != nil {
			return err
		}
		for _, line := range strings.Split(reply, "\n") {
			values := strings.Split(line, ",")
			if values[0] == backend && strings.HasPrefix(values[1], "pod-") && values[number] != want {
				return fmt.Errorf("%s: %s/%s: %q, want %q", host, backend, values[1], values[number], want)
			}
		}
		return nil
	}
}

// staysBy asks once, and then with the cookie that it got.
func staysBy(name string) func(*variantScene, string) error {
	return func(s *variantScene, host string) error {
		first, err := s.ask(host, "/")
		if err != nil {
			return err
		}
		cookie, _, _ := strings.Cut(first.Header.Get("Set-Cookie"), ";")
		if !strings.HasPrefix(cookie, name+"=") {
			return fmt.Errorf("%s: cookie %q", host, cookie)
		}
		pods, err := s.podsOf(8, host, "/", "Cookie: a=1; "+cookie)
		if err == nil && (len(pods) != 1 || !pods[first.Pod()]) {
			err = fmt.Errorf("%s: with %s: %v, want %s", host, cookie, pods, first.Pod())
		}
		return err
	}
}

const statLimit = 6 // the column slim

var variantRows = []variantRow{
	{host: "leastconn", service: web, set: []string{"load-balance: leastconn"}, words: ":leastconn", want: spread(2, 4, 40, "/"),
		change: []string{"load-balance: random"}, changedWords: ":random", wantChanged: spread(2, 4, 60, "/")},
	{host: "static-rr", service: web, set: []string{"load-balance: static-rr"}, want: spread(4, 4, 40, "/"),
		change: []string{"load-balance: first"}, changedWords: ":first", wantChanged: spread(1, 1, 20, "/")},
	{host: "source", service: web, set: []string{"load-balance: source"}, words: ":by-source", want: spread(1, 1, 20, "/%d"),
		change: []string{"load-balance: uri whole"}, changedWords: ":by-uri-whole", wantChanged: all(spread(1, 1, 20, "/a?b"), spread(2, 4, 40, "/a?%d"))},
	{host: "param", service: web, set: []string{"load-balance: url_param user"}, words: ":by-param-user",
		want:   all(spread(1, 1, 20, "/%d?x=%d&user=joe"), spread(2, 4, 40, "/?user=%d")),
		change: []string{"load-balance: hdr(X-User)"}, changedWords: ":by-header-X-User",
		wantChanged: all(spread(1, 1, 20, "/%d", "X-User: joe"), spread(2, 4, 40, "/", "X-User: %d"))},
	{host: "cookie", service: web, set: []string{"cookie-persistence: SRV"}, words: ":cookie-SRV", want: staysBy("SRV"),
		change: []string{"cookie-persistence-no-dynamic: OTHER"}, changedWords: ":cookie-OTHER", wantChanged: staysBy("OTHER")},
	{host: "maxconn", service: web, set: []string{"pod-maxconn: 20"}, words: ":maxconn-20", want: column(statLimit, "20"),
		change: []string{"pod-maxconn: 30"}, changedWords: ":maxconn-30", wantChanged: column(statLimit, "30")},
	{host: "tls", service: "tls", set: []string{"server-ssl: true"}, words: ":tls", want: says("HTTP/2.0 TLS tls.example"),
		change: []string{"server-ssl: true", "server-proto: h1"}, changedWords: ":tls-h1", wantChanged: says("HTTP/1.1 TLS tls.example")},
	{host: "proto", service: "h2c", set: []string{"server-proto: h2"}, words: ":h2c", want: says("HTTP/2.0"),
		change: []string{"server-proto: h1"}, wantChanged: says("HTTP/1.1")},
	{host: "proxy", service: "proxy", set: []string{"send-proxy-protocol: proxy"}, words: ":proxy-v1", want: says("v1"),
		change: []string{"send-proxy-protocol: proxy-v2"}, changedWords: ":proxy-v2", wantChanged: says("v2")},
	{host: "proxy-ssl", service: "proxy", set: []string{"send-proxy-protocol: proxy-v2-ssl"}, words: ":proxy-v2-ssl", want: says("v2 and more"),
		change: []string{"send-proxy-protocol: proxy-v1"}, changedWords: ":proxy-v1", wantChanged: says("v1")},
	{host: "check", service: "check", set: []string{"check-http: /healthz?a=b", "check-interval: 100ms"}, words: ":options-_healthz.3fa.3db:inter-100",
		want: checked("OPTIONS /healthz?a=b"), change: []string{"check-http: GET /ready", "check-interval: 200"}, changedWords: ":get-_ready:inter-200",
		wantChanged: checked("GET /ready")},
	{host: "authority", service: "tls", set: []string{"server-ca: right"}, words: ":tls:ca-", want: says("HTTP/2.0 TLS "),
		change: []string{"server-ca: wrong"}, changedWords: ":tls:ca-", wantChanged: is503},
	{host: "shown", service: "mutual", set: []string{"server-crt: shown", "server-ca: right"}, words: ":tls:ca-", want: says("HTTP/2.0 TLS  from controller.example"),
		change: []string{"server-crt: stranger"}, changedWords: ":tls:crt-", wantChanged: isRefused},
	{host: "nothing", service: web, set: []string{"abortonclose: true", "scale-server-slots: 10", "standalone-backend: true"}, want: spread(4, 4, 40, "/"),
		change: []string{"check: false"}, wantChanged: spread(4, 4, 40, "/")},
}

// theOddPod is set before any row is looked at.
var theOddPod *oddPod

// checked: the pod sees these requests; when it is sick it gets no others, and
// when it is well it does.
func checked(request string) func(*variantScene, string) error {
	return func(s *variantScene, host string) error {
		if err := theOddPod.sawCheck(request); err != nil {
			return err
		}
		theOddPod.setSick(true)
		harness.Eventually(s.t, host+": a sick pod", func() error {
			if _, err := s.ask(host, "/"); err == nil {
				return fmt.Errorf("it still gets requests")
			}
			return nil
		})
		theOddPod.setSick(false)
		harness.Eventually(s.t, host+": a pod that is well again", func() error {
			_, err := s.ask(host, "/")
			return err
		})
		return nil
	}
}

func (r *variantRow) ingress(annotations []string) runtime.Object {
	options := []harness.IngressOption{harness.Class("headgate"), harness.Rule(r.host+".example", "/", r.service+":80")}
	for _, annotation := range annotations {
		key, value, _ := strings.Cut(annotation, ": ")
		prefix := "haproxy.org/"
		if strings.HasPrefix(key, "canary-") { // haproxytech has no word for it
			prefix = "headgate.dev/"
		}
		options = append(options, harness.Annotation(prefix+key, value))
	}
	return harness.Ingress(variantNamespace, r.host, options...)
}

func variantIngresses(annotations func(*variantRow) []string) []runtime.Object {
	objects := []runtime.Object{}
	for i := range variantRows {
		objects = append(objects, variantRows[i].ingress(annotations(&variantRows[i])))
	}
	return objects
}

func variantPods(ips []string) []runtime.Object {
	objects := []runtime.Object{
		harness.Service(variantNamespace, web, "80:8080"), harness.EndpointSlice(variantNamespace, web, "8080", ips...)}
	for service, port := range map[string]int{"tls": tlsPort, "proxy": proxyPort, "check": checkPort, "h2c": h2cPort, "mutual": mutualPort} {
		objects = append(objects, harness.Service(variantNamespace, service, fmt.Sprintf("80:%d", port)),
			harness.EndpointSlice(variantNamespace, service, fmt.Sprint(port), theOddPod.ip))
	}
	return objects
}

func (s *variantScene) wantRow(row *variantRow, words string, want func(*variantScene, string) error) {
	s.t.Helper()
	host := row.host + ".example"
	harness.Eventually(s.t, s.branch+": "+host+" as "+words, func() error {
		backend, err := s.backendOf(host)
		if name, _, ok := strings.Cut(backend, "-"); ok && strings.HasSuffix(words, "-") {
			backend = name + "-" // and a digest
		}
		if err == nil && backend != variantNamespace+"_svc_"+row.service+"_80"+words {
			err = fmt.Errorf("%s leads to %s", host, backend)
		}
		if err == nil && want != nil {
			err = want(s, host)
		}
		return err
	})
}

// TestVariants sets, changes and removes all options that HAProxy fixes when it
// makes a backend or a server, under traffic: without a reload on 3.4, and with
// one for each change of all of them together before.
func TestVariants(t *testing.T) {
	pods := harness.StartPods(t)
	trust := newTrust(t)
	theOddPod = startOddPod(t, pods.IP(), trust)
	for _, branch := range []string{"2.6", "3.4"} {
		t.Run(branch, func(t *testing.T) {
			ips := pods.IPs(4)
			s := newVariantScene(t, branch, append(variantPods(ips), trust.secrets()...), variantIngresses(func(*variantRow) []string { return nil }))
			for i := range variantRows {
				s.wantRow(&variantRows[i], "", nil)
			}
			set := harness.NewPodSet(ips...)
			traffic := harness.StartProber(t, harness.Traffic{
				Addr: s.g.HTTP, Clients: 2, Pause: 5 * time.Millisecond,
				Next: func(client, seq int) harness.Route {
					row := variantRows[(client+seq)%6] // those of the Service web that change
					return harness.Route{Host: row.host + ".example", Path: "/", Allowed: set.Allowed()}
				},
			})
			traffic.Await(t, 50)
			reloads := s.workers.Distinct()
			s.writeRoutes(variantIngresses(func(r *variantRow) []string { return r.set })...)
			for i := range variantRows {
				s.wantRow(&variantRows[i], variantRows[i].words, variantRows[i].want)
			}
			s.writeRoutes(variantIngresses(func(r *variantRow) []string { return r.change })...)
			for i := range variantRows {
				s.wantRow(&variantRows[i], variantRows[i].changedWords, variantRows[i].wantChanged)
			}
			s.writeRoutes(variantIngresses(func(*variantRow) []string { return nil })...)
			for i := range variantRows {
				s.wantRow(&variantRows[i], "", nil)
			}
			summary := traffic.Stop()
			summary.WantNoFailures(t)
			want := map[string]int{"2.6": 3, "3.4": 0}[branch] // one for each change of all of them
			if n := s.workers.Distinct() - reloads; n != want {
				t.Errorf("%d reloads, want %d", n, want)
			}
			t.Logf("%s: %v", branch, summary)
		})
	}
}
