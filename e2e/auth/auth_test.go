package auth

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"headgate.dev/e2e/harness"
	"k8s.io/apimachinery/pkg/runtime"
)

var branches = []string{"2.6", "3.4"}

// row is a route and what a request to it meets.
type row struct {
	name    string
	options []string
	status  int
	see     func(t *testing.T, a harness.Answer) // what else; nil is nothing
}

func asks(path string, more ...string) []string {
	return append([]string{"auth-url=http://judge.shop.svc/" + path}, more...)
}

var rows = []row{
	{"yes", asks("yes", "auth-response-headers=X-User"), 200, func(t *testing.T, a harness.Answer) {
		if users := a.Echo.Headers.Values("X-User"); !slices.Equal(users, []string{"yes"}) {
			t.Errorf("the pod gets the users %q", users)
		}
	}},
	{"head", asks("head/yes", "auth-method=HEAD"), 200, nil},
	{"post", asks("post/yes", "auth-method=POST"), 200, nil},
	{"no", asks("no"), 401, func(t *testing.T, a harness.Answer) {
		if a.Header.Get("WWW-Authenticate") != `Bearer realm="judge"` || a.Header.Get("Set-Cookie") != "tried=1" {
			t.Errorf("the answer has %v", a.Header)
		}
	}},
	{"never", asks("never", "auth-signin=/login"), 403, nil},
	{"login", asks("login/no", "auth-signin=https://login.test/start?a=b"), 302, func(t *testing.T, a harness.Answer) {
		if to := a.Header.Get("Location"); to != "https://login.test/start?a=b&rd=http%3A%2F%2Flogin.test%2Fa%2520b%3Fc%3Dd%26e" {
			t.Errorf("to %s", to)
		}
	}},
	{"elsewhere", asks("elsewhere"), 503, nil},
	{"broken", asks("broken"), 503, nil},
	{"odd", asks("odd"), 503, nil},
	{"silent", asks("silent", "auth-timeout=300ms"), 503, nil},
	{"half", asks("half", "auth-timeout=300ms"), 503, nil},
	{"big", asks("big", "auth-response-headers=x-user"), 503, nil},
	{"hangup", asks("hangup"), 503, nil},
	{"long", asks("long"), 200, nil},
	{"renew", asks("renew"), 200, func(t *testing.T, a harness.Answer) {
		if cookies := a.Header.Values("Set-Cookie"); !slices.Equal(cookies, []string{"session=2; Path=/", "other=3"}) {
			t.Errorf("cookies %q", cookies)
		}
	}},
	{"down", []string{"auth-url=http://down.shop.svc/yes"}, 503, nil},
	{"empty", []string{"auth-url=http://empty.shop.svc/yes"}, 503, nil},
	{"missing", []string{"auth-url=http://missing.shop.svc/yes"}, 503, nil},
	{"foreign", []string{"auth-url=http://foreign.login.svc/yes"}, 403, nil},
	{"allowed", []string{"auth-url=http://allowed.login.svc.cluster.local/yes"}, 200, nil},
	{"outside", []string{"auth-url=http://outside.test/yes"}, 403, nil},
	{"wrong", []string{"auth-url=https://$host/yes"}, 403, nil},
	{"preflight", asks("no", "cors-respond-to-options=true"), 401, nil},
}

// TestAnswers shows each answer, and each way to give none.
func TestAnswers(t *testing.T) {
	for _, branch := range branches {
		t.Run(branch, func(t *testing.T) {
			t.Parallel()
			j := startJudge(t)
			services := service("shop", "judge", j.port)
			services = append(services, service("shop", "down", harness.FreePort(t))...)
			services = append(services, service("login", "foreign", j.port)...)
			services = append(services, service("login", "allowed", j.port, "auth-namespaces=shop")...)
			services = append(services, harness.Service("shop", "empty", "80:1"),
				harness.Ingress("shop", "to-empty", harness.Class("headgate"), harness.Rule("empty.shop.test", "/", "empty:80")))
			s := newScene(t, branch, services...)
			routes := []runtime.Object{route("last"),
				route("kept", asks("kept/yes", "auth-cache=1h", "auth-response-headers=x-user")...), route("unkept", asks("unkept/yes")...),
				route("told", asks("told/yes", "auth-request-headers=X-Key")...)}
			for _, r := range rows {
				routes = append(routes, route(r.name, r.options...))
			}
			s.write("routes", routes...)
			harness.WantStatus(t, s.g.HTTP, "last.test", "/", http.StatusOK)
			pods := harness.StartPods(t)
			for _, r := range rows {
				before := pods.Requests(s.pod)
				a := s.get("http://"+r.name+".test/a%20b?c=d&e", "X-User: evil", "X_USER: evil")
				if a.Status != r.status {
					t.Errorf("%s: %d instead of %d", r.name, a.Status, r.status)
				} else if r.see != nil {
					r.see(t, a)
				}
				if came := pods.Requests(s.pod) - before; came != map[bool]int{true: 1}[r.status == 200] {
					t.Errorf("%s: %d requests reach the pod", r.name, came)
				}
			}
			if a, err := s.ask(http.MethodOptions, "http://preflight.test/", ""); err != nil || a.Status != http.StatusNoContent {
				t.Errorf("OPTIONS: %d, %v", a.Status, err)
			}
			s.checkQuestion(j)
			s.checkCache(j)
			s.write("endpoints", harness.EndpointSlice("shop", "empty", fmt.Sprint(j.port), "127.0.0.1"))
			harness.WantStatus(t, s.g.HTTP, "empty.test", "/", http.StatusOK)
			s.wantNoReload()
		})
	}
}

// checkQuestion looks at what the service is told; and the body stays for the pod.
func (s *scene) checkQuestion(j *judge) {
	t := s.t
	a, err := s.ask(http.MethodPut, "http://told.test/a?b=c", "a body", "Cookie: a=b", "Authorization: Bearer x", "X-Key: k", "X-Other: o",
		"X-Original-Url: evil", "X-Headgate-Backend: evil", "X-Headgate-Outside: 127.0.0.1:1", "X-Real-Ip: evil")
	if err != nil || a.Status != http.StatusOK {
		t.Fatalf("told: %d, %v", a.Status, err)
	}
	if a.Echo.Method != http.MethodPut || a.Echo.Headers.Get("Content-Length") != "6" {
		t.Errorf("the pod gets %s %v", a.Echo.Method, a.Echo.Headers)
	}
	questions := j.asked("/told/yes")
	if len(questions) != 1 {
		t.Fatalf("%d questions", len(questions))
	}
	q := questions[0]
	for name, want := range map[string]string{"Cookie": "a=b", "Authorization": "Bearer x", "X-Key": "k", "X-Other": "",
		"X-Original-Url": "http://told.test/a?b=c", "X-Original-Method": "PUT", "X-Auth-Request-Redirect": "/a?b=c",
		"X-Forwarded-Proto": "http", "X-Forwarded-Host": "told.test", "X-Forwarded-For": "127.0.0.1", "X-Real-Ip": "127.0.0.1",
		"X-Headgate-Backend": "", "X-Headgate-Outside": "", "X-Headgate-Policy": "", "X-Headgate-Timeout": ""} {
		if got := strings.Join(q.Header.Values(name), "|"); got != want {
			t.Errorf("the question's %s is %q instead of %q", name, got, want)
		}
	}
	if q.Method != http.MethodGet || q.Host != "judge.shop.svc" || q.ContentLength != 0 {
		t.Errorf("the question is %s to %s with %d bytes", q.Method, q.Host, q.ContentLength)
	}
}

// checkCache counts questions. Each thread of HAProxy keeps answers of its own, and a
// connection has one thread.
func (s *scene) checkCache(j *judge) {
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", s.g.HTTP)
	}}}
	defer client.CloseIdleConnections()
	get := func(host, cookie string) {
		s.t.Helper()
		request, _ := http.NewRequest(http.MethodGet, "http://kept.test/", nil)
		request.Host = host
		if cookie != "" {
			request.Header.Set("Cookie", cookie)
		}
		response, err := client.Do(request)
		if err != nil {
			s.t.Fatal(err)
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		if response.StatusCode != http.StatusOK || host == "kept.test" && !strings.Contains(string(body), `"X-User":["yes"]`) {
			s.t.Fatalf("%s: %s %s", host, response.Status, body)
		}
	}
	for _, step := range []struct {
		host, cookie string
		n, questions int
	}{
		{"kept.test", "session=1", 10, 1},
		{"kept.test", "session=2", 2, 1},
		{"kept.test", "session=1", 2, 0},
		{"kept.test", "", 3, 3}, // nothing that an answer could hold for
		{"unkept.test", "session=1", 3, 3},
	} {
		path := "/" + strings.TrimSuffix(step.host, ".test") + "/yes"
		before := len(j.asked(path))
		for range step.n {
			get(step.host, step.cookie)
		}
		if n := len(j.asked(path)) - before; n != step.questions {
			s.t.Errorf("%s, %q, %d times: %d questions instead of %d", step.host, step.cookie, step.n, n, step.questions)
		}
	}
}

// TestOAuth2Proxy signs in and comes back.
func TestOAuth2Proxy(t *testing.T) {
	for _, branch := range branches {
		t.Run(branch, func(t *testing.T) {
			t.Parallel()
			port := harness.StartOAuth2Proxy(t, "alice", "secret", "app.test")
			s := newSceneWith(t, branch, []string{"--allow-external-name"}, service("login", "oauth2-proxy", port, "auth-namespaces=shop")...)
			outside := harness.PodAddr(harness.StartPods(t).IP())
			s.write("routes", route("outside", "auth-url=http://"+outside+"/?status=204"), route("denied", "auth-url=http://"+outside+"/?status=403"),
				route("loopback", fmt.Sprintf("auth-url=http://127.0.0.1:%d/ping", port)), route("app", "auth-url=http://oauth2-proxy.login.svc/oauth2/auth", "auth-signin=/oauth2/sign_in",
					"auth-response-headers=X-Auth-Request-User"),
				harness.Ingress("login", "sign-in", harness.Class("headgate"), harness.Rule("app.test", "/oauth2", "oauth2-proxy:80")), route("last"))
			harness.WantStatus(t, s.g.HTTP, "last.test", "/", http.StatusOK)
			for host, want := range map[string]int{"outside.test": 200, "denied.test": 403, "loopback.test": 503} {
				if a := s.get("http://" + host + "/"); a.Status != want {
					t.Errorf("%s: %d instead of %d", host, a.Status, want)
				}
			}
			const page = "http://app.test/a?b=c"

			answer := s.get(page, "X-Auth-Request-User: mallory")
			signIn := answer.Header.Get("Location")
			if answer.Status != http.StatusFound || signIn != "/oauth2/sign_in?rd="+url.QueryEscape(page) {
				t.Fatalf("before: %d to %q", answer.Status, signIn)
			}
			if form := s.get("http://app.test" + signIn); !strings.Contains(form.Body, `name="password"`) || !strings.Contains(form.Body, page) {
				t.Fatalf("the form: %d %s", form.Status, form.Body)
			}
			signUp := func(password string) harness.Answer {
				values := url.Values{"username": {"alice"}, "password": {password}, "rd": {page}}
				a, err := s.ask(http.MethodPost, "http://app.test/oauth2/sign_in", values.Encode(), "Content-Type: application/x-www-form-urlencoded")
				if err != nil {
					t.Fatal(err)
				}
				return a
			}
			if a := signUp("wrong"); a.Status == http.StatusFound {
				t.Fatalf("a wrong password is let in: %v", a.Header)
			}
			back := signUp("secret")
			if back.Status != http.StatusFound || back.Header.Get("Location") != page {
				t.Fatalf("after: %d to %q", back.Status, back.Header.Get("Location"))
			}
			session, _, _ := strings.Cut(back.Header.Get("Set-Cookie"), ";")
			in := s.get(page, "Cookie: "+session, "X-Auth-Request-User: mallory")
			if users := in.Echo.Headers.Values("X-Auth-Request-User"); in.Status != http.StatusOK || !slices.Equal(users, []string{"alice"}) {
				t.Errorf("with the session: %d, users %q", in.Status, users)
			}
			if out := s.get(page, "Cookie: "+session[:len(session)-8]+"AAAAAAAA"); out.Status != http.StatusFound {
				t.Errorf("with a forged session: %d", out.Status)
			}
			s.wantNoReload()
		})
	}
}

// TestManyRoutes has 200 routes with a URL each come, change and go.
func TestManyRoutes(t *testing.T) {
	for _, branch := range branches {
		t.Run(branch, func(t *testing.T) {
			t.Parallel()
			j := startJudge(t)
			s := newScene(t, branch, service("shop", "judge", j.port)...)
			traffic := harness.StartProber(t, harness.Traffic{Addr: s.g.HTTP, Clients: 1, Next: func(int, int) harness.Route {
				return harness.Route{Host: "plain.test", Path: "/"}
			}})
			for _, state := range []string{"first-", "second-", ""} {
				s.manyRoutes(200, state)
			}
			if summary := traffic.Stop(); summary.Failures > 0 {
				t.Errorf("the route beside: %v", summary)
			}
			s.wantNoReload()
		})
	}
}

// manyRoutes has n routes, each with a URL of its own, and waits until each asks
// there; with no state they ask nobody.
func (s *scene) manyRoutes(n int, state string) {
	user := func(i int) string {
		if state == "" {
			return ""
		}
		return fmt.Sprintf("%s%d", state, i)
	}
	routes := []runtime.Object{}
	for i := range n {
		var options []string
		if state != "" {
			options = asks("many/"+user(i), "auth-response-headers=x-user")
		}
		routes = append(routes, route(fmt.Sprintf("r%d", i), options...))
	}
	s.write("routes", routes...)
	var all sync.WaitGroup
	for first := range 8 {
		all.Add(1)
		go func() {
			defer all.Done()
			for i := first; i < n; i += 8 {
				err := harness.Wait(fmt.Sprintf("route %d", i), func() error {
					a, err := s.ask(http.MethodGet, fmt.Sprintf("http://r%d.test/", i), "")
					if got := a.Echo.Headers.Get("X-User"); err == nil && (a.Status != http.StatusOK || got != user(i)) {
						err = fmt.Errorf("status %d, user %q instead of %q", a.Status, got, user(i))
					}
					return err
				})
				if err != nil {
					s.t.Error(err)
				}
			}
		}()
	}
	all.Wait()
}

// TestManyQuestions: one policy whose service doesn't answer has 200 questions
// waiting at most, and the others go on.
func TestManyQuestions(t *testing.T) {
	const most = 200
	for _, branch := range branches {
		t.Run(branch, func(t *testing.T) {
			t.Parallel()
			j := startJudge(t)
			s := newScene(t, branch, service("shop", "judge", j.port)...)
			s.write("routes", route("last"), route("waits", asks("waits/silent", "auth-timeout=15s")...), route("other", asks("other/yes")...))
			harness.WantStatus(t, s.g.HTTP, "last.test", "/", http.StatusOK)
			ctx, cancel := context.WithCancel(context.Background())
			var all sync.WaitGroup
			for range most {
				all.Add(1)
				go func() {
					defer all.Done()
					request, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://waits.test/", nil)
					_, _ = harness.Do(s.g.HTTP, request)
				}()
			}
			harness.Eventually(t, "all questions but one", func() error {
				if n := len(j.asked("/waits/silent")); n != most {
					return fmt.Errorf("%d", n)
				}
				return nil
			})
			if a := s.get("http://waits.test/"); a.Status != http.StatusServiceUnavailable {
				t.Errorf("one more: %d", a.Status)
			}
			if n := len(j.asked("/waits/silent")); n != most {
				t.Errorf("the service has been asked %d times", n)
			}
			if a := s.get("http://other.test/"); a.Status != http.StatusOK {
				t.Errorf("the other one: %d", a.Status)
			}
			cancel()
			all.Wait()
			s.wantNoReload()
		})
	}
}
