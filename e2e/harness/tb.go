package harness

import (
	"fmt"
	"os"
	"time"
)

// TB is the part of testing.TB that the harness uses. testing.TB can't be
// implemented outside of its package, and a benchmark program wants the harness
// as well.
type TB interface {
	Helper()
	Name() string
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Failed() bool
	Cleanup(func())
	TempDir() string
}

// patience is how long Eventually waits. It is a guard against waiting forever,
// not a promise about speed; HEADGATE_E2E_PATIENCE (a Go duration) raises it for
// slow machines and sanitizer builds.
func patience() time.Duration {
	if d, err := time.ParseDuration(os.Getenv("HEADGATE_E2E_PATIENCE")); err == nil && d > 0 {
		return d
	}
	return 30 * time.Second
}

// Eventually calls check until it returns nil, and ends the test with the last
// error when it never does.
func Eventually(t TB, what string, check func() error) {
	t.Helper()
	if err := eventually(check); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// Wait is Eventually for checks that report by an error.
func Wait(what string, check func() error) error {
	if err := eventually(check); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// eventually is Eventually for code that has no test at hand.
func eventually(check func() error) error {
	deadline := time.Now().Add(patience())
	for pause := 10 * time.Millisecond; ; pause = min(pause*5/4, 100*time.Millisecond) {
		err := check()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(pause)
	}
}
