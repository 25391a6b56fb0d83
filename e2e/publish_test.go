package e2e

import (
	"context"
	"fmt"
	"testing"

	"headgate.dev/e2e/harness"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// publishSteps is what becomes of the Service that --publish-service names, and the
// status that all Ingresses have then.
var publishSteps = []struct {
	name     string
	balancer []corev1.LoadBalancerIngress // the Service's status
	external []string                     // its spec.externalIPs
	want     string                       // as of statusText
	writes   int                          // of each Ingress
}{
	{"no address yet", nil, nil, "", 0},
	{"an IP address", []corev1.LoadBalancerIngress{{IP: "192.0.2.10"}}, nil, "192.0.2.10", 1},
	{"the same again", []corev1.LoadBalancerIngress{{IP: "192.0.2.10"}}, nil, "192.0.2.10", 0},
	{"a host name", []corev1.LoadBalancerIngress{{Hostname: "lb.example"}}, nil, "lb.example", 1},
	{"several of both", []corev1.LoadBalancerIngress{{IP: "192.0.2.11"}, {IP: "2001:db8::11"}, {Hostname: "lb.example"}}, nil,
		"192.0.2.11 2001:db8::11 lb.example", 1},
	{"in another order", []corev1.LoadBalancerIngress{{Hostname: "lb.example"}, {IP: "192.0.2.11"}, {IP: "2001:db8::11"}}, nil,
		"lb.example 192.0.2.11 2001:db8::11", 1},
	{"one less", []corev1.LoadBalancerIngress{{IP: "192.0.2.11"}}, nil, "192.0.2.11", 1},
	{"externalIPs, which come behind", []corev1.LoadBalancerIngress{{IP: "192.0.2.11"}}, []string{"198.51.100.1"}, "192.0.2.11", 0},
	{"externalIPs alone", nil, []string{"198.51.100.1", "198.51.100.2"}, "198.51.100.1 198.51.100.2", 1},
	{"none any more", nil, nil, "", 1},
	{"back", []corev1.LoadBalancerIngress{{IP: "192.0.2.12"}}, nil, "192.0.2.12", 1},
}

// TestPublishService has the status of Ingresses follow a Service of type
// LoadBalancer in another namespace, with one write each and no more.
func TestPublishService(t *testing.T) {
	s := newRouteScene(t, "3.4")
	s.serve("web", 1)
	names := []string{"one", "two"}
	for _, name := range names {
		s.c.Apply(t, s.ingress(name, harness.Rule(name+".example", "/", "web:80")))
	}
	service := harness.Service(s.c.Namespace(t), "edge", "80:8080")
	service.Spec.Type = corev1.ServiceTypeLoadBalancer
	s.c.Apply(t, service)
	audit := s.audit()
	s.start("--publish-service="+service.Namespace+"/edge", "--lease="+harness.ControllerNamespace+"/"+s.class)
	statusLeader(t, []*harness.Headgate{s.g})
	writes := 0
	for _, step := range publishSteps {
		service.Spec.ExternalIPs = step.external
		s.c.Apply(t, service)
		s.setBalancer(service, step.balancer)
		for _, name := range names {
			s.wantAddresses(name, step.want)
		}
		writes += step.writes
		audit.want("patch ingresses/status", writes*len(names))
	}

	// One that comes later gets it, too. Without the Service all stay as they are.
	last := publishSteps[len(publishSteps)-1].want
	s.c.Apply(t, s.ingress("three", harness.Rule("three.example", "/", "web:80")))
	s.wantAddresses("three", last)
	from := len(s.g.Log())
	s.c.Delete(t, service)
	s.g.WaitLog(t, from, "level=warn", "service=edge")
	for _, name := range append(names, "three") {
		s.wantAddresses(name, last)
	}
	audit.want("patch ingresses/status", writes*len(names)+1)
	s.healthy()
}

// setBalancer writes the status of a Service as the cloud's controller does.
func (s *routeScene) setBalancer(service *corev1.Service, addresses []corev1.LoadBalancerIngress) {
	s.t.Helper()
	client := s.c.Client.CoreV1().Services(service.Namespace)
	object, err := client.Get(context.Background(), service.Name, metav1.GetOptions{})
	if err == nil {
		object.Status.LoadBalancer.Ingress = addresses
		_, err = client.UpdateStatus(context.Background(), object, metav1.UpdateOptions{})
	}
	if err != nil {
		s.t.Fatalf("%v: %v", addresses, fmt.Errorf("the status of the Service: %w", err))
	}
}
