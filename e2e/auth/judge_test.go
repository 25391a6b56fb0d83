package auth

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// judge is a service that is asked. What it answers is the last part of the path.
type judge struct {
	port      int
	mu        sync.Mutex
	questions map[string][]*http.Request // by path
}

func startJudge(t *testing.T) *judge {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	j := &judge{port: listener.Addr().(*net.TCPAddr).Port, questions: map[string][]*http.Request{}}
	server := &http.Server{Handler: j}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return j
}

// asked is what it was asked under a path, so far.
func (j *judge) asked(path string) []*http.Request {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.questions[path]
}

func (j *judge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	j.mu.Lock()
	j.questions[r.URL.Path] = append(j.questions[r.URL.Path], r)
	j.mu.Unlock()
	name := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	w.Header().Set("X-User", name)
	w.Header().Set("WWW-Authenticate", `Bearer realm="judge"`)
	switch name {
	case "no":
		w.Header().Add("Set-Cookie", "tried=1")
		w.WriteHeader(http.StatusUnauthorized)
	case "never":
		w.WriteHeader(http.StatusForbidden)
	case "elsewhere":
		http.Redirect(w, r, "http://elsewhere.test/", http.StatusFound)
	case "broken":
		w.WriteHeader(http.StatusInternalServerError)
	case "odd":
		w.WriteHeader(http.StatusTeapot)
	case "silent":
		<-r.Context().Done()
	case "big":
		w.Header().Set("X-User", strings.Repeat("x", 40000))
	case "hangup":
		conn, _, _ := w.(http.Hijacker).Hijack()
		conn.Close()
	case "half":
		conn, buffer, _ := w.(http.Hijacker).Hijack()
		fmt.Fprint(buffer, "HTTP/1.1 200 OK\r\nX-User: half\r\n")
		_ = buffer.Flush()
		<-r.Context().Done()
		conn.Close()
	case "long":
		w.WriteHeader(http.StatusOK)
		for range 100 {
			if _, err := w.Write(make([]byte, 10000)); err != nil {
				return
			}
		}
	case "renew":
		w.Header().Add("Set-Cookie", "session=2; Path=/")
		w.Header().Add("Set-Cookie", "other=3")
	default:
		w.WriteHeader(http.StatusAccepted)
	}
}
