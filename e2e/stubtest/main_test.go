// Package stubtest has the tests of what a real API server can't be asked for:
// lost history, broken lists, refusals, garbage. The API server is apistub;
// HAProxy, the traffic and the controller are real.
package stubtest

import (
	"flag"
	"testing"

	"headgate.dev/e2e/harness"
)

func TestMain(m *testing.M) {
	// The tests wait for backoffs most of the time, not for a processor.
	_ = flag.Set("test.parallel", "6")
	harness.Main(m)
}
