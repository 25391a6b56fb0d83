package harness

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

func hasText(b []byte, text string) bool { return bytes.Contains(b, []byte(text)) }

// login makes a client from a kubeconfig, as the controller does.
func login(t *testing.T, kubeconfig string) *kubernetes.Clientset {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestObjectsAreAccepted(t *testing.T) {
	ctx, c := context.Background(), StartCluster(t)
	ns, ips := c.Namespace(t), StartPods(t).IPs(3)
	pair, err := c.CA.Issue("a.example")
	if err != nil {
		t.Fatal(err)
	}
	class := IngressClass("accepted", "headgate.dev/e2e")
	t.Cleanup(func() { c.Delete(t, class) })
	slice := EndpointSlice(ns, "web", "http=8080", ips...)
	ingress := Ingress(ns, "web", Class("accepted"), Annotation("haproxy.org/timeout-server", "5s"),
		Rule("a.example", "/", "web:80"), RuleOf("Exact", "a.example", "/exact", "web:http"),
		TLS("cert", "a.example"), DefaultBackend("web:80"))
	c.Apply(t, class, TLSSecret(ns, "cert", pair), Service(ns, "web", "http=80:8080", "admin=81:admin"), slice, ingress)

	read, err := c.Client.NetworkingV1().Ingresses(ns).Get(ctx, "web", metav1.GetOptions{})
	if err != nil || len(read.Spec.Rules) != 1 || len(read.Spec.Rules[0].HTTP.Paths) != 2 {
		t.Fatalf("%+v (%v)", read, err)
	}
	slice.Endpoints = slice.Endpoints[1:]
	slice.Endpoints[0] = Endpoint(ns, ips[1], false, true, true)
	c.Apply(t, slice)
	got, err := c.Client.DiscoveryV1().EndpointSlices(ns).Get(ctx, "web-1", metav1.GetOptions{})
	if err != nil || len(got.Endpoints) != 2 || !*got.Endpoints[0].Conditions.Terminating {
		t.Fatalf("%+v (%v)", got, err)
	}
	c.Delete(t, ingress)
	c.Delete(t, ingress) // a second time is fine
}

func TestNamespaceIsRemoved(t *testing.T) {
	c := StartCluster(t)
	var ns string
	t.Run("inner", func(t *testing.T) {
		ns = c.Namespace(t)
		c.Apply(t, Service(ns, "web", "80:8080"))
	})
	_, err := c.Client.CoreV1().Namespaces().Get(context.Background(), ns, metav1.GetOptions{})
	if !apierrors.IsNotFound(err) {
		t.Errorf("namespace %s is still there: %v", ns, err)
	}
	services, err := c.Client.CoreV1().Services(ns).List(context.Background(), metav1.ListOptions{})
	if err != nil || len(services.Items) != 0 {
		t.Errorf("%d services are left (%v)", len(services.Items), err)
	}
}

func TestAccessIsWhatWasGranted(t *testing.T) {
	ctx, c := context.Background(), StartCluster(t)
	ns := c.Namespace(t)
	reader := &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "e2e-reader"},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"services"}, Verbs: []string{"list"}}},
	}
	c.Apply(t, reader)
	t.Cleanup(func() { c.Delete(t, reader) })
	list := func(client *kubernetes.Clientset) error {
		_, err := client.CoreV1().Services("").List(ctx, metav1.ListOptions{})
		return err
	}
	account := login(t, c.ServiceAccountKubeconfig(t, ns, "controller"))
	if err := list(login(t, c.AdminKubeconfig(t))); err != nil {
		t.Errorf("the admin: %v", err)
	}
	if err := list(account); !apierrors.IsForbidden(err) {
		t.Errorf("before the grant: %v, want forbidden", err)
	}
	c.GrantServiceAccount(t, ns, "controller", reader.Name)
	Eventually(t, "the grant to the account", func() error { return list(account) })
}

func TestOutage(t *testing.T) {
	ctx, c := context.Background(), StartCluster(t)
	ns := c.Namespace(t)
	c.Apply(t, Service(ns, "web", "80:8080"))
	c.Stop(t)
	if _, err := c.Client.CoreV1().Services(ns).Get(ctx, "web", metav1.GetOptions{}); err == nil {
		t.Error("the API answered while it was stopped")
	}
	c.Start(t)
	if _, err := c.Client.CoreV1().Services(ns).Get(ctx, "web", metav1.GetOptions{}); err != nil {
		t.Errorf("after the outage: %v", err)
	}
}

func TestFreeze(t *testing.T) {
	c := StartCluster(t)
	done := make(chan error, 1)
	c.Freeze(t)
	go func() {
		_, err := c.Client.Discovery().ServerVersion()
		done <- err
	}()
	select {
	case err := <-done:
		t.Errorf("the API answered while it was frozen (%v)", err)
	case <-time.After(100 * time.Millisecond):
		c.Thaw(t)
		if err := <-done; err != nil {
			t.Errorf("after the thaw: %v", err)
		}
	}
}

func TestControllerManagerMakesSlices(t *testing.T) {
	ctx, c := context.Background(), StartCluster(t)
	ns, ips := c.Namespace(t), StartPods(t).IPs(2)
	c.StartControllerManager(t)
	labels := map[string]string{"app": "web"}
	service := Service(ns, "web", "80:8080")
	service.Spec.Selector = labels
	c.Apply(t, service)
	c.PlacePod(t, ns, ips[0], labels, true)
	c.PlacePod(t, ns, ips[1], labels, false)
	want := func(conditions string) {
		t.Helper()
		Eventually(t, "slices with "+conditions, func() error {
			slices, err := c.Client.DiscoveryV1().EndpointSlices(ns).List(ctx,
				metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=web"})
			if err != nil {
				return err
			}
			got := map[string]string{}
			for _, slice := range slices.Items {
				for _, e := range slice.Endpoints {
					got[e.Addresses[0]] = fmt.Sprint(*e.Conditions.Ready, *e.Conditions.Serving, *e.Conditions.Terminating)
				}
			}
			if text := fmt.Sprint(got[ips[0]], "/", got[ips[1]]); text != conditions {
				return fmt.Errorf("have %s", text)
			}
			return nil
		})
	}
	want("true true false/false false false")
	c.SetPodReady(t, ns, ips[1], true)
	c.TerminatePod(t, ns, ips[0])
	want("false true true/true true false")
	c.RemovePod(t, ns, ips[0])
	want("/true true false")
}

func TestManifests(t *testing.T) {
	c, dir := StartCluster(t), t.TempDir()
	ns := c.Namespace(t)
	service := Service(ns, "web", "80:8080")
	WriteManifests(t, dir, service)
	files, _ := filepath.Glob(dir + "/*")
	if len(files) != 1 {
		t.Fatalf("%v", files)
	}
	objects := c.ApplyFile(t, files[0])
	if len(objects) != 1 || describe(objects[0]) != describe(service) {
		t.Errorf("%v", objects)
	}
	RemoveManifests(t, dir, service)
}
