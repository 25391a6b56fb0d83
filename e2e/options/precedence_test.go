package options

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"headgate.dev/e2e/harness"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// kind is a kind of option: who may set it, and how it is seen who has decided.
type kind struct {
	option string
	who    []string // in the order in which they are asked
	value  func(who string) string
	seen   func(s *scene, host string) (string, error)
}

var milliseconds = map[string]string{"Service": "11000", "Ingress": "12000", "class": "13000", "controller": "14000"}

var kinds = []kind{
	{
		option: "response-set-header", who: []string{"Ingress", "class", "controller"},
		value: func(who string) string { return "X-Who " + who },
		seen: func(s *scene, host string) (string, error) {
			answers, err := s.ask(host, ask{})
			if err != nil {
				return "", err
			}
			return answers[0].Header.Get("X-Who"), nil
		},
	},
	{
		option: "timeout-server", who: []string{"Service", "Ingress", "class", "controller"},
		value: func(who string) string { return milliseconds[who] },
		seen:  timeoutSeen,
	},
}

// timeoutSeen looks at what HAProxy has: nobody would wait for its effect.
func timeoutSeen(s *scene, host string) (string, error) {
	maps := map[string]string{}
	for _, name := range []string{"prefix.map", "policy.map"} {
		text, err := harness.Runtime(s.g.RuntimeSocket(), "show map "+filepath.Join(s.g.StateDir, "current", name))
		if err != nil {
			return "", err
		}
		maps[name] = text
	}
	route := regexp.MustCompile(`(?m)^\S+ ` + regexp.QuoteMeta(host) + `/ [^|\n]*\|(.*)$`).FindStringSubmatch(maps["prefix.map"])
	if route == nil {
		return "", nil
	}
	record := regexp.MustCompile(`(?m)^\S+ ` + regexp.QuoteMeta(route[1]) + ` .*"timeout-server":"(\d+)"`).FindStringSubmatch(maps["policy.map"])
	if record == nil {
		return "", fmt.Errorf("no record of %s", route[1])
	}
	for who, ms := range milliseconds {
		if ms == record[1] {
			return who, nil
		}
	}
	return record[1], nil
}

// subsets are all of them, each in the order of what they are of.
func subsets(of []string) [][]string {
	all := [][]string{nil}
	for _, one := range of {
		for _, old := range all {
			all = append(all, append(append([]string{}, old...), one))
		}
	}
	return all
}

func nameOf(says []string) string {
	return strings.ToLower(strings.Join(append([]string{"said"}, says...), "-"))
}

func isIn(says []string, who string) bool {
	for _, w := range says {
		if w == who {
			return true
		}
	}
	return false
}

func configMap(name, key, value string) runtime.Object {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Data: map[string]string{key: value}}
}

// sites are an Ingress, a Service and a host for each set of those who say
// something, of those sets that have the controller in them or of the others.
func (s *scene) sites(k kind, byController bool) []runtime.Object {
	tuned, scope, ns := harness.IngressClass("tuned", controller), "Namespace", namespace
	tuned.Spec.Parameters = &networkingv1.IngressClassParametersReference{Kind: "ConfigMap", Name: "tuned", Scope: &scope, Namespace: &ns}
	objects := []runtime.Object{harness.IngressClass("headgate", controller), tuned, configMap("tuned", k.option, k.value("class"))}
	if byController {
		objects = append(objects, configMap("settings", k.option, k.value("controller")))
	}
	for _, says := range subsets(k.who) {
		if isIn(says, "controller") != byController {
			continue
		}
		name, class := nameOf(says), "headgate"
		if isIn(says, "class") {
			class = "tuned"
		}
		options := []harness.IngressOption{harness.Class(class), harness.Rule(name+".test", "/", name+":80")}
		if isIn(says, "Ingress") {
			options = append(options, harness.Annotation(prefix+k.option, k.value("Ingress")))
		}
		service := harness.Service(namespace, name, "80:8080")
		if isIn(says, "Service") {
			service.Annotations = map[string]string{prefix + k.option: k.value("Service")}
		}
		objects = append(objects, service, harness.EndpointSlice(namespace, name, "8080", s.ip), harness.Ingress(namespace, name, options...))
	}
	s.states++
	return append(objects, harness.Ingress(namespace, "state", harness.Class("headgate"), harness.Rule(s.state(), "/", nameOf(nil)+":80")))
}

// TestPrecedence asks, for each kind of option and each set of those who say
// something, who decides. HEADGATE_UPDATE=1 writes docs/options-precedence.md.
func TestPrecedence(t *testing.T) {
	t.Parallel()
	s := &scene{t: t, dir: t.TempDir(), ip: harness.StartPods(t).IP(), g: harness.NewHeadgate(t)}
	s.start("3.4", "--configmap="+namespace+"/settings")
	var page strings.Builder
	page.WriteString("# Who decides about an option\n\nMade by a test (`e2e/options`): for each kind of option, every set of those who say something, and who has decided.\n")
	for _, k := range kinds {
		fmt.Fprintf(&page, "\n## As `%s`\n\n| says something | decides |\n|---|---|\n", k.option)
		for _, byController := range []bool{false, true} {
			harness.WriteManifestFile(t, filepath.Join(s.dir, "all.yaml"), s.sites(k, byController)...)
			for _, says := range subsets(k.who) {
				if isIn(says, "controller") != byController {
					continue
				}
				want := strings.Join(says[:min(1, len(says))], "")
				harness.Eventually(t, k.option+" of "+nameOf(says), func() error {
					decides, err := k.seen(s, nameOf(says)+".test")
					if err == nil && decides != want {
						err = fmt.Errorf("%q decides, not %q", decides, want)
					}
					return err
				})
				fmt.Fprintf(&page, "| %s | %s |\n", orNobody(strings.Join(says, ", ")), orNobody(want))
			}
		}
	}
	compare(t, "options-precedence.md", page.String())
}

func orNobody(text string) string {
	if text == "" {
		return "nobody"
	}
	return text
}
