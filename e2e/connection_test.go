package e2e

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"headgate.dev/e2e/harness"
)

// TestOneConnection shows that every list and watch shares one HTTP/2 connection
// to the API server, also after that connection has been lost.
func TestOneConnection(t *testing.T) {
	c := harness.StartCluster(t)
	g := harness.StartHeadgate(t, "--kubeconfig="+c.Kubeconfig(t),
		"--ingress-class=connection", "--haproxy="+harness.HAProxyPath(t, "3.4"),
		"--config-dir="+filepath.Join(harness.Root(t), "haproxy-cfg"), "--self-check")
	server, err := url.Parse(c.Config.Host)
	if err != nil {
		t.Fatal(err)
	}
	one := func() error {
		if n := established(t, g.PID(), server.Port()); n != 1 {
			return fmt.Errorf("%d connections to the API server, want 1", n)
		}
		if n := g.Metrics(t).Sum("headgate_watches_total"); n < 4 {
			return fmt.Errorf("%v watches, want one for each of 4 kinds", n)
		}
		return nil
	}
	harness.Eventually(t, "one connection for all watches", one)
	watches := g.Metrics(t).Sum("headgate_watches_total")
	c.Stop(t)
	c.Start(t)
	harness.Eventually(t, "one connection for all watches after an outage", func() error {
		if n := g.Metrics(t).Sum("headgate_watches_total"); n < watches+4 {
			return fmt.Errorf("%v watches, want 4 more than %v", n, watches)
		}
		return one()
	})
}

// established counts the TCP connections of a process to a remote port, from the
// kernel's table: state 01, and a socket that is among the process' files.
func established(t *testing.T, pid int, port string) int {
	t.Helper()
	remote, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	folder := fmt.Sprintf("/proc/%d/fd", pid)
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	own := map[string]bool{}
	for _, file := range files {
		if link, err := os.Readlink(folder + "/" + file.Name()); err == nil {
			own[link] = true
		}
	}
	table, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/tcp", pid))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, line := range strings.Split(string(table), "\n")[1:] {
		fields := strings.Fields(line)
		if len(fields) > 9 && fields[3] == "01" && own["socket:["+fields[9]+"]"] &&
			strings.HasSuffix(fields[2], fmt.Sprintf(":%04X", remote)) {
			n++
		}
	}
	return n
}
