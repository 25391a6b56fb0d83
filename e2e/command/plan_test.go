package command

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What manifests would change; the expected file is read by people.
func TestPlan(t *testing.T) {
	rows := []struct {
		arguments []string
		status    int
	}{
		{[]string{"testdata/plan-old.yaml"}, 0},
		{[]string{"--old=testdata/plan-old.yaml", "testdata/plan-old.yaml"}, 0},
		{[]string{"--old=testdata/plan-old.yaml", "testdata/plan-new.yaml"}, 0},
		{[]string{"--old=testdata/plan-old.yaml", "--haproxy=3.2", "testdata/plan-new.yaml"}, 1},
		{[]string{"--old=testdata/plan-new.yaml", "testdata/plan-old.yaml"}, 0},
	}
	var text strings.Builder
	for _, row := range rows {
		out, errs, status := headgate(t, "", append([]string{"plan"}, row.arguments...)...)
		if status != row.status || errs != "" {
			t.Errorf("%v: exit status %d, %q", row.arguments, status, errs)
		}
		fmt.Fprintf(&text, "$ headgate plan %s\n%s\n", strings.Join(row.arguments, " "), out)
	}
	wantFile(t, "testdata/plan.txt", text.String())
}

// A state directory is what HAProxy has: an empty one, nothing.
func TestPlanState(t *testing.T) {
	state := t.TempDir()
	if _, errs, status := headgate(t, "", "init", "--state-dir="+state); status != 0 {
		t.Fatal(errs)
	}
	fromState, errs, status := headgate(t, "", "plan", "--state-dir="+state, "testdata/plan-old.yaml")
	fromNothing, _, _ := headgate(t, "", "plan", "testdata/plan-old.yaml")
	if status != 0 || fromState != fromNothing {
		t.Errorf("%d %s\n%s\ninstead of\n%s", status, errs, fromState, fromNothing)
	}
}

func TestPlanStatus(t *testing.T) {
	rows := []struct {
		arguments []string
		status    int
		errs      string
	}{
		{nil, 2, "no file is named"},
		{[]string{"--haproxy=new", "testdata/plan-old.yaml"}, 2, "use a version"},
		{[]string{"--old=a", "--state-dir=b", "testdata/plan-old.yaml"}, 2, "exclude each other"},
		{[]string{"--old=testdata/none.yaml", "testdata/plan-old.yaml"}, 2, "No such file"},
		{[]string{"--state-dir=testdata", "testdata/plan-old.yaml"}, 2, "is this a --state-dir?"},
		{[]string{"--help"}, 0, ""},
	}
	for _, row := range rows {
		_, errs, status := headgate(t, "", append([]string{"plan"}, row.arguments...)...)
		if status != row.status || !strings.Contains(errs, row.errs) || (row.errs == "") != (errs == "") {
			t.Errorf("%v: exit status %d, %q", row.arguments, status, errs)
		}
	}
}

// helps are the help texts of all commands, by name.
func helps(t *testing.T) map[string]string {
	t.Helper()
	summary, _, _ := headgate(t, "", "--help")
	texts := map[string]string{}
	for _, match := range regexp.MustCompile(`(?m)^  ([a-z]+) `).FindAllStringSubmatch(summary, -1) {
		out, errs, status := headgate(t, "", match[1], "--help")
		if status != 0 || errs != "" || !strings.HasPrefix(out, "Usage: headgate "+match[1]) {
			t.Errorf("%s --help: exit status %d, %q", match[1], status, out)
		}
		texts[match[1]] = out
	}
	if len(texts) < 10 {
		t.Fatalf("only %v", texts)
	}
	return texts
}

var flagLine = regexp.MustCompile(`(?m)^  (--[-a-z]+=?)`)

// The manual page has every command and every flag of it.
func TestManualPage(t *testing.T) {
	program, err := filepath.Abs(binary())
	if err != nil {
		t.Fatal(err)
	}
	page, err := exec.Command("../../deploy/dev/man", program).Output()
	if err != nil {
		t.Fatal(err)
	}
	sections := strings.Split(strings.ReplaceAll(string(page), `\-`, "-"), "\n.SH ")
	for command, help := range helps(t) {
		i := slices.IndexFunc(sections, func(s string) bool {
			return strings.HasPrefix(s, `"HEADGATE `+strings.ToUpper(command)+`"`)
		})
		if i < 0 {
			t.Errorf("no section about %s", command)
			continue
		}
		for _, flag := range flagLine.FindAllStringSubmatch(help, -1) {
			if !strings.Contains(sections[i], "\n\\fB"+flag[1]) {
				t.Errorf("%s: no %s", command, flag[1])
			}
		}
	}
}

// Completion offers the commands, and the flags of each.
func TestCompletion(t *testing.T) {
	program, err := filepath.Abs(binary())
	if err != nil {
		t.Fatal(err)
	}
	complete := func(words ...string) []string {
		script := fmt.Sprintf(". ../../deploy/completion.bash; COMP_WORDS=(%s %s); COMP_CWORD=%d; _headgate; printf '%%s\\n' \"${COMPREPLY[@]}\"",
			program, "'"+strings.Join(words, "' '")+"'", len(words))
		out, err := exec.Command("bash", "-c", script).Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Fields(string(out))
	}
	all := helps(t)
	for command, help := range all {
		if found := complete(command[:2]); !slices.Contains(found, command) {
			t.Errorf("%s: %v", command[:2], found)
		}
		want := []string{}
		for _, flag := range flagLine.FindAllStringSubmatch(help, -1) {
			want = append(want, flag[1])
		}
		if found := complete(command, "--"); !slices.Equal(found, want) {
			t.Errorf("%s: %v instead of %v", command, found, want)
		}
	}
	if found := complete("run", "--ha"); !slices.Equal(found, []string{"--haproxy="}) {
		t.Errorf("run --ha: %v", found)
	}
}
