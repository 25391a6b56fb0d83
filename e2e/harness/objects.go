package harness

import (
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// IngressOption is one trait of an Ingress.
type IngressOption func(*networkingv1.Ingress)

// Ingress builds an Ingress:
//
//	harness.Ingress(ns, "web", harness.Class("headgate"),
//		harness.Rule("a.example", "/", "web:80"))
func Ingress(namespace, name string, options ...IngressOption) *networkingv1.Ingress {
	ingress := &networkingv1.Ingress{ObjectMeta: objectMeta(namespace, name)}
	for _, option := range options {
		option(ingress)
	}
	return ingress
}

// Class sets spec.ingressClassName.
func Class(name string) IngressOption {
	return func(i *networkingv1.Ingress) { i.Spec.IngressClassName = &name }
}

// Annotation sets one annotation.
func Annotation(key, value string) IngressOption {
	return func(i *networkingv1.Ingress) { metav1.SetMetaDataAnnotation(&i.ObjectMeta, key, value) }
}

// Rule adds a path of type Prefix. The backend is "service:port", the port a
// number or a name.
func Rule(host, path, backend string) IngressOption {
	return RuleOf(networkingv1.PathTypePrefix, host, path, backend)
}

// RuleOf is Rule with another type of path.
func RuleOf(kind networkingv1.PathType, host, path, backend string) IngressOption {
	return func(i *networkingv1.Ingress) {
		added := networkingv1.HTTPIngressPath{Path: path, PathType: &kind, Backend: ingressBackend(backend)}
		for r := range i.Spec.Rules {
			if i.Spec.Rules[r].Host == host {
				http := i.Spec.Rules[r].HTTP
				http.Paths = append(http.Paths, added)
				return
			}
		}
		i.Spec.Rules = append(i.Spec.Rules, networkingv1.IngressRule{
			Host: host,
			IngressRuleValue: networkingv1.IngressRuleValue{
				HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{added}},
			},
		})
	}
}

// DefaultBackend sets spec.defaultBackend.
func DefaultBackend(backend string) IngressOption {
	return func(i *networkingv1.Ingress) {
		b := ingressBackend(backend)
		i.Spec.DefaultBackend = &b
	}
}

// TLS adds hosts that a Secret's certificate is for.
func TLS(secret string, hosts ...string) IngressOption {
	return func(i *networkingv1.Ingress) {
		i.Spec.TLS = append(i.Spec.TLS, networkingv1.IngressTLS{SecretName: secret, Hosts: hosts})
	}
}

// IngressClass builds a class of this controller.
func IngressClass(name, controller string) *networkingv1.IngressClass {
	return &networkingv1.IngressClass{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       networkingv1.IngressClassSpec{Controller: controller},
	}
}

// Service builds a Service without a selector, so that its EndpointSlices are
// the test's to write. A port is "80:8080" (port, target) or "web=80:8080" with
// a name; several ports need names.
func Service(namespace, name string, ports ...string) *corev1.Service {
	service := &corev1.Service{ObjectMeta: objectMeta(namespace, name)}
	for _, text := range ports {
		portName, numbers := splitName(text)
		port, target, _ := strings.Cut(numbers, ":")
		if target == "" {
			target = port
		}
		service.Spec.Ports = append(service.Spec.Ports, corev1.ServicePort{
			Name: portName, Port: number(port), TargetPort: intstr.Parse(target), Protocol: corev1.ProtocolTCP,
		})
	}
	return service
}

// EndpointSlice builds the slice "<service>-1" with ready pods at these
// addresses. The port is "8080", or "web=8080" for a Service port with a name.
func EndpointSlice(namespace, service, port string, addresses ...string) *discoveryv1.EndpointSlice {
	portName, text := splitName(port)
	target, protocol := number(text), corev1.ProtocolTCP
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  objectMeta(namespace, service+"-1"),
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: &portName, Port: &target, Protocol: &protocol}},
	}
	slice.Labels = map[string]string{discoveryv1.LabelServiceName: service}
	for _, address := range addresses {
		slice.Endpoints = append(slice.Endpoints, Endpoint(namespace, address, true, true, false))
	}
	return slice
}

// Endpoint is one endpoint with its conditions, for slices of which not all pods
// are ready.
func Endpoint(namespace, address string, ready, serving, terminating bool) discoveryv1.Endpoint {
	return discoveryv1.Endpoint{
		Addresses:  []string{address},
		Conditions: discoveryv1.EndpointConditions{Ready: &ready, Serving: &serving, Terminating: &terminating},
		TargetRef:  &corev1.ObjectReference{Kind: "Pod", Namespace: namespace, Name: PodName(address)},
	}
}

// PodName is the name that the builders give to the pod at an address.
func PodName(address string) string {
	return "pod-" + strings.ReplaceAll(address, ".", "-")
}

// TLSSecret builds a Secret of type kubernetes.io/tls.
func TLSSecret(namespace, name string, pair KeyPair) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: objectMeta(namespace, name),
		Type:       corev1.SecretTypeTLS,
		Data:       map[string][]byte{corev1.TLSCertKey: pair.Cert, corev1.TLSPrivateKeyKey: pair.Key},
	}
}

// Secret is one of type Opaque, with these keys.
func Secret(namespace, name string, data map[string]string) *corev1.Secret {
	return &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{Kind: "Secret", APIVersion: "v1"},
		ObjectMeta: objectMeta(namespace, name),
		StringData: data,
	}
}

func objectMeta(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name}
}

func ingressBackend(text string) networkingv1.IngressBackend {
	name, port, _ := strings.Cut(text, ":")
	backend := &networkingv1.IngressServiceBackend{Name: name}
	if n, err := strconv.Atoi(port); err == nil {
		backend.Port.Number = int32(n)
	} else {
		backend.Port.Name = port
	}
	return networkingv1.IngressBackend{Service: backend}
}

// splitName splits "name=rest"; the name may be left out.
func splitName(text string) (name, rest string) {
	if name, rest, ok := strings.Cut(text, "="); ok {
		return name, rest
	}
	return "", text
}

// number reads a port. The texts are literals in tests, so a wrong one panics.
func number(text string) int32 {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		panic(fmt.Sprintf("harness: %q is not a port: %v", text, err))
	}
	return int32(n)
}
