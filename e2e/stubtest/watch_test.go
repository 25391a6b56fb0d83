package stubtest

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"headgate.dev/e2e/apistub"
	"headgate.dev/e2e/harness"
)

// A watch that ends when its time is over is resumed where it was.
func TestClosedWatchIsResumed(t *testing.T) {
	r := start(t, 3)
	last := map[apistub.Kind]apistub.Version{}
	route := r.routes[0]
	r.replacePods(route, func(object any) { last[apistub.EndpointSlice] = r.stub.Put(t, object) })

	if n := r.stub.CloseWatches(""); n != len(watched) {
		t.Fatalf("%d watches were open, want %d", n, len(watched))
	}
	r.changePods(route, r.put) // while nobody listens
	r.awaitWatches()
	r.awaitPods(route)
	r.fence()

	r.wantLists(0, watched...)
	for _, kind := range watched {
		requests := r.since(kind, apistub.Watch)
		if len(requests) != 1 {
			t.Errorf("%d watches on %s, want 1", len(requests), kind)
			continue
		}
		from := requests[0].Query.Get("resourceVersion")
		if want, ok := last[kind]; ok && from != want.String() {
			t.Errorf("the watch on %s was resumed from %s, want %v", kind, from, want)
		}
		if requests[0].Query.Get("allowWatchBookmarks") != "true" || requests[0].Proto != "HTTP/2.0" {
			t.Errorf("%+v: no bookmarks, or no HTTP/2", requests[0])
		}
	}
	r.wantTouched(route.name)
	r.end()
}

// Bookmarks keep a quiet kind's resourceVersion young enough for a history that
// is compacted all the time.
func TestBookmarkSavesAList(t *testing.T) {
	r := prepare(t, 2)
	r.stub.SetBookmarks(20 * time.Millisecond)
	r.run()
	r.stub.Compact()
	compacted := r.stub.Version()
	for _, kind := range watched {
		label := fmt.Sprintf("kind=%q", kind)
		before := r.h.Metrics(t).Sum("headgate_watch_events_total", label)
		harness.Eventually(t, "bookmarks of "+string(kind), func() error {
			// The second one was sent after the compaction for sure.
			if n := r.h.Metrics(t).Sum("headgate_watch_events_total", label); n < before+2 {
				return fmt.Errorf("%v events, want %v", n, before+2)
			}
			return nil
		})
	}
	r.stub.CloseWatches("")
	r.awaitWatches()
	r.fence()
	r.wantLists(0, watched...)
	for _, kind := range watched {
		for _, request := range r.since(kind, apistub.Watch) {
			from, _ := strconv.ParseInt(request.Query.Get("resourceVersion"), 10, 64)
			if apistub.Version(from) < compacted {
				t.Errorf("the watch on %s was resumed from %v, before %v", kind, from, compacted)
			}
		}
	}
	r.wantTouched()
	r.end()
}

// Lost history: list again, and give HAProxy the difference, in the right order.
func TestGoneMeansListAndCompare(t *testing.T) {
	for name, inStream := range map[string]bool{"as status": false, "as event": true} {
		t.Run(name, func(t *testing.T) {
			r := start(t, 4)
			for round := range 2 {
				gone := r.retire()
				r.forget()
				r.stub.ExpireWatches(inStream)
				r.stub.Delete(t, gone.objects()...)
				r.changePods(r.routes[0], r.put)
				harness.WantStatus(t, r.h.HTTP, gone.host(), "/", 404)
				r.awaitPods(r.routes[0])
				r.awaitWatches()
				r.fence()
				r.fence() // or a deletion is taken for the next round's
				r.wantLists(1, watched...)
				r.wantTouched(gone.name, r.routes[0].name)
				if t.Failed() {
					t.Fatalf("in round %d", round)
				}
			}
			r.end()
		})
	}
}

// Nothing has changed: a list says nothing to HAProxy.
func TestGoneWithoutAChangeTellsHAProxyNothing(t *testing.T) {
	r := start(t, 3)
	r.stub.ExpireWatches(true)
	for _, kind := range watched {
		r.awaitRequests(kind, apistub.List, 1)
	}
	r.awaitWatches()
	if writes := r.cli.Writes(); len(writes) != 0 {
		t.Errorf("HAProxy was told %q", writes)
	}
	r.fence()
	r.wantTouched()
	r.end()
}

// The server knows nothing as old as our version any more and refuses the list,
// too: the next one takes what there is.
func TestGoneListFallsBackToTheNewest(t *testing.T) {
	r := start(t, 2)
	r.stub.Fail(apistub.Service, apistub.List, 410, 0, 1)
	r.stub.ExpireWatches(false)
	lists := r.awaitRequests(apistub.Service, apistub.List, 2)
	if lists[0].Query.Get("resourceVersion") == "" || lists[0].Query.Get("resourceVersionMatch") != "NotOlderThan" {
		t.Errorf("the first list may go back in time: %v", lists[0].Query)
	}
	if lists[1].Query.Get("resourceVersion") != "" {
		t.Errorf("the second list asks for the version that is gone: %v", lists[1].Query)
	}
	r.awaitWatches()
	r.fence()
	r.wantLists(2, apistub.Service)
	r.wantTouched()
	r.end()
}

// Events that come twice, in another order than the objects depend on each
// other, or about what isn't there.
func TestOddEvents(t *testing.T) {
	r := start(t, 2)
	for _, object := range r.routes[0].objects() {
		r.stub.SendEvent(t, "ADDED", object)
		r.stub.SendEvent(t, "MODIFIED", object)
	}
	ghost := r.newRoute("ghost")
	for _, object := range ghost.objects() {
		r.stub.SendEvent(t, "DELETED", object)
	}
	r.fence()
	r.wantTouched()

	backwards := r.newRoute("backwards")
	objects := backwards.objects()
	for i := range objects {
		r.stub.Put(t, objects[len(objects)-1-i])
		r.stub.SendEvent(t, "MODIFIED", objects[0]) // known or not
	}
	r.awaitPods(backwards)

	// The same name, another object.
	r.stub.Delete(t, objects...)
	again := r.newRoute("backwards")
	r.stub.Put(t, again.objects()...)
	r.awaitPods(again)
	r.stub.Delete(t, again.objects()...)
	harness.WantStatus(t, r.h.HTTP, again.host(), "/", 404)
	r.wantTouched("backwards")
	r.wantLists(0, watched...)
	r.end()
}
