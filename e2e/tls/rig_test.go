package tls

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"headgate.dev/e2e/harness"
	"k8s.io/apimachinery/pkg/runtime"
)

func TestMain(m *testing.M) { harness.Main(m) }

// rig is one control plane, whose objects are served by a controller for each
// supported end of HAProxy's versions.
type rig struct {
	c      *harness.Cluster
	ns     string
	class  string
	anchor harness.KeyPair // for anchor.test, in the Secret anchor since the start
	sites  []*site
}

type site struct {
	branch  string // of HAProxy
	flags   []string
	g       *harness.Headgate
	cli     *harness.CLIProxy
	workers *harness.Workers
}

// newRig makes a Service web with two pods, a default certificate and an Ingress
// for anchor.test, and starts the controllers. From here on nothing reloads.
func newRig(t *testing.T) *rig {
	t.Helper()
	c := harness.StartCluster(t)
	r := &rig{c: c, ns: c.Namespace(t)}
	r.class = "class-" + r.ns
	class := harness.IngressClass(r.class, "headgate.dev/"+r.class)
	r.c.Apply(t, class)
	t.Cleanup(func() { c.Delete(t, class) })
	r.c.Apply(t, harness.Service(r.ns, "web", "80:8080"),
		harness.EndpointSlice(r.ns, "web", "8080", harness.StartPods(t).IPs(2)...))
	r.put(t, "default", r.issue(t, "default.test"))
	r.anchor = r.issue(t, "anchor.test")
	r.put(t, "anchor", r.anchor)
	r.ingress(t, "anchor", "anchor.test")
	for _, branch := range []string{"2.6", "3.4"} {
		r.sites = append(r.sites, r.start(t, branch))
	}
	for _, s := range r.sites {
		s.g.WaitReady(t)
		harness.WantStatus(t, s.g.HTTP, "anchor.test", "/", http.StatusPermanentRedirect)
		harness.Eventually(t, "the certificate in the state directory", func() error {
			files, err := filepath.Glob(filepath.Join(s.g.StateDir, "current/certs/*_anchor_*.pem"))
			if len(files) != 1 {
				return fmt.Errorf("%v (%v)", files, err)
			}
			return nil
		})
		s.workers = harness.WatchWorkers(t, s.g.Dir+"/")
	}
	return r
}

func (r *rig) start(t *testing.T, branch string) *site {
	t.Helper()
	s := &site{branch: branch, g: harness.NewHeadgate(t)}
	s.cli = harness.StartCLIProxy(t, s.g.RuntimeSocket())
	s.flags = []string{
		"--kubeconfig=" + r.c.Kubeconfig(t), "--controller-name=headgate.dev/" + r.class,
		"--haproxy=" + harness.HAProxyPath(t, branch), "--runtime-socket=" + s.cli.Socket,
		"--config-dir=" + filepath.Join(harness.Root(t), "haproxy-cfg"), "--self-check",
		"--default-certificate=" + r.ns + "/default", "--configmap=" + harness.ControllerNamespace + "/settings",
	}
	s.g.Start(t, s.flags...)
	return s
}

// ingress writes an Ingress with a rule for each host, secured by the Secret of
// the Ingress's name.
func (r *rig) ingress(t *testing.T, name string, hosts ...string) {
	t.Helper()
	options := []harness.IngressOption{harness.TLS(name, hosts...)}
	for _, host := range hosts {
		options = append(options, harness.Rule(host, "/", "web:80"))
	}
	r.c.Apply(t, r.ours(name, options...))
}

func (r *rig) ours(name string, options ...harness.IngressOption) runtime.Object {
	return harness.Ingress(r.ns, name, append(options, harness.Class(r.class))...)
}

func (r *rig) issue(t *testing.T, hosts ...string) harness.KeyPair {
	t.Helper()
	return must(t)(r.c.CA.Issue(hosts...))
}

// must fails the test when a certificate can't be made.
func must(t *testing.T) func(harness.KeyPair, error) harness.KeyPair {
	return func(pair harness.KeyPair, err error) harness.KeyPair {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return pair
	}
}

// put writes a Secret of type kubernetes.io/tls.
func (r *rig) put(t *testing.T, name string, pair harness.KeyPair) {
	t.Helper()
	r.c.Apply(t, harness.TLSSecret(r.ns, name, pair))
}

// each calls check for every site as a subtest.
func (r *rig) each(t *testing.T, check func(t *testing.T, s *site)) {
	t.Helper()
	for _, s := range r.sites {
		t.Run(s.branch, func(t *testing.T) { check(t, s) })
	}
}

// wantCertificate waits until every site shows a certificate for a name (SNI).
func (r *rig) wantCertificate(t *testing.T, name string, pair harness.KeyPair) {
	t.Helper()
	for _, s := range r.sites {
		harness.Eventually(t, s.branch+": the certificate for "+name, func() error { return s.shows(name, pair) })
	}
}

// shows makes a handshake and demands that it ends in this certificate.
func (s *site) shows(name string, pair harness.KeyPair) error {
	return harness.ShowsCertificate(s.g.HTTPS, name, pair)
}

// client makes a connection for each request, with a whole handshake, and takes
// only certificates that are for the name and from the rig's authority.
func (s *site) client(r *rig) *http.Client {
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: r.c.CA.ClientTLS(), DisableKeepAlives: true, ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", s.g.HTTPS)
		},
	}}
}

// get sends one request over HTTPS, which a pod has to answer; the result is the
// protocol.
func get(client *http.Client, host string) (string, error) {
	response, err := client.Get("https://" + host + "/")
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	if err == nil && (response.StatusCode != http.StatusOK || response.Header.Get("X-Pod") == "") {
		err = fmt.Errorf("status %d from %q", response.StatusCode, response.Header.Get("X-Pod"))
	}
	return response.Proto, err
}

// wantVerdict waits until the controller says of an Ingress that a Secret is at
// fault, and why.
func (s *site) wantVerdict(t *testing.T, ingress, reason, secret string) {
	t.Helper()
	harness.Eventually(t, s.branch+": the verdict on "+ingress, func() error {
		answer, err := harness.Get(s.g.Admin, s.g.Admin, "/ingresses/"+ingress)
		if err != nil {
			return err
		}
		if !strings.Contains(answer.Body, `"reason":"`+reason+`"`) || !strings.Contains(answer.Body, secret) {
			return errors.New(answer.Body)
		}
		return nil
	})
}

// wantQuiet demands that nothing was reloaded and nothing went wrong so far.
func (r *rig) wantQuiet(t *testing.T) {
	t.Helper()
	for _, s := range r.sites {
		if n := s.workers.Reloads(); n != 0 {
			t.Errorf("%s: %d reloads, want 0", s.branch, n)
		}
		metrics := s.g.Metrics(t)
		for _, name := range []string{
			"headgate_self_check_errors_total", "headgate_reconcile_errors_total", "headgate_reload_errors_total",
			"headgate_runtime_operation_errors_total", "headgate_state_errors_total", "headgate_haproxy_restarts_total",
		} {
			if n := metrics.Sum(name); n != 0 {
				t.Errorf("%s: %s is %v, want 0", s.branch, name, n)
			}
		}
	}
}
