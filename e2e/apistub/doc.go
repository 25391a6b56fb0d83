// Package apistub is a Kubernetes API server that can be told to misbehave.
//
// It serves the few paths that Headgate asks for, over TLS and HTTP/2, from
// memory: lists in pages, and watches that resume from a history which can be
// compacted. A real API server can't be asked for a 410 in the middle of a list,
// a truncated event or a page of HTML; this one can (see Fault), and it counts
// what it was asked for and notes when each event left, which is what the
// benchmark needs.
//
// It has the semantics of the API where Headgate depends on them and nothing
// beyond: of what is written, the status of Ingresses, Leases and Events; no
// validation, no defaults, no other kinds. What is asked outside of that gets a
// 404, and Strangers tells of it.
package apistub
