package harness

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// runDirEnv tells the process inside the namespace where the folder of the run
// is. The parent makes and ends it, since a test that times out ends nothing.
//
// It holds logs/, with one file per process that the harness starts, which a
// failed run keeps, and tmp/, which goes in any case.
const runDirEnv = "HEADGATE_E2E_RUN"

func makeRunDir() (string, error) {
	dir, err := os.MkdirTemp("", "headgate-e2e-")
	if err != nil {
		return "", err
	}
	return dir, errors.Join(os.Mkdir(filepath.Join(dir, "logs"), 0o755), os.Mkdir(filepath.Join(dir, "tmp"), 0o755))
}

// endRunDir removes the folder of a run that passed, and names it otherwise.
func endRunDir(dir string, code int) {
	_ = os.RemoveAll(filepath.Join(dir, "tmp"))
	logs := filepath.Join(dir, "logs")
	if entries, _ := os.ReadDir(logs); code == 0 || len(entries) == 0 {
		_ = os.RemoveAll(dir)
		return
	}
	fmt.Fprintf(os.Stderr, "harness: logs are kept in %s\n", logs)
}

// runLog is a log file of the whole run.
func runLog(name string) string {
	return filepath.Join(os.Getenv(runDirEnv), "logs", name)
}

// testLog is a log file of one test.
func testLog(t TB, name string) string {
	clean := func(r rune) rune {
		if strings.ContainsRune("/ :#", r) {
			return '_'
		}
		return r
	}
	return runLog(filepath.Join(strings.Map(clean, t.Name()), name))
}

// runTempDir makes a folder that goes with the run.
func runTempDir() (string, error) {
	return os.MkdirTemp(filepath.Join(os.Getenv(runDirEnv), "tmp"), "")
}

// shortTempDir is a folder for sockets, whose paths the kernel limits to 107
// bytes; TempDir puts the name of the test into its own.
func shortTempDir(t TB) string {
	t.Helper()
	dir, err := runTempDir()
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
