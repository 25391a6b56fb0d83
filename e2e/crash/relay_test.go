package crash

import (
	"bufio"
	"io"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"headgate.dev/e2e/harness"
)

// point is where in a command a strike falls.
type point int

const (
	unsent   point = iota // HAProxy has not got the command
	halfSent              // it has a part of it
	sent                  // it has all of it, and nobody has read the answer
	halfRead              // the controller has a part of an answer
	nPoints
)

func (p point) String() string {
	return [...]string{"before the command", "in the command", "after the command", "in an answer"}[p]
}

// strike is what happens at a command, counted among those that change HAProxy.
type strike struct {
	after int // so many commands pass before
	point point
	act   func()
	cuts  bool // the connection ends with it
	done  chan struct{}
}

// relay stands between the controller and HAProxy's runtime socket.
type relay struct {
	socket, upstream string

	mu     sync.Mutex
	random *rand.Rand // of the places inside commands and answers
	armed  *strike    // nil when there is none, or when it has begun
}

// passage is one connection through the relay.
type passage struct {
	*relay
	client, server net.Conn
	mu             sync.Mutex
	inAnswer       *strike // to be done when the next bytes of an answer come
}

func startRelay(t *testing.T, upstream string, seed uint64) *relay {
	t.Helper()
	r := &relay{upstream: upstream, random: rand.New(rand.NewPCG(seed, 1))}
	r.socket = filepath.Join(filepath.Dir(upstream), "relay.sock")
	listener, err := net.Listen("unix", r.socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go r.pass(client)
		}
	}()
	return r
}

// arm prepares a strike; its channel is closed when it has been made.
func (r *relay) arm(s *strike) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.armed = s
}

// disarm says whether the strike was still to come: it won't.
func (r *relay) disarm() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.armed != nil
	r.armed = nil
	return was
}

// next is the strike that falls on this command, or nil.
func (r *relay) next(command string) *strike {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.armed == nil || !(harness.Command{Text: command}).Write() {
		return nil
	}
	if r.armed.after > 0 {
		r.armed.after--
		return nil
	}
	s := r.armed
	r.armed = nil
	return s
}

func (r *relay) intN(n int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.random.IntN(n)
}

func (r *relay) pass(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("unix", r.upstream)
	if err != nil {
		return
	}
	defer server.Close()
	p := &passage{relay: r, client: client, server: server}
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		p.passAnswers()
	}()
	p.passCommands()
	// The client has said all; HAProxy still answers.
	_ = server.(*net.UnixConn).CloseWrite()
	<-answered
}

// passCommands returns when no more commands come, or are to come.
func (p *passage) passCommands() {
	lines := bufio.NewReader(p.client)
	for {
		command, err := readCommand(lines)
		s := p.next(command)
		if s != nil && p.meet(s, command) {
			return
		}
		if s == nil || !s.cuts {
			if _, err := io.WriteString(p.server, command); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// meet makes a strike at a command, and says whether the connection is over.
func (p *passage) meet(s *strike, command string) bool {
	if !s.cuts {
		s.act()
		close(s.done)
		return false
	}
	if s.point == halfRead {
		p.mu.Lock()
		p.inAnswer = s
		p.mu.Unlock()
	}
	switch s.point {
	case halfSent:
		command = command[:1+p.intN(len(command)-1)]
	case unsent:
		command = ""
	}
	_, _ = io.WriteString(p.server, command)
	if s.point == halfRead {
		return false
	}
	s.act()
	p.client.Close()
	p.server.Close()
	close(s.done)
	return true
}

func (p *passage) passAnswers() {
	defer p.client.Close()
	buffer := make([]byte, 16384)
	for {
		n, err := p.server.Read(buffer)
		p.mu.Lock()
		s := p.inAnswer
		p.mu.Unlock()
		if s != nil && n > 0 {
			_, _ = p.client.Write(buffer[:p.intN(n)])
			s.act()
			p.client.Close()
			p.server.Close()
			close(s.done)
			return
		}
		if _, err := p.client.Write(buffer[:n]); err != nil {
			return
		}
		if err != nil {
			return
		}
	}
}

// readCommand reads a line, and the payload that ends with an empty one.
func readCommand(lines *bufio.Reader) (string, error) {
	line, err := lines.ReadString('\n')
	command := line
	if err == nil && strings.HasSuffix(strings.TrimRight(line, "\r\n"), "<<") {
		for err == nil && line != "\n" {
			line, err = lines.ReadString('\n')
			command += line
		}
	}
	return command, err
}
