package apistub

import (
	"net"
	"sync"
	"time"
)

// wire is a TCP connection that notes when bytes leave. What a handler writes
// passes HTTP/2's queue and TLS on its way here, so the time at which a handler's
// Flush returns would say little about when the client could see anything.
type wire struct {
	net.Conn
	mu     sync.Mutex
	writes []time.Time // just before each write to the socket
}

type wireListener struct{ net.Listener }

func (l wireListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &wire{Conn: conn}, nil
}

func (w *wire) Write(b []byte) (int, error) {
	now := time.Now()
	w.mu.Lock()
	w.writes = append(w.writes, now)
	w.mu.Unlock()
	return w.Conn.Write(b)
}

// mark is the number of writes so far.
func (w *wire) mark() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.writes)
}

// after is the time of the first write since the mark. It can be too early,
// when something else left first on the same connection, but not too late.
func (w *wire) after(mark int) (time.Time, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if mark >= len(w.writes) {
		return time.Time{}, false
	}
	return w.writes[mark], true
}
