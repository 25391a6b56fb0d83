package options

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"headgate.dev/e2e/harness"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// tcpScene is a controller with a ConfigMap of TCP services, and pods that say who
// they are and then what they are told.
type tcpScene struct {
	scene
	services map[string]string // with the address of its pod
	options  map[string]string // annotations of those called "told"
	settings map[string]string // the controller's ConfigMap, "settings"; nil: there is none
	ports    [4]string
	pair     harness.KeyPair
	pod      string // the port of pods
}

func newTCPScene(t *testing.T) *tcpScene {
	t.Helper()
	s := &tcpScene{scene: scene{t: t, dir: t.TempDir(), ip: harness.StartPods(t).IP(), g: harness.NewHeadgate(t)}, services: map[string]string{}}
	for i := range s.ports {
		s.ports[i] = fmt.Sprint(harness.FreePort(t))
	}
	s.pod = fmt.Sprint(harness.FreePort(t))
	ca, err := harness.NewCA("tcp")
	if err != nil {
		t.Fatal(err)
	}
	if s.pair, err = ca.Issue("db.test"); err != nil {
		t.Fatal(err)
	}
	return s
}

// serve starts a pod that says its address, and then line by line what it is told,
// over TLS where there is a configuration for it.
func (s *tcpScene) serve(config *tls.Config) (ip string) {
	s.t.Helper()
	ip = harness.StartPods(s.t).IP()
	listener, err := net.Listen("tcp", net.JoinHostPort(ip, s.pod))
	if err != nil {
		s.t.Fatal(err)
	}
	if config != nil {
		listener = tls.NewListener(listener, config)
	}
	s.t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				fmt.Fprintln(conn, ip)
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	return ip
}

// writeTCP says this in the ConfigMap; nil: there is none.
func (s *tcpScene) writeTCP(data map[string]string) {
	s.t.Helper()
	s.states++
	objects := []runtime.Object{
		harness.IngressClass("headgate", controller),
		harness.TLSSecret(namespace, "db", s.pair),
		harness.Service(namespace, "plain", "80:8080"), harness.EndpointSlice(namespace, "plain", "8080", s.ip),
		harness.Ingress(namespace, "state", harness.Class("headgate"), harness.Rule(s.state(), "/", "plain:80"), harness.Rule("plain.test", "/", "plain:80")),
		harness.Ingress(namespace, "db", harness.Class("headgate"), harness.Rule("db.test", "/", "plain:80"), harness.TLS("db", "db.test")),
	}
	for name, ip := range s.services {
		service := harness.Service(namespace, name, "5432:"+s.pod)
		if name == "told" {
			service.Annotations = s.options
		}
		objects = append(objects, service)
		if ip != "" {
			objects = append(objects, harness.EndpointSlice(namespace, name, s.pod, ip))
		}
	}
	if s.settings != nil {
		objects = append(objects, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "settings"}, Data: s.settings})
	}
	if data != nil {
		objects = append(objects, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "tcp"}, Data: data})
	}
	harness.WriteManifestFile(s.t, filepath.Join(s.dir, "all.yaml"), objects...)
	s.settle()
}

// talk is a connection to a port, and who has answered it.
type talk struct {
	net.Conn
	lines *bufio.Reader
	pod   string
}

var errClosed = errors.New("closed")

func (s *tcpScene) dial(port string, config *tls.Config) (*talk, error) {
	var conn net.Conn
	conn, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", port), time.Minute)
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	if config != nil {
		conn = tls.Client(conn, config)
	}
	c := &talk{Conn: conn, lines: bufio.NewReader(conn)}
	line, err := c.lines.ReadString('\n')
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("%w: %w", errClosed, err)
	}
	c.pod = strings.TrimSpace(line)
	return c, nil
}

// echo says something over the connection, and wants it back.
func (c *talk) echo(text string) error {
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := fmt.Fprintln(c, text); err != nil {
		return err
	}
	line, err := c.lines.ReadString('\n')
	if err == nil && line != text+"\n" {
		err = fmt.Errorf("%q instead of %q", line, text)
	}
	return err
}

// wantPod waits until the port leads to this pod; "": until connections are closed;
// "refused": until nobody listens.
func (s *tcpScene) wantPod(what, port, ip string, config *tls.Config) {
	s.t.Helper()
	harness.Eventually(s.t, what, func() error {
		c, err := s.dial(port, config)
		if err == nil {
			defer c.Close()
			err = c.echo("hello")
		}
		switch {
		case ip == "" && errors.Is(err, errClosed):
			return nil
		case ip == "refused" && err != nil && !errors.Is(err, errClosed):
			return nil
		case err != nil:
			return fmt.Errorf("port %s: %w, want %q", port, err, ip)
		case c.pod != ip:
			return fmt.Errorf("port %s leads to %s, want %q", port, c.pod, ip)
		}
		return nil
	})
}

// reloads is how many reasons there were for reloads: TCP services, and all.
func (s *tcpScene) reloads() (tcp, all float64) {
	metrics := s.g.Metrics(s.t)
	return metrics.Sum("headgate_reloads_total", `reason="tcp-services"`), metrics.Sum("headgate_reloads_total")
}

// step is a change, with how often TCP services, and how often new backends are to
// be a reason for a reload.
func (s *tcpScene) step(what string, tcp, backends float64, change func()) {
	s.t.Helper()
	tcpBefore, allBefore := s.reloads()
	change()
	harness.Eventually(s.t, what+": reloads", func() error {
		nowTCP, nowAll := s.reloads()
		if nowTCP-tcpBefore != tcp || nowAll-allBefore != tcp+backends {
			return fmt.Errorf("%v for TCP services, want %v; %v altogether", nowTCP-tcpBefore, tcp, nowAll-allBefore)
		}
		return nil
	})
}

func (s *tcpScene) service(name string) string { return namespace + "/" + name + ":5432" }

// TestTCPServices has ports come, lead elsewhere, change their kind and go; pods come
// and go behind them; and what can't be used, while a connection stays open and a
// route beside is asked.
func TestTCPServices(t *testing.T) {
	for _, branch := range []string{"2.6", "3.4"} {
		t.Run(branch, func(t *testing.T) {
			t.Parallel()
			s := newTCPScene(t)
			one, two, three := s.serve(nil), s.serve(nil), s.serve(nil)
			s.services = map[string]string{"one": one, "two": two}
			port, other, bad, secure := s.ports[0], s.ports[1], s.ports[2], s.ports[3]
			harness.WriteManifestFile(t, filepath.Join(s.dir, "class.yaml"), harness.IngressClass("headgate", controller))
			s.start(branch, "--configmap-tcp-services="+namespace+"/tcp")
			s.writeTCP(nil)
			// Before 3.4 a backend that is new is a reason, too.
			isNew := 0.0
			if branch == "2.6" {
				isNew = 1
			}
			traffic := harness.StartProber(t, harness.Traffic{Addr: s.g.HTTP, Clients: 1, Pause: 20 * time.Millisecond, Next: plainRoute})

			data := map[string]string{port: s.service("one"), other: s.service("two")}
			s.step("ports come", 1, isNew, func() {
				s.writeTCP(data)
				s.wantPod("a port", port, one, nil)
				s.wantPod("another", other, two, nil)
			})
			long, err := s.dial(port, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer long.Close()

			s.step("a port leads elsewhere", 0, 0, func() {
				data[port], data[other] = data[other], data[port]
				s.writeTCP(data)
				s.wantPod("a port leads to the other Service", port, two, nil)
				s.wantPod("and the other way round", other, one, nil)
			})
			s.step("a pod goes and another comes", 0, 0, func() {
				s.services["two"] = three
				s.writeTCP(data)
				s.wantPod("the other pod", port, three, nil)
			})
			s.step("its last pod goes", 0, 0, func() {
				from := len(s.g.Log())
				s.services["two"] = ""
				s.writeTCP(data)
				s.wantPod("no pod", port, "", nil)
				s.g.WaitSaid(t, from, "has no ready endpoint: connections are closed until it has")
			})
			s.step("its Service goes", 0, 0, func() {
				from := len(s.g.Log())
				delete(s.services, "two")
				s.writeTCP(data)
				s.wantPod("no Service", port, "", nil)
				s.g.WaitSaid(t, from, "there is no Service shop/two: connections are closed until there is")
			})
			s.step("what can't be used comes beside", 0, 0, func() {
				from := len(s.g.Log())
				broken := maps.Clone(data)
				broken["http"] = s.service("one")
				broken[bad] = s.service("one") + ":PROXY"
				_, taken, _ := net.SplitHostPort(s.g.HTTP)
				broken[taken] = s.service("one")
				s.writeTCP(broken)
				for _, text := range []string{"ConfigMap shop/tcp: data[http] is no port: write a number", "data[" + bad + "] has another word than ssl at its end: write",
					"data[" + taken + "] is the port of --http-bind: use another"} {
					s.g.WaitSaid(t, from, text)
				}
				s.wantPod("nobody listens", bad, "refused", nil)
				s.wantPod("the others hold", other, one, nil)
			})
			s.step("a port with TLS comes, and connections are logged otherwise", 1, 0, func() {
				data[secure] = s.service("one") + ":ssl"
				data["log-format-tcp"] = "tcp %fp to %s %[ssl_fc]"
				s.writeTCP(data)
				s.wantPod("TLS", secure, one, &tls.Config{InsecureSkipVerify: true, ServerName: "db.test", NextProtos: []string{"postgresql"}})
				s.wantPod("the others hold", other, one, nil)
			})
			s.wantCertificate(secure)
			s.g.WaitSaid(t, 0, "tcp "+secure+" to ")
			if err := long.echo("still here"); err != nil || long.pod != one {
				t.Errorf("the connection from the beginning, to %s: %v", long.pod, err)
			}
			s.step("a port goes", 1, 0, func() {
				delete(data, other)
				s.writeTCP(data)
				s.wantPod("nobody listens any more", other, "refused", nil)
			})
			s.step("the ConfigMap goes", 1, 0, func() {
				from := len(s.g.Log())
				s.writeTCP(nil)
				s.g.WaitSaid(t, from, "ConfigMap shop/tcp: there is no such ConfigMap: create it")
				s.wantPod("nobody listens any more", secure, "refused", &tls.Config{InsecureSkipVerify: true})
			})
			if summary := traffic.Stop(); summary.Failures > 0 || summary.Requests == 0 {
				t.Errorf("the route beside: %v", summary)
			}
		})
	}
}

// TestTCPServiceOptions has pods that are told who the client is, and pods that are
// spoken to over TLS, by the certificate that a pod shows.
func TestTCPServiceOptions(t *testing.T) {
	for _, branch := range []string{"2.6", "3.4"} {
		t.Run(branch, func(t *testing.T) {
			t.Parallel()
			s := newTCPScene(t)
			certificate, err := tls.X509KeyPair(s.pair.Cert, s.pair.Key)
			if err != nil {
				t.Fatal(err)
			}
			names := make(chan string, 100)
			pod := s.serve(&tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
				names <- fmt.Sprint(hello.ServerName, hello.SupportedProtos)
				return &certificate, nil
			}})
			s.services = map[string]string{"told": pod}
			s.options = map[string]string{prefix + "server-ssl": "true", prefix + "check": "true", prefix + "check-interval": "1h"}
			harness.WriteManifestFile(t, filepath.Join(s.dir, "class.yaml"), harness.IngressClass("headgate", controller))
			s.start(branch, "--configmap-tcp-services="+namespace+"/tcp")
			data := map[string]string{s.ports[0]: s.service("told")}
			s.writeTCP(data)
			s.wantPod("TLS to the pod", s.ports[0], pod, nil)
			if name := <-names; name != "[]" {
				t.Errorf("the pod was told %q", name)
			}
			s.services["told"] = s.serve(nil)
			s.options = map[string]string{prefix + "send-proxy-protocol": "proxy-v1", prefix + "load-balance": "source"}
			s.writeTCP(data)
			harness.Eventually(t, "the pod is told who the client is", func() error {
				c, err := s.dial(s.ports[0], nil)
				if err != nil {
					return err
				}
				defer c.Close()
				// Said back, too: whoever is told nothing says this first.
				fmt.Fprintln(c, "hello")
				line, err := c.lines.ReadString('\n')
				if err == nil && !strings.HasPrefix(line, "PROXY TCP4 127.0.0.1 127.0.0.1 ") {
					err = errors.New(line)
				}
				return err
			})
		})
	}
}

// wantCertificate demands that a port has the certificates of HTTPS, by name.
func (s *tcpScene) wantCertificate(port string) {
	s.t.Helper()
	conn, err := tls.Dial("tcp", net.JoinHostPort("127.0.0.1", port), &tls.Config{InsecureSkipVerify: true, ServerName: "db.test"})
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.ConnectionState().PeerCertificates[0].VerifyHostname("db.test"); err != nil {
		s.t.Error(err)
	}
}
