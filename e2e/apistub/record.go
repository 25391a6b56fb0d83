package apistub

import (
	"net/http"
	"net/url"
	"time"
)

// Request is one that was made, in the order of arrival.
type Request struct {
	At        time.Time
	Kind      Kind
	Verb      Verb
	Namespace string // "" = all
	Name      string // "" = a whole kind, or a new object
	Query     url.Values
	Proto     string
	Status    int // 0 = it was not answered, or not yet
}

// FirstPage says whether the request starts a list.
func (r Request) FirstPage() bool { return r.Verb == List && r.Query.Get("continue") == "" }

func (s *Stub) note(c *call) {
	c.record = &Request{
		At: time.Now(), Kind: c.kind, Verb: c.verb, Namespace: c.namespace, Name: c.name,
		Query: c.r.URL.Query(), Proto: c.r.Proto,
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, c.record)
}

func (s *Stub) stranger(r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.strange = append(s.strange, r.Method+" "+r.URL.String())
}

// Strangers is what was asked that Headgate has no business to ask.
func (s *Stub) Strangers() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.strange...)
}

// Requests is all requests so far.
func (s *Stub) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Request, len(s.requests))
	for i, r := range s.requests {
		all[i] = *r
	}
	return all
}

// Count is how many requests of a kind and a verb there were; "" is any.
func (s *Stub) Count(kind Kind, verb Verb) int {
	n := 0
	for _, r := range s.Requests() {
		if (kind == "" || r.Kind == kind) && (verb == "" || r.Verb == verb) {
			n++
		}
	}
	return n
}

// Reset forgets the requests so far.
func (s *Stub) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests, s.strange = nil, nil
}

// recorder notes the status.
type recorder struct {
	http.ResponseWriter
	stub   *Stub
	record *Request
}

// Unwrap is for http.ResponseController.
func (r recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r recorder) WriteHeader(status int) {
	r.set(status)
	r.ResponseWriter.WriteHeader(status)
}

func (r recorder) Write(b []byte) (int, error) {
	r.set(http.StatusOK) // what net/http assumes, unless there was a header
	return r.ResponseWriter.Write(b)
}

func (r recorder) set(status int) {
	r.stub.mu.Lock()
	defer r.stub.mu.Unlock()
	if r.record.Status == 0 {
		r.record.Status = status
	}
}
