package reloads

import (
	"fmt"
	"testing"

	"headgate.dev/e2e/harness"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// secrets are named row, but for other and standard.
type secrets struct {
	first, renewed, broken, other *corev1.Secret
	standard, standardRenewed     *corev1.Secret
	otherStandard                 *corev1.Secret
	firstCA, secondCA             *corev1.Secret
	clientsCA, otherClientsCA     *corev1.Secret
}

func newSecrets(t *testing.T) (s secrets) {
	t.Helper()
	ca, err := harness.NewCA("reloads")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		secret **corev1.Secret
		name   string
		host   string
	}{
		{&s.first, "row", "row.test"},
		{&s.renewed, "row", "row.test"},
		{&s.other, "other", "row.test"},
		{&s.standard, "standard", "standard.test"},
		{&s.standardRenewed, "standard", "standard.test"},
		{&s.otherStandard, "other-standard", "standard.test"},
	} {
		pair, err := ca.Issue(want.host, "more.test", "secure.test")
		if err != nil {
			t.Fatal(err)
		}
		*want.secret = harness.TLSSecret(namespace, want.name, pair)
	}
	s.firstCA = harness.Secret(namespace, "first-ca", map[string]string{"ca.crt": string(ca.PEM)})
	s.secondCA = harness.Secret(namespace, "second-ca", map[string]string{"ca.crt": string(ca.PEM)})
	other, err := harness.NewCA("others")
	if err != nil {
		t.Fatal(err)
	}
	s.clientsCA = harness.Secret(namespace, "clients-ca", map[string]string{"ca.crt": string(ca.PEM)})
	s.otherClientsCA = harness.Secret(namespace, "clients-ca", map[string]string{"ca.crt": string(other.PEM)})
	s.broken = harness.TLSSecret(namespace, "row", harness.KeyPair{Cert: []byte("no"), Key: []byte("no")})
	return s
}

// baseObjects is what stays.
func baseObjects(secrets secrets) []runtime.Object {
	return objects(
		one(class(className, controllerName)),
		served("web", pods(101, 102)...), served("api", pods(103, 104)...),
		ingress("base", harness.Rule("web.test", "/", "web:80"), harness.Rule("api.test", "/", "api:80"),
			harness.Rule("secure.test", "/", "web:80"), harness.TLS("standard", "secure.test")),
		one(secrets.standard), one(secrets.otherStandard), one(secrets.firstCA), one(secrets.secondCA),
	)
}

func class(name, controller string) *networkingv1.IngressClass {
	return harness.IngressClass(name, controller)
}

func defaultClass() *networkingv1.IngressClass {
	c := class("spare", controllerName)
	c.Annotations = map[string]string{networkingv1.AnnotationIsDefaultIngressClass: "true"}
	return c
}

// withParameters is the class spare with a ConfigMap of options.
func withParameters() *networkingv1.IngressClass {
	scope, ns := "Namespace", namespace
	c := class("spare", controllerName)
	c.Spec.Parameters = &networkingv1.IngressClassParametersReference{
		Kind: "ConfigMap", Name: "spare", Scope: &scope, Namespace: &ns,
	}
	return c
}

func configMap(name, key, value string) runtime.Object {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Data:       map[string]string{key: value},
	}
}

// tcpServices is the ConfigMap with ports that lead to these Services, from 5432 on.
func tcpServices(names ...string) []runtime.Object {
	data := map[string]string{}
	for i, name := range names {
		data[fmt.Sprint(5432+i)] = namespace + "/" + name + ":80"
	}
	return one(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "tcp"}, Data: data})
}

// operatorSections is what the operator can do to objects.
func operatorSections(secrets secrets) []section {
	spare := one(harness.Ingress(namespace, "row", harness.Class("spare"), harness.Rule("row.test", "/", "web:80")))
	unclassed := one(harness.Ingress(namespace, "row", harness.Rule("row.test", "/", "web:80")))
	secure := objects(one(secrets.first), one(harness.Ingress(namespace, "row", harness.Class("spare"),
		harness.Rule("row.test", "/", "web:80"), harness.TLS("row", "row.test"))))
	ours := one(class("spare", controllerName))
	restricted := one(harness.Ingress(namespace, "row", harness.Class("headgate"), harness.Rule("row.test", "/", "web:80"),
		harness.Annotation("haproxy.org/allow-list", "patterns/office")))
	return []section{
		{"Classes", []change{
			{"an IngressClass comes", spare, objects(spare, ours), []string{"row.test/ 200"}},
			{"it goes", objects(spare, ours), spare, []string{"row.test/ 404"}},
			{"it gets another controller", objects(spare, ours), objects(spare, one(class("spare", "example.test/other"))), []string{"row.test/ 404"}},
			{"it becomes the default class", objects(unclassed, ours), objects(unclassed, one(defaultClass())), []string{"row.test/ 200"}},
			{
				"its ConfigMap says `ssl-redirect: false`",
				objects(secure, one(withParameters())), objects(secure, one(withParameters()), one(configMap("spare", "ssl-redirect", "false"))),
				[]string{"row.test/ 200"},
			},
		}},
		{"Settings", []change{
			{"`log-level` in the controller's ConfigMap", nil, one(configMap("settings", "log-level", "debug")), nil},
			{"`ssl-certificate`", nil, one(configMap("settings", "ssl-certificate", "standard")), webIsThere},
			{"`default-backend-service`", nil, one(configMap("settings", "default-backend-service", namespace+"/web")), []string{"who.test/ 200"}},
			{"`default-backend-service` goes", one(configMap("settings", "default-backend-service", namespace+"/web")), nil, []string{"who.test/ 404"}},
			{"`timeout-client`, and whatever else is about the whole of HAProxy", nil, one(configMap("settings", "timeout-client", "5m")), webIsThere},
			{"the same in other words", one(configMap("settings", "timeout-client", "5m")), one(configMap("settings", "timeout-client", "300s")), webIsThere},
			{"it goes", one(configMap("settings", "timeout-client", "5m")), nil, webIsThere},
			{"an error page comes (`--configmap-errorfiles`)", nil, one(configMap("pages", "404", "HTTP/1.1 404 Not Found\n\nno\n")), webIsThere},
			{"a file of patterns that `allow-list` names changes (`--configmap-patternfiles`)",
				objects(one(configMap("patterns", "office", "192.0.2.0/24")), restricted), objects(one(configMap("patterns", "office", "127.0.0.1")), restricted),
				[]string{"row.test/ 200"}},
			{"one that HAProxy could not use", nil, one(configMap("pages", "404", "no\n")), webIsThere},
			{"another port for a TCP service (`--configmap-tcp-services`)", tcpServices("web"), tcpServices("web", "web"), webIsThere},
			{"two ports lead to each other's Service", tcpServices("web", "api"), tcpServices("api", "web"), webIsThere},
			{"a port leads to a Service that is not there", tcpServices("web", "web"), tcpServices("web", "nowhere"), webIsThere},
			{"a port goes", tcpServices("web", "web"), tcpServices("web"), webIsThere},
			{"`client-ca` in the controller's ConfigMap", nil, one(configMap("settings", "client-ca", namespace+"/first-ca")), webIsThere},
			{"its Secret has another authority", objects(one(configMap("settings", "client-ca", namespace+"/clients-ca")), one(secrets.clientsCA)),
				objects(one(configMap("settings", "client-ca", namespace+"/clients-ca")), one(secrets.otherClientsCA)), webIsThere},
			{"its Secret can't be used any more", objects(one(configMap("settings", "client-ca", namespace+"/clients-ca")), one(secrets.clientsCA)),
				one(configMap("settings", "client-ca", namespace+"/clients-ca")), webIsThere},
		}},
	}
}
