package harness

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PlacePod makes a Pod object at an address, as if a kubelet had started it, for
// tests that have the controller manager make the EndpointSlices.
func (c *Cluster) PlacePod(t TB, namespace, address string, labels map[string]string, ready bool) {
	t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: PodName(address), Labels: labels},
		Spec: corev1.PodSpec{
			NodeName:   NodeName,
			Containers: []corev1.Container{{Name: "echo", Image: "echo"}},
		},
	}
	if _, err := c.Client.CoreV1().Pods(namespace).Create(context.Background(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatalf("making pod %s: %v", pod.Name, err)
	}
	c.SetPodReady(t, namespace, address, ready)
}

// SetPodReady writes the status that a kubelet would write.
func (c *Cluster) SetPodReady(t TB, namespace, address string, ready bool) {
	t.Helper()
	ctx, pods := context.Background(), c.Client.CoreV1().Pods(namespace)
	pod, err := pods.Get(ctx, PodName(address), metav1.GetOptions{})
	if err != nil {
		t.Fatalf("%v", err)
	}
	status := corev1.ConditionFalse
	if ready {
		status = corev1.ConditionTrue
	}
	pod.Status = corev1.PodStatus{
		Phase: corev1.PodRunning, PodIP: address, PodIPs: []corev1.PodIP{{IP: address}},
		Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: status}},
	}
	if _, err := pods.UpdateStatus(ctx, pod, metav1.UpdateOptions{}); err != nil {
		t.Fatalf("pod %s: %v", pod.Name, err)
	}
}

// TerminatePod asks for the deletion of a pod, which then terminates, serving or
// not as it was, until RemovePod: no kubelet is there to finish it.
func (c *Cluster) TerminatePod(t TB, namespace, address string) {
	t.Helper()
	c.deletePod(t, namespace, address, 3600)
}

// RemovePod removes the pod object at once.
func (c *Cluster) RemovePod(t TB, namespace, address string) {
	t.Helper()
	c.deletePod(t, namespace, address, 0)
}

func (c *Cluster) deletePod(t TB, namespace, address string, grace int64) {
	t.Helper()
	err := c.Client.CoreV1().Pods(namespace).Delete(context.Background(), PodName(address),
		metav1.DeleteOptions{GracePeriodSeconds: &grace})
	if err != nil {
		t.Fatalf("deleting the pod at %s: %v", address, err)
	}
}
