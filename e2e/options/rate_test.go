package options

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"headgate.dev/e2e/harness"
	"k8s.io/apimachinery/pkg/runtime"
)

const (
	rateLimit = 2 // requests in an hour, so that no time that passes here changes what is counted
	// How many requests are on their way at a time: HAProxy takes one after the other.
	rateBatch = 100
	rateTable = "headgate_rate_1h"
)

var rateSizes = []int{100, 1000, 10000}

func rateHost(n int) string { return fmt.Sprintf("clients-%d.example", n) }

// rateAddress is what a client has as its address for a request. Each other client
// speaks IPv6, and comes from another address of its 64 bits each time.
func rateAddress(client, request int) string {
	if client%2 == 0 {
		return fmt.Sprintf("10.1.%d.%d", client/256, client%256)
	}
	return fmt.Sprintf("2001:db8:0:%x::%x", client, request+1)
}

// TestRateLimit: of 100, 1,000 and 10,000 clients each gets as many answers as it
// may have, and then none, as long as the period lasts. A reload changes nothing of
// that from HAProxy 3.0 on.
func TestRateLimit(t *testing.T) {
	t.Setenv("HEADGATE_HAPROXY_LOG_LEVEL", "emerg")
	for _, branch := range []string{"2.6", "3.0", "3.4"} {
		t.Run(branch, func(t *testing.T) {
			s := newVariantScene(t, branch, nil, rateRoutes())
			known := 0
			for _, n := range rateSizes {
				if n > 1000 && branch != "3.4" {
					break // once is enough for a machine that has other things to do
				}
				harness.WantStatus(t, s.g.HTTP, rateHost(n), "/", http.StatusFound)
				known += n + 1 // and the one that has just asked
				counts := make([]int, n)
				for request := range rateLimit + 1 {
					s.askAll(counts, request)
				}
				wantEach(t, fmt.Sprintf("%s: %d clients", branch, n), counts, rateLimit)
			}
			if branch == "2.6" {
				return
			}
			s.reload()
			harness.Eventually(t, branch+": the counters after a reload", func() error { return s.wantUsed(known) })
			counts := make([]int, 1000)
			s.askAll(counts, rateLimit+1)
			wantEach(t, branch+": 1000 clients after a reload", counts, 0)
		})
	}
}

// rateRoutes have no pods: what is let through is sent elsewhere.
func rateRoutes() []runtime.Object {
	var objects []runtime.Object
	for _, n := range rateSizes {
		objects = append(objects, harness.Ingress(variantNamespace, fmt.Sprintf("clients-%d", n), harness.Class("headgate"),
			harness.Rule(rateHost(n), "/", web+":80"),
			harness.Annotation(prefix+"src-ip-header", "X-Client"),
			harness.Annotation(prefix+"request-redirect", "elsewhere.example"),
			harness.Annotation(prefix+"rate-limit-period", "1h"),
			harness.Annotation(prefix+"rate-limit-requests", fmt.Sprint(rateLimit))))
	}
	return objects
}

// askAll sends a request of each client, and counts for each whether it was let
// through.
func (s *variantScene) askAll(counts []int, request int) {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.g.HTTP)
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	r := bufio.NewReader(conn)
	for from := 0; from < len(counts); from += rateBatch {
		var batch strings.Builder
		for client := from; client < from+rateBatch; client++ {
			fmt.Fprintf(&batch, "GET / HTTP/1.1\r\nHost: %s\r\nX-Client: %s\r\n\r\n", rateHost(len(counts)), rateAddress(client, request))
		}
		if _, err := io.WriteString(conn, batch.String()); err != nil {
			s.t.Fatal(err)
		}
		for client := from; client < from+rateBatch; client++ {
			switch status, err := readStatus(r); {
			case err != nil:
				s.t.Fatalf("%s: client %d of %d: %v", s.branch, client, len(counts), err)
			case status == http.StatusFound:
				counts[client]++
			case status != http.StatusTooManyRequests:
				s.t.Fatalf("%s: client %d of %d: status %d", s.branch, client, len(counts), status)
			}
		}
	}
}

func readStatus(r *bufio.Reader) (int, error) {
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, err
}

// wantEach demands that all counts are the same.
func wantEach(t *testing.T, what string, counts []int, want int) {
	t.Helper()
	wrong, sum := 0, 0
	for _, n := range counts {
		sum += n
		if n != want {
			wrong++
		}
	}
	if wrong > 0 {
		t.Errorf("%s: %d requests were let through, want %d; %d clients had not their %d", what, sum, want*len(counts), wrong, want)
	}
}

// reload has HAProxy start another worker: before 3.4 by what a tenant writes.
func (s *variantScene) reload() {
	s.t.Helper()
	workers := s.workers.Distinct()
	if s.branch == "3.4" {
		if _, err := harness.Runtime(s.g.MasterSocket(), "reload"); err != nil {
			s.t.Fatal(err)
		}
	} else {
		s.writeRoutes(append(rateRoutes(), harness.Service(variantNamespace, "other", "80:8080"),
			harness.Ingress(variantNamespace, "other", harness.Class("headgate"), harness.Rule("other.example", "/", "other:80")))...)
	}
	harness.Eventually(s.t, s.branch+": another worker", func() error {
		if s.workers.Distinct() == workers {
			return fmt.Errorf("%d as before", workers)
		}
		return nil
	})
}

// wantUsed demands that the worker which answers has this many clients in its table.
func (s *variantScene) wantUsed(want int) error {
	reply, err := harness.Runtime(s.g.RuntimeSocket(), "show table")
	if err == nil && !strings.Contains(reply, fmt.Sprintf("table: %s, type: ipv6, size:102400, used:%d\n", rateTable, want)) {
		err = fmt.Errorf("not %d clients: %s", want, reply)
	}
	return err
}
