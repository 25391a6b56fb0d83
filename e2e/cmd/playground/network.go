package main

import (
	"fmt"
	"net"
	"os"
	"runtime"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"headgate.dev/e2e/harness"
)

// podNetwork is a network namespace with one address, which reaches this one through
// a pair of virtual devices.
type podNetwork struct {
	address string
	file    *os.File // keeps the namespace
	device  string   // our end
}

// path is what other processes find the namespace by, while this one lives.
func (n *podNetwork) path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), n.file.Fd()) }

func (n *podNetwork) remove() {
	if link, err := netlink.LinkByName(n.device); err == nil {
		_ = netlink.LinkDel(link)
	}
	n.file.Close()
}

func newPodNetwork(address string) (*podNetwork, error) {
	file, err := newNamespace()
	if err != nil {
		return nil, err
	}
	n := &podNetwork{address: address, file: file, device: "pod" + fmt.Sprint(file.Fd())}
	if err := n.connect(); err != nil {
		n.remove()
		return nil, fmt.Errorf("a network for %s: %w", address, err)
	}
	return n, nil
}

// newNamespace is of a thread that ends here: a thread that has been elsewhere is
// of no use to the rest of the program.
func newNamespace() (file *os.File, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked
		if err = unix.Unshare(unix.CLONE_NEWNET); err == nil {
			file, err = os.Open("/proc/thread-self/ns/net")
		}
	}()
	<-done
	return file, err
}

func (n *podNetwork) connect() error {
	veth := &netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: n.device}, PeerName: "eth0", PeerNamespace: netlink.NsFd(n.file.Fd()),
	}
	if err := netlink.LinkAdd(veth); err != nil {
		return err
	}
	ours, err := netlink.LinkByName(n.device)
	if err == nil {
		err = netlink.LinkSetUp(ours)
	}
	if err == nil {
		// All of the pods' network is local here; this one address is not, so its route is to win.
		err = netlink.RouteAdd(&netlink.Route{LinkIndex: ours.Attrs().Index, Dst: host(n.address),
			Src: net.ParseIP(harness.APIAddress), Table: unix.RT_TABLE_LOCAL, Scope: netlink.SCOPE_LINK})
	}
	if err != nil {
		return err
	}
	inside, err := netlink.NewHandleAt(netns.NsHandle(n.file.Fd()))
	if err != nil {
		return err
	}
	defer inside.Close()
	return configure(inside, n.address)
}

// configure is for the pod's end: its address, and everything by way of ours.
func configure(inside *netlink.Handle, address string) error {
	lo, err := inside.LinkByName("lo")
	if err == nil {
		err = inside.LinkSetUp(lo)
	}
	if err != nil {
		return err
	}
	eth0, err := inside.LinkByName("eth0")
	if err == nil {
		err = inside.AddrAdd(eth0, &netlink.Addr{IPNet: host(address)})
	}
	if err == nil {
		err = inside.LinkSetUp(eth0)
	}
	if err != nil {
		return err
	}
	index := eth0.Attrs().Index
	return inside.RouteAdd(&netlink.Route{LinkIndex: index, Gw: net.ParseIP(harness.APIAddress), Flags: int(netlink.FLAG_ONLINK)})
}

func host(address string) *net.IPNet {
	return &net.IPNet{IP: net.ParseIP(address).To4(), Mask: net.CIDRMask(32, 32)}
}
