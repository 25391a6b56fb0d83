package harness

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

// Apply writes objects of any kind as `kubectl apply --server-side` would:
// whether they are new doesn't matter.
func (c *Cluster) Apply(t TB, objects ...runtime.Object) {
	t.Helper()
	for _, object := range objects {
		if err := c.TryApply(object); err != nil {
			t.Fatalf("applying %s: %v", describe(object), err)
		}
	}
}

// TryApply is Apply for an object that the API server may refuse.
func (c *Cluster) TryApply(object runtime.Object) error {
	u, client, err := c.resource(object)
	if err == nil {
		_, err = client.Apply(context.Background(), u.GetName(), u,
			metav1.ApplyOptions{FieldManager: "e2e", Force: true})
	}
	return err
}

// Delete removes objects; that one doesn't exist is fine.
func (c *Cluster) Delete(t TB, objects ...runtime.Object) {
	t.Helper()
	now := int64(0)
	for _, object := range objects {
		u, client, err := c.resource(object)
		if err == nil {
			err = client.Delete(context.Background(), u.GetName(), metav1.DeleteOptions{GracePeriodSeconds: &now})
		}
		if err != nil && !apierrors.IsNotFound(err) {
			t.Fatalf("deleting %s: %v", describe(object), err)
		}
	}
}

// ApplyFile applies every object of a YAML file, the project's own manifests for
// instance, and returns them.
func (c *Cluster) ApplyFile(t TB, path string) []runtime.Object {
	t.Helper()
	var objects []runtime.Object
	for _, u := range readManifests(t, path) {
		objects = append(objects, u)
	}
	c.Apply(t, objects...)
	return objects
}

func readManifests(t TB, path string) []*unstructured.Unstructured {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v", err)
	}
	objects, err := ParseManifests(string(text))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return objects
}

// ParseManifests reads YAML documents, an object each.
func ParseManifests(text string) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	documents := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		u := &unstructured.Unstructured{}
		if err == nil {
			err = yaml.Unmarshal(document, &u.Object)
		}
		if err != nil {
			return nil, err
		}
		if len(u.Object) > 0 {
			objects = append(objects, u)
		}
	}
}

// WriteManifests writes objects as YAML files into a folder for --manifests, one
// file per object. A file appears, or changes, at once as a whole.
func WriteManifests(t TB, dir string, objects ...runtime.Object) {
	t.Helper()
	for _, object := range objects {
		u, err := toUnstructured(object)
		if err != nil {
			t.Fatalf("%v", err)
		}
		replaceFile(t, filepath.Join(dir, manifestName(u)), u.Object)
	}
}

// WriteManifestFile writes objects as one file, a List, for --manifests; the
// controller takes up all of them at once. It returns the text.
func WriteManifestFile(t TB, path string, objects ...runtime.Object) string {
	t.Helper()
	items := []any{}
	for _, object := range objects {
		u, err := toUnstructured(object)
		if err != nil {
			t.Fatalf("%v", err)
		}
		items = append(items, u.Object)
	}
	return replaceFile(t, path, map[string]any{"apiVersion": "v1", "kind": "List", "items": items})
}

// replaceFile writes a value as YAML; whoever reads the file meets the old text
// or the new one.
func replaceFile(t TB, path string, value any) string {
	t.Helper()
	text, err := yaml.Marshal(value)
	if err == nil {
		err = os.WriteFile(path+".tmp", text, 0o644)
	}
	if err == nil {
		err = os.Rename(path+".tmp", path)
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
	return string(text)
}

// RemoveManifests removes what WriteManifests wrote for these objects.
func RemoveManifests(t TB, dir string, objects ...runtime.Object) {
	t.Helper()
	for _, object := range objects {
		u, err := toUnstructured(object)
		if err == nil {
			err = os.Remove(filepath.Join(dir, manifestName(u)))
		}
		if err != nil {
			t.Fatalf("%v", err)
		}
	}
}

func manifestName(u *unstructured.Unstructured) string {
	return strings.ToLower(fmt.Sprintf("%s_%s_%s.yaml", u.GetNamespace(), u.GetKind(), u.GetName()))
}

// resource finds the endpoint of the API that an object belongs to.
func (c *Cluster) resource(object runtime.Object) (*unstructured.Unstructured, dynamic.ResourceInterface, error) {
	u, err := toUnstructured(object)
	if err != nil {
		return nil, nil, err
	}
	kind := u.GroupVersionKind()
	mapping, err := c.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if meta.IsNoMatchError(err) { // a CRD that is younger than the cache
		c.mapper.Reset()
		mapping, err = c.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	}
	if err != nil {
		return nil, nil, err
	}
	client := c.dynamic.Resource(mapping.Resource)
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		return u, client.Namespace(u.GetNamespace()), nil
	}
	return u, client, nil
}

// toUnstructured fills in apiVersion and kind, which typed objects leave out.
func toUnstructured(object runtime.Object) (*unstructured.Unstructured, error) {
	if u, ok := object.(*unstructured.Unstructured); ok {
		return u, nil
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, err
	}
	u := &unstructured.Unstructured{Object: content}
	kinds, _, err := scheme.Scheme.ObjectKinds(object)
	if err != nil {
		return nil, err
	}
	u.SetGroupVersionKind(kinds[0])
	// Read-only, and what an object read from the API carries.
	unstructured.RemoveNestedField(content, "status")
	unstructured.RemoveNestedField(content, "metadata", "managedFields")
	unstructured.RemoveNestedField(content, "metadata", "creationTimestamp")
	return u, nil
}

func describe(object runtime.Object) string {
	u, err := toUnstructured(object)
	if err != nil {
		return fmt.Sprintf("%T", object)
	}
	return fmt.Sprintf("%s %s/%s", u.GetKind(), u.GetNamespace(), u.GetName())
}

// TryStrict asks whether the API server would take an object, without anything that
// it doesn't know in it. Nothing is written.
func (c *Cluster) TryStrict(object runtime.Object) error {
	u, client, err := c.resource(object)
	if err != nil {
		return err
	}
	text, err := u.MarshalJSON()
	if err != nil {
		return err
	}
	force := true
	_, err = client.Patch(context.Background(), u.GetName(), types.ApplyPatchType, text, metav1.PatchOptions{
		FieldManager: "e2e", Force: &force, DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationStrict,
	})
	return err
}
