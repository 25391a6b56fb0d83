package conformance

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"headgate.dev/e2e/harness"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

func TestMain(m *testing.M) { harness.Main(m) }

// site is a controller, and the address at which it serves ports 80 and 443.
type site struct {
	branch string // of HAProxy
	ip     string
	g      *harness.Headgate
}

// rig is one control plane and a site for each supported end of HAProxy's
// versions. All rows use it, one after the other.
type rig struct {
	c      *harness.Cluster
	pods   *harness.Pods
	roots  *x509.CertPool
	sites  []*site
	narrow bool                // the options of the sites may keep the mark from them
	ips    map[string][]string // the pods of each Service, by namespace/name
	ports  map[string][]string // the ports of each, as harness.Service takes them
	spaces map[string]bool     // the namespaces that exist
	marks  *int
}

// home is the namespace of everything that names none.
const home = "default"

// branches are the oldest and the newest HAProxy that is supported, with the
// last byte of the address at which it is published.
var branches = []struct {
	name string
	host int
}{{"2.6", 26}, {"3.4", 34}}

func newRig(t *testing.T) *rig {
	t.Helper()
	c := harness.StartCluster(t)
	r := &rig{
		c: c, pods: harness.StartPods(t), roots: x509.NewCertPool(),
		ips: map[string][]string{}, ports: map[string][]string{}, spaces: map[string]bool{home: true}, marks: new(int),
	}
	r.roots.AppendCertsFromPEM(c.CA.PEM)
	return r
}

// start runs a controller for each HAProxy, at 10.244.<network>.26 and .34.
func (r *rig) start(t *testing.T, network int, flags ...string) {
	t.Helper()
	for _, branch := range branches {
		s := &site{branch: branch.name, ip: fmt.Sprintf("10.244.%d.%d", network, branch.host)}
		s.g = harness.NewHeadgate(t)
		s.g.HTTP, s.g.HTTPS = net.JoinHostPort(s.ip, "80"), net.JoinHostPort(s.ip, "443")
		s.g.Start(t, append([]string{
			"--kubeconfig=" + r.c.Kubeconfig(t), "--controller-name=" + classController,
			"--haproxy=" + harness.HAProxyPath(t, branch.name),
			"--config-dir=" + filepath.Join(harness.Root(t), "haproxy-cfg"), "--self-check",
		}, flags...)...)
		r.sites = append(r.sites, s)
	}
	for _, s := range r.sites {
		s.g.WaitReady(t)
	}
}

// prepare makes the namespaces, Services, pods and keys that objects need. A Service
// whose name begins with "missing" is not made, and one that is among the objects
// only gets its pods. They stay for the rows that follow.
func (r *rig) prepare(t *testing.T, objects []runtime.Object) {
	t.Helper()
	own := map[string]*corev1.Service{}
	for _, object := range objects {
		if err := issue(r.c.CA, object); err != nil {
			t.Fatal(err)
		}
		if service := asService(object); service != nil {
			own[service.Namespace+"/"+service.Name] = service
		}
		if meta, ok := object.(metav1.Object); ok && meta.GetNamespace() != "" {
			r.makeNamespace(t, meta.GetNamespace())
		}
	}
	for key, service := range own {
		if !hasSlices(objects, service) {
			r.givePods(t, key, service)
		}
	}
	for _, object := range objects {
		for _, b := range backendsOf(object) {
			key := b.namespace + "/" + b.name
			if own[key] == nil && b.name != "" && !strings.HasPrefix(b.name, "missing") {
				r.makeService(t, key, b)
			}
		}
	}
}

// asService is nil for an object that is none, or one that is written with its pods.
func asService(object runtime.Object) *corev1.Service {
	if service, ok := object.(*corev1.Service); ok {
		return service
	}
	u, ok := object.(interface{ UnstructuredContent() map[string]any })
	if !ok || u.UnstructuredContent()["kind"] != "Service" {
		return nil
	}
	service := &corev1.Service{}
	if runtime.DefaultUnstructuredConverter.FromUnstructured(u.UnstructuredContent(), service) != nil {
		return nil
	}
	return service
}

func (r *rig) makeNamespace(t *testing.T, name string) {
	t.Helper()
	if !r.spaces[name] {
		r.c.Apply(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
		r.spaces[name] = true
	}
}

// hasSlices says whether the EndpointSlices of a Service are among the objects.
func hasSlices(objects []runtime.Object, service *corev1.Service) bool {
	for _, object := range objects {
		u, ok := object.(*unstructured.Unstructured)
		if ok && u.GetKind() == "EndpointSlice" && u.GetNamespace() == service.Namespace &&
			u.GetLabels()[discoveryv1.LabelServiceName] == service.Name {
			return true
		}
	}
	return service.Spec.Type == corev1.ServiceTypeExternalName
}

// makeService makes a Service with this port, or adds the port to it.
func (r *rig) makeService(t *testing.T, key string, b backend) {
	t.Helper()
	port := b.port + ":8080"
	if _, err := strconv.Atoi(b.port); err != nil {
		port = b.port + "=80:8080"
	}
	for _, have := range r.ports[key] {
		if have == port {
			return
		}
	}
	r.ports[key] = append(r.ports[key], port)
	service := harness.Service(b.namespace, b.name, r.ports[key]...)
	if len(r.ports[key]) > 1 { // then each needs a name
		for i := range service.Spec.Ports {
			if p := &service.Spec.Ports[i]; p.Name == "" {
				p.Name = fmt.Sprintf("p%d", p.Port)
			}
		}
	}
	r.c.Apply(t, service)
	r.givePods(t, key, service)
}

// givePods writes the EndpointSlice of a Service: two pods, or as many as its
// name ends with ("echo-10"). One that ends in "-none" has none.
func (r *rig) givePods(t *testing.T, key string, service *corev1.Service) {
	t.Helper()
	n := 2
	switch i := strings.LastIndexByte(service.Name, '-'); {
	case strings.HasSuffix(service.Name, "-none"):
		n = 0
	case i >= 0:
		if number, err := strconv.Atoi(service.Name[i+1:]); err == nil && number <= 20 {
			n = number
		}
	}
	if len(r.ips[key]) != n {
		r.ips[key] = r.pods.IPs(n)
	}
	slice := harness.EndpointSlice(service.Namespace, service.Name, "8080", r.ips[key]...)
	port := slice.Ports[0]
	slice.Ports = nil
	for _, p := range service.Spec.Ports {
		added, name := port, p.Name
		added.Name = &name
		slice.Ports = append(slice.Ports, added)
	}
	r.c.Apply(t, slice)
}

// settle waits until every site has seen what was applied before: the Ingresses
// come in order, so one that is made now is served when the others are known. Sites
// with options of their own may not see it; they have begun with everything.
func (r *rig) settle(t *testing.T) {
	t.Helper()
	if r.narrow {
		return
	}
	*r.marks++
	host := fmt.Sprintf("mark%d.test", *r.marks)
	mark := harness.Ingress(home, "mark", harness.Class(className), harness.Rule(host, "/", "mark:80"))
	r.prepare(t, []runtime.Object{mark})
	r.c.Apply(t, mark)
	r.want(t, r.requests(t, "GET http://"+host+"/ -> mark"))
}

// want waits until every site answers every request as wanted.
func (r *rig) want(t *testing.T, requests []Request) {
	t.Helper()
	for _, s := range r.sites {
		for i := range requests {
			harness.Eventually(t, s.branch+": "+requests[i].Text, func() error {
				if requests[i].Ingress != "" {
					return r.askStatus(&requests[i])
				}
				return r.ask(s, &requests[i])
			})
		}
	}
}

// askStatus compares the addresses in the status of an Ingress.
func (r *rig) askStatus(request *Request) error {
	namespace, name, _ := strings.Cut(request.Ingress, "/")
	ingress, err := r.c.Client.NetworkingV1().Ingresses(namespace).Get(context.Background(), name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	var have []string
	for _, point := range ingress.Status.LoadBalancer.Ingress {
		have = append(have, point.IP+point.Hostname)
	}
	want := slices.Clone(request.Addresses)
	slices.Sort(have)
	slices.Sort(want)
	if !slices.Equal(have, want) {
		return fmt.Errorf("the status has %v, want %v", have, want)
	}
	return nil
}

// ask sends a request as often as it says.
func (r *rig) ask(s *site, request *Request) error {
	addr := net.JoinHostPort(s.ip, "80")
	if request.IsTLS {
		addr = net.JoinHostPort(s.ip, "443")
	}
	pods, seen := r.ips[request.Service], map[string]bool{}
	if request.Pod != "" {
		pods = []string{request.Pod}
	}
	for range request.Times {
		a, err := request.send(addr, r.roots)
		if err == nil {
			err = request.check(a, pods)
		}
		if err != nil {
			return err
		}
		seen[a.Pod()] = true
	}
	if request.EveryPod && len(seen) != len(pods) {
		return fmt.Errorf("%d pods have answered, want all %d", len(seen), len(pods))
	}
	return nil
}

// remove deletes the objects of a row, but not what prepare made.
func (r *rig) remove(t *testing.T, objects []runtime.Object) {
	t.Helper()
	for i := len(objects) - 1; i >= 0; i-- {
		r.c.Delete(t, objects[i])
		if service := asService(objects[i]); service != nil {
			key := service.Namespace + "/" + service.Name
			r.c.Delete(t, harness.EndpointSlice(service.Namespace, service.Name, "8080"))
			delete(r.ips, key)
			delete(r.ports, key)
		}
	}
}

// refused demands that the API server refuses an object, and says this.
func (r *rig) refused(t *testing.T, object runtime.Object, says string) {
	t.Helper()
	err := r.c.TryApply(object)
	var status apierrors.APIStatus
	if err == nil {
		t.Errorf("the API server took an object, want an error that says %q", says)
		r.c.Delete(t, object)
	} else if !errors.As(err, &status) || !strings.Contains(err.Error(), says) {
		t.Errorf("the API server says %v, want %q", err, says)
	}
}
