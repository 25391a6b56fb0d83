// Package options shows options with live traffic: set, changed and removed.
package options

import (
	"os"
	"testing"

	"headgate.dev/e2e/harness"
)

func TestMain(m *testing.M) {
	os.Setenv("HEADGATE_HAPROXY_LOG_LEVEL", "info") // what is captured of requests is in the log
	harness.Main(m)
}
