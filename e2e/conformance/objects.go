package conformance

import (
	"fmt"
	"strings"

	"headgate.dev/e2e/harness"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// className is the class of every Ingress that names none itself; classController
// is its spec.controller.
const (
	className       = "headgate"
	classController = "headgate.dev/ingress-controller"
)

// ParseObjects reads the objects of a row: YAML where a text begins with
// "apiVersion:", else a short form in which most of the table is written:
//
//	ingress NAME [class=NAME] [namespace=NAME] [KEY=VALUE, an annotation]
//	  HOST  TYPE  PATH  SERVICE:PORT      "-" is no host, or no path
//	  default SERVICE:PORT
//	  tls SECRET HOST …
//	service NAME [namespace=NAME] PORT …  a port is 80:8080 or name=80:8080
//	secret NAME [namespace=NAME] HOST …   of type kubernetes.io/tls, for these hosts
//	class NAME CONTROLLER [default]
//
// "class=-" leaves the class out. Objects without a namespace get this one. The
// certificate of a Secret is issued later; in YAML, `<certificate for HOST …>` as
// tls.crt asks for it.
func ParseObjects(text, namespace string) ([]runtime.Object, error) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "apiVersion:") || strings.HasPrefix(text, "---") {
		return parseYAML(text, namespace)
	}
	var objects []runtime.Object
	var ingress *networkingv1.Ingress
	for _, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		switch words[0] {
		case "ingress":
			ingress = newIngress(words[1:], namespace)
			objects = append(objects, ingress)
		case "service":
			objects = append(objects, newService(words[1:], namespace))
		case "secret":
			objects = append(objects, newSecret(words[1:], namespace))
		case "class":
			class := harness.IngressClass(words[1], words[2])
			if len(words) > 3 && words[3] == "default" {
				class.Annotations = map[string]string{networkingv1.AnnotationIsDefaultIngressClass: "true"}
			}
			objects = append(objects, class)
		default:
			if ingress == nil {
				return nil, fmt.Errorf("%q belongs to no ingress", line)
			}
			if err := addLine(ingress, words); err != nil {
				return nil, fmt.Errorf("%q: %w", line, err)
			}
		}
	}
	return objects, nil
}

func parseYAML(text, namespace string) ([]runtime.Object, error) {
	manifests, err := harness.ParseManifests(text)
	var objects []runtime.Object
	for _, u := range manifests {
		if u.GetNamespace() == "" && isNamespaced(u) {
			u.SetNamespace(namespace)
		}
		objects = append(objects, u)
	}
	return objects, err
}

func isNamespaced(u *unstructured.Unstructured) bool {
	return u.GetKind() != "IngressClass" && u.GetKind() != "Namespace"
}

func newIngress(words []string, namespace string) *networkingv1.Ingress {
	class := className
	annotations := map[string]string{}
	for _, word := range words[1:] {
		switch key, value, _ := strings.Cut(word, "="); key {
		case "class":
			class = value
		case "namespace":
			namespace = value
		default:
			annotations[key] = value
		}
	}
	ingress := harness.Ingress(namespace, words[0])
	if class != "-" {
		harness.Class(class)(ingress)
	}
	for key, value := range annotations {
		harness.Annotation(key, value)(ingress)
	}
	return ingress
}

func newService(words []string, namespace string) runtime.Object {
	ports := words[1:]
	if value, ok := strings.CutPrefix(ports[0], "namespace="); ok {
		namespace, ports = value, ports[1:]
	}
	return harness.Service(namespace, words[0], ports...)
}

// wantedHosts is the annotation of a Secret that asks for a certificate.
const wantedHosts = "conformance/hosts"

func newSecret(words []string, namespace string) runtime.Object {
	hosts := words[1:]
	if value, ok := strings.CutPrefix(hosts[0], "namespace="); ok {
		namespace, hosts = value, hosts[1:]
	}
	secret := harness.TLSSecret(namespace, words[0], harness.KeyPair{})
	secret.Annotations = map[string]string{wantedHosts: strings.Join(hosts, " ")}
	return secret
}

// issue fills in the certificate and the key that a Secret asks for.
func issue(ca *harness.CA, object runtime.Object) error {
	hosts := ""
	switch secret := object.(type) {
	case *corev1.Secret:
		hosts = secret.Annotations[wantedHosts]
	case *unstructured.Unstructured:
		text, _, _ := unstructured.NestedString(secret.Object, "stringData", corev1.TLSCertKey)
		if text, ok := strings.CutPrefix(strings.TrimSpace(text), "<certificate for "); ok {
			hosts = strings.TrimSuffix(text, ">")
		}
	}
	if hosts == "" {
		return nil
	}
	pair, err := ca.Issue(strings.Fields(hosts)...)
	if err != nil {
		return err
	}
	switch secret := object.(type) {
	case *corev1.Secret:
		secret.Data = map[string][]byte{corev1.TLSCertKey: pair.Cert, corev1.TLSPrivateKeyKey: pair.Key}
	case *unstructured.Unstructured:
		err = unstructured.SetNestedStringMap(secret.Object, map[string]string{
			corev1.TLSCertKey: string(pair.Cert), corev1.TLSPrivateKeyKey: string(pair.Key),
		}, "stringData")
	}
	return err
}

// addLine adds a line of an Ingress. Rules of one host follow each other.
func addLine(ingress *networkingv1.Ingress, words []string) error {
	switch {
	case words[0] == "default" && len(words) == 2:
		harness.DefaultBackend(words[1])(ingress)
	case words[0] == "tls" && len(words) >= 2:
		secret := words[1]
		if secret == "-" {
			secret = ""
		}
		harness.TLS(secret, words[2:]...)(ingress)
	case len(words) == 4:
		host, path := words[0], words[2]
		if host == "-" {
			host = ""
		}
		if path == "-" {
			path = ""
		}
		harness.RuleOf(networkingv1.PathType(words[1]), host, path, words[3])(ingress)
	case len(words) == 1: // a host without paths
		host := words[0]
		ingress.Spec.Rules = append(ingress.Spec.Rules, networkingv1.IngressRule{Host: host})
	default:
		return fmt.Errorf("neither a rule, a default nor a tls line")
	}
	return nil
}

// backend is a Service port that some Ingress names.
type backend struct {
	namespace, name, port string
}

// backendsOf lists what an Ingress, typed or not, sends requests to.
func backendsOf(object runtime.Object) []backend {
	ingress, ok := object.(*networkingv1.Ingress)
	if u, isRaw := object.(*unstructured.Unstructured); isRaw && u.GetKind() == "Ingress" {
		ingress = &networkingv1.Ingress{}
		ok = runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, ingress) == nil
	}
	if !ok {
		return nil
	}
	var found []backend
	add := func(b *networkingv1.IngressBackend) {
		if b == nil || b.Service == nil {
			return
		}
		port := b.Service.Port.Name
		if port == "" {
			port = fmt.Sprint(b.Service.Port.Number)
		}
		found = append(found, backend{ingress.Namespace, b.Service.Name, port})
	}
	add(ingress.Spec.DefaultBackend)
	for _, rule := range ingress.Spec.Rules {
		if rule.HTTP != nil {
			for i := range rule.HTTP.Paths {
				add(&rule.HTTP.Paths[i].Backend)
			}
		}
	}
	return found
}
