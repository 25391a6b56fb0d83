package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"

	"headgate.dev/e2e/harness"
)

// Pods are one listener on all addresses of the pod network. They do as little as
// a server can: their time is part of every probe. (harness.Pods tells more, and
// takes longer.)
type podServer struct{ next int }

func startPods(t harness.TB) *podServer {
	listener, err := net.Listen("tcp4", fmt.Sprintf("0.0.0.0:%d", harness.PodPort))
	if err != nil {
		t.Fatalf("pods: %v", err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go servePod(conn)
		}
	}()
	return &podServer{next: 1 << 8}
}

// ip gives an address that was not given before. (10.244.0.x is left out: the
// first ones are easily mistaken for something else.)
func (p *podServer) ip() string {
	p.next++
	return fmt.Sprintf("10.%d.%d.%d", 244+p.next>>16&3, p.next>>8&0xff, p.next&0xff)
}

// rewind makes the addresses from a mark on free again.
func (p *podServer) rewind(mark int) { p.next = mark }

func servePod(conn net.Conn) {
	defer conn.Close()
	answer := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nX-Pod: %s\r\nContent-Length: 0\r\n\r\n", conn.LocalAddr())
	lines := bufio.NewReader(conn)
	for {
		line, err := lines.ReadSlice('\n')
		if err != nil {
			return
		}
		if len(bytes.TrimRight(line, "\r\n")) == 0 { // requests have no body here
			if _, err := conn.Write(answer); err != nil {
				return
			}
		}
	}
}
