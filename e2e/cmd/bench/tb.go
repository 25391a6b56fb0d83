package main

import (
	"fmt"
	"os"
)

// tb is what a test is to the harness, for a program: the first failure ends it.
type tb struct {
	cleanups []func()
	failed   bool
}

type failure struct{}

func (t *tb) Helper()      {}
func (t *tb) Name() string { return "bench" }
func (t *tb) Failed() bool { return t.failed }

func (t *tb) Logf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...)
}

func (t *tb) Errorf(format string, args ...any) {
	t.failed = true
	t.Logf(format, args...)
}

func (t *tb) Fatalf(format string, args ...any) {
	t.Errorf(format, args...)
	panic(failure{})
}

func (t *tb) Cleanup(f func()) { t.cleanups = append(t.cleanups, f) }

func (t *tb) TempDir() string {
	dir, err := os.MkdirTemp("", "headgate-bench-")
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// cleanUp undoes what was done so far, the last thing first.
func (t *tb) cleanUp() {
	for len(t.cleanups) > 0 {
		last := t.cleanups[len(t.cleanups)-1]
		t.cleanups = t.cleanups[:len(t.cleanups)-1]
		last()
	}
}

// end is the exit status of the program.
func (t *tb) end(panicked any) int {
	t.cleanUp()
	if _, ours := panicked.(failure); panicked != nil && !ours {
		panic(panicked)
	}
	if t.failed {
		return 1
	}
	return 0
}
