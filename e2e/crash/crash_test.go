package crash

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"headgate.dev/e2e/harness"
)

// fault is one kind of strike.
type fault struct {
	name string
	cuts bool          // the connection of controller and HAProxy ends
	ends bool          // HAProxy ends
	act  func(s *site) // at the operation; in another goroutine than the test
	mend func(s *site) // what a container runtime or an operator does then
}

var faults = []fault{
	{"controller killed", true, false, (*site).killController, (*site).controllerBack},
	{"HAProxy's worker killed", true, true, (*site).killWorker, (*site).haproxyBack},
	{"HAProxy's master killed", true, true, (*site).killMaster, (*site).haproxyBack},
	{"connection cut", true, false, func(*site) {}, func(*site) {}},
	{"controller and HAProxy killed", true, true, (*site).killBoth, (*site).bothBack},
	{"disk full", false, false, (*site).fillDisk, (*site).diskBack},
	{"state read-only", false, false, (*site).forbidDisk, (*site).forbiddenBack},
}

func (s *site) killController() { s.g.Kill() }
func (s *site) killWorker()     { _ = syscall.Kill(s.worker, syscall.SIGKILL) }
func (s *site) killMaster()     { s.haproxy.Kill() }

func (s *site) killBoth() {
	s.g.Kill()
	s.haproxy.Kill()
}

func (s *site) controllerBack() { s.startController() }

func (s *site) haproxyBack() {
	s.haproxy.Ended(s.t)
	s.startHAProxy()
}

func (s *site) bothBack() {
	s.haproxyBack()
	s.controllerBack()
}

// fillDisk leaves less than what one save needs.
func (s *site) fillDisk() { _ = s.fill(s.pages) }

func (s *site) forbidDisk() {
	s.forbidden = make(chan struct{})
	go s.forbidSoon(s.forbidden)
}

func (s *site) forbiddenBack() {
	s.t.Helper()
	<-s.forbidden
	s.diskBack()
}

// diskBack first demands that what can be told to HAProxy has been; a reload, which
// 2.6 may need, has to wait for the disk.
func (s *site) diskBack() {
	s.t.Helper()
	if s.branch != "2.6" {
		s.fresh.WaitReady(s.t)
		harness.Eventually(s.t, "the state of a fresh controller, with a disk that can't be written", s.same)
	}
	s.makeWritable()
}

// round makes a change and strikes in the middle of its pass. It says whether the
// pass got so far.
func (s *site) round(f *fault, name string) bool {
	s.t.Helper()
	operations := int(math.Exp(math.Log(10) + s.random.Float64()*math.Log(100)))
	cost := s.world.change(operations)
	hit := &strike{
		after: s.random.IntN(max(cost, 1)), point: point(s.random.IntN(int(nPoints))),
		cuts: f.cuts, done: make(chan struct{}), act: func() { f.act(s) },
	}
	if !f.cuts {
		hit.point = unsent
	}
	s.pages = s.random.IntN(2) * s.random.IntN(100)
	s.worker = s.haproxy.Worker()
	what := fmt.Sprintf("%s: %s at command %d of about %d, %v", name, f.name, hit.after+1, cost, hit.point)

	s.write(s.mirror)
	s.startFresh()
	traffic := s.traffic()
	s.relay.arm(hit)
	s.write(s.dir)
	isHit := s.struck(hit)
	if isHit {
		f.mend(s)
	}
	s.fresh.WaitReady(s.t)
	harness.Eventually(s.t, what+": the state of a fresh controller", s.same)
	harness.Eventually(s.t, what+": the disk of a fresh controller", s.sameOnDisk)
	s.wantSameStores(what)
	s.g.WaitReady(s.t)
	traffic.Await(s.t, 10)
	sum := traffic.Stop()
	failures := sum.Failures
	if isHit && f.ends {
		failures = sum.WrongStatus + sum.WrongBackend
	}
	if failures > 0 {
		s.t.Errorf("%s: %v", what, sum)
	}
	if n := s.g.Metrics(s.t).Sum("headgate_self_check_errors_total"); n != 0 {
		s.t.Errorf("%s: %v passes had a model that differs from one built from nothing", what, n)
	}
	s.world.settled()
	s.requests += sum.Requests
	return isHit
}

// struck waits for the strike, or for the end of a pass that had fewer operations.
func (s *site) struck(hit *strike) bool {
	s.t.Helper()
	isHit := false
	looks := 0
	harness.Eventually(s.t, "the strike", func() error {
		select {
		case <-hit.done:
			isHit = true
			return nil
		default:
		}
		// Looking keeps HAProxy busy: now and then is enough.
		if looks++; looks%100 != 0 || s.same() != nil {
			return errors.New("still to come")
		}
		return nil
	})
	if !isHit && !s.relay.disarm() {
		<-hit.done // it has begun meanwhile
		isHit = true
	}
	return isHit
}

// chosen are the faults whose name begins with HEADGATE_E2E_FAULT: all without it.
func chosen(t *testing.T) (some []*fault) {
	prefix := os.Getenv("HEADGATE_E2E_FAULT")
	for i := range faults {
		if strings.HasPrefix(faults[i].name, prefix) {
			some = append(some, &faults[i])
		}
	}
	if some == nil {
		t.Fatalf("HEADGATE_E2E_FAULT: no fault's name begins with %q", prefix)
	}
	return some
}

// HEADGATE_E2E_STRIKES is how many, HEADGATE_E2E_SEED which ones: changes, commands
// and kinds are those of an earlier run with the same numbers.
func TestCrash(t *testing.T) {
	t.Setenv("HEADGATE_E2E_PATIENCE", "3m")
	strikes := int(number(t, "HEADGATE_E2E_STRIKES", 30))
	seed := number(t, "HEADGATE_E2E_SEED", uint64(time.Now().UnixNano()))
	faults := chosen(t)
	for _, branch := range []string{"2.6", "3.4"} {
		t.Run(branch, func(t *testing.T) {
			t.Logf("HEADGATE_E2E_SEED=%d", seed)
			s := newSite(t, branch, seed)
			made, missed := map[string]int{}, 0
			for n := 0; n < strikes && !t.Failed(); {
				f := faults[n%len(faults)]
				if s.round(f, fmt.Sprintf("strike %d", n)) {
					made[f.name]++
					if n++; n%50 == 0 {
						t.Logf("%d strikes", n)
					}
				} else {
					missed++
				}
			}
			t.Logf("%d strikes %v, and %d passes that ended before theirs; %d requests", strikes, made, missed, s.requests)
		})
	}
}
