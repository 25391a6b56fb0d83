package install

import (
	"encoding/json"
	"maps"
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
	metricRow  = regexp.MustCompile("(?m)^\\| `(\\w+\\*?)` \\| (\\w+) \\| (\\w*) \\|")
	typeLine   = regexp.MustCompile(`(?m)^# TYPE (\w+) (\w+)`)
	metricName = regexp.MustCompile(`\b(?:headgate|haproxy|process|rest)_\w+`)
)

// documented compares what documents, dashboard and alerts say with what both
// containers of the running pod give a scrape.
func (s *podScene) documented(t *testing.T) {
	existing := map[string]map[string]string{"controller": types(scrape(t, podAdmin)), "HAProxy": types(scrape(t, podStat))}
	for _, series := range []string{"headgate_audit_drift_total{kind=", "headgate_reloads_total{reason="} {
		// From the start, or Prometheus doesn't see the first one.
		if !strings.Contains(scrape(t, podAdmin), series) {
			t.Errorf("no series %s…", series)
		}
	}
	documented, families := []string{}, []string{}
	for _, row := range metricRow.FindAllStringSubmatch(repositoryFile(t, "docs/metrics.md"), -1) {
		name, of, kind := row[1], row[2], row[3]
		if family, ok := strings.CutSuffix(name, "*"); ok && of == "HAProxy" {
			families = append(families, family)
			continue
		}
		documented = append(documented, name)
		if have := existing[of][name]; have == "" || have != kind {
			t.Errorf("docs/metrics.md: %s of %s is a %s; there it is a %q", name, of, kind, have)
		}
	}
	for of, metrics := range existing {
		for name := range metrics {
			if !slices.Contains(documented, name) && (of != "HAProxy" || !slices.ContainsFunc(families, func(family string) bool { return strings.HasPrefix(name, family) })) {
				t.Errorf("docs/metrics.md: nothing about %s of %s", name, of)
			}
		}
	}
	for _, family := range families {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(existing["HAProxy"])), func(name string) bool { return strings.HasPrefix(name, family) }) {
			t.Errorf("docs/metrics.md: there is no %s*", family)
		}
	}
	contained(t, "the alerts", alertMetrics(t), documented)
	contained(t, "the dashboard", dashboardMetrics(t), documented)
}

// types are the metrics of a scrape with the type of each.
func types(scrape string) map[string]string {
	found := map[string]string{}
	for _, line := range typeLine.FindAllStringSubmatch(scrape, -1) {
		found[line[1]] = line[2]
	}
	return found
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
