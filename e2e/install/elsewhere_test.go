package install

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headgate.dev/e2e/harness"
)

const unwatched = ": its namespace is not watched: add it to --watch-namespace; "

// TestNamedElsewhere: a controller that may read one namespace only is ready and
// serves, whatever its ConfigMap names in another one, and says what to do about it.
func TestNamedElsewhere(t *testing.T) {
	c, pods := harness.StartCluster(t), harness.StartPodsOn(t, servicePort)
	i := applyRelease(t, c, "narrow", "192.0.2.3", ", watchNamespaces: [narrow]}, rbac: {namespaced: true}}")
	t.Cleanup(func() { c.Delete(t, namedClass("narrow")) })
	elsewhere, ips := c.Namespace(t), pods.IPs(1)
	pair, err := c.CA.Issue("standard.example")
	if err != nil {
		t.Fatal(err)
	}
	c.Apply(t, harness.Service("narrow", "web", "80:9090"), harness.EndpointSlice("narrow", "web", "9090", ips...),
		harness.Ingress("narrow", "web", harness.Class("narrow"), harness.Rule("web.example", "/", "web:80")),
		harness.Ingress("narrow", "users", harness.Class("narrow"), harness.Rule("users.example", "/", "web:80"),
			harness.Annotation("headgate.dev/auth-type", "basic-auth")),
		harness.Service(elsewhere, "errors", "80:9090"), harness.EndpointSlice(elsewhere, "errors", "9090", ips...),
		harness.Secret(elsewhere, "clients", map[string]string{"ca.crt": string(c.CA.PEM)}),
		harness.Secret(elsewhere, "users", map[string]string{"joe": "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="}),
		harness.TLSSecret(elsewhere, "standard", pair),
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "narrow", Name: "narrow-headgate"}, Data: map[string]string{
			"client-ca": elsewhere + "/clients", "ssl-certificate": elsewhere + "/standard",
			"default-backend-service": elsewhere + "/errors", "auth-secret": elsewhere + "/users", "prometheus-endpoint-auth-secret": elsewhere + "/users",
		}})
	i.start(t, c)
	harness.WantPod(t, i.g.HTTP, "web.example", "/", ips...)
	harness.WantStatus(t, i.g.HTTP, "users.example", "/", 403)
	harness.WantStatus(t, i.g.HTTP, "nobody.example", "/", 503)
	for _, said := range [][]string{
		{"key=client-ca", "msg=Secret " + elsewhere + "/clients" + unwatched + "until then no client's certificate is good"},
		{"key=prometheus-endpoint-auth-secret", "msg=Secret " + elsewhere + "/users" + unwatched + "until then nobody may read the metrics"},
		{"ingress=" + elsewhere + "/data[default-backend-service]", "msg=Service " + elsewhere + "/errors" + unwatched + "until then requests get 503"},
		{"ingress=narrow/users", "msg=Secret " + elsewhere + "/users" + unwatched + "until then requests get 403"},
		{"ingress=" + elsewhere + "/data[ssl-certificate]", "reason=SecretNotFound"},
	} {
		i.g.WaitLog(t, 0, append(said, "level=warn")...)
	}

	// The default certificate needs nothing but access to its namespace.
	for _, object := range i.objects {
		if kind := object.GetKind(); (kind == "Role" || kind == "RoleBinding") && strings.HasSuffix(object.GetName(), "-routes") {
			there := object.DeepCopy()
			there.SetNamespace(elsewhere)
			c.Apply(t, there)
		}
	}
	i.g.WaitLog(t, 0, "msg=nothing is wrong any more", "ingress="+elsewhere+"/data[ssl-certificate]")
	i.remove(t, c)
}
