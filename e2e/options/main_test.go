// Package options shows options with live traffic: set, changed and removed.
package options

import (
	"testing"

	"headgate.dev/e2e/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }
