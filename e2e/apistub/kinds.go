package apistub

import "strings"

// Kind is one of the kinds that Headgate reads.
type Kind string

// The kinds; "" stands for all of them where a Fault or a count is meant.
const (
	Ingress       Kind = "Ingress"
	IngressClass  Kind = "IngressClass"
	Service       Kind = "Service"
	EndpointSlice Kind = "EndpointSlice"
	ConfigMap     Kind = "ConfigMap"
	Secret        Kind = "Secret"
)

// Verb is what a request does; "" stands for both.
type Verb string

// The verbs. Each page of a list is a List.
const (
	List  Verb = "list"
	Watch Verb = "watch"
)

// resource is where a kind is served.
type resource struct {
	kind       Kind
	apiVersion string
	prefix     string
	name       string
}

var resources = []resource{
	{Ingress, "networking.k8s.io/v1", "/apis/networking.k8s.io/v1", "ingresses"},
	{IngressClass, "networking.k8s.io/v1", "/apis/networking.k8s.io/v1", "ingressclasses"},
	{Service, "v1", "/api/v1", "services"},
	{EndpointSlice, "discovery.k8s.io/v1", "/apis/discovery.k8s.io/v1", "endpointslices"},
	{ConfigMap, "v1", "/api/v1", "configmaps"},
	{Secret, "v1", "/api/v1", "secrets"},
}

// findResource reads PREFIX/RESOURCE or PREFIX/namespaces/NAMESPACE/RESOURCE.
func findResource(path string) (found resource, namespace string, ok bool) {
	for _, r := range resources {
		rest, ok := strings.CutPrefix(path, r.prefix+"/")
		if !ok {
			continue
		}
		if rest == r.name {
			return r, "", true
		}
		parts := strings.Split(rest, "/")
		if len(parts) == 3 && parts[0] == "namespaces" && parts[1] != "" && parts[2] == r.name {
			return r, parts[1], true
		}
	}
	return resource{}, "", false
}

func resourceOf(kind Kind) (resource, bool) {
	for _, r := range resources {
		if r.kind == kind {
			return r, true
		}
	}
	return resource{}, false
}
