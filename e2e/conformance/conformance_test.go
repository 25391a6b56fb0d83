package conformance

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"headgate.dev/e2e/harness"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// leastRequests is how many requests the table has to have, at least.
const leastRequests = 200

// publishing has the sites write the status of what they serve, one of them at a
// time, as replicas do; and name themselves, as the upstream suite asks for.
var publishing = []string{
	"--publish-address=" + strings.ReplaceAll(published, " ", ","),
	"--lease=" + harness.ControllerNamespace + "/conformance",
	"--server-header=headgate",
}

// TestConformance runs the table, a row after the other, on all sites at once.
func TestConformance(t *testing.T) {
	r := newRig(t)
	class := harness.IngressClass(className, classController)
	r.c.Apply(t, class)
	t.Cleanup(func() { r.c.Delete(t, class) })
	r.anchor(t)
	r.start(t, 250, publishing...)
	requests := 0
	for _, table := range tables {
		t.Run(table.name, func(t *testing.T) {
			for i := range table.rows {
				row := &table.rows[i]
				t.Run(row.Place, func(t *testing.T) {
					at := *r
					if len(row.Options) > 0 {
						at.sites = nil // see apply
					}
					requests += at.run(t, row)
				})
			}
		})
	}
	t.Logf("%d requests, each to HAProxy %s and %s", requests, r.sites[0].branch, r.sites[1].branch)
	for _, s := range r.sites {
		m := s.g.Metrics(t)
		for _, name := range []string{
			"headgate_self_check_errors_total", "headgate_reconcile_errors_total", "headgate_runtime_operation_errors_total",
		} {
			if n := m.Sum(name); n != 0 {
				t.Errorf("%s: %s is %v, want 0", s.branch, name, n)
			}
		}
	}
}

// TestTable demands that the table is as large as it has to be and can be read.
func TestTable(t *testing.T) {
	n := 0
	for _, table := range tables {
		for _, row := range table.rows {
			for _, step := range steps(&row) {
				if _, err := ParseObjects(step.Apply, home); err != nil {
					t.Errorf("%s: %s: %v", table.name, row.Place, err)
				}
				requests, err := ParseRequests(step.Requests, home)
				if err != nil {
					t.Errorf("%s: %s: %v", table.name, row.Place, err)
				}
				n += len(requests)
			}
		}
	}
	if n < leastRequests {
		t.Errorf("%d requests, want at least %d", n, leastRequests)
	}
}

// steps are a row's own one and those that follow.
func steps(row *Row) []Step {
	first := Step{Says: row.Says, Apply: row.Objects, Requests: row.Requests, Refused: row.Refused}
	return append([]Step{first}, row.Then...)
}

// anchor names every Service of the table once, so that they have backends before
// the first row: a HAProxy before 3.4 reloads for new ones.
func (r *rig) anchor(t *testing.T) {
	t.Helper()
	seen := map[backend]bool{}
	byNamespace := map[string][]harness.IngressOption{}
	var objects []runtime.Object
	for _, table := range tables {
		for i := range table.rows {
			for _, step := range steps(&table.rows[i]) {
				parsed, err := ParseObjects(step.Apply, home)
				if err != nil || step.Refused != "" {
					continue
				}
				objects = append(objects, parsed...)
			}
		}
	}
	own := map[string]bool{}
	for _, object := range objects {
		if service := asService(object); service != nil {
			own[service.Namespace+"/"+service.Name] = true
		}
	}
	for _, object := range objects {
		for _, b := range backendsOf(object) {
			if seen[b] || own[b.namespace+"/"+b.name] || strings.HasPrefix(b.name, "missing") {
				continue
			}
			seen[b] = true
			host := fmt.Sprintf("anchor%d.test", len(seen))
			byNamespace[b.namespace] = append(byNamespace[b.namespace], harness.Rule(host, "/", b.name+":"+b.port))
		}
	}
	for namespace, rules := range byNamespace {
		anchor := harness.Ingress(namespace, "anchor", append(rules, harness.Class(className))...)
		r.prepare(t, []runtime.Object{anchor})
		r.c.Apply(t, anchor)
	}
}

// run runs a row and removes what it has made.
func (r *rig) run(t *testing.T, row *Row) (n int) {
	t.Helper()
	var made []runtime.Object
	t.Cleanup(func() { r.remove(t, made) })
	for _, step := range steps(row) {
		t.Logf("%s: %s", row.Place, step.Says)
		objects := r.parse(t, step.Apply)
		requests := r.requests(t, step.Requests)
		if step.Younger {
			r.nextSecond(t)
		}
		r.remove(t, r.parse(t, step.Delete))
		var last runtime.Object
		if step.Refused != "" {
			last, objects = objects[len(objects)-1], objects[:len(objects)-1]
		}
		r.apply(t, objects, row.Options)
		made = append(made, objects...)
		if last != nil {
			r.refused(t, last, step.Refused)
		}
		if len(requests) > 0 {
			r.settle(t)
			r.want(t, requests)
		}
		n += len(requests)
	}
	return n
}

func (r *rig) parse(t *testing.T, text string) []runtime.Object {
	t.Helper()
	objects, err := ParseObjects(text, home)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func (r *rig) requests(t *testing.T, text string) []Request {
	t.Helper()
	requests, err := ParseRequests(text, home)
	if err != nil {
		t.Fatal(err)
	}
	return requests
}

// apply applies objects and all that they need. Without sites it starts some, with
// these options: they begin with everything.
func (r *rig) apply(t *testing.T, objects []runtime.Object, options []string) {
	t.Helper()
	r.prepare(t, objects)
	r.c.Apply(t, objects...)
	if len(r.sites) == 0 {
		r.start(t, 252, options...)
		r.narrow = true
	}
}

// nextSecond waits until an object that is made now has a later creation time than
// those that exist: the API server counts seconds.
func (r *rig) nextSecond(t *testing.T) {
	t.Helper()
	first := ""
	harness.Eventually(t, "the API server's next second", func() error {
		probe := harness.IngressClass("second-hand", "example.com/nobody")
		r.c.Apply(t, probe)
		defer r.c.Delete(t, probe)
		made, err := r.c.Client.NetworkingV1().IngressClasses().Get(context.Background(), probe.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		now := made.CreationTimestamp.String()
		if first == "" {
			first = now
		}
		if now == first {
			return fmt.Errorf("it is still %s", now)
		}
		return nil
	})
}
