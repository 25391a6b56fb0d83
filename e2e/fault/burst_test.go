package fault

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"headgate.dev/e2e/harness"
)

// faultBurst changes objects at random. What they are in the end is in the API.
type faultBurst struct {
	*faultPod
	random *rand.Rand
}

const (
	faultBurstHosts = 6
	faultBurstLen   = 15
	faultBurstKills = 20
)

// step makes one change to one of a few hosts.
func (b *faultBurst) step() {
	name := fmt.Sprintf("burst%d", b.random.IntN(faultBurstHosts))
	host := name + "." + b.ns + ".example"
	service := harness.Service(b.ns, name, "80:8080")
	slice := harness.EndpointSlice(b.ns, name, "8080", b.pods.IPs(b.random.IntN(4))...)
	other := fmt.Sprintf("burst%d", b.random.IntN(faultBurstHosts))
	paths := []string{"/", "/a", "/a/b", "/c"}
	ingress := harness.Ingress(b.ns, name, harness.Class(b.class),
		harness.Rule(host, paths[b.random.IntN(len(paths))], name+":80"),
		harness.RuleOf("Exact", host, paths[b.random.IntN(len(paths))], other+":80"))
	switch b.random.IntN(6) {
	case 0:
		b.c.Delete(b.t, ingress)
	case 1:
		b.c.Delete(b.t, service, slice)
	case 2, 3:
		b.c.Apply(b.t, slice)
	default:
		b.c.Apply(b.t, service, slice, ingress)
	}
}

// run makes a burst of changes, and calls kill somewhere in the middle of it.
func (b *faultBurst) run(kill func()) {
	moment := time.Duration(b.random.IntN(300)) * time.Millisecond
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range faultBurstLen {
			b.step()
		}
	}()
	time.Sleep(moment)
	kill()
	<-done
}

// same waits until the HAProxy that went through all of this has what a new one
// has, run by a new controller that sees the same objects.
func (b *faultBurst) same(round int) {
	b.t.Helper()
	fresh := harness.NewHeadgate(b.t)
	fresh.Start(b.t, b.supervisedFlags()...)
	fresh.WaitReady(b.t)
	keepsEmpty := b.branch == "2.6"
	harness.Eventually(b.t, fmt.Sprintf("round %d: the state of a fresh controller", round), func() error {
		want, err := harness.TakeDump(fresh.RuntimeSocket(), fresh.StateDir)
		if err != nil {
			return err
		}
		have, err := harness.TakeDump(b.haproxy.Runtime, b.g.StateDir)
		if err != nil {
			return err
		}
		return have.Difference(want, keepsEmpty)
	})
	if status := fresh.Stop(b.t); status != 0 {
		b.t.Errorf("round %d: the fresh controller's exit status is %d", round, status)
	}
}

// Whenever the controller is killed, the next one finds the way from there.
func TestFaultControllerKilledInBursts(t *testing.T) {
	faultBranchByBranch(t, func(t *testing.T, branch string) {
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		b := &faultBurst{faultPod: startFaultPod(t, branch, 2), random: rand.New(rand.NewPCG(seed, 0))}
		traffic := b.traffic()
		restarted := 0
		for round := range faultBurstKills {
			if round%5 == 4 {
				// HAProxy is gone as well: both begin with what is on disk.
				traffic.Stop().WantNoFailures(t)
				b.run(func() {
					b.g.Kill()
					b.killHAProxy("master")
				})
				b.startHAProxy()
				b.serves("nobody but HAProxy was started again")
				traffic = b.traffic()
				restarted++
			} else {
				b.run(b.g.Kill)
			}
			b.g.Start(t, b.attachedFlags()...)
			b.g.WaitReady(t)
			b.same(round)
			b.healthy()
		}
		traffic.Stop().WantNoFailures(t)
		b.arrived(b.routes...)
		t.Logf("%d kills, HAProxy killed as well in %d", faultBurstKills, restarted)
	})
}
