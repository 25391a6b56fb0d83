package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"headgate.dev/e2e/harness"
	networkingv1 "k8s.io/api/networking/v1"
)

// The words of the table: names that an Ingress can give its class.
const (
	classAbsent  = ""
	classOurs    = "ours" // the one that --ingress-class chooses
	classSecond  = "second"
	classForeign = "foreign"
	classUnknown = "unknown" // no IngressClass has this name
)

// classVerdicts is what docs and controller/model/class.h say. Of the rows that
// fit, the first one decides; "any" fits everything.
var classVerdicts = []struct {
	named      string // does the Ingress name a class: yes, no
	controller string // of the IngressClass of that name: ours, foreign, none (no such object)
	chosen     string // by --ingress-class: no (the flag isn't there), this, another
	defaults   string // is a default class ours (and the chosen one): yes, no
	ours       bool
}{
	{"yes", "ours", "no", "any", true},
	{"yes", "ours", "this", "any", true},
	{"yes", "ours", "another", "any", false},
	{"yes", "foreign", "any", "any", false},
	{"yes", "none", "no", "any", false},
	{"yes", "none", "this", "any", true},
	{"yes", "none", "another", "any", false},
	{"no", "any", "any", "yes", true},
	{"no", "any", "any", "no", false},
}

// classWorld is which IngressClass objects there are.
type classWorld struct {
	controllers map[string]string // by name: ours, foreign; a name that isn't there has no object
	defaults    []string          // names that are marked as the default
}

// classFlags are those of one controller.
type classFlags struct {
	chosen bool // --ingress-class=ours
	legacy bool // --legacy-class-annotation
}

func (f classFlags) String() string {
	return fmt.Sprintf("--ingress-class %v, --legacy-class-annotation %v", f.chosen, f.legacy)
}

// classIngress is what an Ingress says.
type classIngress struct{ spec, annotation string }

func (i classIngress) name() string {
	word := func(text string) string {
		if text == classAbsent {
			return "absent"
		}
		return text
	}
	return word(i.spec) + "-" + word(i.annotation)
}

func (i classIngress) host() string { return i.name() + ".example" }

// verdict is the oracle: is the Ingress to be served?
func (w classWorld) verdict(t *testing.T, f classFlags, i classIngress) bool {
	t.Helper()
	name := i.spec
	if name == classAbsent && f.legacy {
		name = i.annotation
	}
	named, controller, chosen, defaults := "no", "none", "no", "no"
	if name != classAbsent {
		named = "yes"
	}
	if c, ok := w.controllers[name]; ok {
		controller = c
	}
	if f.chosen {
		chosen = "another"
		if name == classOurs {
			chosen = "this"
		}
	}
	for _, d := range w.defaults {
		if w.controllers[d] == "ours" && (!f.chosen || d == classOurs) {
			defaults = "yes"
		}
	}
	fits := func(cell, value string) bool { return cell == "any" || cell == value }
	for _, row := range classVerdicts {
		if fits(row.named, named) && fits(row.controller, controller) &&
			fits(row.chosen, chosen) && fits(row.defaults, defaults) {
			return row.ours
		}
	}
	t.Fatalf("no row for %v, %v, %v", w, f, i)
	return false
}

// classWorlds is every set of controllers with every set of defaults.
func classWorlds() []classWorld {
	var worlds []classWorld
	for _, controllers := range []map[string]string{
		{classOurs: "ours", classSecond: "ours", classForeign: "foreign"}, // as they are called
		{classOurs: "foreign", classSecond: "ours", classForeign: "ours"}, // the controller decides, not the name
		{classSecond: "ours", classForeign: "foreign"},                    // ours is deleted
	} {
		for _, defaults := range [][]string{nil, {classOurs}, {classForeign}, {classOurs, classForeign}} {
			worlds = append(worlds, classWorld{controllers, defaults})
		}
	}
	return worlds
}

// classTable is the scene: the Ingresses, and a controller for each set of flags.
type classTable struct {
	t           *testing.T
	c           *harness.Cluster
	ns          string
	ingresses   []classIngress
	controllers map[classFlags]*harness.Headgate
}

// classWords is every name that spec.ingressClassName has, and annotationWords
// every one that the annotation has.
var (
	classWords      = []string{classAbsent, classOurs, classSecond, classForeign, classUnknown}
	annotationWords = []string{classAbsent, classOurs, classForeign, classUnknown}
)

// real is the name in the cluster, where other tests have classes too.
func (s *classTable) real(word string) string { return word + "-" + s.ns }

func (s *classTable) controllerName(word string) string {
	return "headgate.dev/" + word + "-" + s.ns
}

// createIngresses makes every Ingress of the table, before there is any class:
// later the API server would fill the default one in.
func (s *classTable) createIngresses() {
	s.t.Helper()
	for _, spec := range classWords {
		for _, annotation := range annotationWords {
			i := classIngress{spec, annotation}
			s.ingresses = append(s.ingresses, i)
			options := []harness.IngressOption{harness.Rule(i.host(), "/", "web:80")}
			if spec != classAbsent {
				options = append(options, harness.Class(s.real(spec)))
				// The API server refuses both at once in a new Ingress, but not later.
				s.c.Apply(s.t, harness.Ingress(s.ns, i.name(), options...))
			}
			if annotation != classAbsent {
				options = append(options, harness.Annotation("kubernetes.io/ingress.class", s.real(annotation)))
			}
			s.c.Apply(s.t, harness.Ingress(s.ns, i.name(), options...))
		}
	}
}

func (s *classTable) startControllers() {
	s.t.Helper()
	s.controllers = map[classFlags]*harness.Headgate{}
	for _, flags := range []classFlags{{false, false}, {false, true}, {true, false}, {true, true}} {
		args := append(routeFlags(s.t, "3.4"),
			"--kubeconfig="+s.c.Kubeconfig(s.t), "--controller-name="+s.controllerName("ours"))
		if flags.chosen {
			args = append(args, "--ingress-class="+s.real(classOurs))
		}
		if flags.legacy {
			args = append(args, "--legacy-class-annotation")
		}
		g := harness.NewHeadgate(s.t)
		g.Start(s.t, args...)
		s.controllers[flags] = g
	}
	for _, g := range s.controllers {
		g.WaitReady(s.t)
	}
}

func (s *classTable) class(word, controller string, isDefault bool) *networkingv1.IngressClass {
	class := harness.IngressClass(s.real(word), s.controllerName(controller))
	class.Annotations = map[string]string{
		networkingv1.AnnotationIsDefaultIngressClass: fmt.Sprint(isDefault),
	}
	return class
}

// enter brings the IngressClasses from one world to the next. spec.controller
// can't be changed: such a class is deleted and made anew. It returns how many
// watch events that is.
func (s *classTable) enter(before, after classWorld) (events int) {
	s.t.Helper()
	for _, word := range []string{classOurs, classSecond, classForeign} {
		old, was := before.controllers[word]
		now, is := after.controllers[word]
		wasDefault, isDefault := contains(before.defaults, word), contains(after.defaults, word)
		if was && (!is || old != now) {
			s.c.Delete(s.t, s.class(word, old, false))
			events++
		}
		if is && (!was || old != now || wasDefault != isDefault) {
			s.c.Apply(s.t, s.class(word, now, isDefault))
			events++
		}
	}
	return events
}

func contains(list []string, text string) bool {
	return strings.Contains(","+strings.Join(list, ",")+",", ","+text+",")
}

func (s *classTable) classEvents(g *harness.Headgate) int {
	return int(g.Metrics(s.t).Sum("headgate_watch_events_total", `kind="IngressClass"`))
}

// check asks for every host until it has its verdict, and then once more for all
// of them, so that none was only not yet wrong.
func (s *classTable) check(world classWorld, flags classFlags, g *harness.Headgate) (served int) {
	s.t.Helper()
	ask := func(i classIngress) error {
		answer, err := harness.Get(g.HTTP, i.host(), "/")
		if err != nil {
			return err
		}
		want := http.StatusNotFound
		if world.verdict(s.t, flags, i) {
			want = http.StatusOK
		}
		if answer.Status != want {
			return fmt.Errorf("spec %q, annotation %q: status %d, want %d", i.spec, i.annotation, answer.Status, want)
		}
		return nil
	}
	for _, i := range s.ingresses {
		harness.Eventually(s.t, fmt.Sprintf("%v: %v", world, flags), func() error { return ask(i) })
		if world.verdict(s.t, flags, i) {
			served++
		}
	}
	for _, i := range s.ingresses {
		if err := ask(i); err != nil {
			s.t.Errorf("%v: %v: it changed once more: %v", world, flags, err)
		}
	}
	return served
}

// TestClassTable is the table of classes: each Ingress that names a class in its
// spec, in the annotation, in both or not at all, in each world of IngressClass
// objects, with each set of flags.
func TestClassTable(t *testing.T) {
	c, pods := harness.StartCluster(t), harness.StartPods(t)
	s := &classTable{t: t, c: c, ns: c.Namespace(t)}
	c.Apply(t, harness.Service(s.ns, "web", "80:8080"), harness.EndpointSlice(s.ns, "web", "8080", pods.IPs(1)...))
	s.createIngresses()
	s.startControllers()
	world := classWorld{}
	t.Cleanup(func() { s.enter(world, classWorld{}) })
	cells, served := 0, 0
	for _, next := range classWorlds() {
		seen := map[classFlags]int{}
		for flags, g := range s.controllers {
			seen[flags] = s.classEvents(g)
		}
		events := s.enter(world, next)
		world = next
		for flags, g := range s.controllers {
			harness.Eventually(t, "the controller has seen the classes", func() error {
				if n := s.classEvents(g) - seen[flags]; n < events {
					return fmt.Errorf("%d events, want %d", n, events)
				}
				return nil
			})
			served += s.check(world, flags, g)
			cells += len(s.ingresses)
		}
	}
	// 5 names, 4 annotations, 3 sets of controllers, 4 of defaults, 4 of flags.
	if want := 5 * 4 * 3 * 4 * 4; cells != want {
		t.Errorf("%d cells, want %d", cells, want)
	}
	t.Logf("%d cells, %d of them served", cells, served)
	for _, g := range s.controllers {
		wantHealthy(t, g)
		if n := g.Metrics(t).Sum("headgate_reloads_total"); n != 0 {
			t.Errorf("%v reloads, want 0", n)
		}
	}
}
