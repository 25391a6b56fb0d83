package command

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const catalogue = "testdata/catalogue"

// TestCheckCatalogue: a hundred Ingresses like those that people have, for what they
// run, with what they write on them; each has a verdict. The expected file is read by
// people.
func TestCheckCatalogue(t *testing.T) {
	out, errs, status := headgate(t, "", "check", "--output=wide", catalogue)
	if status != 1 || errs != "" {
		t.Errorf("exit status %d, %q", status, errs)
	}
	wantFile(t, "testdata/catalogue.txt", out)

	out, _, _ = headgate(t, "", "check", "--output=json", catalogue)
	var result struct {
		Objects []struct{ Kind, Verdict string }
	}
	if err := json.Unmarshal([]byte(out), &result); err != nil {
		t.Fatal(err)
	}
	ingresses := 0
	for _, object := range result.Objects {
		if object.Kind == "Ingress" && slices.Contains([]string{"applied", "ignored", "refused"}, object.Verdict) {
			ingresses++
		}
	}
	if ingresses < 100 {
		t.Errorf("%d Ingresses with a verdict", ingresses)
	}
}

// TestCheckCatalogueStatus: one file at a time, the statuses that --help promises.
func TestCheckCatalogueStatus(t *testing.T) {
	files, err := filepath.Glob(catalogue + "/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		out, errs, status := headgate(t, "", "check", file)
		want := 1
		if strings.Contains(out, " 0 refused\n") {
			want = 0
		}
		if status != want || errs != "" {
			t.Errorf("%s: exit status %d, want %d\n%s%s", file, status, want, out, errs)
		}
	}
	for class, want := range map[string]int{"nginx": 0, "haproxy": 1} {
		if out, _, status := headgate(t, "", "check", "--ingress-class="+class, catalogue+"/deliver.yaml"); status != want {
			t.Errorf("those of class %s: exit status %d, want %d\n%s", class, status, want, out)
		}
	}
	// What can't be read keeps nobody from a verdict on the rest.
	template := catalogue + "/template.txt"
	if out, errs, status := headgate(t, "", "check", template, catalogue); status != 2 || !strings.Contains(errs, template) ||
		!strings.Contains(out, "Ingress wiki/outline") {
		t.Errorf("exit status %d, %q", status, errs)
	}
}
