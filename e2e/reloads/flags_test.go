package reloads

import (
	"os/exec"
	"regexp"
	"slices"
	"testing"

	"headgate.dev/e2e/harness"
)

// flag is an option of `headgate run` and the value that it gets instead of the
// one of the scene; "--name=" takes it away.
type flag struct {
	text string
	want []string // afterwards, as in change
	// cell stands in place of the number of operations where this depends on how
	// soon HAProxy lets go of what it served.
	cell string
}

var webIsThere = []string{"web.test/ 200"}

const everythingGoes = "all goes"

// liveFlags say what is wanted, or what only the controller does itself. The
// controller is killed and started again with them; HAProxy runs on.
var liveFlags = []flag{
	{"--controller-name=example.test/other", []string{"web.test/ 404"}, everythingGoes},
	{"--ingress-class=other", []string{"web.test/ 404"}, everythingGoes},
	{"--default-backend=" + namespace + "/web:80", []string{"who.test/ 200"}, ""},
	{"--default-certificate=" + namespace + "/standard", webIsThere, ""},
	{"--no-ssl-redirect", []string{"secure.test/ 200"}, ""},
	{"--legacy-class-annotation", webIsThere, ""},
	{"--allow-external-name=", webIsThere, ""},
	{"--enable-ssl-passthrough=", webIsThere, ""},
	{"--configmap=", webIsThere, ""},
	{"--configmap-errorfiles=", webIsThere, ""},
	{"--configmap-patternfiles=", webIsThere, ""},
	{"--configmap-tcp-services=", webIsThere, ""},
	{"--ticket-rotation=604800", webIsThere, ""}, // not due while the test runs
	{"--drain-delay=0", webIsThere, ""},
	{"--drain-timeout=60", webIsThere, ""},
	{"--log-level=debug", webIsThere, ""},
	{"--log-format=logfmt", webIsThere, ""},
	{"--self-check=", webIsThere, ""},
	{"--admin-bind=", webIsThere, ""},
	{"--audit-interval=1s", webIsThere, ""},
}

// processFlags are what HAProxy is told when it starts, and where its things are.
// "=" at the end stands for the value of the scene.
var processFlags = []flag{
	{"--http-bind=", webIsThere, ""},
	{"--https-bind=none", webIsThere, ""},
	{"--strict-sni", webIsThere, ""},
	{"--accept-proxy", nil, ""}, // whom the scene's client does not speak
	{"--server-header=shop", webIsThere, ""},
	{"--stats-bind=", webIsThere, ""},
	{"--stats-user=ops:$5$abcdefgh$0123456789012345678901234567890123456789012", webIsThere, ""},
	{"--stats-tls-bind=", webIsThere, ""},
	{"--stats-certificate=/dev/null", webIsThere, ""}, // without an address for it
	{"--config-dir=", webIsThere, ""},
	{"--state-dir=", webIsThere, ""},
	{"--run-dir=", webIsThere, ""},
	{"--haproxy=", webIsThere, ""},
	{"--runtime-socket=", webIsThere, ""},
	{"--master-socket=", webIsThere, ""},
}

// sourceFlags say where objects come from and who writes their status. HAProxy
// hears of the objects only: what these cost is in the other tables.
var sourceFlags = []string{
	"--manifests", "--kubeconfig", "--watch-namespace", "--ingress-selector",
	"--publish-service", "--publish-address", "--lease", "--lease-duration",
}

func flagName(text string) string { return regexp.MustCompile(`^--[a-z-]+`).FindString(text) }

// allFlags asks the program.
func allFlags(t *testing.T) []string {
	t.Helper()
	help, err := exec.Command(harness.HeadgateBinary(t), "run", "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, match := range regexp.MustCompile(`(?m)^  (--[a-z-]+)`).FindAllStringSubmatch(string(help), -1) {
		if match[1] != "--help" {
			names = append(names, match[1])
		}
	}
	slices.Sort(names)
	return names
}

// TestEveryFlagHasARow compares the tables with the program's help.
func TestEveryFlagHasARow(t *testing.T) {
	names := slices.Clone(sourceFlags)
	for _, f := range slices.Concat(liveFlags, processFlags) {
		names = append(names, flagName(f.text))
	}
	slices.Sort(names)
	if all := allFlags(t); !slices.Equal(names, all) {
		t.Errorf("the tables have\n%v\nand the program\n%v", names, all)
	}
}
