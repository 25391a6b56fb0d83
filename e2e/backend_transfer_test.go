package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"headgate.dev/e2e/harness"
)

const (
	transferChunks = 50
	// An upload that would be seen if HAProxy kept it.
	transferSize = 96 << 20
	// What its memory may grow by meanwhile: far less than that, and more than
	// buffers and pools come to.
	transferGrowth = 24 << 20
)

// TestTransfers sends requests whose parts arrive one after the other: what the
// pod waits for or sends on the way passes at once, and nothing is kept.
func TestTransfers(t *testing.T) {
	eachRouteBranch(t, func(t *testing.T, branch string) {
		s := newRouteScene(t, branch)
		s.serve("web", 1)
		s.c.Apply(t, s.streamIngress("web"))
		s.start()
		s.wantAnswers(routeAnswer{host: streamHost, path: "/", service: "web"})
		s.expectContinue()
		s.head()
		s.chunkedBothWays()
		s.largeUpload()
		s.healthy()
	})
}

// expectContinue waits for the pod's word before it sends the body.
func (s *routeScene) expectContinue() {
	s.t.Helper()
	conn, reader, _ := s.dialStream(plainWay, "POST /?do=upload&id=continue HTTP/1.1\nHost: "+streamHost+
		"\nExpect: 100-continue\nContent-Length: 5\n", http.StatusContinue)
	if _, err := io.WriteString(conn, "hello"); err != nil {
		s.t.Fatalf("%v", err)
	}
	response, err := http.ReadResponse(reader, nil)
	if err != nil || response.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: after 100 Continue: %v, %v", s.branch, response, err)
	}
	if text, _ := io.ReadAll(response.Body); string(text) != "5" {
		s.t.Errorf("%s: the pod answers %q, want 5", s.branch, text)
	}
}

// head has the length of what it does not send, and leaves the connection in order.
func (s *routeScene) head() {
	s.t.Helper()
	request := "HEAD /?size=1000 HTTP/1.1\nHost: " + streamHost + "\n\nGET /?size=7 HTTP/1.1\nHost: " + streamHost + "\n"
	_, reader, _ := s.dialStream(plainWay, request, 0)
	for _, want := range []struct {
		method string
		length int64
		body   string
	}{{http.MethodHead, 1000, ""}, {http.MethodGet, 7, "xxxxxxx"}} {
		response, err := http.ReadResponse(reader, &http.Request{Method: want.method})
		if err != nil {
			s.t.Fatalf("%s: %s: %v", s.branch, want.method, err)
		}
		body, err := io.ReadAll(response.Body)
		if err != nil || response.ContentLength != want.length || string(body) != want.body {
			s.t.Errorf("%s: %s: length %d, body %q, %v", s.branch, want.method, response.ContentLength, body, err)
		}
	}
}

// chunkedBothWays reads each part of the answer before it sends the next part of
// the request.
func (s *routeScene) chunkedBothWays() {
	s.t.Helper()
	conn, _, response := s.dialStream(plainWay, "POST /?do=echo HTTP/1.1\nHost: "+streamHost+
		"\nTransfer-Encoding: chunked\n", http.StatusOK)
	for n := range transferChunks {
		sent := []byte(fmt.Sprintf("part %4d", n))
		if _, err := fmt.Fprintf(conn, "%x\r\n%s\r\n", len(sent), sent); err != nil {
			s.t.Fatalf("%s: part %d: %v", s.branch, n, err)
		}
		have := make([]byte, len(sent))
		if _, err := io.ReadFull(response.Body, have); err != nil || !bytes.Equal(have, sent) {
			s.t.Fatalf("%s: part %d: %q, %v", s.branch, n, have, err)
		}
	}
	if _, err := io.WriteString(conn, "0\r\n\r\n"); err != nil {
		s.t.Fatalf("%v", err)
	}
	if rest, err := io.ReadAll(response.Body); err != nil || len(rest) != 0 {
		s.t.Errorf("%s: the end: %q, %v", s.branch, rest, err)
	}
}

func (s *routeScene) largeUpload() {
	s.t.Helper()
	pids := s.workers.PIDs()
	worker := pids[len(pids)-1]
	before := processMemory(s.t, worker, "VmRSS")
	request, err := http.NewRequest(http.MethodPost, "http://"+streamHost+"/?do=upload&id=large", io.LimitReader(endless{}, transferSize))
	if err != nil {
		s.t.Fatalf("%v", err)
	}
	request.ContentLength = transferSize
	answer, err := harness.Do(s.g.HTTP, request)
	if err != nil || answer.Body != strconv.Itoa(transferSize) {
		s.t.Fatalf("%s: the upload: %d %q, %v", s.branch, answer.Status, answer.Body, err)
	}
	grown := processMemory(s.t, worker, "VmHWM") - before
	s.t.Logf("%s: HAProxy's memory grew by %d kB at most during an upload of %d MB", s.branch, grown>>10, transferSize>>20)
	if grown > transferGrowth {
		s.t.Errorf("%s: HAProxy's memory grew by %d bytes, want at most %d", s.branch, grown, transferGrowth)
	}
}

type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'x'
	}
	return len(b), nil
}

// processMemory is a size of /proc/PID/status, in bytes.
func processMemory(t *testing.T, pid int, name string) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatalf("%v", err)
	}
	_, after, _ := strings.Cut(string(text), name+":")
	var kilobytes int
	if _, err := fmt.Sscanf(after, "%d", &kilobytes); err != nil {
		t.Fatalf("%s of %d: %v", name, pid, err)
	}
	return kilobytes << 10
}
