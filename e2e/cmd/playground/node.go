package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"headgate.dev/e2e/harness"
)

// node is scheduler and kubelet of the one node. Pods of Headgate's image run as
// they would, each in a network of its own; those of agnhost are played.
type node struct {
	t     harness.TB
	c     *harness.Cluster
	hosts *harness.Pods // gives addresses
	mu    sync.Mutex    // guards pods
	pods  map[types.UID]*pod
	ended chan struct{}
	done  sync.WaitGroup
}

// pod is one that the node has.
type pod struct {
	namespace, name string
	address         string
	containers      *harness.RunningPod // nil for one that is played
	scope           *harness.Program
	isEnding        bool
}

func newNode(t harness.TB, c *harness.Cluster) *node {
	n := &node{t: t, c: c, hosts: harness.StartPodsOn(t), pods: map[types.UID]*pod{}, ended: make(chan struct{})}
	n.serve()
	n.done.Add(1)
	go func() {
		defer n.done.Done()
		every(n.ended, n.look)
	}()
	return n
}

func (n *node) stop() {
	close(n.ended)
	n.done.Wait()
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.pods {
		p.scope.CleanUp()
	}
}

func (n *node) look() {
	list, err := n.c.Client.CoreV1().Pods("").List(context.Background(), metav1.ListOptions{})
	if err != nil {
		return // the next time
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := range list.Items {
		object := &list.Items[i]
		known := n.pods[object.UID]
		switch {
		case known == nil && object.DeletionTimestamp == nil:
			n.begin(object)
		case known == nil:
			n.forget(object.Namespace, object.Name)
		case object.DeletionTimestamp != nil && !known.isEnding:
			known.isEnding = true
			go n.end(object.UID, known)
		}
	}
}

// begin takes a pod on; what takes time is done beside.
func (n *node) begin(object *corev1.Pod) {
	p := &pod{namespace: object.Namespace, name: object.Name, address: n.hosts.IP(),
		scope: harness.NewProgram(object.Namespace + "/" + object.Name)}
	n.pods[object.UID] = p
	go func() {
		// A failure is of this pod alone: it stays as it is, and its message is on the terminal.
		defer func() { _ = recover() }()
		n.bind(p)
		n.start(p, object.Spec)
		n.report(p, object.Spec)
	}()
}

func (n *node) bind(p *pod) {
	binding := &corev1.Binding{ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: p.name},
		Target: corev1.ObjectReference{Kind: "Node", Name: harness.NodeName}}
	if err := n.c.Client.CoreV1().Pods(p.namespace).Bind(context.Background(), binding, metav1.CreateOptions{}); err != nil {
		p.scope.Fatalf("%v", err)
	}
}

func (n *node) start(p *pod, spec corev1.PodSpec) {
	image := spec.Containers[0].Image
	switch {
	case strings.Contains(image, "/agnhost:"):
		play(p, spec.Containers[0].Args)
	case strings.Contains(image, "headgate"):
		network, err := newPodNetwork(p.address)
		if err != nil {
			p.scope.Fatalf("%v", err)
		}
		p.scope.Cleanup(network.remove)
		place := harness.Place{Network: network.path(), Address: p.address, APIServer: harness.APIAddress}
		p.containers = n.c.StartPodAt(p.scope, place, p.namespace, spec)
		p.containers.WaitReady(p.scope)
	default:
		p.scope.Fatalf("image %s: there is no registry; images of Headgate are this repository's, and agnhost's netexec is played", image)
	}
}

// play answers what netexec of agnhost answers, as far as it is needed.
func play(p *pod, args []string) {
	port := "8080"
	for _, arg := range args {
		if value, ok := strings.CutPrefix(arg, "--http-port="); ok {
			port = value
		}
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(p.address, port))
	if err != nil {
		p.scope.Fatalf("%v", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/hostname", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, p.name) })
	mux.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	server := &http.Server{Handler: mux}
	p.scope.Cleanup(func() { _ = server.Close() })
	go func() { _ = server.Serve(listener) }()
}

// report says that the pod is ready.
func (n *node) report(p *pod, spec corev1.PodSpec) {
	status := corev1.PodStatus{
		Phase: corev1.PodRunning, PodIP: p.address, PodIPs: []corev1.PodIP{{IP: p.address}}, HostIP: harness.APIAddress,
		HostIPs: []corev1.HostIP{{IP: harness.APIAddress}},
	}
	for _, kind := range []corev1.PodConditionType{corev1.PodScheduled, corev1.PodInitialized, corev1.ContainersReady, corev1.PodReady} {
		status.Conditions = append(status.Conditions, corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()})
	}
	started := true
	for _, container := range spec.Containers {
		status.ContainerStatuses = append(status.ContainerStatuses, corev1.ContainerStatus{
			Name: container.Name, Image: container.Image, Ready: true, Started: &started,
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}},
		})
	}
	harness.Eventually(p.scope, "the status of a pod", func() error {
		ctx, pods := context.Background(), n.c.Client.CoreV1().Pods(p.namespace)
		object, err := pods.Get(ctx, p.name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		object.Status = status
		_, err = pods.UpdateStatus(ctx, object, metav1.UpdateOptions{})
		return err
	})
}

// end is what a pod has to go through: told, waited for, forgotten.
func (n *node) end(uid types.UID, p *pod) {
	defer func() { _ = recover() }()
	if p.containers != nil {
		p.containers.Stop(p.scope)
	}
	p.scope.CleanUp()
	n.forget(p.namespace, p.name)
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.pods, uid)
}

// forget lets the API server remove the object.
func (n *node) forget(namespace, name string) {
	now := int64(0)
	_ = n.c.Client.CoreV1().Pods(namespace).Delete(context.Background(), name, metav1.DeleteOptions{GracePeriodSeconds: &now})
}
