package apistub

import (
	"net/http"
	"slices"
	"strings"
)

// Kind is one of the kinds that Headgate reads or writes.
type Kind string

// The kinds; "" stands for all of them where a Fault or a count is meant.
const (
	Ingress       Kind = "Ingress"
	IngressClass  Kind = "IngressClass"
	Service       Kind = "Service"
	EndpointSlice Kind = "EndpointSlice"
	ConfigMap     Kind = "ConfigMap"
	Secret        Kind = "Secret"
	Lease         Kind = "Lease"
	Event         Kind = "Event" // of events.k8s.io
)

// Verb is what a request does; "" stands for all of them.
type Verb string

// The verbs. Each page of a list is a List. A Patch of an Ingress is one of its
// status.
const (
	List   Verb = "list"
	Watch  Verb = "watch"
	Get    Verb = "get"
	Create Verb = "create"
	Patch  Verb = "patch"
)

// resource is where a kind is served.
type resource struct {
	kind       Kind
	apiVersion string
	prefix     string
	plural     string
	verbs      []Verb // besides List and Watch
}

var resources = []resource{
	{Ingress, "networking.k8s.io/v1", "/apis/networking.k8s.io/v1", "ingresses", []Verb{Patch}},
	{IngressClass, "networking.k8s.io/v1", "/apis/networking.k8s.io/v1", "ingressclasses", nil},
	{Service, "v1", "/api/v1", "services", nil},
	{EndpointSlice, "discovery.k8s.io/v1", "/apis/discovery.k8s.io/v1", "endpointslices", nil},
	{ConfigMap, "v1", "/api/v1", "configmaps", nil},
	{Secret, "v1", "/api/v1", "secrets", []Verb{Get}},
	{Lease, "coordination.k8s.io/v1", "/apis/coordination.k8s.io/v1", "leases", []Verb{Get, Create, Patch}},
	{Event, "events.k8s.io/v1", "/apis/events.k8s.io/v1", "events", []Verb{Create}},
}

// target is what a path names.
type target struct {
	namespace   string // "" = all
	name        string // "" = the whole kind
	subresource string
}

// findResource reads PREFIX/RESOURCE, or PREFIX/namespaces/NAMESPACE/RESOURCE with
// /NAME and /SUBRESOURCE behind, or without.
func findResource(path string) (found resource, at target, ok bool) {
	for _, r := range resources {
		rest, ok := strings.CutPrefix(path, r.prefix+"/")
		if !ok {
			continue
		}
		if rest == r.plural {
			return r, target{}, true
		}
		parts := strings.Split(rest, "/")
		if len(parts) < 3 || len(parts) > 5 || parts[0] != "namespaces" || parts[2] != r.plural || slices.Contains(parts, "") {
			continue
		}
		parts = append(parts, "", "")
		return r, target{parts[1], parts[3], parts[4]}, true
	}
	return resource{}, target{}, false
}

// verbOf is what a request wants; ok = false when Headgate has no business to.
func (c *call) verbOf() (verb Verb, ok bool) {
	switch {
	case c.r.Method == http.MethodGet && c.name == "":
		if on := c.r.URL.Query().Get("watch"); on == "1" || on == "true" {
			return Watch, true
		}
		return List, true
	case c.r.Method == http.MethodGet:
		verb = Get
	case c.r.Method == http.MethodPost && c.name == "":
		verb = Create
	case c.r.Method == http.MethodPatch && c.name != "":
		verb = Patch
	}
	isStatus := c.subresource == "status" && c.kind == Ingress
	return verb, slices.Contains(c.verbs, verb) && c.namespace != "" && (c.subresource == "" || isStatus) && isStatus == (c.kind == Ingress)
}

func resourceOf(kind Kind) (resource, bool) {
	for _, r := range resources {
		if r.kind == kind {
			return r, true
		}
	}
	return resource{}, false
}
