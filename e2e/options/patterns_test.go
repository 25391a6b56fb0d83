package options

import (
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"headgate.dev/e2e/harness"
	"k8s.io/apimachinery/pkg/runtime"
)

// patternState is a file of patterns, and what requests meet then: of a client in
// 192.0.2.0/24, and of another one.
type patternState struct {
	name    string
	file    string // "-": there is no ConfigMap
	allow   [2]string
	deny    [2]string
	limited string // of two requests of the first client, one more than it may make
	says    string // the log
}

var patternStates = []patternState{
	{"no ConfigMap", "-", [2]string{"403", "403"}, [2]string{"403", "403"}, "200 429", "ConfigMap shop/patterns: there is no such ConfigMap: create it"},
	{"networks", "# the office\r\n\n\t192.0.2.0/24 \n2001:db8::/32\n", [2]string{"200", "403"}, [2]string{"403", "200"}, "200 200", "nothing is wrong any more"},
	{"other networks", "203.0.113.0/24", [2]string{"403", "200"}, [2]string{"200", "403"}, "200 429", ""},
	{"the first networks", "198.51.100.1\n192.0.2.0/24\n", [2]string{"200", "403"}, [2]string{"403", "200"}, "200 200", ""},
	{"a file that is spoilt", "192.0.2.0/24\nwww.example.com\n", [2]string{"403", "403"}, [2]string{"403", "403"}, "200 429",
		"ConfigMap shop/patterns: data[office] has no IP address or network in line 2: write 10.1.2.3"},
	{"an empty file", "# nobody\n", [2]string{"403", "403"}, [2]string{"200", "200"}, "200 429", "nothing is wrong any more"},
}

func (s *scene) writePatterns(file string) {
	s.t.Helper()
	s.states++
	objects := []runtime.Object{
		harness.IngressClass("headgate", controller),
		harness.Service(namespace, web, "80:8080"), harness.EndpointSlice(namespace, web, "8080", s.ip),
		harness.Ingress(namespace, "state", harness.Class("headgate"), harness.Rule(s.state(), "/", web+":80")),
		harness.Ingress(namespace, "plain", harness.Class("headgate"), harness.Rule("plain.test", "/", web+":80")),
	}
	if file != "-" {
		objects = append(objects, configMap("patterns", "office", file))
	}
	for _, key := range []string{"allow-list", "deny-list", "rate-limit-whitelist"} {
		objects = append(objects, harness.Ingress(namespace, key, harness.Class("headgate"), harness.Rule(key+".test", "/", web+":80"),
			harness.Annotation(prefix+"src-ip-header", "X-Client"), harness.Annotation(prefix+key, "patterns/office"),
			harness.Annotation(prefix+"rate-limit-requests", map[bool]string{true: "1", false: "0"}[key == "rate-limit-whitelist"]),
			harness.Annotation(prefix+"rate-limit-period", "1h")))
	}
	harness.WriteManifestFile(s.t, filepath.Join(s.dir, "all.yaml"), objects...)
}

// wantOf demands what n requests of a client meet.
func (s *scene) wantOf(what, host, client string, n int, want string) {
	s.t.Helper()
	answers, err := s.ask(host, ask{n: n, header: is("X-Client", client)})
	if err != nil {
		s.t.Errorf("%s: %s of %s: %v", what, host, client, err)
	} else if got := statuses(answers); got != want {
		s.t.Errorf("%s: %s of %s: %s instead of %s", what, host, client, got, want)
	}
}

// TestPatternFiles has a file of patterns come, change, be spoilt and go under
// traffic, in each option that can name one: without a reload, and nobody comes in
// by a file that isn't there.
func TestPatternFiles(t *testing.T) {
	for _, branch := range []string{"2.6", "3.4"} {
		t.Run(branch, func(t *testing.T) {
			t.Parallel()
			s := &scene{t: t, dir: t.TempDir(), ip: harness.StartPods(t).IP(), g: harness.NewHeadgate(t)}
			s.writePatterns("-")
			s.start(branch, "--configmap-patternfiles="+namespace+"/patterns")
			s.settle()
			traffic := harness.StartProber(t, harness.Traffic{Addr: s.g.HTTP, Clients: 1, Pause: 20 * time.Millisecond, Next: plainRoute})
			worker, from := s.info("Pid"), 0
			for i, state := range append(patternStates, patternStates[0]) {
				first, second := fmt.Sprintf("192.0.2.%d", i+1), "203.0.113.9"
				s.writePatterns(state.file)
				s.settle()
				for j, client := range []string{first, second} {
					s.wantOf(state.name, "allow-list.test", client, 1, state.allow[j])
					s.wantOf(state.name, "deny-list.test", client, 1, state.deny[j])
				}
				s.wantOf(state.name, "rate-limit-whitelist.test", first, 2, state.limited)
				harness.Eventually(t, state.name+": the log", func() error {
					if state.says == "" {
						return nil
					}
					for j, line := range s.g.Log()[from:] {
						if strings.Contains(line.Raw, state.says) {
							from += j + 1
							return nil
						}
					}
					return errors.New("it does not say so")
				})
				s.wantPatternFault(state)
			}
			s.wantSameWorker("all of it", worker)
			if summary := traffic.Stop(); summary.Failures > 0 || summary.Requests == 0 {
				t.Errorf("the route beside: %v", summary)
			}
		})
	}
}

// wantPatternFault demands that an Ingress says what it lacks, and nothing of what
// is in the operator's file.
func (s *scene) wantPatternFault(state patternState) {
	s.t.Helper()
	harness.Eventually(s.t, state.name+": what is said of the Ingress", func() error {
		answer, err := harness.Get(s.g.Admin, s.g.Admin, "/ingresses/"+namespace+"/allow-list")
		if err != nil || answer.Status != http.StatusOK {
			return fmt.Errorf("status %d, %w", answer.Status, err)
		}
		lacks := state.allow == [2]string{"403", "403"} && state.deny == state.allow
		if strings.Contains(answer.Body, "PatternsNotFound") != lacks || strings.Contains(answer.Body, "www.example.com") {
			return errors.New(answer.Body)
		}
		return nil
	})
}
