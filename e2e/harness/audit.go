package harness

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// auditPolicy has the API server write down what the controller asks for: a line a
// request, without its content.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - {level: Metadata, users: ["system:serviceaccount:` + ControllerNamespace + `:` + ControllerAccount + `"]}
  - {level: None}
`

// Access is something that one may do, or has done, with the API.
type Access struct {
	Verb      string
	Group     string
	Resource  string // with its subresource: "ingresses/status"
	Namespace string // "" is all of them
}

func (a Access) String() string {
	text := a.Verb + " " + a.Resource
	if a.Group != "" {
		text += "." + a.Group
	}
	if a.Namespace != "" {
		text += " in " + a.Namespace
	}
	return text
}

// auditLine is what of an event of audit.k8s.io/v1 is of interest.
type auditLine struct {
	Verb      string
	ObjectRef *struct{ Resource, Subresource, Namespace, APIGroup string }
}

// UsedAccess is everything that controllers have asked the API server for in this
// run, as its audit log has it, granted or not.
func (c *Cluster) UsedAccess(t TB) map[Access]bool {
	t.Helper()
	file, err := os.Open(c.file("audit.log"))
	if err != nil {
		t.Fatalf("%v", err)
	}
	defer file.Close()
	used := map[Access]bool{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line auditLine
		// The last line may be one that is being written.
		if json.Unmarshal(lines.Bytes(), &line) != nil || line.ObjectRef == nil {
			continue
		}
		ref := line.ObjectRef
		access := Access{line.Verb, ref.APIGroup, ref.Resource, ref.Namespace}
		if ref.Subresource != "" {
			access.Resource += "/" + ref.Subresource
		}
		used[access] = true
	}
	return used
}

// GrantedAccess is what deploy/rbac/headgate.yaml grants, item by item.
func GrantedAccess(t TB) map[Access]bool {
	t.Helper()
	granted := map[Access]bool{}
	for _, object := range readManifests(t, rbacPath(t)) {
		if kind := object.GetKind(); kind != "Role" && kind != "ClusterRole" {
			continue
		}
		var role rbacv1.Role // a ClusterRole has the same fields
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &role); err != nil {
			t.Fatalf("%s %s: %v", object.GetKind(), object.GetName(), err)
		}
		for _, rule := range role.Rules {
			addRule(granted, rule, role.Namespace)
		}
	}
	return granted
}

func addRule(granted map[Access]bool, rule rbacv1.PolicyRule, namespace string) {
	for _, verb := range rule.Verbs {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				granted[Access{verb, group, resource, namespace}] = true
			}
		}
	}
}

// CheckAccess compares what was granted with what was used: neither may have
// anything that the other hasn't. Something cluster-wide is also used by asking for
// it in one namespace.
func CheckAccess(granted, used map[Access]bool) []error {
	var faults []error
	needed := map[Access]bool{}
	for access := range used {
		everywhere := access
		everywhere.Namespace = ""
		switch {
		case granted[everywhere]:
			needed[everywhere] = true
		case granted[access]:
			needed[access] = true
		default:
			faults = append(faults, fmt.Errorf("used and not granted: %v", access))
		}
	}
	for access := range granted {
		if !needed[access] {
			faults = append(faults, fmt.Errorf("granted and not used: %v", access))
		}
	}
	return faults
}
