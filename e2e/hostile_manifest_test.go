package e2e

import (
	"errors"
	"fmt"
	"testing"

	"headgate.dev/e2e/harness"
)

// TestHostileManifests gives the hosts of the catalogue by files, where no API
// server looks at them first: what is no host name is reported, by the rule or,
// when an object can't be read at all, by the file; the rest is served.
func TestHostileManifests(t *testing.T) {
	eachRouteBranch(t, func(t *testing.T, branch string) {
		s, dir := manifestScene(t, branch)
		victim := append(s.objects("victim", 1), s.ingress("victim", harness.Rule("victim.example", "/", "victim:80")))
		harness.WriteManifests(t, dir, victim...)
		s.wantAnswers(routeAnswer{host: "victim.example", path: "/", service: "victim"})
		want := readHAProxy(t, s.g)
		unfit := 0
		for i, host := range hostileHosts() {
			// A good rule for each bad one; a rule that is fit is served as well.
			name := fmt.Sprintf("hostile%02d", i)
			harness.WriteManifests(t, dir, s.ingress(name,
				harness.Rule(name+".example", "/", "victim:80"), harness.Rule(host, "/hostile", "victim:80")))
			if hostIsFit(host) {
				want.maps["hosts.map"][host] = host
				want.maps["prefix.map"][host+"/hostile/"] = "shop_svc_victim_80"
				continue
			}
			unfit++
			if s.wantFault(name) == "InvalidHost" {
				want.maps["hosts.map"][name+".example"] = name + ".example"
			}
		}
		t.Logf("%s: %d hosts, %d of them unfit", branch, len(hostileHosts()), unfit)
		for i, host := range hostileHosts() {
			name := fmt.Sprintf("hostile%02d.example", i)
			if hostIsFit(host) {
				want.maps["hosts.map"][name] = name
			}
			if want.maps["hosts.map"][name] != "" {
				want.maps["prefix.map"][name+"/"] = "shop_svc_victim_80"
			}
		}
		harness.Eventually(t, "what HAProxy has", func() error {
			if have := readHAProxy(t, s.g); !sameHAProxy(want, have) {
				return errors.New(differences(want, have))
			}
			return nil
		})
		metrics := s.g.Metrics(t)
		rules := metrics.Sum("headgate_diagnostics", `reason="InvalidHost"`)
		files := metrics.Sum("headgate_manifest_errors")
		if int(rules+files) != unfit {
			t.Errorf("%v rules and %v files reported, want %d in all", rules, files, unfit)
		}
		s.healthy()
	})
}

// wantFault waits for the line about a hostile Ingress, or about its file, and
// gives the reason.
func (s *routeScene) wantFault(name string) string {
	s.t.Helper()
	var reason, field string
	harness.Eventually(s.t, "a report about "+name, func() error {
		for _, line := range s.g.Log() {
			isRule := line.Fields["ingress"] == s.ns+"/"+name
			isFile := line.Fields["file"] == s.ns+"_ingress_"+name+".yaml"
			if line.Has("level=warn") && (isRule || isFile) {
				reason, field = line.Fields["reason"], line.Fields["field"]
				return nil
			}
		}
		return errors.New("none")
	})
	if field != "" && field != "spec.rules[1].host" {
		s.t.Errorf("%s: %s is reported for %s", name, reason, field)
	}
	return reason
}
