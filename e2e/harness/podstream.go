package harness

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// eventInterval is the pause between two events of a stream.
const eventInterval = 20 * time.Millisecond

// websocketGUID is that of RFC 6455, section 1.3.
const websocketGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// Health is the gRPC service that every pod has: what it is set to say is what
// all of its watchers are told.
var Health = health.NewServer()

var grpcServer = sync.OnceValue(func() *grpc.Server {
	server := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(server, Health)
	return server
})

// uploads counts the bytes that pods have read, by the `id` of the request.
var uploads sync.Map // string -> *atomic.Int64

// Uploaded is how much of the request ?do=upload&id=ID has come to its pod.
func Uploaded(id string) int64 { return uploaded(id).Load() }

func uploaded(id string) *atomic.Int64 {
	n, _ := uploads.LoadOrStore(id, new(atomic.Int64))
	return n.(*atomic.Int64)
}

// serveStream answers the requests that are not over at once: gRPC, and those
// with ?do=
//
//	websocket  switches protocols (RFC 6455) and sends back what comes
//	events     sends server-sent events, without end
//	upload     reads the body, and answers how long it was; Uploaded(id) meanwhile
//	echo       sends the body back while it comes
func (p *Pods) serveStream(w http.ResponseWriter, r *http.Request, pod string) bool {
	w.Header().Set("X-Pod", pod)
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
		grpcServer().ServeHTTP(w, r)
		return true
	}
	switch r.URL.Query().Get("do") {
	case "websocket":
		serveWebSocket(w, r, pod)
	case "events":
		serveEvents(w, r)
	case "upload":
		n, err := io.Copy(io.Discard, io.TeeReader(r.Body, (*counter)(uploaded(r.URL.Query().Get("id")))))
		if err == nil {
			_, _ = fmt.Fprint(w, n)
		}
	case "echo":
		serveEcho(w, r)
	default:
		return false
	}
	return true
}

type counter atomic.Int64

func (c *counter) Write(b []byte) (int, error) {
	(*atomic.Int64)(c).Add(int64(len(b)))
	return len(b), nil
}

func serveWebSocket(w http.ResponseWriter, r *http.Request, pod string) {
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		http.Error(w, "no upgrade", http.StatusBadRequest)
		return
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"X-Pod: %s\r\nSec-WebSocket-Accept: %s\r\n\r\n", pod, WebSocketAccept(r.Header.Get("Sec-WebSocket-Key")))
	if err == nil {
		_, _ = io.Copy(conn, buffered.Reader)
	}
}

// WebSocketAccept is the answer to a Sec-WebSocket-Key.
func WebSocketAccept(key string) string {
	sum := sha1.Sum([]byte(key + websocketGUID))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func serveEvents(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	controller := http.NewResponseController(w)
	for n := 0; ; n++ {
		if _, err := fmt.Fprintf(w, "data: %d\n\n", n); err != nil || controller.Flush() != nil {
			return
		}
		select {
		case <-time.After(eventInterval):
		case <-r.Context().Done():
			return
		}
	}
}

func serveEcho(w http.ResponseWriter, r *http.Request) {
	controller := http.NewResponseController(w)
	_ = controller.EnableFullDuplex() // HTTP/2 is so anyway
	_ = controller.Flush()
	buf := make([]byte, 32*1024)
	for {
		n, err := r.Body.Read(buf)
		if n > 0 {
			if _, werr := w.Write(buf[:n]); werr != nil || controller.Flush() != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// ReadEvent reads one server-sent event of serveEvents and returns its number.
func ReadEvent(r *bufio.Reader) (int, error) {
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return 0, err
		}
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "data: "); ok {
			return strconv.Atoi(text)
		}
	}
}
