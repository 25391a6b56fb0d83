package apistub

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"headgate.dev/e2e/harness"
)

// watcher is one open watch.
type watcher struct {
	kind      Kind
	news      chan struct{} // something is in the history
	orders    chan order
	version   Version // the newest that it has seen
	bookmarks bool
}

// order is something to do to a watch that no change of an object brings about.
type order struct {
	text []byte // written as it is
	end  ending
	upTo Version // what was changed until then is told first, and nothing newer
}

type ending int

const (
	goOn     ending = iota
	endWell         // as when its time is over
	endAbort        // as when the connection breaks
)

func (w *watcher) wake() {
	select {
	case w.news <- struct{}{}:
	default: // it will look anyway
	}
}

func (s *Stub) watch(c *call) {
	query := c.r.URL.Query()
	from, err := strconv.ParseInt(query.Get("resourceVersion"), 10, 64)
	if err != nil { // watching from "now" or from the beginning is not Headgate's way
		s.stranger(c.r)
		writeStatus(c.w, http.StatusBadRequest, "BadRequest", "apistub: a watch needs a resourceVersion")
		return
	}
	seconds, err := strconv.Atoi(query.Get("timeoutSeconds"))
	if err != nil || seconds <= 0 {
		seconds = 1800
	}
	w := &watcher{
		kind: c.kind, news: make(chan struct{}, 1), orders: make(chan order, 16),
		version: Version(from), bookmarks: query.Get("allowWatchBookmarks") == "true",
	}
	s.mu.Lock()
	gone := w.version < s.store.compacted
	if !gone {
		s.watchers[w] = true
	}
	bookmark := s.bookmark
	s.mu.Unlock()
	if gone {
		writeStatus(c.w, http.StatusGone, "Expired", "too old resource version")
		return
	}
	defer s.forget(w)
	w.wake()
	s.follow(c, w, time.Duration(seconds)*time.Second, bookmark)
}

func (s *Stub) forget(w *watcher) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.watchers, w)
}

func (s *Stub) follow(c *call, w *watcher, limit, bookmark time.Duration) {
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(http.StatusOK)
	flush(c.w)
	end := time.NewTimer(limit)
	defer end.Stop()
	tick := time.NewTicker(bookmark)
	defer tick.Stop()
	for {
		select {
		case <-w.news:
			s.sendNews(c, w, s.dueTo(w))
		case o := <-w.orders:
			s.sendNews(c, w, o.upTo)
			_, _ = c.w.Write(o.text)
			flush(c.w)
			if o.end == endAbort {
				panic(http.ErrAbortHandler)
			} else if o.end == endWell {
				return
			}
		case <-tick.C:
			if w.bookmarks {
				_, _ = c.w.Write(s.bookmarkEvent(c, w))
				flush(c.w)
			}
		case <-end.C:
			return
		case <-c.r.Context().Done():
			return
		}
	}
}

// dueTo is how far a watch may be told of changes: one that was ordered to end
// only up to that order, even if it has not read it yet.
func (s *Stub) dueTo(w *watcher) Version {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watchers[w] {
		return s.store.version
	}
	return w.version
}

func (s *Stub) sendNews(c *call, w *watcher, upTo Version) {
	wire, _ := c.r.Context().Value(wireKey{}).(*wire)
	s.mu.Lock()
	events := s.store.since(w.kind, w.version, max(upTo, w.version))
	if len(events) > 0 {
		w.version = events[len(events)-1].object.version
	}
	s.mu.Unlock()
	for some := range slices.Chunk(events, atOnce) {
		s.mark(some, wire)
		for _, e := range some {
			if c.sees(e.object) {
				_, _ = c.w.Write(eventText(e.verb, e.object.text))
			}
		}
		flush(c.w)
	}
}

// atOnce is how many events leave together at most, so that each knows when.
const atOnce = 16

func (s *Stub) mark(events []*event, wire *wire) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range events {
		if e.wire == nil && wire != nil {
			e.wire, e.mark = wire, wire.mark()
		}
	}
}

// bookmarkEvent tells the watch that it has seen everything up to now.
func (s *Stub) bookmarkEvent(c *call, w *watcher) []byte {
	upTo := s.dueTo(w)
	s.sendNews(c, w, upTo)
	w.version = max(w.version, upTo)
	return eventText("BOOKMARK", fmt.Appendf(nil,
		`{"kind":"%s","apiVersion":"%s","metadata":{"resourceVersion":"%v","creationTimestamp":null},"spec":{}}`,
		c.kind, c.apiVersion, w.version))
}

func eventText(verb string, object []byte) []byte {
	return fmt.Appendf(nil, `{"type":"%s","object":%s}`+"\n", verb, object)
}

func flush(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }

// order gives an order to the open watches of a kind, and counts them.
func (s *Stub) order(kind Kind, o order) int {
	n := 0
	if o.upTo == 0 {
		o.upTo = s.store.version
	}
	for w := range s.watchers {
		if kind == "" || w.kind == kind {
			w.orders <- o
			n++
			if o.end != goOn {
				delete(s.watchers, w) // a second order would find nobody
			}
		}
	}
	return n
}

// CloseWatches ends the open watches of a kind, all if it is "", in good order,
// and returns how many there were.
func (s *Stub) CloseWatches(kind Kind) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.order(kind, order{end: endWell})
}

// Send writes text to the open watches of a kind as it is, garbage for instance,
// and returns how many there were.
func (s *Stub) Send(kind Kind, text []byte) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.order(kind, order{text: text})
}

// SendEvent sends an event that no change has caused: a duplicate, or one about
// an object that isn't there. The store stays as it is. A typed object gets no
// resourceVersion unless it brings one.
func (s *Stub) SendEvent(t harness.TB, verb string, from any) int {
	t.Helper()
	o, content, err := read(from)
	if err != nil {
		t.Fatalf("apistub: %v", err)
	}
	metadata := content["metadata"].(map[string]any)
	given := metadata["resourceVersion"]
	o.write(content, 0)
	if given != nil {
		metadata["resourceVersion"] = given
	} else {
		delete(metadata, "resourceVersion")
	}
	text, err := json.Marshal(content)
	if err != nil {
		t.Fatalf("apistub: %v", err)
	}
	return s.Send(o.kind, eventText(verb, text))
}

// Truncate puts an object and breaks the watches in the middle of the event that
// tells of it. The change is in the history, so that resuming finds it.
func (s *Stub) Truncate(t harness.TB, from any) Version {
	t.Helper()
	o, content, err := read(from)
	if err != nil {
		t.Fatalf("apistub: %v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.store.version
	s.store.version++
	verb := s.store.prepare(o, content)
	text := eventText(verb, o.text)
	s.order(o.kind, order{text: text[:len(text)/2], end: endAbort, upTo: before})
	s.store.objects[o.kind][o.key()] = o
	s.store.history[o.kind] = append(s.store.history[o.kind], &event{verb: verb, object: o})
	return s.store.version
}

// Compact forgets the history: a watch from before now, and the pages of lists
// that are under way, are 410 Gone. Open watches go on.
func (s *Stub) Compact() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.compact()
}

func (s *Stub) compact() {
	s.store.version++
	s.store.compacted = s.store.version
	clear(s.store.snapshots)
}

// ExpireWatches compacts and ends the open watches so that every client has to
// list again. In the stream: each gets an ERROR event with code 410. Otherwise
// they are closed, and the 410 is the status of the next watch. It returns how
// many there were.
func (s *Stub) ExpireWatches(inStream bool) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := order{end: endWell}
	if inStream {
		o.text = eventText("ERROR", statusObject(http.StatusGone, "Expired", "too old resource version"))
	}
	n := s.order("", o)
	s.compact()
	return n
}

// Watching is the number of open watches of a kind, all if it is "".
func (s *Stub) Watching(kind Kind) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for w := range s.watchers {
		if kind == "" || w.kind == kind {
			n++
		}
	}
	return n
}
