package fault

import (
	"slices"
	"testing"
	"time"

	"headgate.dev/e2e/harness"
)

// A switch from one Service to another during an outage is one switch for requests
// as well, in whatever order the kinds come back.
func TestFaultAPISwitchDuringOutage(t *testing.T) {
	c := harness.StartCluster(t)
	link := newFaultLink(t, c, "127.0.0.1")
	pair := startFaultPair(t, func(t *testing.T) string {
		return link.kubeconfig(t, c.Kubeconfig(t))
	})
	pair.underTraffic(t, func() {
		link.cut()
		time.Sleep(faultOutage)
		pair.each(func(s *faultSite) {
			for _, r := range slices.Clone(s.routes) {
				blue := s.objects(r)
				green := &faultRoute{name: r.name + "-green", host: r.host, ips: s.pods.IPs(2)}
				r.pods.Add(green.ips...)
				objects := s.objects(green)
				s.c.Apply(t, objects[:2]...)
				s.c.Apply(t, harness.Ingress(s.ns, r.name, harness.Class(s.class), harness.Rule(r.host, "/", green.name+":80")))
				s.c.Delete(t, blue[:2]...)
				r.ips = green.ips
			}
		})
		link.restore(t)
		pair.each(func(s *faultSite) { s.arrived(s.routes...) })
	})
}
