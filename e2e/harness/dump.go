package fault

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"headgate.dev/e2e/harness"
)

// faultDump is what HAProxy has, without what differs between two that have the
// same: addresses of memory, ids, times, the state directory's name.
type faultDump struct {
	maps     map[string][]string // lines "key value", by file
	servers  map[string][]string // by backend
	backends []string
}

var faultMaps = []string{"hosts.map", "exact.map", "prefix.map", "defaults.map", "redirect.map"}

// The columns of `show servers state` that make two servers the same.
var faultColumns = []string{
	"srv_name", "srv_addr", "srv_port", "srv_op_state", "srv_admin_state", "srv_uweight", "srv_iweight", "srv_fqdn",
}

func faultTakeDump(socket, stateDir string) (faultDump, error) {
	d := faultDump{maps: map[string][]string{}}
	for _, file := range faultMaps {
		lines, err := faultAsk(socket, "show map "+filepath.Join(stateDir, "current", file))
		if err != nil {
			return d, err
		}
		for _, line := range lines { // "0x55d0c0ffee key value"
			_, entry, _ := strings.Cut(line, " ")
			d.maps[file] = append(d.maps[file], entry)
		}
		slices.Sort(d.maps[file])
	}
	var err error
	if d.backends, err = faultAsk(socket, "show backend"); err != nil {
		return d, err
	}
	slices.Sort(d.backends)
	d.servers, err = faultServers(socket)
	return d, err
}

// faultServers reads `show servers state`: a version, the names of the columns,
// and a line for each server.
func faultServers(socket string) (map[string][]string, error) {
	reply, err := harness.Runtime(socket, "show servers state")
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimSpace(reply), "\n")
	if len(lines) < 2 || !strings.HasPrefix(lines[1], "# ") {
		return nil, fmt.Errorf("show servers state: %q", reply)
	}
	names := strings.Fields(lines[1])[1:]
	servers := map[string][]string{}
	for _, line := range lines[2:] {
		values := strings.Fields(line)
		if len(values) < len(names) {
			return nil, fmt.Errorf("show servers state: %q", line)
		}
		var text []string
		for _, column := range faultColumns {
			text = append(text, values[slices.Index(names, column)])
		}
		backend := values[slices.Index(names, "be_name")]
		servers[backend] = append(servers[backend], strings.Join(text, " "))
	}
	for _, lines := range servers {
		slices.Sort(lines)
	}
	return servers, nil
}

// faultServerCount is nil when the backends whose names begin so have n servers.
func faultServerCount(socket, prefix string, n int) error {
	servers, err := faultServers(socket)
	if err != nil {
		return err
	}
	count := 0
	for backend, lines := range servers {
		if strings.HasPrefix(backend, prefix) {
			count += len(lines)
		}
	}
	if count != n {
		return fmt.Errorf("%d servers, want %d", count, n)
	}
	return nil
}

func faultAsk(socket, command string) ([]string, error) {
	reply, err := harness.Runtime(socket, command)
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, line := range strings.Split(reply, "\n") {
		if line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return lines, nil
}

// difference says where two dumps differ. HAProxy before 3.4 keeps the backend of
// a Service that is gone, without servers, until its next reload.
func (d faultDump) difference(want faultDump, keepsEmpty bool) error {
	for _, file := range faultMaps {
		if !slices.Equal(d.maps[file], want.maps[file]) {
			return fmt.Errorf("%s: have %q, want %q", file, d.maps[file], want.maps[file])
		}
	}
	for _, backend := range want.backends {
		if !slices.Contains(d.backends, backend) {
			return fmt.Errorf("backend %s is missing", backend)
		}
		if !slices.Equal(d.servers[backend], want.servers[backend]) {
			return fmt.Errorf("backend %s: have %q, want %q", backend, d.servers[backend], want.servers[backend])
		}
	}
	for _, backend := range d.backends {
		isEmpty := keepsEmpty && len(d.servers[backend]) == 0
		if !isEmpty && !slices.Contains(want.backends, backend) {
			return fmt.Errorf("backend %s with servers %q should be gone", backend, d.servers[backend])
		}
	}
	return nil
}
