package options

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"headgate.dev/e2e/harness"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// pagesScene is a controller with a ConfigMap of error pages, and routes whose
// answers are HAProxy's own.
type pagesScene struct {
	scene
	branch string
	odd    *oddPods
}

func (s *pagesScene) writePages(pages map[string]string) {
	s.t.Helper()
	s.states++
	objects := []runtime.Object{
		harness.IngressClass("headgate", controller),
		harness.Service(namespace, "plain", "80:8080"), harness.EndpointSlice(namespace, "plain", "8080", s.ip),
		harness.Service(namespace, "empty", "80:8080"),
		harness.Service(namespace, "slow", "80:8080"), harness.EndpointSlice(namespace, "slow", s.odd.slow, s.ip),
		harness.Ingress(namespace, "state", harness.Class("headgate"), harness.Rule(s.state(), "/", "plain:80")),
	}
	if pages != nil {
		objects = append(objects, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "pages"}, Data: pages})
	}
	for _, site := range []struct{ name, service, key, value string }{
		{"plain", "plain", "", ""}, {"empty", "empty", "", ""}, {"unavailable", "nowhere", "", ""},
		{"slow", "slow", "timeout-server", "300ms"}, {"denied", "plain", "deny-list", "127.0.0.0/8"},
		{"limited", "plain", "rate-limit-requests", "1"},
	} {
		options := []harness.IngressOption{harness.Class("headgate"), harness.Rule(site.name+".test", "/", site.service+":80")}
		if site.key != "" {
			options = append(options, harness.Annotation(prefix+site.key, site.value))
		}
		if site.name == "limited" {
			options = append(options, harness.Annotation(prefix+"rate-limit-period", "1h"))
		}
		objects = append(objects, harness.Ingress(namespace, site.name, options...))
	}
	harness.WriteManifestFile(s.t, filepath.Join(s.dir, "all.yaml"), objects...)
}

// ownAnswers are hosts, and the status of what HAProxy says about them by itself.
var ownAnswers = map[string]int{"nobody.test": 404, "unavailable.test": 503, "empty.test": 503, "slow.test": 504, "denied.test": 403, "limited.test": 429}

// wantPages waits until these statuses have the pages that are marked so, and
// the others have none of ours.
func (s *pagesScene) wantPages(what, mark string, statuses ...int) {
	s.t.Helper()
	harness.Eventually(s.t, what, func() error {
		for host, status := range ownAnswers {
			is := false
			for _, one := range statuses {
				is = is || one == status
			}
			want := ""
			if is {
				want = mark
			}
			request, err := http.NewRequest(http.MethodGet, "http://"+host+"/", nil)
			if err != nil {
				return err
			}
			answer, err := harness.Do(s.g.HTTP, request)
			if err != nil {
				return err
			}
			if answer.Status == http.StatusOK && status == http.StatusTooManyRequests {
				return errors.New("not over the limit yet")
			}
			if answer.Status != status || answer.Header.Get("X-Page") != want {
				return fmt.Errorf("%s: status %d, page %q; want %d, %q", host, answer.Status, answer.Header.Get("X-Page"), status, want)
			}
			if is && string(answer.Body) != "<p>"+mark+"</p>\n" {
				return fmt.Errorf("%s: body %q", host, answer.Body)
			}
		}
		return s.wantBadRequest(mark, statuses)
	})
}

// What is no HTTP gets 400, on 2.6 always in HAProxy's own words.
func (s *pagesScene) wantBadRequest(mark string, statuses []int) error {
	conn, err := net.Dial("tcp", s.g.HTTP)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	_, _ = io.WriteString(conn, "no HTTP\r\n\r\n")
	answer, _ := io.ReadAll(conn)
	is, want := strings.Contains(strings.ToLower(string(answer)), "\r\nx-page: "+mark+"\r\n"), false
	for _, status := range statuses {
		want = want || (status == http.StatusBadRequest && s.branch != "2.6")
	}
	if !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") && !strings.HasPrefix(string(answer), "HTTP/1.0 400 ") || is != want {
		return fmt.Errorf("a bad request: %q", answer)
	}
	return nil
}

func page(status int, mark string) string {
	return fmt.Sprintf("HTTP/1.1 %d %s\nX-Page: %s\nContent-Type: text/html\n\n<p>%s</p>\n", status, http.StatusText(status), mark, mark)
}

func pages(mark string, statuses ...int) map[string]string {
	all := map[string]string{}
	for _, status := range statuses {
		all[fmt.Sprint(status)] = page(status, mark)
	}
	return all
}

func (s *pagesScene) reloads() float64 {
	return s.g.Metrics(s.t).Sum("headgate_reloads_total", `reason="error-pages"`)
}

// TestErrorPages has pages come, change, be spoilt and go: a reload a change, none
// for what can't be used.
func TestErrorPages(t *testing.T) {
	every := []int{200, 400, 401, 403, 404, 405, 407, 408, 410, 425, 429, 500, 502, 503, 504}
	for _, branch := range []string{"2.6", "3.4"} {
		t.Run(branch, func(t *testing.T) {
			t.Parallel()
			s := &pagesScene{branch: branch, scene: scene{t: t, dir: t.TempDir(), ip: harness.StartPods(t).IP(), g: harness.NewHeadgate(t)}}
			s.odd = startOddPods(t, s.ip)
			s.writePages(nil)
			s.start(branch, "--configmap-errorfiles="+namespace+"/pages")
			s.settle()
			traffic := harness.StartProber(t, harness.Traffic{Addr: s.g.HTTP, Clients: 1, Pause: 20 * time.Millisecond, Next: plainRoute})
			s.wantPages("HAProxy's own", "")
			for i, state := range []struct {
				pages    map[string]string
				mark     string
				statuses []int
				reloads  float64
				says     string
			}{
				{pages("first", every...), "first", every, 1, ""},
				{pages("second", every...), "second", every, 1, ""},
				{pages("second", 404, 400), "second", []int{404, 400}, 1, ""},
				{map[string]string{"404": page(404, "second"), "400": page(400, "second"), "503": page(200, "third"), "418": page(418, "third")},
					"second", []int{404, 400}, 0, "data[503] begins with 'HTTP/1.1 200 OK': begin it with 'HTTP/1.1 503' and a reason"},
				{nil, "", nil, 1, "ConfigMap shop/pages: there is no such ConfigMap: create it"},
			} {
				before, from := s.reloads(), len(s.g.Log())
				s.writePages(state.pages)
				s.settle()
				s.wantPages(fmt.Sprintf("state %d", i), state.mark, state.statuses...)
				harness.Eventually(t, fmt.Sprintf("state %d: reloads and %q", i, state.says), func() error {
					if n := s.reloads() - before; n != state.reloads {
						return fmt.Errorf("%v reloads, want %v", n, state.reloads)
					}
					for _, line := range s.g.Log()[from:] {
						if strings.Contains(line.Raw, state.says) {
							return nil
						}
					}
					return errors.New("the log does not say so")
				})
			}
			if summary := traffic.Stop(); summary.Failures > 0 || summary.Requests == 0 {
				t.Errorf("the route beside: %v", summary)
			}
		})
	}
}
