package harness

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// workerInterval is well under the life of any worker: even one that is replaced
// at once lives for the time that its successor takes to start.
const workerInterval = 20 * time.Millisecond

// Workers counts HAProxy's worker processes by looking at the kernel's list of
// processes, not at what the controller or HAProxy say about themselves. Each
// reload makes one new worker.
type Workers struct {
	match  string
	own    string // our network namespace
	stop   chan struct{}
	done   chan struct{}
	mu     sync.Mutex
	seen   map[processID]int // the parent, of every HAProxy process ever seen
	parent map[int]bool      // the PIDs that were parents of a HAProxy process
	alien  map[int]bool      // the PIDs of the last sample in other namespaces
	first  int               // workers in the first sample that had any
}

// processID tells a PID from a later use of the same number.
type processID struct {
	pid   int
	start string
}

// WatchWorkers starts sampling. Only HAProxy processes whose command line holds
// match are counted, so that tests with a HAProxy each can run in parallel: a
// folder in the arguments, such as Headgate.Dir, does; "" counts all.
//
// Start it before HAProxy, or when HAProxy is up. It ends with the test.
func WatchWorkers(t TB, match string) *Workers {
	t.Helper()
	own, err := netNamespace(os.Getpid())
	if err != nil {
		t.Fatalf("%v", err)
	}
	w := &Workers{
		match: match, own: own,
		stop: make(chan struct{}), done: make(chan struct{}),
		seen: map[processID]int{}, parent: map[int]bool{}, alien: map[int]bool{},
	}
	w.sample()
	go w.run()
	t.Cleanup(w.Stop)
	return w
}

// PIDs is every worker seen so far.
func (w *Workers) PIDs() []int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pids()
}

func (w *Workers) pids() []int {
	var pids []int
	for id, parent := range w.seen {
		// A master that puts itself into the background is for a moment the child
		// of another HAProxy, but unlike a worker it has children later.
		if w.parent[parent] && !w.parent[id.pid] {
			pids = append(pids, id.pid)
		}
	}
	slices.Sort(pids)
	return pids
}

// Distinct is the number of workers seen so far.
func (w *Workers) Distinct() int { return len(w.PIDs()) }

// Reloads is the number of reloads since the first look. Workers that were there
// then are no reload: one that an earlier reload replaced may still be ending.
func (w *Workers) Reloads() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.pids()) - w.first
}

// Stop ends sampling; the counts stay.
func (w *Workers) Stop() {
	select {
	case <-w.stop:
	default:
		close(w.stop)
	}
	<-w.done
}

func (w *Workers) run() {
	defer close(w.done)
	tick := time.NewTicker(workerInterval)
	defer tick.Stop()
	for {
		select {
		case <-w.stop:
			w.sample()
			return
		case <-tick.C:
			w.sample()
		}
	}
}

func (w *Workers) sample() {
	w.mu.Lock()
	defer w.mu.Unlock()
	haproxies := map[int]bool{}
	found := map[processID]int{}
	alien := map[int]bool{}
	for _, pid := range allPIDs() {
		// Most processes are of no concern; asking each of them every time would
		// take a tenth of a processor. One that is still listed is still the same:
		// the kernel goes through all numbers before it takes one again.
		if w.alien[pid] || !w.inOurNamespace(pid) {
			alien[pid] = true
			continue
		}
		if !isHAProxy(pid, w.match) {
			continue
		}
		if id, parent, ok := identify(pid); ok {
			haproxies[pid] = true
			found[id] = parent
		}
	}
	w.alien = alien
	for id, parent := range found {
		if haproxies[parent] {
			w.parent[parent] = true
			w.seen[id] = parent
		}
	}
	if w.first == 0 {
		w.first = len(w.pids())
	}
}

// HAProxyPIDs is the processes of HAProxy that run in our namespace with match in
// their command line, masters among them.
func HAProxyPIDs(match string) (pids []int) {
	own, err := netNamespace(os.Getpid())
	if err != nil {
		return nil
	}
	for _, pid := range processesIn(own) {
		if isHAProxy(pid, match) {
			pids = append(pids, pid)
		}
	}
	return pids
}

func (w *Workers) inOurNamespace(pid int) bool {
	namespace, err := netNamespace(pid)
	return err == nil && namespace == w.own
}

// isHAProxy asks for the program, which execution changes: it is not remembered.
func isHAProxy(pid int, match string) bool {
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil || !strings.HasPrefix(filepath.Base(exe), "haproxy") {
		return false
	}
	if match == "" {
		return true
	}
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return err == nil && bytes.Contains(line, []byte(match))
}

// identify reads the parent and the start time from /proc/PID/stat.
func identify(pid int) (id processID, parent int, ok bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return processID{}, 0, false
	}
	// The name, in parentheses, may hold anything; the fields follow the last one.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 20 {
		return processID{}, 0, false
	}
	parent, err = strconv.Atoi(fields[1])
	return processID{pid: pid, start: fields[19]}, parent, err == nil
}
