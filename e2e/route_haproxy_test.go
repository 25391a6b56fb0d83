package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"headgate.dev/e2e/harness"
)

// haproxyServer is a line of `show servers state`.
type haproxyServer struct {
	name, address string // "10.244.1.1:8080"
	ready         bool   // not in maintenance
}

// haproxyState is what HAProxy says that it has: the witness for what the
// controller did and for what nobody was to do.
type haproxyState struct {
	maps     map[string]map[string]string // entries by file name
	backends []string
	servers  map[string][]haproxyServer // by backend, sorted
}

var routeMaps = []string{"hosts.map", "exact.map", "prefix.map", "defaults.map", "redirect.map"}

func readHAProxy(t *testing.T, g *harness.Headgate) haproxyState {
	t.Helper()
	state := haproxyState{maps: map[string]map[string]string{}, servers: map[string][]haproxyServer{}}
	for _, name := range routeMaps {
		state.maps[name] = readMap(t, g, name)
	}
	for _, line := range strings.Split(runtimeReply(t, g, "show backend"), "\n") {
		if line != "" && !strings.HasPrefix(line, "#") {
			state.backends = append(state.backends, line)
		}
	}
	slices.Sort(state.backends)
	servers, err := parseServers(runtimeReply(t, g, "show servers state"))
	if err != nil {
		t.Fatal(err)
	}
	state.servers = servers
	return state
}

// readMap gives the entries of one map. Lines are "0x... key value"; keys that
// came from elsewhere could hold blanks, which shows as an odd value.
func readMap(t *testing.T, g *harness.Headgate, name string) map[string]string {
	t.Helper()
	entries := map[string]string{}
	for _, line := range strings.Split(runtimeReply(t, g, "show map "+g.StateDir+"/current/"+name), "\n") {
		if line == "" {
			continue
		}
		_, entry, ok := strings.Cut(line, " ")
		key, value, ok2 := strings.Cut(entry, " ")
		if !ok || !ok2 || !strings.HasPrefix(line, "0x") {
			t.Fatalf("%s: not an entry: %q", name, line)
		}
		if _, twice := entries[key]; twice {
			t.Errorf("%s: %q is there twice", name, key)
		}
		entries[key] = value
	}
	return entries
}

func runtimeReply(t *testing.T, g *harness.Headgate, command string) string {
	t.Helper()
	reply, err := harness.Runtime(g.RuntimeSocket(), command)
	if err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	return reply
}

// parseServers reads `show servers state`, whose columns are named in its second
// line.
func parseServers(text string) (map[string][]haproxyServer, error) {
	servers := map[string][]haproxyServer{}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) < 2 {
		return nil, fmt.Errorf("show servers state: %q", text)
	}
	names := strings.Fields(strings.TrimPrefix(lines[1], "#"))
	for _, line := range lines[2:] {
		fields := strings.Fields(line)
		if len(fields) < len(names) {
			return nil, fmt.Errorf("show servers state: %q", line)
		}
		get := func(name string) string { return fields[slices.Index(names, name)] }
		backend := get("be_name")
		servers[backend] = append(servers[backend], haproxyServer{
			name:    get("srv_name"),
			address: get("srv_addr") + ":" + get("srv_port"),
			ready:   get("srv_admin_state") == "0",
		})
	}
	for _, list := range servers {
		slices.SortFunc(list, func(a, b haproxyServer) int { return strings.Compare(a.name, b.name) })
	}
	return servers, nil
}

// hasServers says whether a Service's backend has these pods as its servers and
// no other, all of them ready.
func (s *routeScene) hasServers(service string, port int, ips ...string) error {
	backend := fmt.Sprintf("%s_svc_%s_%d", s.ns, service, port)
	reply, err := harness.Runtime(s.g.RuntimeSocket(), "show servers state "+backend)
	if err != nil {
		return err
	}
	servers, err := parseServers(reply)
	if err != nil {
		return err
	}
	return sameServers(servers[backend], ips)
}

func sameServers(have []haproxyServer, ips []string) error {
	var want []haproxyServer
	for _, ip := range ips {
		want = append(want, haproxyServer{harness.PodName(ip), harness.PodAddr(ip), true})
	}
	slices.SortFunc(want, func(a, b haproxyServer) int { return strings.Compare(a.name, b.name) })
	if !slices.Equal(have, want) {
		return fmt.Errorf("servers %v, want %v", have, want)
	}
	return nil
}
