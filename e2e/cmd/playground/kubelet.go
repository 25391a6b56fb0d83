package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/kubelet/pkg/cri/streaming/portforward"

	"headgate.dev/e2e/harness"
)

// What the API server asks a kubelet for: logs, and connections to ports. Who asks
// is not looked at: there is nobody else on this network.
const (
	kubeletPort    = 10250
	idleTimeout    = 4 * time.Hour
	streamsTimeout = 30 * time.Second
)

// serve answers the API server, and tells it where.
func (n *node) serve() {
	n.t.Helper()
	pair, err := n.c.CA.Issue(harness.APIAddress)
	if err != nil {
		n.t.Fatalf("%v", err)
	}
	certificate, err := tls.X509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		n.t.Fatalf("%v", err)
	}
	listener, err := net.Listen("tcp", fmt.Sprintf("%s:%d", harness.APIAddress, kubeletPort))
	if err != nil {
		n.t.Fatalf("%v", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/containerLogs/{namespace}/{pod}/{container}", n.logs)
	mux.HandleFunc("/portForward/{namespace}/{pod}", n.forward)
	// Port forwarding over SPDY takes connections over, which HTTP/2 hasn't.
	server := &http.Server{Handler: mux, TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"http/1.1"}}}
	n.t.Cleanup(func() { _ = server.Close() })
	go func() { _ = server.ServeTLS(listener, "", "") }()

	ctx, nodes := context.Background(), n.c.Client.CoreV1().Nodes()
	node, err := nodes.Get(ctx, harness.NodeName, metav1.GetOptions{})
	if err == nil {
		node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: harness.APIAddress}}
		node.Status.DaemonEndpoints.KubeletEndpoint.Port = kubeletPort
		node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
		_, err = nodes.UpdateStatus(ctx, node, metav1.UpdateOptions{})
	}
	if err != nil {
		n.t.Fatalf("%v", err)
	}
}

// find is the pod that a request is about.
func (n *node) find(r *http.Request) *pod {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.pods {
		if p.namespace == r.PathValue("namespace") && p.name == r.PathValue("pod") {
			return p
		}
	}
	return nil
}

func (n *node) logs(w http.ResponseWriter, r *http.Request) {
	p := n.find(r)
	if p == nil || p.containers == nil {
		http.Error(w, "it has no log", http.StatusNotFound)
		return
	}
	text, err := p.containers.Log(r.PathValue("container"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	if tail, err := strconv.Atoi(r.URL.Query().Get("tailLines")); err == nil && len(lines) > tail {
		lines = lines[len(lines)-tail-1:]
	}
	_, _ = w.Write(bytes.Join(lines, nil))
}

func (n *node) forward(w http.ResponseWriter, r *http.Request) {
	p := n.find(r)
	options, err := portforward.NewV4Options(r)
	if p == nil || err != nil {
		http.Error(w, fmt.Sprintf("it can't be reached: %v", err), http.StatusBadRequest)
		return
	}
	portforward.ServePortForward(w, r, p, p.name, "", options, idleTimeout, streamsTimeout, portforward.SupportedProtocols)
}

// PortForward is what the kubelet's library calls for each connection.
func (p *pod) PortForward(_ context.Context, _ string, _ types.UID, port int32, stream io.ReadWriteCloser) error {
	server, err := net.Dial("tcp", net.JoinHostPort(p.address, strconv.Itoa(int(port))))
	if err != nil {
		return err
	}
	defer server.Close()
	defer stream.Close()
	go pass(server, stream)
	_, err = io.Copy(stream, server)
	return err
}
