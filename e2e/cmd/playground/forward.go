package main

import (
	"io"
	"net"

	"headgate.dev/e2e/harness"
)

// listenFor passes connections to an address on, each to what target says then. The
// listener ends with the program, or when it is closed.
func listenFor(t harness.TB, addr string, target func() (string, error)) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatalf("%v", err)
	}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer client.Close()
				addr, err := target()
				if err != nil {
					return // nobody to pass it on to: closed, as a balancer does
				}
				server, err := net.Dial("tcp", addr)
				if err != nil {
					return
				}
				defer server.Close()
				splice(client, server)
			}()
		}
	}()
	return listener
}

// splice copies both ways until both ends are done.
func splice(a, b io.ReadWriter) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		pass(a, b)
	}()
	pass(b, a)
	<-done
}

func pass(to, from io.ReadWriter) {
	_, _ = io.Copy(to, from)
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}
