// Package reloads makes every kind of change that a tenant or an operator can
// make, on each supported branch of HAProxy, and writes down what it costs:
// docs/reloads.md is what comes out, and the test fails when it is not what
// stands there.
package reloads
