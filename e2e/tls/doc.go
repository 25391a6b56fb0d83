// Package tls holds the end-to-end tests of certificates: what clients are shown,
// while Secrets come, change, break and go, and processes end.
package tls
