package apistub

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"

	"headgate.dev/e2e/harness"
)

// Version is a resourceVersion. Clients get it as text and may not read it.
type Version int64

func (v Version) String() string { return strconv.FormatInt(int64(v), 10) }

// firstVersion is no round number, so that nobody gets by with guessing one.
const firstVersion Version = 90017

// object is one version of an object; never changed.
type object struct {
	kind            Kind
	namespace, name string
	secretType      string // "type", as a Secret has it
	version         Version
	born            Version // of the first version: an update is no new object
	text            []byte
	path            string // namespace/name
}

func (o *object) key() string { return o.path }

// event is one entry of the history.
type event struct {
	verb   string // ADDED, MODIFIED or DELETED
	object *object
	wire   *wire // the connection that it left by first, and where to look there
	mark   int
}

// store is the objects, and all changes. A compaction forbids what is old to new
// watches; open ones still get all that they are due.
type store struct {
	version   Version
	compacted Version // a watch can't start before this one
	objects   map[Kind]map[string]*object
	history   map[Kind][]*event
	snapshots map[int]snapshot
	nextID    int
}

// snapshot is what a list in pages is read from, so that all of its pages show
// one moment.
type snapshot struct {
	version Version
	objects []*object
}

func newStore() store {
	s := store{
		version: firstVersion, compacted: firstVersion,
		objects: map[Kind]map[string]*object{}, history: map[Kind][]*event{}, snapshots: map[int]snapshot{},
	}
	for _, r := range resources {
		s.objects[r.kind] = map[string]*object{}
	}
	return s
}

// Put creates or replaces objects: typed ones of k8s.io/api, or raw JSON (a
// []byte or json.RawMessage with apiVersion, kind and metadata, and anything
// else). It returns the version of the last one.
func (s *Stub) Put(t harness.TB, objects ...any) Version {
	t.Helper()
	made := make([]*object, len(objects))
	contents := make([]map[string]any, len(objects))
	for i, o := range objects {
		var err error
		if made[i], contents[i], err = read(o); err != nil {
			t.Fatalf("apistub: %v", err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, o := range made {
		s.put(o, contents[i])
	}
	return s.store.version
}

// Delete removes objects, which must exist, and returns the version of the last
// deletion.
func (s *Stub) Delete(t harness.TB, objects ...any) Version {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range objects {
		made, content, err := read(o)
		if err != nil {
			t.Fatalf("apistub: %v", err)
		}
		old := s.store.objects[made.kind][made.key()]
		if old == nil {
			t.Fatalf("apistub: there is no %s %s to delete", made.kind, made.key())
		}
		s.store.version++
		made.born = old.born
		made.write(content, s.store.version)
		delete(s.store.objects[made.kind], made.key())
		s.append("DELETED", made)
	}
	return s.store.version
}

// Version is the newest one.
func (s *Stub) Version() Version {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.store.version
}

// Sent is when the first byte of the event with this version went to a client's
// socket. False: it has not yet.
func (s *Stub) Sent(kind Kind, version Version) (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	history := s.store.history[kind]
	i := position(history, version)
	if i == len(history) || history[i].object.version != version || history[i].wire == nil {
		return time.Time{}, false
	}
	return history[i].wire.after(history[i].mark)
}

func (s *Stub) put(o *object, content map[string]any) {
	s.store.version++
	verb := s.store.prepare(o, content)
	s.store.objects[o.kind][o.key()] = o
	s.append(verb, o)
}

// prepare makes an object the newest version, and says what event that is.
func (s *store) prepare(o *object, content map[string]any) string {
	verb := "ADDED"
	o.born = s.version
	if old := s.objects[o.kind][o.key()]; old != nil {
		verb, o.born = "MODIFIED", old.born
	}
	o.write(content, s.version)
	return verb
}

func (s *Stub) append(verb string, o *object) {
	s.store.history[o.kind] = append(s.store.history[o.kind], &event{verb: verb, object: o})
	for w := range s.watchers {
		if w.kind == o.kind {
			w.wake()
		}
	}
}

// since is the history after one version, up to and with another; it is not to
// be changed.
func (s *store) since(kind Kind, version, upTo Version) []*event {
	history := s.history[kind]
	return history[position(history, version+1):position(history, upTo+1)]
}

func position(history []*event, version Version) int {
	i, _ := slices.BinarySearchFunc(history, version, func(e *event, v Version) int {
		return int(e.object.version - v)
	})
	return i
}

// sorted is all objects of a kind that a request may see, in the order in which
// an API server lists them.
func (s *store) sorted(c *call) []*object {
	var found []*object
	for _, o := range s.objects[c.kind] {
		if c.sees(o) {
			found = append(found, o)
		}
	}
	slices.SortFunc(found, func(a, b *object) int { return strings.Compare(a.key(), b.key()) })
	return found
}

func (c *call) sees(o *object) bool {
	return (c.namespace == "" || c.namespace == o.namespace) && c.selector.fits(o)
}

// selector is the field selectors that Headgate sends; "" = all.
type selector struct {
	name       string // metadata.name
	secretType string // type
}

func (s selector) fits(o *object) bool {
	return (s.name == "" || s.name == o.name) && (s.secretType == "" || s.secretType == o.secretType)
}

// readSelector reads a field selector, of one field; "" is one that selects everything.
func readSelector(text string) (s selector, ok bool) {
	field, value, _ := strings.Cut(text, "=")
	switch field {
	case "":
		return s, text == ""
	case "metadata.name":
		s.name = value
	case "type":
		s.secretType = value
	default:
		return s, false
	}
	return s, value != "" && !strings.Contains(value, ",")
}

// read takes an object apart. Numbers stay as they are written.
func read(from any) (*object, map[string]any, error) {
	var text []byte
	var kind string
	switch o := from.(type) {
	case []byte:
		text = o
	case json.RawMessage:
		text = o
	case runtime.Object:
		kinds, _, err := scheme.Scheme.ObjectKinds(o)
		if err != nil {
			return nil, nil, err
		}
		kind = kinds[0].Kind
		if text, err = json.Marshal(o); err != nil {
			return nil, nil, err
		}
	default:
		return nil, nil, fmt.Errorf("%T is no object", from)
	}
	content := map[string]any{}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&content); err != nil {
		return nil, nil, err
	}
	if kind == "" {
		kind, _ = content["kind"].(string)
	}
	r, ok := resourceOf(Kind(kind))
	metadata, isMap := content["metadata"].(map[string]any)
	if !ok || !isMap {
		return nil, nil, fmt.Errorf("kind %q is not served, or the object has no metadata", kind)
	}
	content["kind"], content["apiVersion"] = kind, r.apiVersion
	o := &object{kind: r.kind}
	o.namespace, _ = metadata["namespace"].(string)
	o.name, _ = metadata["name"].(string)
	o.path = o.namespace + "/" + o.name
	o.secretType, _ = content["type"].(string)
	return o, content, nil
}

// write fills in what an API server does, unless the object brings it along: a
// UID, and a creation time that is later for what is put later.
func (o *object) write(content map[string]any, version Version) {
	metadata := content["metadata"].(map[string]any)
	metadata["resourceVersion"] = version.String()
	if metadata["uid"] == nil {
		metadata["uid"] = "uid-" + o.born.String()
	}
	if metadata["creationTimestamp"] == nil {
		epoch := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		metadata["creationTimestamp"] = epoch.Add(time.Duration(o.born-firstVersion) * time.Second).Format(time.RFC3339)
	}
	o.version = version
	o.text, _ = json.Marshal(content)
}
