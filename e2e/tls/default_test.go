package tls

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"headgate.dev/e2e/harness"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// testDefaultByKey has the controller's ConfigMap name the Secret of the default
// certificate, which nobody referred to before, instead of the flag.
func testDefaultByKey(t *testing.T, r *rig) {
	settings := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: harness.ControllerNamespace, Name: "settings"}}
	say := func(secret string) {
		t.Helper()
		settings.Data = map[string]string{"ssl-certificate": r.ns + "/" + secret}
		r.c.Apply(t, settings)
	}
	put := func(secret string) harness.KeyPair {
		t.Helper()
		pair := r.issue(t, secret+".test")
		r.put(t, secret, pair)
		return pair
	}
	byFlag := put("default")
	r.wantCertificate(t, "nobody.test", byFlag)

	byKey := put("key")
	say("key")
	t.Cleanup(func() { r.c.Delete(t, settings) })
	r.wantCertificate(t, "nobody.test", byKey)
	byKey = put("key")
	r.wantCertificate(t, "nobody.test", byKey)
	r.wantNarrow(t, "nobody.test", byKey, func() harness.KeyPair { return put("key") })
	byKey = put("key")
	r.wantCertificate(t, "nobody.test", byKey)

	say("gone")
	for _, s := range r.sites {
		harness.Eventually(t, s.branch+": the log about the Secret", func() error {
			for _, line := range s.g.Log() {
				if strings.Contains(line.Raw, "there is no Secret "+r.ns+"/gone") {
					return nil
				}
			}
			return errors.New("it isn't there")
		})
	}
	r.wantCertificate(t, "nobody.test", byKey)

	r.c.Delete(t, settings)
	r.wantCertificate(t, "nobody.test", byFlag)
	r.wantQuiet(t)
}

// wantNarrow has a controller that watches another namespace only start with the
// key, and follow its Secret.
func (r *rig) wantNarrow(t *testing.T, name string, pair harness.KeyPair, renew func() harness.KeyPair) {
	t.Helper()
	s := &site{branch: "3.4, narrow", g: harness.NewHeadgate(t)}
	s.g.Start(t, "--kubeconfig="+r.c.Kubeconfig(t), "--controller-name=headgate.dev/"+r.class, "--haproxy="+harness.HAProxyPath(t, "3.4"),
		"--config-dir="+filepath.Join(harness.Root(t), "haproxy-cfg"), "--watch-namespace="+harness.ControllerNamespace,
		"--configmap="+harness.ControllerNamespace+"/settings")
	narrow := &rig{c: r.c, ns: r.ns, class: r.class, sites: []*site{s}}
	narrow.wantCertificate(t, name, pair)
	narrow.wantCertificate(t, name, renew())
	s.g.KillAll()
}
