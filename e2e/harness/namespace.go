package harness

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// PodNetwork holds every pod address. All of it is local to the namespace.
const PodNetwork = "10.244.0.0/14"

// localTable is where the kernel looks first; PodNetwork's route is in it, so a
// route that is to win over it must be there as well.
const localTable = unix.RT_TABLE_LOCAL

// inside prepares the namespace that this process was started in.
func inside() error {
	syscall.CloseOnExec(toolFD)
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("finding lo: %w", err)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return fmt.Errorf("bringing lo up: %w", err)
	}
	_, pods, err := net.ParseCIDR(PodNetwork)
	if err != nil {
		return err
	}
	err = netlink.RouteAdd(&netlink.Route{
		LinkIndex: lo.Attrs().Index, Dst: pods,
		Type: unix.RTN_LOCAL, Table: localTable, Scope: netlink.SCOPE_HOST,
	})
	if err != nil {
		return fmt.Errorf("making %s local: %w", PodNetwork, err)
	}
	return nil
}

// Unreachable takes the pod at ip off the network, as a dead node does: new
// connections fail at once with "no route to host", open ones fall silent. The
// end of the test, or Reachable, brings it back.
func Unreachable(t TB, ip string) {
	t.Helper()
	if err := netlink.RouteAdd(unreachableRoute(ip)); err != nil {
		t.Fatalf("making %s unreachable: %v", ip, err)
	}
	t.Cleanup(func() { _ = netlink.RouteDel(unreachableRoute(ip)) })
}

// Reachable undoes Unreachable.
func Reachable(t TB, ip string) {
	t.Helper()
	if err := netlink.RouteDel(unreachableRoute(ip)); err != nil {
		t.Fatalf("making %s reachable: %v", ip, err)
	}
}

func unreachableRoute(ip string) *netlink.Route {
	host := &net.IPNet{IP: net.ParseIP(ip), Mask: net.CIDRMask(32, 32)}
	return &netlink.Route{Dst: host, Type: unix.RTN_UNREACHABLE, Table: localTable}
}

// netNamespace is the identity of a process's network namespace.
func netNamespace(pid int) (string, error) {
	return os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid))
}

// processesIn lists the processes of a network namespace.
func processesIn(namespace string) []int {
	var found []int
	for _, pid := range allPIDs() {
		if ns, err := netNamespace(pid); err == nil && ns == namespace {
			found = append(found, pid)
		}
	}
	return found
}

// killNamespace ends everything in a namespace that this run made. It repeats,
// because a process may fork while the list is read.
func killNamespace(namespace string) {
	if own, err := netNamespace(os.Getpid()); err != nil || own == namespace {
		return
	}
	for range 100 {
		left := processesIn(namespace)
		if len(left) == 0 {
			return
		}
		for _, pid := range left {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func allPIDs() []int {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	var pids []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// killByCommandLine ends the processes of our namespace, other than this one,
// that have the text in their command line. It repeats until none is left.
func killByCommandLine(text string) {
	own, err := netNamespace(os.Getpid())
	if err != nil {
		return
	}
	for range 100 {
		left := false
		for _, pid := range processesIn(own) {
			line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			if err == nil && pid != os.Getpid() && strings.Contains(string(line), text) {
				_ = syscall.Kill(pid, syscall.SIGKILL)
				left = true
			}
		}
		if !left {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}
