package harness

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Dump is what HAProxy has, without what differs between two that have the same:
// addresses of memory, ids, times, the state directory's name.
type Dump struct {
	maps         map[string][]string // lines "key value", by file
	servers      map[string][]string // by backend
	backends     []string
	certificates []string // lines of the list: name, and the names of clients it is for
}

var dumpMaps = []string{"hosts.map", "exact.map", "prefix.map", "defaults.map", "redirect.map", "external.map", "policy.map", "auth.map", "canary.map", "tcp.map", "networks.map", "addresses.map"}

// The columns of `show servers state` that make two servers the same.
var serverColumns = []string{
	"srv_name", "srv_addr", "srv_port", "srv_op_state", "srv_admin_state", "srv_uweight", "srv_iweight", "srv_fqdn",
}

// TakeDump asks a runtime socket of a HAProxy that has this state directory.
func TakeDump(socket, stateDir string) (Dump, error) {
	d := Dump{maps: map[string][]string{}}
	for _, file := range dumpMaps {
		lines, err := askLines(socket, "show map "+filepath.Join(stateDir, "current", file))
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
	if d.backends, err = askLines(socket, "show backend"); err != nil {
		return d, err
	}
	slices.Sort(d.backends)
	if d.servers, err = readServers(socket); err != nil {
		return d, err
	}
	d.certificates, err = readCertificates(socket, filepath.Join(stateDir, "current"))
	return d, err
}

// readCertificates gives the lines of the list that says who gets which
// certificate. A name stands for a content. It does not ask for the stores: see
// CertificateStores.
func readCertificates(socket, dir string) ([]string, error) {
	found, err := askLines(socket, "show ssl crt-list "+filepath.Join(dir, "certs.list"))
	return relativeTo(dir, found), err
}

// CertificateStores names the certificates that HAProxy has, in the list or not.
// Not to be called while a controller changes some: HAProxy 3.4.7 may then keep
// its lock on certificates for ever (`show ssl cert` on one connection, `new`, `set`
// and `commit ssl cert` on another).
func CertificateStores(socket, stateDir string) ([]string, error) {
	names, err := askLines(socket, "show ssl cert")
	return relativeTo(filepath.Join(stateDir, "current"), names), err
}

func relativeTo(dir string, lines []string) []string {
	for i := range lines {
		lines[i] = strings.ReplaceAll(lines[i], dir, "")
	}
	slices.Sort(lines)
	return lines
}

// readServers reads `show servers state`: a version, the names of the columns,
// and a line for each server.
func readServers(socket string) (map[string][]string, error) {
	reply, err := Runtime(socket, "show servers state")
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
		for _, column := range serverColumns {
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

// HasServers is nil when the backends whose names begin so have n servers.
func HasServers(socket, prefix string, n int) error {
	servers, err := readServers(socket)
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

func askLines(socket, command string) ([]string, error) {
	reply, err := Runtime(socket, command)
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

// Difference says where two dumps differ. HAProxy before 3.4 keeps the backend of
// a Service that is gone, without servers, until its next reload.
func (d Dump) Difference(want Dump, keepsEmpty bool) error {
	for _, file := range dumpMaps {
		if err := sameLines(file, d.maps[file], want.maps[file]); err != nil {
			return err
		}
	}
	if err := sameLines("certificates", d.certificates, want.certificates); err != nil {
		return err
	}
	for _, backend := range want.backends {
		if !slices.Contains(d.backends, backend) {
			return fmt.Errorf("backend %s is missing", backend)
		}
		if err := sameLines("backend "+backend, d.servers[backend], want.servers[backend]); err != nil {
			return err
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

// sameLines compares sorted lines.
func sameLines(what string, have, want []string) error {
	if slices.Equal(have, want) {
		return nil
	}
	without := func(lines, others []string) []string {
		return slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return slices.Contains(others, line) })
	}
	return fmt.Errorf("%s: %q should be gone, %q are missing (of %d lines, want %d)",
		what, without(have, want), without(want, have), len(have), len(want))
}
