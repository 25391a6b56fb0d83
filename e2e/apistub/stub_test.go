package apistub

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"headgate.dev/e2e/harness"
)

const services = "/api/v1/services"

// client asks the stub as Headgate would.
type client struct {
	t    *testing.T
	stub *Stub
	http *http.Client
}

func newClient(t *testing.T) *client {
	stub := Start(t)
	return &client{t, stub, stub.Client()}
}

func (c *client) get(path string) *http.Response {
	c.t.Helper()
	request, err := http.NewRequest(http.MethodGet, c.stub.URL+path, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+DefaultToken)
	response, err := c.http.Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { response.Body.Close() })
	return response
}

type listed struct {
	Metadata struct{ ResourceVersion, Continue string }
	Items    []meta
}

type meta struct {
	Metadata struct{ Name, Namespace, ResourceVersion, UID, CreationTimestamp string }
}

func (c *client) list(query string) listed {
	c.t.Helper()
	var l listed
	if err := json.NewDecoder(c.get(services + query).Body).Decode(&l); err != nil {
		c.t.Fatal(err)
	}
	return l
}

// stream reads a watch, an event a time.
type stream struct {
	t     *testing.T
	lines *bufio.Reader
}

func (c *client) watch(version string) *stream {
	c.t.Helper()
	response := c.get(services + "?watch=1&allowWatchBookmarks=true&resourceVersion=" + version)
	if response.StatusCode != http.StatusOK || response.ProtoMajor != 2 {
		c.t.Fatalf("status %d, %s", response.StatusCode, response.Proto)
	}
	return &stream{c.t, bufio.NewReader(response.Body)}
}

func (s *stream) next() string {
	line, err := s.lines.ReadString('\n')
	if err != nil {
		return line + "|" + errorName(err)
	}
	var e struct {
		Type   string
		Object struct {
			meta
			Code int
		}
	}
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		s.t.Fatalf("%q: %v", line, err)
	}
	if e.Type == "ERROR" {
		return "ERROR " + http.StatusText(e.Object.Code)
	}
	return strings.TrimSpace(e.Type + " " + e.Object.Metadata.Name)
}

func (s *stream) want(events ...string) {
	s.t.Helper()
	for _, want := range events {
		if got := s.next(); got != want {
			s.t.Fatalf("event %q, want %q", got, want)
		}
	}
}

func errorName(err error) string {
	if errors.Is(err, io.EOF) {
		return "EOF"
	}
	return "broken"
}

func TestPagesAreOneSnapshot(t *testing.T) {
	c := newClient(t)
	for _, name := range []string{"c", "a", "b"} {
		c.stub.Put(t, harness.Service("x", name, "80"))
	}
	first := c.list("?limit=2")
	c.stub.Delete(t, harness.Service("x", "c", "80"))
	second := c.list("?limit=2&continue=" + first.Metadata.Continue)
	if len(first.Items) != 2 || first.Items[0].Metadata.Name != "a" || len(second.Items) != 1 ||
		second.Items[0].Metadata.Name != "c" || second.Metadata.Continue != "" ||
		second.Metadata.ResourceVersion != first.Metadata.ResourceVersion {
		t.Errorf("pages %+v, %+v", first, second)
	}
	if n := len(c.list("").Items); n != 2 {
		t.Errorf("%d objects are left, want 2", n)
	}
	c.stub.Compact()
	if code := c.get(services + "?limit=2&continue=" + first.Metadata.Continue).StatusCode; code != http.StatusGone {
		t.Errorf("continuing after a compaction: %d, want 410", code)
	}
}

func TestWatchResumes(t *testing.T) {
	c := newClient(t)
	c.stub.Put(t, harness.Service("x", "old", "80"))
	start := c.list("").Metadata.ResourceVersion
	w := c.watch(start)
	c.stub.Put(t, harness.Service("x", "new", "80"), harness.Service("x", "old", "81"))
	w.want("ADDED new", "MODIFIED old")
	c.stub.CloseWatches(Service)
	w.want("|EOF")
	c.stub.Delete(t, harness.Service("x", "new", "80"))
	c.watch(start).want("ADDED new", "MODIFIED old", "DELETED new")
	if n := c.stub.Count(Service, Watch); n != 2 {
		t.Errorf("%d watches counted, want 2", n)
	}
}

func TestExpiry(t *testing.T) {
	for name, inStream := range map[string]bool{"status": false, "event": true} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t)
			start := c.list("").Metadata.ResourceVersion
			w := c.watch(start)
			c.stub.Put(t, harness.Service("x", "told", "80"))
			c.stub.ExpireWatches(inStream)
			c.stub.Put(t, harness.Service("x", "untold", "80"))
			w.want("ADDED told")
			if inStream {
				w.want("ERROR Gone")
			}
			w.want("|EOF")
			if code := c.get(services + "?watch=1&resourceVersion=" + start).StatusCode; code != http.StatusGone {
				t.Errorf("watching the past: %d, want 410", code)
			}
			if n := len(c.list("?resourceVersion=" + start + "&resourceVersionMatch=NotOlderThan").Items); n != 2 {
				t.Errorf("listing again: %d objects, want 2", n)
			}
		})
	}
}

func TestFaults(t *testing.T) {
	c := newClient(t)
	c.stub.Put(t, harness.Service("x", "a", "80"))
	c.stub.Fail(Service, List, http.StatusTooManyRequests, 7, 2)
	c.stub.Fail(Ingress, List, http.StatusForbidden, 0, -1)
	for range 2 {
		if r := c.get(services); r.StatusCode != http.StatusTooManyRequests || r.Header.Get("Retry-After") != "7" {
			t.Errorf("status %d, Retry-After %q", r.StatusCode, r.Header.Get("Retry-After"))
		}
	}
	if n := len(c.list("").Items); n != 1 {
		t.Errorf("%d objects after the faults, want 1", n)
	}
	c.stub.Heal()
	c.stub.Inject(Fault{Kind: Service, Verb: List, CutAt: 20, Chunk: 7})
	body, err := io.ReadAll(c.get(services).Body)
	if len(body) != 20 || err == nil {
		t.Errorf("a cut body: %q, %v", body, err)
	}
	c.stub.Garbage(Service, "", "text/html", "<html>", 1)
	if body, _ := io.ReadAll(c.get(services).Body); string(body) != "<html>" {
		t.Errorf("%q, want HTML", body)
	}
	all := c.stub.Requests()
	if len(all) != 5 || all[0].Status != http.StatusTooManyRequests || all[4].Status != http.StatusOK {
		t.Errorf("%+v", all)
	}
}

func TestTruncatedEventIsInTheHistory(t *testing.T) {
	c := newClient(t)
	start := c.list("").Metadata.ResourceVersion
	w := c.watch(start)
	c.stub.Put(t, harness.Service("x", "whole", "80"))
	c.stub.Truncate(t, harness.Service("x", "half", "80"))
	w.want("ADDED whole")
	if got := w.next(); !strings.HasPrefix(got, `{"type":"ADDED"`) || !strings.HasSuffix(got, "|broken") {
		t.Errorf("%q, want half an event", got)
	}
	c.watch(start).want("ADDED whole", "ADDED half")
}

func TestStrangersAndTokens(t *testing.T) {
	c := newClient(t)
	if code := c.get("/api/v1/pods").StatusCode; code != http.StatusNotFound {
		t.Errorf("pods: %d", code)
	}
	if got := c.stub.Strangers(); len(got) != 1 || got[0] != "GET /api/v1/pods" {
		t.Errorf("strangers %q", got)
	}
	c.stub.SetToken("another")
	if code := c.get(services).StatusCode; code != http.StatusUnauthorized {
		t.Errorf("an old token: %d", code)
	}
}

func TestSentIsAfterPut(t *testing.T) {
	c := newClient(t)
	w := c.watch(c.list("").Metadata.ResourceVersion)
	version := c.stub.Put(t, harness.Service("x", "a", "80"))
	w.want("ADDED a")
	if _, ok := c.stub.Sent(Service, version); !ok {
		t.Errorf("an event that was received counts as not sent")
	}
	if _, ok := c.stub.Sent(Service, version+1); ok {
		t.Errorf("an event that never was counts as sent")
	}
}
