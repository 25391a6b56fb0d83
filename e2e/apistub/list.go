package apistub

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
)

// keptSnapshots is how many lists can be under way. A page that was asked for
// again must still be there.
const keptSnapshots = 16

// page is what one answer to a list holds.
type page struct {
	version       Version
	objects       []*object
	continueToken string
	remaining     int
}

func (s *Stub) list(c *call) {
	s.mu.Lock()
	p, code, reason := s.page(c)
	s.mu.Unlock()
	if code != 0 {
		writeStatus(c.w, code, reason, "apistub: "+c.r.URL.RawQuery)
		return
	}
	c.w.Header().Set("Content-Type", "application/json")
	_, _ = c.w.Write(p.encode(c.resource))
}

// page finds the objects of a page, or why there is none.
func (s *Stub) page(c *call) (p page, code int, reason string) {
	query := c.r.URL.Query()
	limit, err := strconv.Atoi(query.Get("limit"))
	if query.Get("limit") == "" {
		limit, err = 0, nil
	}
	if err != nil || limit < 0 {
		return p, http.StatusBadRequest, "BadRequest"
	}
	if token := query.Get("continue"); token != "" {
		if query.Get("resourceVersion") != "" { // the token has it
			return p, http.StatusBadRequest, "BadRequest"
		}
		id, offset, ok := readToken(token)
		from, known := s.store.snapshots[id]
		if !ok || !known || offset > len(from.objects) {
			return p, http.StatusGone, "Expired"
		}
		return s.cut(id, from, offset, limit), 0, ""
	}
	if code, reason := s.checkVersion(query.Get("resourceVersion"), query.Get("resourceVersionMatch")); code != 0 {
		return p, code, reason
	}
	id := s.store.nextID
	s.store.nextID++
	from := snapshot{version: s.store.version, objects: s.store.sorted(c)}
	delete(s.store.snapshots, id-keptSnapshots)
	s.store.snapshots[id] = from
	return s.cut(id, from, 0, limit), 0, ""
}

// checkVersion says whether a list may start. One that is NotOlderThan a version
// before a compaction is as good as any; an Exact one is gone; the future can't
// be waited for.
func (s *Stub) checkVersion(text, match string) (code int, reason string) {
	if text == "" || text == "0" {
		return 0, ""
	}
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil:
		return http.StatusBadRequest, "BadRequest"
	case Version(n) > s.store.version:
		return http.StatusGatewayTimeout, "Timeout"
	case match == "Exact" && Version(n) != s.store.version:
		return http.StatusGone, "Expired"
	}
	return 0, ""
}

func (s *Stub) cut(id int, from snapshot, offset, limit int) page {
	end := len(from.objects)
	if limit > 0 && offset+limit < end {
		end = offset + limit
	}
	p := page{version: from.version, objects: from.objects[offset:end], remaining: len(from.objects) - end}
	if p.remaining > 0 {
		p.continueToken = writeToken(id, end)
	}
	return p
}

func writeToken(id, offset int) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "list %d from %d", id, offset))
}

func readToken(token string) (id, offset int, ok bool) {
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return 0, 0, false
	}
	n, err := fmt.Sscanf(string(text), "list %d from %d", &id, &offset)
	return id, offset, err == nil && n == 2
}

func (p page) encode(r resource) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"kind":"%sList","apiVersion":"%s","metadata":{"resourceVersion":"%v"`, r.kind, r.apiVersion, p.version)
	if p.continueToken != "" {
		fmt.Fprintf(&b, `,"continue":"%s","remainingItemCount":%d`, p.continueToken, p.remaining)
	}
	b.WriteString(`},"items":[`)
	for i, o := range p.objects {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(o.text)
	}
	b.WriteString("]}\n")
	return b.Bytes()
}
