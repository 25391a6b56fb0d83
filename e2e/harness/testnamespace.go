package harness

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var namespaces atomic.Int64

// Namespace makes a Kubernetes namespace for one test, named after it. The end
// of the test removes it with all that is in it, so that a controller which
// watches the whole cluster finds nothing of an earlier test.
func (c *Cluster) Namespace(t TB) string {
	t.Helper()
	name := namespaceName(t.Name(), namespaces.Add(1))
	object := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if _, err := c.Client.CoreV1().Namespaces().Create(context.Background(), object, metav1.CreateOptions{}); err != nil {
		t.Fatalf("making namespace %s: %v", name, err)
	}
	t.Cleanup(func() {
		if err := c.removeNamespace(name); err != nil {
			t.Logf("removing namespace %s: %v", name, err)
		}
	})
	return name
}

// namespaceName keeps letters, digits and dashes, and is unique in the run.
func namespaceName(test string, n int64) string {
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(strings.TrimPrefix(test, "Test")))
	if len(clean) > 40 {
		clean = clean[:40]
	}
	return fmt.Sprintf("%s-%d", strings.Trim(clean, "-"), n)
}

// removeNamespace does what the namespace controller does, which usually isn't
// running: empty it, then let it go.
func (c *Cluster) removeNamespace(name string) error {
	ctx := context.Background()
	lists, err := c.Client.Discovery().ServerPreferredNamespacedResources()
	if err != nil {
		return err
	}
	now := int64(0)
	for _, list := range lists {
		group, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return err
		}
		for _, r := range list.APIResources {
			if !slices.Contains(r.Verbs, "deletecollection") {
				continue
			}
			err := c.dynamic.Resource(group.WithResource(r.Name)).Namespace(name).
				DeleteCollection(ctx, metav1.DeleteOptions{GracePeriodSeconds: &now}, metav1.ListOptions{})
			if err != nil && !apierrors.IsNotFound(err) {
				return fmt.Errorf("%s: %w", r.Name, err)
			}
		}
	}
	if err := c.Client.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
		return err
	}
	object, err := c.Client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	} else if err != nil {
		return err
	}
	object.Spec.Finalizers = nil
	_, err = c.Client.CoreV1().Namespaces().Finalize(ctx, object, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) { // the controller was quicker
		return nil
	}
	return err
}
