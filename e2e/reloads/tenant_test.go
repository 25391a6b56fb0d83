package reloads

import (
	"fmt"
	"slices"

	"headgate.dev/e2e/harness"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// change is a row: the objects before and after it.
type change struct {
	name     string
	from, to []runtime.Object
	want     []string // afterwards, as "host/path status"
}

type section struct {
	name string
	rows []change
}

// objects flattens lists of objects.
func objects(lists ...[]runtime.Object) []runtime.Object { return slices.Concat(lists...) }

func one(object runtime.Object) []runtime.Object { return []runtime.Object{object} }

// pods are the addresses from..to of the pods, which all answer.
func pods(from, to int) []string {
	var ips []string
	for i := from; i <= to; i++ {
		ips = append(ips, fmt.Sprintf("10.244.%d.%d", 200+i/200, 1+i%200))
	}
	return ips
}

// served is a Service and its pods.
func served(name string, ips ...string) []runtime.Object {
	return []runtime.Object{
		harness.Service(namespace, name, "80:8080"),
		harness.EndpointSlice(namespace, name, "8080", ips...),
	}
}

func ingress(name string, options ...harness.IngressOption) []runtime.Object {
	return one(harness.Ingress(namespace, name, append([]harness.IngressOption{harness.Class(className)}, options...)...))
}

// row is the Ingress that most rows are about; its backends are web and api, which
// the base has.
func row(options ...harness.IngressOption) []runtime.Object { return ingress("row", options...) }

// site is a Service with an Ingress and a host of its own.
func site(name string, ips ...string) []runtime.Object {
	return objects(served(name, ips...), ingress(name, harness.Rule(name+".test", "/", name+":80")))
}

func sites(n int) (all []runtime.Object) {
	for i := range n {
		all = objects(all, site(fmt.Sprintf("site-%d", i), pods(i, i)...))
	}
	return all
}

func hosts(n int) (all []runtime.Object) {
	for i := range n {
		name := fmt.Sprintf("host-%d", i)
		all = objects(all, ingress(name, harness.Rule(name+".test", "/", "web:80")))
	}
	return all
}

// endpoints is site "row" with one pod that is ready and another in this state.
func endpoints(ready, serving, terminating bool) []runtime.Object {
	slice := harness.EndpointSlice(namespace, "row", "8080", pods(1, 1)...)
	slice.Endpoints = append(slice.Endpoints, harness.Endpoint(namespace, pods(2, 2)[0], ready, serving, terminating))
	return objects(one(harness.Service(namespace, "row", "80:8080")), one(slice), rowSite())
}

func rowSite() []runtime.Object { return row(harness.Rule("row.test", "/", "row:80")) }

func withProtocol(protocol string) []runtime.Object {
	service := harness.Service(namespace, "row", "80:8080")
	if protocol != "" {
		service.Spec.Ports[0].AppProtocol = &protocol
	}
	return objects(one(service), one(harness.EndpointSlice(namespace, "row", "8080", pods(1, 2)...)), rowSite())
}

func external() []runtime.Object {
	service := harness.Service(namespace, "row", "80")
	service.Spec.Type, service.Spec.ExternalName = corev1.ServiceTypeExternalName, "outside.test"
	return objects(one(service), rowSite())
}

// secured is the Ingress row for some hosts with a certificate.
func secured(secret runtime.Object, names ...string) []runtime.Object {
	options := []harness.IngressOption{harness.TLS("row", names...)}
	for _, name := range names {
		options = append(options, harness.Rule(name, "/", "web:80"))
	}
	return objects(one(secret), row(options...))
}

// tenantSections is everything that who may write Ingresses, Services and Secrets
// can do.
func tenantSections(secrets secrets) []section {
	shop := harness.Rule("row.test", "/", "web:80")
	api := harness.Rule("row.test", "/api", "api:80")
	exact := networkingv1.PathTypeExact
	return []section{
		{"Pods", []change{
			{"a pod comes", site("row", pods(1, 2)...), site("row", pods(1, 3)...), []string{"row.test/ 200"}},
			{"a pod goes", site("row", pods(1, 3)...), site("row", pods(1, 2)...), []string{"row.test/ 200"}},
			{"a pod is replaced", site("row", pods(1, 2)...), site("row", pods(2, 3)...), []string{"row.test/ 200"}},
			{"from 1 pod to 20", site("row", pods(1, 1)...), site("row", pods(1, 20)...), []string{"row.test/ 200"}},
			{"from 20 pods to 1", site("row", pods(1, 20)...), site("row", pods(1, 1)...), []string{"row.test/ 200"}},
			{"the last pod goes", site("row", pods(1, 1)...), site("row"), []string{"row.test/ 503"}},
			{"the first pod comes", site("row"), site("row", pods(1, 1)...), []string{"row.test/ 200"}},
			{"a pod is not ready any more", endpoints(true, true, false), endpoints(false, false, false), []string{"row.test/ 200"}},
			{"a pod terminates and still serves", endpoints(true, true, false), endpoints(false, true, true), []string{"row.test/ 200"}},
		}},
		{"Services", []change{
			{"a Service with an Ingress and a host", nil, site("new", pods(1, 2)...), []string{"new.test/ 200"}},
			{"these go", site("new", pods(1, 2)...), nil, []string{"new.test/ 404"}},
			{"50 of each at once", nil, sites(50), []string{"site-0.test/ 200", "site-49.test/ 200"}},
			{"these 50 go", sites(50), nil, []string{"site-0.test/ 404", "site-49.test/ 404"}},
			{
				"the Service of an Ingress goes", site("row", pods(1, 2)...),
				objects(one(harness.EndpointSlice(namespace, "row", "8080", pods(1, 2)...)), rowSite()), []string{"row.test/ 503"},
			},
			{
				"its port gets another number",
				objects(site("row", pods(1, 2)...)),
				objects(one(harness.Service(namespace, "row", "81:8080")), one(harness.EndpointSlice(namespace, "row", "8080", pods(1, 2)...)),
					row(harness.Rule("row.test", "/", "row:81"))), []string{"row.test/ 200"},
			},
			{
				"its target port gets another number", site("row", pods(1, 2)...),
				objects(one(harness.Service(namespace, "row", "80:8081")), one(harness.EndpointSlice(namespace, "row", "8081", pods(1, 2)...)),
					ingress("row", harness.Rule("row.test", "/", "row:80"))), []string{"row.test/ 200"},
			},
			{"its protocol becomes HTTP/2", withProtocol(""), withProtocol("kubernetes.io/h2c"), []string{"row.test/ 200"}},
			{"a Service of type ExternalName", nil, external(), []string{"row.test/ 503"}},
			{"it goes", external(), nil, []string{"row.test/ 404"}},
		}},
		{"Hosts and paths", []change{
			{"an Ingress with a new host", nil, row(shop), []string{"row.test/ 200"}},
			{"it goes", row(shop), nil, []string{"row.test/ 404"}},
			{"500 Ingresses with a new host each", nil, hosts(500), []string{"host-0.test/ 200", "host-499.test/ 200"}},
			{"these 500 go", hosts(500), nil, []string{"host-0.test/ 404", "host-499.test/ 404"}},
			{"a host more", row(shop), row(shop, harness.Rule("more.test", "/", "web:80")), []string{"more.test/ 200"}},
			{"another host", row(shop), row(harness.Rule("other.test", "/", "web:80")), []string{"row.test/ 404", "other.test/ 200"}},
			{"a wildcard host", row(shop), row(shop, harness.Rule("*.row.test", "/", "web:80")), []string{"a.row.test/ 200"}},
			{"a rule without a host", row(shop), row(shop, harness.Rule("", "/any", "web:80")), []string{"who.test/any 200"}},
			{"a path more", row(shop), row(shop, api), []string{"row.test/api 200"}},
			{"a path less", row(shop, api), row(shop), []string{"row.test/api 200"}},
			{"another path", row(api), row(harness.Rule("row.test", "/v2", "api:80")), []string{"row.test/api 404", "row.test/v2 200"}},
			{"another type of path", row(api), row(harness.RuleOf(exact, "row.test", "/api", "api:80")), []string{"row.test/api 200", "row.test/api/ 404"}},
			{"a path leads to another Service", row(shop), row(harness.Rule("row.test", "/", "api:80")), []string{"row.test/ 200"}},
			{"a default backend for the Ingress's hosts", row(api), row(api, harness.DefaultBackend("web:80")), []string{"row.test/x 200"}},
			{"another one", row(api, harness.DefaultBackend("web:80")), row(api, harness.DefaultBackend("api:80")), []string{"row.test/x 200"}},
			{"none any more", row(api, harness.DefaultBackend("web:80")), row(api), []string{"row.test/x 404"}},
			{"a default backend for everybody", nil, row(harness.DefaultBackend("web:80")), []string{"who.test/ 200"}},
			{"a path that is refused beside a good one", row(shop), row(shop, harness.Rule("row.test", "/a b", "api:80")), []string{"row.test/ 200"}},
			{"another class, not ours", row(shop), one(harness.Ingress(namespace, "row", harness.Class("theirs"), shop)), []string{"row.test/ 404"}},
			{"our class again", one(harness.Ingress(namespace, "row", harness.Class("theirs"), shop)), row(shop), []string{"row.test/ 200"}},
		}},
		{"Certificates", []change{
			{"TLS for a host that is there", row(shop), secured(secrets.first, "row.test"), []string{"row.test/ 308"}},
			{"no TLS any more", secured(secrets.first, "row.test"), row(shop), []string{"row.test/ 200"}},
			{"the certificate is renewed", secured(secrets.first, "row.test"), secured(secrets.renewed, "row.test"), []string{"row.test/ 308"}},
			{"a host more for it", secured(secrets.first, "row.test"), secured(secrets.first, "row.test", "more.test"), []string{"more.test/ 308"}},
			{"its Secret goes", secured(secrets.first, "row.test"), secured(secrets.other, "row.test"), []string{"row.test/ 308"}},
			{"its Secret is broken", secured(secrets.first, "row.test"), secured(secrets.broken, "row.test"), []string{"row.test/ 308"}},
		}},
	}
}
