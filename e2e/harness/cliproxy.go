package harness

import (
	"bufio"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
)

// CLIProxy stands between a controller and HAProxy's runtime socket, and writes
// down every command, so that a test can count what was asked of HAProxy.
type CLIProxy struct {
	Socket string // for --runtime-socket

	upstream string
	listener net.Listener
	mu       sync.Mutex
	commands []Command
	conns    map[net.Conn]bool
}

// Command is one command of the CLI. Several on one line are several commands.
type Command struct {
	Text    string
	Payload string // what followed "<<"
}

// Write says whether the command is there to change HAProxy, rather than to look
// at it or to set up the session.
func (c Command) Write() bool {
	words := strings.Fields(c.Text)
	for len(words) > 0 && strings.HasPrefix(words[0], "@") { // a master's prefix
		words = words[1:]
	}
	if len(words) == 0 {
		return false
	}
	switch words[0] {
	case "show", "get", "help", "prompt", "quit", "operator", "user", "wait",
		"expert-mode", "experimental-mode", "mcli-debug-mode":
		return false
	case "set":
		return len(words) < 2 || words[1] != "timeout"
	}
	return true
}

// StartCLIProxy listens on a socket of its own and passes everything on to the
// upstream socket, which need not exist yet. It ends with the test.
func StartCLIProxy(t TB, upstream string) *CLIProxy {
	t.Helper()
	p := &CLIProxy{
		Socket:   filepath.Join(shortTempDir(t), "cli.sock"),
		upstream: upstream,
		conns:    map[net.Conn]bool{},
	}
	var err error
	if p.listener, err = net.Listen("unix", p.Socket); err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() {
		p.listener.Close()
		p.Cut()
	})
	go p.accept()
	return p
}

// Commands is everything that was sent so far.
func (p *CLIProxy) Commands() []Command {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Command(nil), p.commands...)
}

// Writes is the commands so far that change HAProxy.
func (p *CLIProxy) Writes() []Command {
	var writes []Command
	for _, command := range p.Commands() {
		if command.Write() {
			writes = append(writes, command)
		}
	}
	return writes
}

// Reset forgets the commands so far.
func (p *CLIProxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.commands = nil
}

// Cut breaks every connection, in the middle of whatever is going on.
func (p *CLIProxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.conns {
		conn.Close()
	}
}

func (p *CLIProxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		go p.pass(client)
	}
}

func (p *CLIProxy) pass(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("unix", p.upstream)
	if err != nil {
		return
	}
	defer server.Close()
	p.track(true, client, server)
	defer p.track(false, client, server)

	go func() {
		p.copyCommands(server, client)
		// The client has said all; HAProxy still answers.
		_ = server.(*net.UnixConn).CloseWrite()
	}()
	_, _ = io.Copy(client, server)
}

func (p *CLIProxy) track(open bool, conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range conns {
		if open {
			p.conns[conn] = true
		} else {
			delete(p.conns, conn)
		}
	}
}

// copyCommands passes lines on, each written down before HAProxy can see it.
func (p *CLIProxy) copyCommands(to io.Writer, from io.Reader) {
	lines := bufio.NewReader(from)
	payload := false
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			payload = p.record(strings.TrimRight(line, "\r\n"), payload)
			if _, err := io.WriteString(to, line); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// record writes a line down and says whether the next one is payload.
func (p *CLIProxy) record(line string, payload bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if payload && len(p.commands) > 0 {
		p.commands[len(p.commands)-1].Payload += line + "\n"
		return line != ""
	}
	for _, text := range splitCommands(line) {
		p.commands = append(p.commands, Command{Text: text})
	}
	return strings.HasSuffix(line, "<<")
}

// splitCommands splits a line at each ";" that no backslash precedes.
func splitCommands(line string) []string {
	var commands []string
	var current strings.Builder
	end := func() {
		if text := strings.TrimSpace(current.String()); text != "" {
			commands = append(commands, text)
		}
		current.Reset()
	}
	for i := 0; i < len(line); i++ {
		switch {
		case line[i] == '\\' && i+1 < len(line):
			current.WriteString(line[i : i+2])
			i++
		case line[i] == ';':
			end()
		default:
			current.WriteByte(line[i])
		}
	}
	end()
	return commands
}
