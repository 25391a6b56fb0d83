// Package migration moves what users of haproxytech/kubernetes-ingress have to
// Headgate, by changing the class and nothing else.
package migration

import (
	"testing"

	"headgate.dev/e2e/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }
