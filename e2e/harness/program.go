package harness

import (
	"fmt"
	"os"
)

// Program is what a test is to the harness, for programs that are none: the first
// failure ends what was begun with it.
type Program struct {
	name     string
	cleanups []func()
	failed   bool
}

type failure struct{}

// NewProgram has a name that its messages begin with.
func NewProgram(name string) *Program { return &Program{name: name} }

func (p *Program) Helper()      {}
func (p *Program) Name() string { return p.name }
func (p *Program) Failed() bool { return p.failed }

func (p *Program) Logf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, p.name+": "+format+"\n", args...)
}

func (p *Program) Errorf(format string, args ...any) {
	p.failed = true
	p.Logf(format, args...)
}

func (p *Program) Fatalf(format string, args ...any) {
	p.Errorf(format, args...)
	panic(failure{})
}

func (p *Program) Cleanup(f func()) { p.cleanups = append(p.cleanups, f) }

func (p *Program) TempDir() string {
	dir, err := os.MkdirTemp("", "headgate-"+p.name+"-")
	if err != nil {
		p.Fatalf("%v", err)
	}
	p.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// CleanUp undoes what was done so far, the last thing first.
func (p *Program) CleanUp() {
	for len(p.cleanups) > 0 {
		last := p.cleanups[len(p.cleanups)-1]
		p.cleanups = p.cleanups[:len(p.cleanups)-1]
		last()
	}
}

// End cleans up and gives the exit status. It takes what was recovered, of which
// only a failure is ours.
func (p *Program) End(recovered any) int {
	p.CleanUp()
	if _, ours := recovered.(failure); recovered != nil && !ours {
		panic(recovered)
	}
	if p.failed {
		return 1
	}
	return 0
}
