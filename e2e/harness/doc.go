// Package harness is what Headgate's end-to-end tests are written with: a real
// Kubernetes API server, a real HAProxy, real HTTP clients, and sixty-five
// thousand pods that are one process.
//
// A test package hands itself over in TestMain:
//
//	func TestMain(m *testing.M) { harness.Main(m) }
//
// From there on it runs in a network namespace of its own. Every port is free,
// nothing that it sends can leave, and every address in 10.244.0.0/16 is local,
// so that a pod is an address and nothing more.
package harness
