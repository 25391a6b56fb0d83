package install

import (
	"testing"

	"headgate.dev/e2e/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }
