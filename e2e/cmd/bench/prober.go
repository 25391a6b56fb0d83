package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"strconv"
	"time"
)

// client is one kept connection to HAProxy, and sends a request as soon as the
// last one was answered.
type client struct {
	addr    string
	tls     string // address for handshakes
	sni     string // "" = requests, else handshakes for this name
	conn    net.Conn
	answers *bufio.Reader
	request []byte
	headers string        // of requests, each with its end of line
	pause   time.Duration // of a probe after each answer
}

// answer is what a probe wants to know of one.
type answer struct {
	status int
	pod    string // "ip:port", or "" when HAProxy itself answered
	serial string // of the certificate, after a handshake
}

func (c *client) target(host string) {
	c.sni = ""
	c.request = fmt.Appendf(nil, "GET / HTTP/1.1\r\nHost: %s\r\n%s\r\n", host, c.headers)
}

// ask sends the request and reads the answer. HAProxy may close a connection
// after an answer of its own; the next request opens another one.
func (c *client) ask() (a answer, err error) {
	if c.sni != "" {
		return c.handshake()
	}
	if c.conn == nil {
		if c.conn, err = net.Dial("tcp", c.addr); err != nil {
			return a, err
		}
		c.answers = bufio.NewReader(c.conn)
	}
	_ = c.conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err = c.conn.Write(c.request); err == nil {
		a, err = c.read()
	}
	if err != nil {
		c.close()
	}
	return a, err
}

// use has the client speak over a connection that is open already.
func (c *client) use(conn net.Conn) { c.conn, c.answers = conn, bufio.NewReader(conn) }

func (c *client) read() (a answer, err error) {
	length, closes := 0, false
	for first := true; ; first = false {
		line, err := c.answers.ReadSlice('\n')
		if err != nil {
			return a, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		if first {
			a.status, _ = strconv.Atoi(string(bytes.Fields(line)[1]))
			continue
		}
		name, value, _ := bytes.Cut(line, []byte(": "))
		switch string(bytes.ToLower(name)) {
		case "x-pod":
			a.pod = string(value)
		case "content-length":
			length, _ = strconv.Atoi(string(value))
		case "connection":
			closes = string(value) == "close"
		}
	}
	_, err = c.answers.Discard(length)
	if closes {
		c.close()
	}
	return a, err
}

func (c *client) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// probe is one run of back-to-back requests until the right answer.
type probe struct {
	started  chan struct{} // the first request has been answered
	done     chan struct{}
	found    time.Time // when the first right answer had been read
	requests int
	first    time.Time
	failures int // answers that nobody should ever have got
	last     string
}

// limit is how long a probe goes on. It is not a measurement.
var limit = 20 * time.Second

// startProbe probes a host until right says so. An answer that isn't allowed is
// counted as a failure.
func (c *client) startProbe(change change) *probe {
	p := &probe{started: make(chan struct{}), done: make(chan struct{}), first: time.Now()}
	c.target(change.host)
	if change.isTLS {
		c.sni = change.host
	}
	go func() {
		defer close(p.done)
		for time.Since(p.first) < limit {
			a, err := c.ask()
			p.requests++
			if p.requests == 1 {
				close(p.started)
			}
			switch {
			case err == nil && change.right(a):
				p.found = time.Now()
				return
			case err != nil || !change.allowed(a):
				p.failures++
				p.last = fmt.Sprintf("%s: %d from %q, %v", change.host, a.status, a.pod, err)
			}
			time.Sleep(c.pause)
		}
	}()
	return p
}

// period is the mean time between two answers.
func (p *probe) period() time.Duration {
	return p.found.Sub(p.first) / time.Duration(max(p.requests, 1))
}
