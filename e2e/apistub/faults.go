package apistub

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"time"
)

// Fault is what happens to a request instead of, or on top of, the answer.
type Fault struct {
	Kind  Kind // "" any
	Verb  Verb // "" any
	Skip  int  // requests that are let through first: the pages before, for instance
	Times int  // requests that it happens to; 0 is one, < 0 all until Heal

	// An answer of its own, if Status or Body is set.
	Status      int // 0 is 200
	RetryAfter  int // seconds; 0 = no header
	Body        []byte
	ContentType string // "" is application/json

	// No answer: the connection is closed, with all that goes over it; before the
	// request is carried out, or after it.
	Hangup  bool
	Carried bool

	// What is done to the body, the server's or that one.
	CutAt int           // the connection breaks after so many bytes; 0 = not at all
	Chunk int           // bytes that are sent at once; 0 = all
	Pause time.Duration // between chunks
}

// Inject sets a fault. Of several that fit a request, the oldest one happens.
func (s *Stub) Inject(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.Times == 0 {
		f.Times = 1
	}
	s.faults = append(s.faults, &f)
}

// Fail has requests answered with a status; retryAfter is in seconds, 0 = no
// header; times < 0 = until Heal.
func (s *Stub) Fail(kind Kind, verb Verb, status, retryAfter, times int) {
	s.Inject(Fault{Kind: kind, Verb: verb, Status: status, RetryAfter: retryAfter, Times: times})
}

// Garbage has requests answered with 200 and something that is not an answer.
func (s *Stub) Garbage(kind Kind, verb Verb, contentType, body string, times int) {
	s.Inject(Fault{Kind: kind, Verb: verb, Body: []byte(body), ContentType: contentType, Times: times})
}

// Heal ends all faults.
func (s *Stub) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// Faults is how many requests a fault is still to happen to; < 0: without end.
func (s *Stub) Faults() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, f := range s.faults {
		if f.Times < 0 {
			return -1
		}
		n += f.Times
	}
	return n
}

// takeFault finds what is to happen to a request, and counts it off.
func (s *Stub) takeFault(c *call) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		if (f.Kind != "" && f.Kind != c.kind) || (f.Verb != "" && f.Verb != c.verb) || f.Times == 0 {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		f.Times--
		copied := *f
		return &copied
	}
	return nil
}

func (f *Fault) reply(w http.ResponseWriter) {
	status, body, kind := f.Status, f.Body, f.ContentType
	if status == 0 {
		status = http.StatusOK
	}
	if body == nil {
		body = statusObject(status, http.StatusText(status), "apistub was told to fail")
	}
	if kind == "" {
		kind = "application/json"
	}
	w.Header().Set("Content-Type", kind)
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(f.RetryAfter))
	}
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// hangUp doesn't return.
func (s *Stub) hangUp(c *call, f *Fault) {
	if f.Carried {
		c.w = httptest.NewRecorder()
		s.carryOut(c)
	}
	if wire, ok := c.r.Context().Value(wireKey{}).(*wire); ok {
		_ = wire.Close()
	}
	panic(http.ErrAbortHandler)
}

func (f *Fault) writer(w http.ResponseWriter, ctx context.Context) http.ResponseWriter {
	if f.CutAt == 0 && f.Chunk == 0 {
		return w
	}
	return &faultWriter{ResponseWriter: w, fault: f, ctx: ctx}
}

// faultWriter cuts a body, or lets it trickle.
type faultWriter struct {
	http.ResponseWriter
	fault   *Fault
	ctx     context.Context
	written int
}

// Unwrap is for http.ResponseController.
func (w *faultWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *faultWriter) Write(b []byte) (int, error) {
	rest := b
	for len(rest) > 0 {
		n := len(rest)
		if w.fault.Chunk > 0 {
			n = min(n, w.fault.Chunk)
		}
		if w.fault.CutAt > 0 {
			n = min(n, w.fault.CutAt-w.written)
		}
		if _, err := w.ResponseWriter.Write(rest[:n]); err != nil {
			return len(b) - len(rest), err
		}
		flush(w.ResponseWriter)
		w.written += n
		rest = rest[n:]
		if w.fault.CutAt > 0 && w.written >= w.fault.CutAt {
			panic(http.ErrAbortHandler)
		}
		select {
		case <-time.After(w.fault.Pause):
		case <-w.ctx.Done():
			return len(b) - len(rest), w.ctx.Err()
		}
	}
	return len(b), nil
}
