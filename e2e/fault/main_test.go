package fault

import (
	"os"
	"testing"

	"headgate.dev/e2e/harness"
)

// faultPatience covers what is waited for after a fault: by then, what failed may be
// tried again only twice a minute, and HAProxy 2.6 keeps idle connections to a pod,
// and with them its server, for longer than any other version.
const faultPatience = "3m"

func TestMain(m *testing.M) {
	os.Setenv("HEADGATE_E2E_PATIENCE", faultPatience)
	harness.Main(m)
}
