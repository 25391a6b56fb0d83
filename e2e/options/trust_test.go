package options

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"headgate.dev/e2e/harness"
	"k8s.io/apimachinery/pkg/runtime"
)

// trust is who vouches for whom: the right authority for the pod and for what the
// pod wants to see, the wrong one for nobody that is spoken to.
type trust struct {
	right, wrong    *harness.CA
	old             *harness.CA // has expired
	pod             tls.Certificate
	shown, stranger harness.KeyPair
}

func newTrust(t *testing.T) *trust {
	t.Helper()
	var errs [7]error
	var pod harness.KeyPair
	made := &trust{}
	made.right, errs[0] = harness.NewCA("right")
	made.wrong, errs[1] = harness.NewCA("wrong")
	pod, errs[2] = made.right.Issue("pod.example")
	made.shown, errs[3] = made.right.IssueForClient("controller.example")
	made.stranger, errs[4] = made.wrong.IssueForClient("stranger.example")
	made.old, errs[6] = harness.NewExpiredCA("old")
	made.pod, errs[5] = tls.X509KeyPair(pod.Cert, pod.Key)
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	return made
}

func authority(name string, pem string) runtime.Object {
	return harness.Secret(variantNamespace, name, map[string]string{"ca.crt": pem})
}

func (tr *trust) secrets() []runtime.Object {
	return []runtime.Object{
		authority("right", string(tr.right.PEM)), authority("wrong", string(tr.wrong.PEM)),
		harness.TLSSecret(variantNamespace, "shown", tr.shown), harness.TLSSecret(variantNamespace, "stranger", tr.stranger),
	}
}

func is503(s *variantScene, host string) error {
	answer, _ := s.ask(host, "/")
	if answer.Status != http.StatusServiceUnavailable {
		return fmt.Errorf("%s: status %d, want 503", host, answer.Status)
	}
	return nil
}

// isRefused: by the pod, which HAProxy may notice in the handshake or behind it.
func isRefused(s *variantScene, host string) error {
	answer, _ := s.ask(host, "/")
	if answer.Status != http.StatusServiceUnavailable && answer.Status != http.StatusBadGateway {
		return fmt.Errorf("%s: status %d, want 502 or 503", host, answer.Status)
	}
	return nil
}

// trustRows are what may be in the Secrets of a route whose pod wants to see a
// certificate: who asks, and what the controller has to say of it.
var trustRows = []struct {
	name string
	with func(*trust) []runtime.Object // the Secrets ca and crt
	is   func(*variantScene, string) error
	says string
}{
	{"right", func(tr *trust) []runtime.Object { return tr.pair(string(tr.right.PEM), tr.shown) }, isVerified, ""},
	{"the authority is rotated", func(tr *trust) []runtime.Object { return tr.pair(string(tr.wrong.PEM), tr.shown) }, is503, ""},
	{"both are there meanwhile", func(tr *trust) []runtime.Object {
		return tr.pair(string(tr.wrong.PEM)+string(tr.right.PEM), tr.shown)
	}, isVerified, ""},
	{"the pod does not know who asks", func(tr *trust) []runtime.Object { return tr.pair(string(tr.right.PEM), tr.stranger) }, isRefused, ""},
	{"right again", func(tr *trust) []runtime.Object { return tr.pair(string(tr.right.PEM), tr.shown) }, isVerified, ""},
	{"no PEM", func(tr *trust) []runtime.Object { return tr.pair("no", tr.shown) }, is503, "has no certificate"},
	{"a spoilt certificate", func(tr *trust) []runtime.Object {
		return tr.pair(strings.Replace(string(tr.right.PEM), "\nM", "\n;show info\nM", 1), tr.shown)
	}, is503, "can't be read"},
	{"too many authorities", func(tr *trust) []runtime.Object {
		return tr.pair(manyAuthorities(), tr.shown)
	}, is503, "leave only the authorities that are needed"},
	{"an authority that has expired", func(tr *trust) []runtime.Object { return tr.pair(string(tr.old.PEM), tr.shown) }, is503,
		"Secret shop/ca: every authority in it has expired"},
	{"no authority", func(tr *trust) []runtime.Object { return tr.pair("", tr.shown)[1:] }, is503, "there is no Secret shop/ca"},
	{"right after that", func(tr *trust) []runtime.Object { return tr.pair(string(tr.right.PEM), tr.shown) }, isVerified, ""},
	{"a key of another certificate: the last good pair stays", func(tr *trust) []runtime.Object {
		return tr.pair(string(tr.right.PEM), harness.KeyPair{Cert: tr.shown.Cert, Key: tr.stranger.Key})
	}, isVerified, "meanwhile pods get to see the last one that was good"},
	{"right at last", func(tr *trust) []runtime.Object { return tr.pair(string(tr.right.PEM), tr.shown) }, isVerified, ""},
}

// manyAuthorities is more than HAProxy can be told.
func manyAuthorities() string {
	var all strings.Builder
	for i := range 40 {
		ca, err := harness.NewCA(fmt.Sprintf("authority %d", i))
		if err == nil {
			all.Write(ca.PEM)
		}
	}
	return all.String()
}

func (tr *trust) pair(ca string, crt harness.KeyPair) []runtime.Object {
	return []runtime.Object{authority("ca", ca), harness.TLSSecret(variantNamespace, "crt", crt)}
}

func isVerified(s *variantScene, host string) error {
	return says("HTTP/2.0 TLS  from controller.example")(s, host)
}

func mutualRoute(annotations ...string) runtime.Object {
	row := variantRow{host: "trust", service: "mutual"}
	return row.ingress(annotations)
}

// TestTrust changes the Secrets of a route: what can't be used closes the route
// and is said on the Ingress; what HAProxy and the controller start anew with is
// what was there. No key is in the log.
func TestTrust(t *testing.T) {
	pods := harness.StartPods(t)
	trust := newTrust(t)
	theOddPod = startOddPod(t, pods.IP(), trust)
	for _, branch := range []string{"2.6", "3.4"} {
		t.Run(branch, func(t *testing.T) {
			route := mutualRoute("server-ca: ca", "server-crt: crt")
			objects := variantPods(pods.IPs(1))
			s := newVariantScene(t, branch, objects, append(trustRows[0].with(trust), route))
			host := "trust.example"
			workers := s.workers.Distinct()
			for _, row := range trustRows {
				from := len(s.g.Log())
				s.writeRoutes(append(row.with(trust), route)...)
				harness.Eventually(t, branch+": "+row.name, func() error {
					if err := row.is(s, host); err != nil {
						return err
					}
					return s.said(from, row.says)
				})
			}
			if n := s.workers.Distinct() - workers; branch == "3.4" && n != 0 {
				t.Errorf("%d reloads", n)
			}
			s.startAnew(host)
			s.writeRoutes(append(trustRows[0].with(trust), mutualRoute("server-ca: victim/ca", "server-crt: crt"))...)
			harness.Eventually(t, branch+": the authority of another namespace", func() error { return is503(s, host) })
			s.writeRoutes(append(trustRows[0].with(trust), mutualRoute("server-crt: crt"))...)
			harness.Eventually(t, branch+": nobody is verified any more", func() error { return isShown(s, host) })
			s.wantSideTrusted(trust)
			for _, line := range s.g.Log() {
				if strings.Contains(line.Raw, "PRIVATE KEY") {
					t.Errorf("a key is in the log: %s", line.Raw)
				}
			}
		})
	}
}

// wantSideTrusted demands of the Service that takes a part of the requests what is
// demanded of the route's: all go to it, and it has what the Ingress trusts.
func (s *variantScene) wantSideTrusted(trust *trust) {
	s.t.Helper()
	route := func(ca string) []runtime.Object {
		row := variantRow{host: "trust", service: "check"}
		return append(trust.secrets(), row.ingress([]string{
			"server-ca: " + ca, "server-crt: shown", "canary-service: mutual:80", "canary-weight: 100"}))
	}
	s.writeRoutes(route("right")...)
	harness.Eventually(s.t, s.branch+": another Service, verified", func() error { return isVerified(s, "trust.example") })
	s.writeRoutes(route("wrong")...)
	harness.Eventually(s.t, s.branch+": another Service, of another authority", func() error { return is503(s, "trust.example") })
}

// startAnew kills the controller, then HAProxy's worker, which ends HAProxy, and
// then both: each time what was there is there again.
func (s *variantScene) startAnew(host string) {
	s.t.Helper()
	there := func(what string) {
		s.t.Helper()
		harness.Eventually(s.t, s.branch+": "+what, func() error { return isVerified(s, host) })
	}
	s.g.Kill()
	s.g.Start(s.t, s.args...)
	s.g.WaitReady(s.t)
	there("another controller beside the same HAProxy")
	reply, err := harness.Runtime(s.g.RuntimeSocket(), "show info")
	if err != nil {
		s.t.Fatal(err)
	}
	_, after, _ := strings.Cut(reply, "\nPid: ")
	if pid, err := strconv.Atoi(strings.Fields(after)[0]); err != nil || syscall.Kill(pid, syscall.SIGKILL) != nil {
		s.t.Fatalf("no worker to kill: %v", err)
	}
	there("another HAProxy beside the same controller")
	s.g.KillAll()
	s.g.Start(s.t, s.args...)
	s.g.WaitReady(s.t)
	there("another controller and another HAProxy")
}

// Without an authority pods are told the host.
func isShown(s *variantScene, host string) error {
	return says("HTTP/2.0 TLS trust.example from controller.example")(s, host)
}

// said demands a line of the log.
func (s *variantScene) said(from int, text string) error {
	if text == "" {
		return nil
	}
	for _, line := range s.g.Log()[from:] {
		if strings.Contains(line.Raw, text) {
			return nil
		}
	}
	return fmt.Errorf("the log does not say %q", text)
}
