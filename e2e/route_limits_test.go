package e2e

import (
	"fmt"
	"net/http"
	"testing"

	"headgate.dev/e2e/harness"
	networkingv1 "k8s.io/api/networking/v1"
)

// What an Ingress may have: docs/ingress.md.
const (
	limitRules = 1000
	limitPaths = 5000
)

// TestIngressLimits makes two Ingresses with more than one may have: what is beyond
// is left out and told of, the rest of them and everybody else's is served.
func TestIngressLimits(t *testing.T) {
	eachRouteBranch(t, func(t *testing.T, branch string) {
		s := newRouteScene(t, branch)
		s.serve("web", 1)
		manyRules := s.ingress("rules").(*networkingv1.Ingress)
		manyPaths := s.ingress("paths", harness.Rule("paths.example", "/0", "web:80")).(*networkingv1.Ingress)
		for i := range limitRules + 2 {
			harness.Rule(fmt.Sprintf("rule-%d.example", i), "/", "web:80")(manyRules)
		}
		paths := &manyPaths.Spec.Rules[0].HTTP.Paths
		for i := 1; i < limitPaths+2; i++ {
			path := (*paths)[0]
			path.Path = fmt.Sprintf("/%d", i)
			*paths = append(*paths, path)
		}
		s.c.Apply(t, manyRules, manyPaths, s.ingress("web", harness.Rule("web.example", "/", "web:80")))
		s.start()
		s.wantAnswers(
			routeAnswer{host: "web.example", path: "/", service: "web"},
			routeAnswer{host: "rule-0.example", path: "/", service: "web"},
			routeAnswer{host: fmt.Sprintf("rule-%d.example", limitRules-1), path: "/", service: "web"},
			routeAnswer{host: fmt.Sprintf("rule-%d.example", limitRules), path: "/", status: http.StatusNotFound},
			routeAnswer{host: fmt.Sprintf("rule-%d.example", limitRules+1), path: "/", status: http.StatusNotFound},
			routeAnswer{host: "paths.example", path: fmt.Sprintf("/%d", limitPaths-1), service: "web"},
			routeAnswer{host: "paths.example", path: fmt.Sprintf("/%d", limitPaths), status: http.StatusNotFound},
		)
		statusAsk(s, "rules")
		statusAsk(s, "paths")
		// With one rule less than too many nothing is wrong any more.
		manyRules.Spec.Rules = manyRules.Spec.Rules[2:]
		s.c.Apply(t, manyRules)
		s.wantAnswers(
			routeAnswer{host: fmt.Sprintf("rule-%d.example", limitRules+1), path: "/", service: "web"},
			routeAnswer{host: "rule-0.example", path: "/", status: http.StatusNotFound},
		)
		s.healthy()
	})
}
