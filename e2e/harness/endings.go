package harness

import "sync"

// endings are what a whole run must undo, last first. Things shared by all tests
// (the cluster, the pods) can't be ended by the Cleanup of one test.
type endings struct {
	mu    sync.Mutex
	funcs []func()
}

var atEnd endings

func (e *endings) add(f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.funcs = append(e.funcs, f)
}

func (e *endings) run() {
	e.mu.Lock()
	funcs := e.funcs
	e.funcs = nil
	e.mu.Unlock()
	for i := len(funcs) - 1; i >= 0; i-- {
		funcs[i]()
	}
}
