// Package conformance holds Headgate against the specification of Ingress: a
// table of objects, requests and expected answers, each row with the place where
// the specification says so, and the examples of docs/ingress.md.
//
// The specification is the page "Ingress" of the Kubernetes documentation
// (https://kubernetes.io/docs/concepts/services-networking/ingress/) and the API
// reference of Ingress and IngressClass in networking.k8s.io/v1. What is expected
// comes from there, or, where the specification leaves a choice, from
// docs/ingress.md; never from what the program happens to do.
//
// One control plane and two controllers, with HAProxy 2.6 and 3.4, run the whole
// table. Both serve at published addresses on ports 80 and 443.
//
//	go test ./conformance -run 'TestConformance/Hostname' -v -count=1
package conformance
