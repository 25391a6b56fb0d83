package options

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"headgate.dev/e2e/harness"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// passScene is a controller with --enable-ssl-passthrough; a site "ended.test" whose
// TLS ends in HAProxy; and pods that end TLS themselves, with a certificate that
// HAProxy doesn't have.
type passScene struct {
	scene
	ended, shown harness.KeyPair // of the site, and of the pods
	config       *tls.Config     // of a client that trusts both
	port         string          // of the pods
	pods         [2]string
	settings     map[string]string
	pass         []harness.IngressOption // what the Ingress "pass" has besides
	pod          string                  // of its Service; "": none
	more         []runtime.Object
}

const served = "pod.test" // the name in the pods' certificate

func newPassScene(t *testing.T) *passScene {
	t.Helper()
	s := &passScene{scene: scene{t: t, dir: t.TempDir(), ip: harness.StartPods(t).IP(), g: harness.NewHeadgate(t)},
		port: fmt.Sprint(harness.FreePort(t)), config: &tls.Config{InsecureSkipVerify: true}}
	ca, err := harness.NewCA("passthrough")
	if err != nil {
		t.Fatal(err)
	}
	var errs [2]error
	s.ended, errs[0] = ca.Issue("ended.test")
	s.shown, errs[1] = ca.Issue(served)
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	for i := range s.pods {
		s.pods[i] = s.serve()
	}
	s.pod = s.pods[0]
	harness.WriteManifestFile(t, filepath.Join(s.dir, "class.yaml"), harness.IngressClass("headgate", controller))
	return s
}

// serve starts a pod that speaks HTTP over TLS.
func (s *passScene) serve() string {
	s.t.Helper()
	pods := harness.StartPods(s.t)
	ip := pods.IP()
	certificate, err := tls.X509KeyPair(s.shown.Cert, s.shown.Key)
	if err != nil {
		s.t.Fatal(err)
	}
	listener, err := tls.Listen("tcp", net.JoinHostPort(ip, s.port), &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"http/1.1"}})
	if err != nil {
		s.t.Fatal(err)
	}
	server := &http.Server{Handler: pods.Handler()}
	s.t.Cleanup(func() { server.Close() })
	go func() { _ = server.Serve(listener) }()
	return ip
}

func (s *passScene) write() {
	s.t.Helper()
	s.put()
	s.settle()
}

func (s *passScene) put() {
	s.t.Helper()
	s.states++
	service := harness.Service(namespace, "pass", "443:"+s.port)
	service.Annotations = map[string]string{prefix + "server-ssl": "true"}
	objects := append([]runtime.Object{
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "settings"}, Data: s.settings},
		harness.TLSSecret(namespace, "ended", s.ended),
		harness.Service(namespace, "plain", "80:8080"), harness.EndpointSlice(namespace, "plain", "8080", s.ip),
		harness.Ingress(namespace, "state", harness.Class("headgate"), harness.Rule(s.state(), "/", "plain:80")),
		harness.Ingress(namespace, "ended", harness.Class("headgate"), harness.Rule("ended.test", "/", "plain:80"), harness.TLS("ended", "ended.test"),
			harness.Annotation(prefix+"ssl-redirect", "false")),
		harness.Ingress(namespace, "here", harness.Class("headgate"), harness.Rule("here.pass.test", "/", "plain:80")),
		service,
		harness.Ingress(namespace, "pass", append(s.pass, harness.Class("headgate"), harness.Rule("pass.test", "/", "pass:443"), harness.Rule("*.pass.test", "/", "pass:443"))...),
	}, s.more...)
	if s.pod != "" {
		objects = append(objects, harness.EndpointSlice(namespace, "pass", s.port, s.pod))
	}
	harness.WriteManifestFile(s.t, filepath.Join(s.dir, "all.yaml"), objects...)
}

// slowly sends the first bytes alone, as a ClientHello may come.
type slowly struct {
	net.Conn
	is bool
}

func (c *slowly) Write(p []byte) (int, error) {
	if !c.is && len(p) > 100 {
		c.is = true
		for _, part := range [][]byte{p[:3], p[3:60], p[60:]} {
			if _, err := c.Conn.Write(part); err != nil {
				return 0, err
			}
			time.Sleep(10 * time.Millisecond)
		}
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// dial is a TLS connection from this address of a client, behind these bytes.
func (s *passScene) dial(name, from, before string) (*tls.Conn, error) {
	dialer := net.Dialer{Timeout: time.Minute, LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := dialer.Dial("tcp", s.g.HTTPS)
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := conn.Write([]byte(before)); err != nil {
		conn.Close()
		return nil, err
	}
	config := s.config.Clone()
	config.ServerName = name
	secure := tls.Client(&slowly{Conn: conn}, config)
	if err := secure.Handshake(); err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}

// who shows a certificate for this name: the pods, the site, or nobody.
func (s *passScene) who(name string) (string, error) {
	conn, err := s.dial(name, "127.0.0.1", "")
	if err != nil {
		return "closed", err
	}
	defer conn.Close()
	certificate := conn.ConnectionState().PeerCertificates[0]
	if len(certificate.DNSNames) == 0 {
		return "default", nil
	}
	return certificate.DNSNames[0], nil
}

// wantWho waits until each name is answered by whom it should be.
func (s *passScene) wantWho(what string, want map[string]string) {
	s.t.Helper()
	harness.Eventually(s.t, what, func() error {
		for name, wanted := range want {
			got, err := s.who(name)
			if wanted != got && (wanted != "default" || got == served || got == "closed") {
				return fmt.Errorf("%s is answered by %s (%w), want %s", name, got, err, wanted)
			}
		}
		return nil
	})
}

// askOver sends a request over a connection, and returns the answer's status, the pod
// and what that was told of the client.
func askOver(conn net.Conn, host string) (string, error) {
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	request, err := http.NewRequest(http.MethodGet, "https://"+host+"/", nil)
	if err != nil {
		return "", err
	}
	if err := request.Write(conn); err != nil {
		return "", err
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	text := string(body)
	from, to := strings.Index(text, `"X-Forwarded-For":["`), -1
	if from >= 0 {
		text = text[from+len(`"X-Forwarded-For":["`):]
		to = strings.Index(text, `"`)
	}
	if to < 0 {
		text, to = "", 0
	}
	return fmt.Sprintf("%d %s %s", response.StatusCode, response.Header.Get("X-Pod"), text[:to]), err
}

func (s *passScene) wantAnswer(what, name, from, before, want string) {
	s.t.Helper()
	conn, err := s.dial(name, from, before)
	if err != nil {
		s.t.Errorf("%s: %v", what, err)
		return
	}
	defer conn.Close()
	if got, err := askOver(conn, name); got != want {
		s.t.Errorf("%s: %q, want %q; %v", what, got, want, err)
	}
}

// step is a change that costs so many reloads.
func (s *passScene) step(what string, reloads float64, change func()) {
	s.t.Helper()
	before := s.g.Metrics(s.t).Sum("headgate_reloads_total")
	change()
	harness.Eventually(s.t, what+": reloads", func() error {
		if n := s.g.Metrics(s.t).Sum("headgate_reloads_total") - before; n != reloads {
			return fmt.Errorf("%v, want %v", n, reloads)
		}
		return nil
	})
}

func asks(value string) []harness.IngressOption {
	return []harness.IngressOption{harness.Annotation(prefix+"ssl-passthrough", value)}
}

// TestPassthrough has an Ingress ask for TLS to its pods, and cease to, while a
// connection stays open and the site beside it is asked.
func TestPassthrough(t *testing.T) {
	for _, branch := range []string{"2.6", "3.4"} {
		t.Run(branch, func(t *testing.T) {
			t.Parallel()
			s := newPassScene(t)
			isNew := 0.0 // reloads for a new backend
			if branch == "2.6" {
				isNew = 1
			}
			s.start(branch, "--enable-ssl-passthrough", "--configmap="+namespace+"/settings")
			s.write()
			here := map[string]string{"pass.test": "default", "other.pass.test": "default", "here.pass.test": "default", "ended.test": "ended.test", "": "default", "no.test": "default"}
			passes := map[string]string{"pass.test": served, "PASS.test": served, "other.pass.test": served, "a.b.pass.test": "default", "here.pass.test": "default",
				"ended.test": "ended.test", "": "default", "no.test": "default"}
			s.wantWho("TLS ends here", here)
			beside := harness.StartProber(t, harness.Traffic{Addr: s.g.HTTPS, Clients: 2, Pause: 20 * time.Millisecond, TLS: s.config,
				Next: func(int, int) harness.Route { return harness.Route{Host: "ended.test", Path: "/"} }})

			s.step("set", isNew, func() {
				s.pass = asks("true")
				s.write()
				s.wantWho("it passes through", passes)
			})
			long, err := s.dial("pass.test", "127.0.0.1", "")
			if err != nil {
				t.Fatal(err)
			}
			defer long.Close()
			first := "200 " + net.JoinHostPort(s.pods[0], s.port) + " "
			s.wantAnswer("the pod gets what the client has sent", "pass.test", "127.0.0.1", "", first)
			s.wantAnswer("the client's address, where TLS ends", "ended.test", "127.0.0.2", "", "200 "+net.JoinHostPort(s.ip, "8080")+" 127.0.0.2")
			for _, host := range []string{"pass.test", "other.pass.test"} {
				conn, err := s.dial("ended.test", "127.0.0.1", "")
				if err != nil {
					t.Fatal(err)
				}
				if got, err := askOver(conn, host); got != "421  " {
					t.Errorf("%s over a connection for another name: %q, %v", host, got, err)
				}
				conn.Close()
			}
			harness.WantPod(t, s.g.HTTP, "pass.test", "/", s.pods[0])

			s.step("another pod", 0, func() {
				s.pod = s.pods[1]
				s.write()
				s.wantAnswer("the other pod", "pass.test", "127.0.0.1", "", "200 "+net.JoinHostPort(s.pods[1], s.port)+" ")
			})
			s.step("no pod", 0, func() {
				s.pod = ""
				s.write()
				s.wantWho("closed, not ended here", map[string]string{"pass.test": "closed", "ended.test": "ended.test"})
			})
			s.step("changed", 0, func() {
				s.pod, s.pass = s.pods[0], asks("false")
				s.write()
				s.wantWho("TLS ends here again", here)
			})
			// Before 3.4 its backend is still there.
			s.step("and back", 0, func() {
				s.pass = asks("true")
				s.write()
				s.wantWho("it passes through again", passes)
			})
			s.step("a rule about who may come in", 0, func() {
				from := len(s.g.Log())
				s.pass = append(asks("true"), harness.Annotation(prefix+"deny-list", "192.0.2.1"))
				s.write()
				s.g.WaitSaid(t, from, "deny-list can't hold for connections that pass through, so TLS ends here")
				s.wantWho("TLS ends here", here)
			})
			s.step("removed", 0, func() {
				s.pass = nil
				s.write()
				s.wantWho("TLS ends here", here)
			})
			if got, err := askOver(long, "pass.test"); got != first {
				t.Errorf("the connection from the beginning: %q, %v", got, err)
			}
			s.pass = asks("true")
			s.write()
			s.wantWho("it passes through", passes)
			if summary := beside.Stop(); summary.Failures > 0 || summary.Requests == 0 {
				t.Errorf("the site beside: %v", summary)
			}
			s.step("whoever comes has to show a certificate", 1, func() {
				s.settings = map[string]string{"client-ca": "infra/nobody"}
				s.write()
				harness.Eventually(t, "nobody comes in", func() error {
					if who, _ := s.who("pass.test"); who == served {
						return errors.New("it passes through")
					}
					conn, err := s.dial("ended.test", "127.0.0.1", "")
					if err == nil {
						defer conn.Close()
						_, err = askOver(conn, "ended.test")
					}
					if err == nil {
						return errors.New("somebody comes in")
					}
					return nil
				})
			})
		})
	}
}

// TestPassthroughOrder: the Ingress that goes first at a host decides for all, whoever
// came when, and the others are told.
func TestPassthroughOrder(t *testing.T) {
	s := newPassScene(t)
	s.start("3.4", "--enable-ssl-passthrough")
	// They are of one age, so their names decide.
	late := harness.Ingress(namespace, "late", append(asks("true"), harness.Class("headgate"), harness.Rule("old.test", "/", "pass:443"))...)
	beside := func(other string) []runtime.Object {
		return []runtime.Object{late, harness.Service(other, "plain", "80:8080"), harness.EndpointSlice(other, "plain", "8080", s.ip),
			harness.Ingress(other, "path", harness.Class("headgate"), harness.Rule("old.test", "/mine", "plain:80"))}
	}
	from := len(s.g.Log())
	s.more = beside("alpha")
	s.write()
	s.wantWho("nobody takes what is there", map[string]string{"old.test": "default"})
	s.g.WaitSaid(t, from, "TLS for old.test ends here, as Ingress alpha/path")
	from = len(s.g.Log())
	s.more = beside("zeta")
	s.write()
	s.wantWho("the first one decides", map[string]string{"old.test": served})
	s.g.WaitSaid(t, from, "TLS connections for old.test pass through to the pods of Ingress shop/late")
}

// TestPassthroughReload has HAProxy reload while clients connect, to both kinds of
// hosts: no connection is lost on its way from one frontend to the other.
func TestPassthroughReload(t *testing.T) {
	for _, branch := range []string{"2.6", "3.4"} {
		t.Run(branch, func(t *testing.T) {
			t.Parallel()
			s := newPassScene(t)
			s.pass = asks("true")
			s.put()
			s.start(branch, "--enable-ssl-passthrough", "--configmap="+namespace+"/settings")
			s.settle()
			s.wantWho("before", map[string]string{"pass.test": served, "ended.test": "ended.test"})
			traffic := harness.StartProber(t, harness.Traffic{Addr: s.g.HTTPS, Clients: 4, TLS: s.config,
				Next: func(client, _ int) harness.Route {
					return harness.Route{Host: []string{"pass.test", "ended.test"}[client%2], Path: "/", Header: http.Header{"Connection": {"close"}}}
				}})
			for i := range 5 {
				s.step("other settings", 1, func() {
					s.settings = map[string]string{"timeout-client": fmt.Sprintf("%ds", 50+i)}
					s.write()
				})
			}
			if summary := traffic.Stop(); summary.Failures > 0 || summary.Requests == 0 {
				t.Errorf("%v", summary)
			}
		})
	}
}

// TestPassthroughMaxconn has more clients than maxconn come at once: each is
// answered, as those on their way from one frontend to the other have room there.
func TestPassthroughMaxconn(t *testing.T) {
	for _, branch := range []string{"2.6", "3.4"} {
		t.Run(branch, func(t *testing.T) {
			t.Parallel()
			s := newPassScene(t)
			s.pass, s.settings = asks("true"), map[string]string{"maxconn": "10"}
			s.put()
			s.start(branch, "--enable-ssl-passthrough", "--configmap="+namespace+"/settings")
			s.settle()
			s.wantWho("before", map[string]string{"pass.test": served, "ended.test": "ended.test"})
			failed := make(chan error, 60)
			for i := range cap(failed) {
				name := []string{"pass.test", "ended.test", "ended.test"}[i%3]
				go func() {
					conn, err := s.dial(name, "127.0.0.1", "")
					if err == nil {
						_, err = askOver(conn, name)
						conn.Close()
					}
					failed <- err
				}()
			}
			for range cap(failed) {
				if err := <-failed; err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestPassthroughBehindProxy: a proxy in front says who the client is, to pods and
// where TLS ends; and whose name no certificate is for gets an alert still.
func TestPassthroughBehindProxy(t *testing.T) {
	const before = "PROXY TCP4 192.0.2.7 192.0.2.1 5555 443\r\n"
	for _, branch := range []string{"2.6", "3.4"} {
		for what, flag := range map[string]string{"flag": "--accept-proxy", "key": "--configmap=" + namespace + "/settings"} {
			t.Run(branch+" "+what, func(t *testing.T) {
				t.Parallel()
				s := newPassScene(t)
				s.pass = asks("true")
				if what == "key" {
					s.settings = map[string]string{"proxy-protocol": "127.0.0.9"}
				}
				s.put()
				s.start(branch, flag, "--enable-ssl-passthrough", "--strict-sni")
				for name, want := range map[string]string{
					"pass.test":  "200 " + net.JoinHostPort(s.pods[0], s.port) + " ",
					"ended.test": "200 " + net.JoinHostPort(s.ip, "8080") + " 192.0.2.7",
				} {
					harness.Eventually(t, name, func() error {
						conn, err := s.dial(name, "127.0.0.9", before)
						if err != nil {
							return err
						}
						defer conn.Close()
						got, err := askOver(conn, name)
						if err == nil && got != want {
							err = fmt.Errorf("%q, want %q", got, want)
						}
						return err
					})
				}
				if conn, err := s.dial("no.test", "127.0.0.9", before); err == nil {
					conn.Close()
					t.Error("no.test: a certificate, want an alert")
				}
			})
		}
	}
}
