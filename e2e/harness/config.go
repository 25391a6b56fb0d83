package harness

import (
	"os"
	"path/filepath"
	"regexp"
)

var configDigest = regexp.MustCompile(`(HEADGATE_CONFIGURATION) "[0-9a-f]*"`)

// InstallConfig makes dir what an upgrade would: this version's constant configuration
// and nothing else. With a digest it says that it is another version's.
func InstallConfig(t TB, dir, digest string) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatalf("%v", err)
	}
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(Root(t), "haproxy-cfg"))); err != nil {
		t.Fatalf("%v", err)
	}
	if digest != "" {
		EditFile(t, filepath.Join(dir, "00-digest.cfg"), configDigest, `$1 "`+digest+`"`)
	}
}

// EditFile replaces what the expression matches, which has to be there.
func EditFile(t TB, file string, match *regexp.Regexp, by string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v", err)
	}
	edited := match.ReplaceAll(text, []byte(by))
	if string(edited) == string(text) {
		t.Fatalf("%s has nothing like %s", file, match)
	}
	if err := os.WriteFile(file, edited, 0o644); err != nil {
		t.Fatalf("%v", err)
	}
}
