package options

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"headgate.dev/e2e/harness"
)

// shown is the test that shows a key which has no row here, as it is done by
// something that is no option, or has a test of its own.
var shown = map[string]string{
	"kubernetes.io/ingress.class":                 "TestClassTable",
	"ingressclass.kubernetes.io/is-default-class": "TestClassTable",
	"<http status code>":                          "TestErrorPages",
	"<pattern file name>":                         "TestPatternFiles",
	"prometheus-endpoint-auth-secret":             "TestMetricsUsers",
	"<port>":                                      "TestTCPServices",
	"log-format-tcp":                              "TestTCPServices",
	"client-ca":                                   "TestClientCertificates",
	"client-crt-optional":                         "TestClientCertificates",
	"ssl-passthrough":                             "TestPassthrough",
}

// verdict is a line of what `headgate options` prints about the dialect.
var verdict = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (done|not yet|needs nothing|refused) \\| (.*) \\|$")

// TestCoverage compares docs/options-haproxytech.md with the controller's tables
// and the rows: each key that is done has to be shown.
func TestCoverage(t *testing.T) {
	text, err := exec.Command(harness.HeadgateBinary(t), "options").Output()
	if err != nil {
		t.Fatal(err)
	}
	_, dialect, _ := strings.Cut(string(text), "## Annotations of haproxytech")
	var page strings.Builder
	page.WriteString("# The keys of haproxytech/kubernetes-ingress, and what shows each\n\n" +
		"Made by a test from the controller's tables and those of the tests in `e2e/options`; options.md says what becomes of a key. `TestOptions` sets,\n" +
		"changes and removes them under traffic on HAProxy 2.6 and 3.4, without a reload; `TestVariants` does the same, on 2.6 with reloads, and `TestGlobals` with one reload a change;\n" +
		"`TestLiveGlobals` without one. Other tests show what is done by something that is no option.\n\n" +
		"| key | verdict | shown by |\n|---|---|---|\n")
	counts, tests := map[string]int{}, allTests(t)
	for _, match := range verdict.FindAllStringSubmatch(dialect, -1) {
		key, what := match[1], match[2]
		by := showers(key)
		if what == "done" && by == "" {
			t.Errorf("nothing shows %s", key)
		}
		for _, test := range strings.Split(by, ", ") {
			if by != "" && !slices.Contains(tests, test) {
				t.Errorf("%s is shown by %s, and there is no such test", key, test)
			}
		}
		if (what == "refused" || what == "not yet") && by != "" {
			t.Errorf("%s is shown, but %s", key, what)
		}
		counts[what]++
		fmt.Fprintf(&page, "| `%s` | %s | %s |\n", key, what, by)
	}
	fmt.Fprintf(&page, "\nDone: %d; need nothing: %d; refused: %d; not yet: %d.\n",
		counts["done"], counts["needs nothing"], counts["refused"], counts["not yet"])
	compare(t, "options-haproxytech.md", page.String())
}

// allTests are the names of the end-to-end tests.
func allTests(t *testing.T) (names []string) {
	t.Helper()
	function := regexp.MustCompile(`(?m)^func (Test\w+)\(\w+ \*testing\.T\)`)
	err := filepath.WalkDir(filepath.Join(harness.Root(t), "e2e"), func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, match := range function.FindAllSubmatch(text, -1) {
			names = append(names, string(match[1]))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// showers are the places that show a key.
func showers(key string) string {
	if place, ok := shown[key]; ok {
		return place
	}
	var places []string
	for _, r := range rows {
		if slices.Contains(strings.Fields(r.keys), key) {
			places = append(places, "TestOptions")
		}
	}
	for _, r := range globalRows {
		if slices.Contains(strings.Fields(r.keys), key) {
			places = append(places, "TestGlobals")
		}
	}
	for _, r := range liveRows {
		if r.key == key {
			places = append(places, "TestLiveGlobals")
		}
	}
	for _, r := range variantRows {
		for _, annotation := range slices.Concat(r.set, r.change) {
			if k, _, _ := strings.Cut(annotation, ":"); k == key {
				places = append(places, "TestVariants")
			}
		}
	}
	return strings.Join(slices.Compact(places), ", ")
}

// compare demands that a page of docs is this; HEADGATE_UPDATE=1 writes it.
func compare(t *testing.T, name, page string) {
	t.Helper()
	path := filepath.Join(harness.Root(t), "docs", name)
	old, _ := os.ReadFile(path)
	switch {
	case string(old) == page:
	case os.Getenv("HEADGATE_UPDATE") != "":
		if err := os.WriteFile(path, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s is not what the tables say: HEADGATE_UPDATE=1 make e2e RUN=%s", path, t.Name())
	}
}
