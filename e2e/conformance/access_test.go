package conformance

import (
	"testing"

	"headgate.dev/e2e/harness"
)

// TestAccess has a controller do everything that it can ask the API server for,
// and then compares what deploy/rbac/headgate.yaml grants with what the API
// server's audit log says was used: the two are equal. All other tests of this
// package run as the same account, and count as well.
func TestAccess(t *testing.T) {
	r := newRig(t)
	class := harness.IngressClass(className, classController)
	r.c.Apply(t, class)
	t.Cleanup(func() { r.c.Delete(t, class) })
	r.start(t, 253, "--configmap="+harness.ControllerNamespace+"/headgate",
		"--lease="+harness.ControllerNamespace+"/access", "--publish-address=192.0.2.1")
	// Routes: Ingresses, classes, Services and EndpointSlices. A status, and an Event for
	// the Service that is missing.
	objects := r.parse(t, "ingress access\n access.test Prefix / service1:80\n access.test Prefix /missing missing:80")
	t.Cleanup(func() { r.remove(t, objects) })
	r.apply(t, objects, nil)
	r.want(t, r.requests(t, "GET http://access.test/ -> service1"))
	// A Secret that comes to be needed later is fetched by itself.
	later := harness.Ingress("default", "later", harness.Class(className), harness.Rule("later.test", "/", "later:80"), harness.TLS("not-there", "later.test"))
	r.c.Apply(t, later)
	t.Cleanup(func() { r.c.Delete(t, later) })
	granted := harness.GrantedAccess(t)
	harness.Eventually(t, "granted and used access", func() error {
		for _, err := range harness.CheckAccess(granted, r.c.UsedAccess(t)) {
			return err
		}
		return nil
	})
	for access := range granted {
		t.Log(access)
	}
}
