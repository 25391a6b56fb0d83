package harness

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Result is one request of a Prober.
type Result struct {
	Route       Route
	At          time.Time
	Took        time.Duration
	Status      int
	Pod         string // "ip:port"
	Err         error  // of the transport
	Retries     int    // by net/http, on a kept connection that was closed
	Connections int    // that were opened for it
}

// problem says in a few words what is wrong, or "".
func (r Result) problem() string {
	want := r.Route.Status
	if want == 0 {
		want = http.StatusOK
	}
	switch {
	case r.Err != nil:
		return "transport error"
	case r.Status != want:
		return fmt.Sprintf("status %d, want %d", r.Status, want)
	case r.Route.Allowed != nil && !r.Route.Allowed(r.Pod):
		return fmt.Sprintf("wrong backend %q", r.Pod)
	}
	return ""
}

// shownFailures is how many failures a summary keeps in detail.
const shownFailures = 10

// Summary is what a Prober saw. A request fails in one of three ways, which add
// up to Failures.
type Summary struct {
	Requests        int
	Failures        int
	TransportErrors int // no answer, or half of one
	WrongStatus     int
	WrongBackend    int
	Retries         int // requests that net/http sent again; not failures
	Connections     int // opened; the number of clients, if none was closed
	Slowest         time.Duration
	Lasted          time.Duration // of traffic by the clock: from the start to Stop
	ByStatus        map[int]int
	ByPod           map[string]int
	First           []string // the first failures in detail
}

func newSummary() Summary {
	return Summary{ByStatus: map[int]int{}, ByPod: map[string]int{}}
}

func (s *Summary) add(r Result) {
	s.Requests++
	s.Retries += r.Retries
	s.Connections += r.Connections
	s.Slowest = max(s.Slowest, r.Took)
	if r.Err == nil {
		s.ByStatus[r.Status]++
	}
	if r.Pod != "" {
		s.ByPod[r.Pod]++
	}
	problem := r.problem()
	if problem == "" {
		return
	}
	s.Failures++
	switch {
	case r.Err != nil:
		s.TransportErrors++
	case strings.HasPrefix(problem, "status"):
		s.WrongStatus++
	default:
		s.WrongBackend++
	}
	if len(s.First) < shownFailures {
		line := fmt.Sprintf("%s %s%s: %s (pod %q, after %v)",
			r.At.Format("15:04:05.000"), r.Route.Host, r.Route.Path, problem, r.Pod, r.Took.Round(time.Millisecond))
		if r.Err != nil {
			line += ": " + r.Err.Error()
		}
		s.First = append(s.First, line)
	}
}

func (s Summary) clone() Summary {
	s.ByStatus, s.ByPod, s.First = maps.Clone(s.ByStatus), maps.Clone(s.ByPod), slices.Clone(s.First)
	return s
}

// String is for the log of a test.
func (s Summary) String() string {
	text := fmt.Sprintf("%d requests, %d failures (%d transport errors, %d wrong statuses, %d wrong backends), "+
		"%d retries, %d connections, %d pods, slowest %v",
		s.Requests, s.Failures, s.TransportErrors, s.WrongStatus, s.WrongBackend,
		s.Retries, s.Connections, len(s.ByPod), s.Slowest.Round(time.Millisecond))
	for _, line := range s.First {
		text += "\n\t" + line
	}
	return text
}

// WantNoFailures fails the test unless there was traffic and none of it failed.
func (s Summary) WantNoFailures(t TB) {
	t.Helper()
	if s.Requests == 0 || s.Failures > 0 {
		t.Errorf("want traffic without a failure: %v", s)
	}
}
