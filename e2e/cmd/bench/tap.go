package main

import (
	"bytes"
	"net"
	"path/filepath"
	"sync"
	"time"

	"headgate.dev/e2e/harness"
)

// tap stands between the controller and HAProxy's runtime socket and notes when
// something is said. Its own time, two wake-ups a round trip, is in what it
// measures. Connections for one question, by which the controller sees every five
// seconds whether HAProxy is there, are passed on and not noted.
type tap struct {
	path     string
	upstream string
	mu       sync.Mutex
	asked    time.Time // the first command since reset
	answered time.Time // the last answer
	open     int       // commands whose answers haven't passed in full
	keeps    bool      // what the controller says
	kept     []chunk
}

// chunk is what the controller wrote at once.
type chunk struct {
	at   time.Time
	text []byte
}

func startTap(t harness.TB, upstream string) *tap {
	tap := &tap{path: filepath.Join(t.TempDir(), "tap.sock"), upstream: upstream}
	listener, err := net.Listen("unix", tap.path)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go tap.pass(conn)
		}
	}()
	return tap
}

func (t *tap) pass(controller net.Conn) {
	defer controller.Close()
	haproxy, err := net.Dial("unix", t.upstream)
	if err != nil {
		return
	}
	defer haproxy.Close()
	var said, isQuestion bool // guarded by t.mu, as both notes are made under it
	var talk talk             // likewise
	go func() {
		t.copy(haproxy, controller, func(now time.Time, text []byte) {
			if !said {
				said, isQuestion = true, !bytes.HasPrefix(text, []byte("prompt\n"))
			}
			if isQuestion {
				return
			}
			if t.keeps {
				t.kept = append(t.kept, chunk{now, bytes.Clone(text)})
			}
			if t.asked.IsZero() {
				t.asked = now
			}
			t.open += talk.commands(text)
		})
		_ = haproxy.(*net.UnixConn).CloseWrite()
	}()
	t.copy(controller, haproxy, func(now time.Time, text []byte) {
		if !isQuestion {
			t.answered = now
			t.open -= talk.answers(text)
		}
	})
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open -= talk.open // nobody answers these any more
}

// talk tells commands and answers of a connection in prompt mode apart.
type talk struct {
	open      int
	line      []byte // what the controller has written of one
	isPayload bool   // lines up to an empty one belong to a command
	tail      []byte // of what HAProxy has written, too short for a prompt
}

// commands is how many begin in what the controller wrote.
func (t *talk) commands(text []byte) (n int) {
	t.line = append(t.line, text...)
	for {
		line, rest, ok := bytes.Cut(t.line, []byte("\n"))
		if !ok {
			break
		}
		if t.isPayload {
			t.isPayload = len(line) > 0
		} else {
			t.isPayload = bytes.HasSuffix(line, []byte("<<"))
			n++
		}
		t.line = rest
	}
	t.open += n
	return n
}

// answers is how many end in what HAProxy wrote.
func (t *talk) answers(text []byte) int {
	prompt := []byte("\n> ")
	text = append(t.tail, text...)
	n := bytes.Count(text, prompt)
	t.tail = bytes.Clone(text[max(0, len(text)-len(prompt)+1):])
	t.open -= n
	return n
}

func (t *tap) copy(to, from net.Conn, note func(time.Time, []byte)) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		now := time.Now()
		if n > 0 {
			t.mu.Lock()
			note(now, buffer[:n])
			t.mu.Unlock()
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (t *tap) reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asked, t.answered = time.Time{}, time.Time{}
}

// record keeps what the controller says from now on.
func (t *tap) record() {
	t.reset()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.keeps, t.kept = true, nil
}

// chunks ends a recording; a line that was cut is put together in its last one.
func (t *tap) chunks() []chunk {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.keeps = false
	var whole []chunk
	var rest []byte
	for _, c := range t.kept {
		text := append(rest, c.text...)
		end := bytes.LastIndexByte(text, '\n') + 1
		whole, rest = append(whole, chunk{c.at, text[:end]}), bytes.Clone(text[end:])
	}
	return whole
}

// said is how many lines and bytes were recorded.
func (t *tap) said() (lines, size int) {
	for _, c := range t.chunks() {
		lines, size = lines+bytes.Count(c.text, []byte("\n")), size+len(c.text)
	}
	return lines, size
}

func (t *tap) times() (asked, answered time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.asked, t.answered
}

// isAnswered says whether no command waits for its answer.
func (t *tap) isAnswered() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.open == 0
}

// settle is shorter than the time after which the controller tries again to
// delete a server that was busy, and longer than a pass.
const settle = 15 * time.Millisecond

// settled waits until all events were sent and something was said, every command
// was answered, and then nothing more was said for a while. One `add backend` among
// 100,000 takes about as long as settle.
func (w *world) settled(t harness.TB, events []sent) (begun, ended, asked, answered time.Time) {
	for since := time.Now(); time.Since(since) < limit; time.Sleep(time.Millisecond) {
		var ok bool
		begun, ended, ok = w.sentAt(events)
		asked, answered = w.tap.times()
		if ok && time.Since(ended) > settle && answered.After(ended) && time.Since(answered) > settle && w.tap.isAnswered() {
			return begun, ended, asked, answered
		}
	}
	t.Fatalf("HAProxy was told nothing within %v", limit)
	return begun, ended, asked, answered
}

// restartBehindTap kills the controller and starts it again on the same HAProxy,
// which serves on, with a tap between them.
func (w *world) restartBehindTap(t harness.TB) {
	tap := startTap(w.t, w.h.RuntimeSocket())
	w.h.Kill()
	w.tap = tap
	w.h.Start(w.t, append(w.args, "--runtime-socket="+tap.path)...)
	w.h.WaitReady(w.t)
	w.quiet(t)
}

// share takes the controller's part from the tap, without a prober.
func (w *world) share(t harness.TB, report *report, size int, class class, samples int) {
	var first, last []time.Duration
	withoutGC(func() {
		for i := range samples {
			c := class.make(w, i)
			w.tap.reset()
			events := c.put(t)
			begun, ended, asked, answered := w.settled(t, events)
			first = append(first, asked.Sub(begun))
			last = append(last, answered.Sub(ended))
			time.Sleep(pause)
		}
	})
	report.add(size, class.name, "event sent to first command", times(first))
	report.add(size, class.name, "event sent to last answer (all steps)", times(last))
	w.undo(t, class, samples)
}
