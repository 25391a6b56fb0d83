// Package command runs the commands of the program that need no cluster.
package command

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// updates is true when expected texts are to be written and not compared.
var updates = os.Getenv("HEADGATE_UPDATE") == "1"

func binary() string {
	if program := os.Getenv("HEADGATE_BIN"); program != "" {
		return program
	}
	return filepath.Join("..", "..", "build", "headgate")
}

// headgate runs the program and returns what it prints to both outputs, and its
// exit status.
func headgate(t *testing.T, stdin string, arguments ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, errs bytes.Buffer
	command := exec.Command(binary(), arguments...)
	command.Stdin = bytes.NewBufferString(stdin)
	command.Stdout, command.Stderr = &out, &errs
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), command.ProcessState.ExitCode()
}

// wantFile compares with a file's content.
func wantFile(t *testing.T, path, got string) {
	t.Helper()
	if updates {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not what is said now; HEADGATE_UPDATE=1 writes it:\n%s", path, got)
	}
}

func TestOptionsDocument(t *testing.T) {
	out, _, status := headgate(t, "", "options")
	if status != 0 {
		t.Errorf("exit status %d", status)
	}
	wantFile(t, "../../docs/options.md", out)
}
