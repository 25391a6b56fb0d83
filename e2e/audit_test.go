package e2e

import (
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"headgate.dev/e2e/harness"
)

// auditScene is seven hosts, each with a Service of two pods, the first with a
// certificate, and a controller that audits only when it is asked to.
type auditScene struct {
	*routeScene
	cli     *harness.CLIProxy
	answers []routeAnswer
}

const auditHosts = 7

func newAuditScene(t *testing.T, branch string) *auditScene {
	t.Helper()
	s := &auditScene{routeScene: newRouteScene(t, branch)}
	pair, err := s.c.CA.Issue("web0.test")
	if err != nil {
		t.Fatal(err)
	}
	s.c.Apply(t, harness.TLSSecret(s.ns, "web0", pair))
	for i := range auditHosts {
		name := fmt.Sprintf("web%d", i)
		s.serve(name, 2)
		options := []harness.IngressOption{harness.Rule(name+".test", "/", name+":80")}
		if i == 0 {
			options = append(options, harness.TLS(name, name+".test"))
		}
		s.c.Apply(t, s.ingress(name, options...))
		s.answers = append(s.answers, routeAnswer{host: name + ".test", path: "/", service: name})
	}
	s.g = harness.NewHeadgate(t)
	s.cli = harness.StartCLIProxy(t, s.g.RuntimeSocket())
	s.g.Start(t, append(routeFlags(t, branch), "--kubeconfig="+s.c.Kubeconfig(t),
		"--controller-name="+s.controllerName(), "--runtime-socket="+s.cli.Socket,
		"--no-ssl-redirect", "--audit-interval=0")...)
	s.g.WaitReady(t)
	s.right()
	return s
}

// right demands that every host is answered by its own pods, and the first one
// with its certificate.
func (s *auditScene) right() {
	s.t.Helper()
	s.wantAnswers(s.answers...)
	harness.Eventually(s.t, "the certificate for web0.test", func() error {
		conn, err := tls.Dial("tcp", s.g.HTTPS, &tls.Config{ServerName: "web0.test", InsecureSkipVerify: true})
		if err != nil {
			return err
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].VerifyHostname("web0.test")
	})
}

// audit runs `headgate audit` and returns its exit status and a line "kind object"
// for each difference.
func (s *auditScene) audit() (int, []string) {
	s.t.Helper()
	command := exec.Command(harness.HeadgateBinary(s.t), "audit", "--admin-bind="+s.g.Admin)
	output, err := command.Output()
	if command.ProcessState == nil {
		s.t.Fatalf("headgate audit: %v", err)
	}
	var found []string
	for _, line := range strings.Split(string(output), "\n") {
		fields := strings.Fields(line)
		switch {
		case len(fields) < 4 || fields[0] == "KIND" || strings.Contains(line, " compared in "):
		case strings.HasSuffix(fields[1], ".map"):
			found = append(found, strings.Join(fields[:3], " "))
		default:
			found = append(found, strings.Join(fields[:2], " "))
		}
	}
	slices.Sort(found)
	return command.ProcessState.ExitCode(), found
}

func (s *auditScene) wantClean() {
	s.t.Helper()
	s.cli.Reset()
	if status, found := s.audit(); status != 0 || len(found) != 0 {
		s.t.Errorf("an audit has exit status %d and found %q", status, found)
	}
	if writes := s.cli.Writes(); len(writes) != 0 {
		s.t.Errorf("an audit that found nothing wrote %v", writes)
	}
}

// byHand sends HAProxy commands past the controller.
func (s *auditScene) byHand(commands ...string) {
	s.t.Helper()
	for _, command := range commands {
		if _, err := harness.Runtime(s.g.RuntimeSocket(), command); err != nil {
			s.t.Fatalf("%s: %v", command, err)
		}
	}
}

func (s *auditScene) file(name string) string { return filepath.Join(s.g.StateDir, "current", name) }

func (s *auditScene) backend(service string) string { return s.ns + "_svc_" + service + "_80" }

// server is the name of a Service's first server.
func (s *auditScene) server(service string) string {
	s.t.Helper()
	reply, err := harness.Runtime(s.g.RuntimeSocket(), "show servers state "+s.backend(service))
	if err != nil {
		s.t.Fatal(err)
	}
	lines := strings.Split(reply, "\n")
	return s.backend(service) + "/" + strings.Fields(lines[2])[3]
}

// certificate is HAProxy's name of the one for web0.test, and ours. It is shown before
// it is saved.
func (s *auditScene) certificate() (path, name string) {
	s.t.Helper()
	harness.Eventually(s.t, "the saved certificate", func() error {
		files, err := filepath.Glob(s.file("certs/*_web0_*.pem"))
		if len(files) != 1 {
			return fmt.Errorf("%v (%v)", files, err)
		}
		path = files[0]
		return nil
	})
	return path, strings.TrimSuffix(filepath.Base(path), ".pem")
}

// spoil does everything that a hand on the runtime socket can do, and returns what
// an audit has to find.
func (s *auditScene) spoil() []string {
	s.t.Helper()
	disabled, deleted, moved := s.server("web1"), s.server("web2"), s.server("web3")
	drained := s.server("web4")
	path, name := s.certificate()
	s.byHand(
		"del map "+s.file("hosts.map")+" web5.test",
		"add map "+s.file("hosts.map")+" foreign.test foreign.test",
		"set map "+s.file("prefix.map")+" web6.test/ "+s.backend("web0"),
		"disable server "+disabled,
		"disable server "+deleted, "del server "+deleted,
		"set server "+moved+" addr 10.244.255.1 port 9",
		"set server "+drained+" state drain",
		"add server "+s.backend("web5")+"/foreign 10.244.255.2:80",
		"del ssl crt-list "+s.file("certs.list")+" "+path,
	)
	want := []string{
		"entry-missing hosts.map web5.test",
		"entry-foreign hosts.map foreign.test",
		"entry-value prefix.map web6.test/",
		"server-state " + disabled, "server-missing " + deleted, "server-address " + moved,
		"server-state " + drained, "server-foreign " + s.backend("web5") + "/foreign",
		"certificate-missing " + name,
	}
	if s.branch == "3.4" {
		foreign := s.ns + "_svc_foreign_80"
		s.byHand("add backend "+foreign+" from http_profile", "add server "+foreign+"/s 10.244.255.3:80")
		want = append(want, "backend-foreign "+foreign)
	}
	slices.Sort(want)
	return want
}

// TestAudit changes HAProxy past the controller: an audit finds exactly that, and
// has it repaired.
func TestAudit(t *testing.T) {
	eachRouteBranch(t, func(t *testing.T, branch string) {
		s := newAuditScene(t, branch)
		s.wantClean()
		want := s.spoil()
		status, found := s.audit()
		if status != 1 || !slices.Equal(found, want) {
			t.Errorf("exit status %d, found\n%s\nwant\n%s", status, strings.Join(found, "\n"), strings.Join(want, "\n"))
		}
		s.right()
		s.counted(want)
		s.wantClean()
		s.relisted()
		_, next := s.g.WaitLog(t, 0, "msg=audit", "result=drift")
		n := len(s.g.Log())
		s.g.Signal(syscall.SIGUSR1)
		s.g.WaitLog(t, max(n, next), "msg=audit", "result=clean")
		s.right()
	})
}

// counted demands that the metrics say what was found, kind by kind.
func (s *auditScene) counted(want []string) {
	s.t.Helper()
	counts := map[string]float64{}
	for _, line := range want {
		kind, _, _ := strings.Cut(line, " ")
		counts[kind]++
	}
	metrics := s.g.Metrics(s.t)
	have := map[string]float64{}
	for kind := range counts {
		have[kind] = metrics.Sum("headgate_audit_drift_total", `kind="`+kind+`"`)
	}
	if !maps.Equal(have, counts) || metrics.Sum("headgate_audit_drift_total") != float64(len(want)) {
		s.t.Errorf("headgate_audit_drift_total: have %v, want %v", have, counts)
	}
	if n := metrics.Sum("headgate_audits_total", `result="drift"`); n != 1 {
		s.t.Errorf("headgate_audits_total of drift is %v, want 1", n)
	}
}

// relisted gives the certificate another name of a client by hand.
func (s *auditScene) relisted() {
	s.t.Helper()
	path, name := s.certificate()
	list := s.file("certs.list")
	s.byHand("del ssl crt-list "+list+" "+path, "add ssl crt-list "+list+" <<\n"+path+" other.test\n")
	status, found := s.audit()
	if want := "certificate-hosts " + name; status != 1 || !slices.Equal(found, []string{want}) {
		s.t.Errorf("exit status %d, found %q, want %s", status, found, want)
	}
	s.right()
	s.wantClean()
}

// TestAuditIsAskedFromHere has an audit asked for from another address: what is
// asked from elsewhere is refused.
func TestAuditIsAskedFromHere(t *testing.T) {
	s := newRouteScene(t, "3.4")
	s.start()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP("10.244.0.9")}}
	client := http.Client{Transport: &http.Transport{DialContext: dialer.DialContext}}
	for method, want := range map[string]int{http.MethodPost: http.StatusForbidden, http.MethodGet: http.StatusOK} {
		request, err := http.NewRequest(method, "http://"+s.g.Admin+"/audit", nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("%s /audit from another address: %d, want %d", method, answer.StatusCode, want)
		}
	}
}
