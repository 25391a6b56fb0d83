package conformance

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"headgate.dev/e2e/harness"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

func readDocument(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(harness.Root(t), "docs", "ingress.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestDocument runs the examples of docs/ingress.md.
func TestDocument(t *testing.T) {
	examples, err := ParseDocument(readDocument(t))
	if err != nil || len(examples) == 0 {
		t.Fatalf("%d examples (%v)", len(examples), err)
	}
	r := newRig(t)
	class := harness.IngressClass(className, classController)
	r.c.Apply(t, class)
	t.Cleanup(func() { r.c.Delete(t, class) })
	r.start(t, 251)
	for i, example := range examples {
		t.Run(fmt.Sprintf("%s, line %d", example.Heading, example.Line), func(t *testing.T) {
			if len(example.Options) == 0 {
				r.show(t, &examples[i])
				return
			}
			other := *r // the same control plane, and controllers of its own
			other.sites = nil
			other.show(t, &examples[i])
		})
	}
}

// show applies an example, sends its requests and looks for its reports.
func (r *rig) show(t *testing.T, example *Example) {
	t.Helper()
	objects := r.parse(t, example.Objects)
	requests := r.requests(t, example.Requests)
	logs := map[*site]int{}
	for _, s := range r.sites {
		logs[s] = len(s.g.Log())
	}
	t.Cleanup(func() { r.remove(t, objects) })
	r.apply(t, objects, example.Options)
	r.settle(t)
	r.want(t, requests)
	for _, s := range r.sites {
		for _, report := range example.Reports {
			s.g.WaitLog(t, logs[s], "ingress="+report.Ingress, "reason="+report.Reason, "field="+report.Field)
		}
	}
}

// TestDocumentNamesEveryField walks through the types of the API.
func TestDocumentNamesEveryField(t *testing.T) {
	text := readDocument(t)
	for _, object := range []runtime.Object{&networkingv1.Ingress{}, &networkingv1.IngressClass{}} {
		kind := reflect.TypeOf(object).Elem()
		for i := range kind.NumField() {
			name, _, _ := strings.Cut(kind.Field(i).Tag.Get("json"), ",")
			if name == "spec" || name == "status" {
				for _, field := range fields(name, kind.Field(i).Type) {
					if !strings.Contains(text, "`"+field+"`") {
						t.Errorf("%s: the document says nothing of `%s`", kind.Name(), field)
					}
				}
			}
		}
	}
}

// fields are the paths of the fields below one that have no fields themselves.
// What is the same in two places is followed in the first.
func fields(path string, kind reflect.Type) []string {
	switch {
	case kind.Kind() == reflect.Pointer:
		return fields(path, kind.Elem())
	case kind.Kind() == reflect.Slice && path == "status.loadBalancer.ingress[].ports",
		strings.HasSuffix(path, ".resource"), strings.HasSuffix(path, ".backend"):
		return []string{path}
	case kind.Kind() == reflect.Slice && kind.Elem().Kind() == reflect.Struct:
		return fields(path+"[]", kind.Elem())
	case kind.Kind() != reflect.Struct:
		return []string{path}
	}
	var found []string
	for i := range kind.NumField() {
		name, _, _ := strings.Cut(kind.Field(i).Tag.Get("json"), ",")
		if name == "" { // inlined
			found = append(found, fields(path, kind.Field(i).Type)...)
		} else {
			found = append(found, fields(path+"."+name, kind.Field(i).Type)...)
		}
	}
	return found
}
