package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"headgate.dev/e2e/harness"
	"k8s.io/apimachinery/pkg/runtime"
)

const (
	// How often everything changes around the open connections.
	streamRounds = 2
	// Of each Service in the beginning: more than there are connections to it.
	streamPods   = 8
	streamSecret = "secure"
)

// streamChanges is every kind of change; each waits until it has taken effect.
var streamChanges = []struct {
	name   string
	change func(s *routeScene, round int, streams []*stream)
}{
	{"other pods have gone", (*routeScene).replaceOtherPods},
	{"a host, a Service and a certificate have come", func(s *routeScene, round int, _ []*stream) {
		name := extraName(round)
		s.serve(name, 1)
		pair := s.issue(name + ".example")
		s.c.Apply(s.t, harness.TLSSecret(s.ns, name, pair), s.extraIngress(name))
		s.wantCertificate(name+".example", pair)
		s.wantAnswers(routeAnswer{host: name + ".example", path: "/", service: name, tls: s.c.CA.ClientTLS()})
	}},
	{"their host, Service and certificate have gone", func(s *routeScene, round int, _ []*stream) {
		name := extraName(round)
		s.c.Delete(s.t, s.extraIngress(name), harness.Service(s.ns, name), harness.TLSSecret(s.ns, name, harness.KeyPair{}))
		s.wantAnswers(routeAnswer{host: name + ".example", path: "/", status: http.StatusNotFound})
		s.wantNoCertificate(name)
	}},
	{"a path has come", func(s *routeScene, _ int, _ []*stream) {
		s.c.Apply(s.t, s.streamIngress("web", harness.Rule(streamHost, "/new", "other:80"), harness.Rule(secureHost, "/new", "other:80")))
		for _, way := range []streamWay{plainWay, s.secureWay()} {
			s.wantAnswers(routeAnswer{host: way.host, path: "/new", service: "other", tls: way.tls})
		}
	}},
	{"their route leads elsewhere, and the path has gone", func(s *routeScene, _ int, _ []*stream) {
		s.c.Apply(s.t, s.streamIngress("other"))
		s.wantStreamRoutes("other", plainWay, s.secureWay())
	}},
	{"their route is back", func(s *routeScene, _ int, _ []*stream) {
		s.c.Apply(s.t, s.streamIngress("web"))
		s.wantStreamRoutes("web", plainWay, s.secureWay())
	}},
	{"their certificate is another one", func(s *routeScene, _ int, _ []*stream) {
		s.wantCertificate(secureHost, s.rotate())
	}},
	{"their Secret has gone", func(s *routeScene, _ int, _ []*stream) {
		s.c.Delete(s.t, harness.TLSSecret(s.ns, streamSecret, harness.KeyPair{}))
		harness.Eventually(s.t, "the verdict", func() error {
			answer, err := harness.Get(s.g.Admin, s.g.Admin, "/ingresses/"+s.ns+"/web")
			if err == nil && !strings.Contains(answer.Body, "SecretNotFound") {
				err = errors.New(answer.Body)
			}
			return err
		})
		s.wantStreamRoutes("web", s.secureWay()) // with the certificate that was good last
	}},
	{"their Secret is back", func(s *routeScene, _ int, _ []*stream) {
		s.wantCertificate(secureHost, s.rotate())
	}},
	{"their hosts have no TLS any more", func(s *routeScene, _ int, _ []*stream) {
		s.c.Apply(s.t, s.plainIngress("web", secureHost), s.plainIngress("grpc", secureGRPC))
		s.wantNoCertificate(streamSecret)
		s.wantAnswers(routeAnswer{host: secureHost, path: "/", service: "web"})
	}},
	{"their hosts have TLS again", func(s *routeScene, _ int, _ []*stream) {
		pair := s.rotate()
		s.c.Apply(s.t, s.streamIngress("web"), s.grpcIngress())
		for _, host := range []string{secureHost, secureGRPC} {
			s.wantCertificate(host, pair)
		}
	}},
}

func extraName(round int) string { return fmt.Sprintf("extra%d", round) }

func (s *routeScene) extraIngress(name string) runtime.Object {
	return s.ingress(name, harness.TLS(name, name+".example"), harness.Rule(name+".example", "/", name+":80"))
}

func (s *routeScene) grpcService() runtime.Object {
	service, protocol := harness.Service(s.ns, "grpc", "80:8080"), "kubernetes.io/h2c"
	service.Spec.Ports[0].AppProtocol = &protocol
	return service
}

// streamIngress leads both hosts to a Service, grpcIngress to the Service grpc.
func (s *routeScene) streamIngress(service string, more ...harness.IngressOption) runtime.Object {
	return s.ingress("web", append(more, harness.TLS(streamSecret, secureHost),
		harness.Rule(streamHost, "/", service+":80"), harness.Rule(secureHost, "/", service+":80"))...)
}

func (s *routeScene) grpcIngress() runtime.Object {
	return s.ingress("grpc", harness.TLS(streamSecret, secureGRPC),
		harness.Rule(grpcHost, "/", "grpc:80"), harness.Rule(secureGRPC, "/", "grpc:80"))
}

// plainIngress is one of the two without TLS.
func (s *routeScene) plainIngress(service, secure string) runtime.Object {
	plain := strings.Replace(secure, ".secure", "", 1)
	return s.ingress(service, harness.Rule(plain, "/", service+":80"), harness.Rule(secure, "/", service+":80"))
}

func (s *routeScene) wantStreamRoutes(service string, ways ...streamWay) {
	s.t.Helper()
	for _, way := range ways {
		s.wantAnswers(routeAnswer{host: way.host, path: "/", service: service, tls: way.tls},
			routeAnswer{host: way.grpc, path: "/", service: "grpc", tls: way.tls})
	}
}

func (s *routeScene) issue(hosts ...string) harness.KeyPair {
	s.t.Helper()
	pair, err := s.c.CA.Issue(hosts...)
	if err != nil {
		s.t.Fatalf("%v", err)
	}
	return pair
}

// rotate gives the hosts with TLS a new certificate.
func (s *routeScene) rotate() harness.KeyPair {
	s.t.Helper()
	pair := s.issue(secureHost, secureGRPC)
	s.c.Apply(s.t, harness.TLSSecret(s.ns, streamSecret, pair))
	return pair
}

func (s *routeScene) wantCertificate(host string, pair harness.KeyPair) {
	s.t.Helper()
	harness.Eventually(s.t, s.branch+": the certificate for "+host, func() error {
		return harness.ShowsCertificate(s.g.HTTPS, host, pair)
	})
}

// wantNoCertificate waits until no client is given one of a Secret. The list is asked
// for, not the stores: see harness.CertificateStores.
func (s *routeScene) wantNoCertificate(secret string) {
	s.t.Helper()
	harness.Eventually(s.t, s.branch+": the end of the certificate of "+secret, func() error {
		reply, err := harness.Runtime(s.g.RuntimeSocket(), "show ssl crt-list "+s.g.StateDir+"/current/certs.list")
		if err == nil && strings.Contains(reply, "/"+s.ns+"_"+secret+"_") {
			err = errors.New(reply)
		}
		return err
	})
}

// podsOf is the addresses of the pods that streams go to.
func podsOf(streams []*stream) map[string]bool {
	held := map[string]bool{}
	for _, c := range streams {
		held[c.pod()] = true
	}
	return held
}

// replaceOtherPods takes all pods away that no stream goes to, and adds new ones.
func (s *routeScene) replaceOtherPods(_ int, streams []*stream) {
	s.t.Helper()
	held := podsOf(streams)
	for _, service := range []string{"grpc", "web"} {
		others := slices.DeleteFunc(slices.Clone(s.ips[service]), func(ip string) bool { return held[harness.PodAddr(ip)] })
		if len(others) == 0 {
			s.t.Errorf("%s: no pod of %s can go", s.branch, service)
		}
		stay := slices.DeleteFunc(s.ips[service], func(ip string) bool { return slices.Contains(others, ip) })
		s.ips[service] = append(stay, s.pods.IPs(2)...)
		s.c.Apply(s.t, harness.EndpointSlice(s.ns, service, "8080", s.ips[service]...))
	}
	// Watches are read in order: the others have been taken in by then, too.
	harness.Eventually(s.t, "the servers of web", func() error { return s.hasServers("web", 80, s.ips["web"]...) })
}

// tellToEnd lets all pods but a new one of each Service terminate; those go on
// serving what they have, and are returned.
func (s *routeScene) tellToEnd() map[string][]string {
	s.t.Helper()
	ending := map[string][]string{}
	for _, service := range []string{"web", "grpc"} {
		ending[service] = s.ips[service]
	}
	s.applyEnding(ending)
	return ending
}

// applyEnding gives each Service one new pod beside those that are ending, and
// waits until all requests find it.
func (s *routeScene) applyEnding(ending map[string][]string) {
	s.t.Helper()
	for service, ips := range ending {
		s.ips[service] = []string{s.pods.IP()}
		slice := harness.EndpointSlice(s.ns, service, "8080", s.ips[service]...)
		for _, ip := range ips {
			slice.Endpoints = append(slice.Endpoints, harness.Endpoint(s.ns, ip, false, true, true))
		}
		s.c.Apply(s.t, slice)
	}
	for range 8 {
		s.wantStreamRoutes("web", plainWay, s.secureWay())
	}
}

// letPodsGo ends the pods of the streams over TLS, one after the other. That an
// endpoint has gone ends nothing; what the process of the pod leaves behind ends
// its own streams and no other. The streams that are left are returned.
func (s *routeScene) letPodsGo(streams []*stream, ending map[string][]string) []*stream {
	s.t.Helper()
	left := slices.Clone(streams)
	for _, c := range streams {
		if c.way.tls == nil || !slices.Contains(left, c) {
			continue
		}
		ip, _, _ := strings.Cut(c.pod(), ":")
		for service, ips := range ending {
			ending[service] = slices.DeleteFunc(ips, func(have string) bool { return have == ip })
		}
		s.applyEnding(ending)
		s.pingAll("the endpoint of "+c.name+" has gone", left)
		s.pods.Hangup(ip)
		left = slices.DeleteFunc(left, func(other *stream) bool {
			if other.pod() != c.pod() {
				return false
			}
			s.wantOver(other)
			return true
		})
		s.pingAll("the pod of "+c.name+" has gone", left)
		harness.Eventually(s.t, "the server of "+ip, func() error { return s.hasNoServer(ip) })
	}
	if len(left) == 0 {
		s.t.Errorf("%s: no stream was left", s.branch)
	}
	return left
}

// wantOver waits until a stream has ended, as one does that was cut.
func (s *routeScene) wantOver(c *stream) {
	s.t.Helper()
	over := make(chan error, 1)
	go func() { over <- c.over() }()
	harness.Eventually(s.t, s.branch+": the end of "+c.name, func() error {
		select {
		case err := <-over:
			if err == nil {
				s.t.Errorf("%s: %s goes on without its pod", s.branch, c.name)
			}
			return nil
		default:
			return errors.New("it is still open")
		}
	})
}

func (s *routeScene) hasNoServer(ip string) error {
	reply, err := harness.Runtime(s.g.RuntimeSocket(), "show servers state")
	for _, end := range []string{" ", "_"} {
		if err == nil && strings.Contains(reply, harness.PodName(ip)+end) {
			err = errors.New(reply)
		}
	}
	return err
}
