package install

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"sigs.k8s.io/yaml"

	"headgate.dev/e2e/harness"
)

var (
	metricRow  = regexp.MustCompile("(?m)^\\| `(\\w+)` \\|")
	helpLine   = regexp.MustCompile(`(?m)^# HELP (\w+) `)
	metricName = regexp.MustCompile(`\b(?:headgate|haproxy|process|rest)_\w+`)
)

// documented compares what documents, dashboard and alerts say with what both
// containers of the running pod give a scrape.
func (s *podScene) documented(t *testing.T) {
	ours, theirs := names(helpLine, scrape(t, podAdmin)), names(helpLine, scrape(t, podStat))
	for _, series := range []string{"headgate_audit_drift_total{kind=", "headgate_reloads_total{reason="} {
		// From the start, or Prometheus doesn't see the first one.
		if !strings.Contains(scrape(t, podAdmin), series) {
			t.Errorf("no series %s…", series)
		}
	}
	page := repositoryFile(t, "docs/metrics.md")
	first, second, _ := strings.Cut(page, "\n## HAProxy\n")
	documentedOurs, documentedTheirs := names(metricRow, first), names(metricRow, second)
	if !slices.Equal(documentedOurs, ours) {
		t.Errorf("docs/metrics.md has\n%v\nand the controller\n%v", documentedOurs, ours)
	}
	contained(t, "docs/metrics.md of HAProxy's", documentedTheirs, theirs)
	all := slices.Concat(documentedOurs, documentedTheirs)
	contained(t, "the alerts", alertMetrics(t), all)
	contained(t, "the dashboard", dashboardMetrics(t), all)
}

func contained(t *testing.T, what string, part, whole []string) {
	t.Helper()
	if len(part) == 0 {
		t.Errorf("%s: nothing", what)
	}
	for _, name := range part {
		if !slices.Contains(whole, name) {
			t.Errorf("%s: there is no %s", what, name)
		}
	}
}

// used are the metrics of expressions; label values are not.
func used(expressions string) []string {
	return names(metricName, regexp.MustCompile(`"[^"]*"`).ReplaceAllString(expressions, ""))
}

func names(pattern *regexp.Regexp, text string) []string {
	var found []string
	for _, match := range pattern.FindAllStringSubmatch(text, -1) {
		// The series of a histogram have the metric's name with something behind it.
		found = append(found, strings.TrimSuffix(match[len(match)-1], "_bucket"))
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func repositoryFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(harness.Root(t), path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// alertMetrics reads the alerts as strictly as the Prometheus operator's types do.
func alertMetrics(t *testing.T) []string {
	t.Helper()
	var rules monitoringv1.PrometheusRuleSpec
	if err := yaml.UnmarshalStrict([]byte(repositoryFile(t, "deploy/prometheus/alerts.yaml")), &rules); err != nil {
		t.Fatal(err)
	}
	troubleshooting := repositoryFile(t, "docs/troubleshooting.md")
	text := ""
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			text += rule.Expr.String() + "\n"
			if !strings.Contains(troubleshooting, "`"+rule.Alert+"`") {
				t.Errorf("docs/troubleshooting.md has nothing about %s", rule.Alert)
			}
		}
	}
	return used(text)
}

func dashboardMetrics(t *testing.T) []string {
	t.Helper()
	var dashboard struct {
		Title      string
		Templating struct{ List []struct{ Query string } }
		Panels     []struct{ Targets []struct{ Expr string } }
	}
	if err := json.Unmarshal([]byte(repositoryFile(t, "deploy/grafana/headgate.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, variable := range dashboard.Templating.List {
		text += variable.Query + "\n"
	}
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			text += target.Expr + "\n"
		}
	}
	return used(text)
}
