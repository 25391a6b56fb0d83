// Package auth shows that services are asked whether requests may come in: a real
// oauth2-proxy, and one that answers in all ways that there are.
package auth

import (
	"testing"

	"headgate.dev/e2e/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }
