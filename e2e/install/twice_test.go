package install

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"headgate.dev/e2e/chart"
	"headgate.dev/e2e/harness"
)

// installation is a release of the chart, with a controller that has its flags and
// its account. Both run in one network, so addresses and folders are the harness's.
type installation struct {
	name, ip string
	objects  []*unstructured.Unstructured
	g        *harness.Headgate
}

func installRelease(t *testing.T, c *harness.Cluster, name, ip, values string) *installation {
	t.Helper()
	i := applyRelease(t, c, name, ip, values)
	i.start(t, c)
	return i
}

// applyRelease is the same before there is a controller.
func applyRelease(t *testing.T, c *harness.Cluster, name, ip, values string) *installation {
	t.Helper()
	i := &installation{name: name, ip: ip, g: harness.NewHeadgate(t)}
	i.objects = render(t, chart.Release{Name: name, Namespace: name},
		fmt.Sprintf(`{namespace: {create: true}, controller: {ingressClassResource: {name: %s}%s`, name, values))
	for _, object := range i.objects {
		c.Apply(t, object)
	}
	publish(t, c, name, name+"-headgate", ip)
	return i
}

func (i *installation) start(t *testing.T, c *harness.Cluster) {
	t.Helper()
	_, template := workload(t, i.objects)
	args := slices.DeleteFunc(slices.Clone(template.Spec.Containers[0].Args[1:]), func(arg string) bool {
		return strings.HasPrefix(arg, "--admin-bind=")
	})
	i.g.Start(t, append(args, "--kubeconfig="+c.ServiceAccountKubeconfig(t, i.name, template.Spec.ServiceAccountName),
		"--haproxy="+harness.HAProxyPath(t, "3.4"), "--config-dir="+harness.Root(t)+"/haproxy-cfg")...)
	i.g.WaitReady(t)
}

// remove is what `kubectl delete ingressclass` and then `helm uninstall` do, and the
// end of the pods.
func (i *installation) remove(t *testing.T, c *harness.Cluster, tenants ...string) {
	t.Helper()
	c.Delete(t, namedClass(i.name))
	for _, ingress := range tenants {
		wantStatus(t, c, "default", ingress, "")
	}
	// Helm removes kinds that it doesn't know last: a Lease that went before the Role would be made anew by a pod that hasn't ended yet.
	isLease := func(o *unstructured.Unstructured) bool { return o.GetKind() == "Lease" }
	for _, areLeases := range []bool{false, true} {
		for _, object := range slices.Backward(i.objects) {
			if object.GetKind() != "Namespace" && isLease(object) == areLeases {
				c.Delete(t, object)
			}
		}
	}
	if status := i.g.Stop(t); status != 0 {
		t.Errorf("%s ended with status %d", i.name, status)
	}
}

// TestTwoInstallations: neither touches what is the other's, and one that is removed
// leaves nothing.
func TestTwoInstallations(t *testing.T) {
	c, pods := harness.StartCluster(t), harness.StartPods(t)
	first := installRelease(t, c, "first", "192.0.2.1", "}}")
	// This one may look at two namespaces only.
	second := installRelease(t, c, "second", "192.0.2.2", ", watchNamespaces: [second, default]}, rbac: {namespaced: true}}")
	ips := pods.IPs(2)
	c.Apply(t, harness.Service("default", "web", "80:8080"), harness.EndpointSlice("default", "web", "8080", ips...))
	put := func(class string) {
		ingress := harness.Ingress("default", class, harness.Class(class), harness.Rule(class+".example", "/", "web:80"),
			harness.Rule("both.example", "/"+class, "web:80"), harness.Rule(class+".example", "/gone", "gone:80"))
		c.Apply(t, ingress)
		t.Cleanup(func() { c.Delete(t, ingress) })
	}
	put("first")
	put("second")
	for _, i := range []*installation{first, second} {
		harness.WantPod(t, i.g.HTTP, i.name+".example", "/", ips...)
		wantStatus(t, c, "default", i.name, i.ip)
		wantEvent(t, c, i.name)
	}
	harness.WantStatus(t, first.g.HTTP, "second.example", "/", 404)
	harness.WantStatus(t, second.g.HTTP, "first.example", "/", 404)

	if n := len(remains(t, c, "first")); n < len(first.objects)-1 { // less the namespace
		t.Errorf("only %d of its objects are found", n)
	}
	before := version(t, c, "second")
	first.remove(t, c, "first")
	if left := remains(t, c, "first"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	harness.WantPod(t, second.g.HTTP, "second.example", "/", ips...)
	if after := version(t, c, "second"); after != before {
		t.Errorf("the other one's Ingress was written to: version %s, before %s", after, before)
	}
	put("second-more")
	second.remove(t, c, "second")
}

func wantEvent(t *testing.T, c *harness.Cluster, ingress string) {
	t.Helper()
	harness.Eventually(t, "an Event on "+ingress, func() error {
		events, err := c.Client.EventsV1().Events("default").List(context.Background(), metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, event := range events.Items {
			if event.Regarding.Name == ingress && event.Reason == "ServiceNotFound" {
				return nil
			}
		}
		return fmt.Errorf("not among %d", len(events.Items))
	})
}

func version(t *testing.T, c *harness.Cluster, name string) string {
	t.Helper()
	ingress, err := c.Client.NetworkingV1().Ingresses("default").Get(context.Background(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return ingress.ResourceVersion
}

// remains lists every object, of any kind, that is in the release's namespace or has
// its label.
func remains(t *testing.T, c *harness.Cluster, release string) []string {
	t.Helper()
	lists, err := c.Client.Discovery().ServerPreferredResources()
	if err != nil {
		t.Fatal(err)
	}
	client, err := dynamic.NewForConfig(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	n := 0
	for _, list := range lists {
		group, _ := schema.ParseGroupVersion(list.GroupVersion)
		for _, resource := range list.APIResources {
			if !slices.Contains(resource.Verbs, "list") || resource.Kind == "Event" || resource.Kind == "Namespace" {
				continue
			}
			objects, err := client.Resource(group.WithResource(resource.Name)).List(context.Background(), metav1.ListOptions{})
			if err != nil {
				t.Fatalf("%s: %v", resource.Name, err)
			}
			n++
			for _, object := range objects.Items {
				labelled := object.GetLabels()["app.kubernetes.io/instance"] == release
				if labelled || object.GetNamespace() == release {
					found = append(found, object.GetKind()+" "+object.GetName())
				}
			}
		}
	}
	if n < 30 {
		t.Errorf("only %d kinds were looked at", n)
	}
	return found
}
