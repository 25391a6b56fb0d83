package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
)

// insideEnv tells a process that it is the one inside the namespace.
const insideEnv = "HEADGATE_E2E_INSIDE"

// Main runs the tests of a package in a private network namespace and exits
// with their status. It is the whole body of a TestMain.
func Main(m interface{ Run() int }) {
	os.Exit(Isolated(m.Run))
}

// Isolated executes this program again in a private network namespace, calls run
// there, and returns its status. Programs that are not tests call it directly.
//
// Without root, a user namespace gives the right to make the network one.
func Isolated(run func() int) int {
	if os.Getenv(containerEnv) != "" {
		return insideContainer()
	}
	if os.Getenv(insideEnv) == "" {
		return outside()
	}
	if err := inside(); err != nil {
		fmt.Fprintf(os.Stderr, "harness: %v\n", err)
		return 1
	}
	// For HAProxy that a test starts by itself.
	if root, err := findRoot(); err == nil {
		os.Setenv("HEADGATE_LUA_DIR", root+"/lua")
	}
	code := run()
	atEnd.run()
	return code
}

// outside is the parent: it lends the child its network for fetching tools,
// passes signals and the exit status, and leaves no process of the run behind.
func outside() int {
	// Pdeathsig fires when the thread that forked ends, not the process.
	runtime.LockOSThread()
	dir, err := makeRunDir()
	if err != nil {
		fmt.Fprintf(os.Stderr, "harness: %v\n", err)
		return 1
	}
	code := execute(dir)
	endRunDir(dir, code)
	return code
}

// execute starts the child and waits for it.
func execute(runDir string) int {
	ours, theirs, err := toolSocket()
	if err != nil {
		fmt.Fprintf(os.Stderr, "harness: %v\n", err)
		return 1
	}
	go serveTools(ours)

	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), insideEnv+"=1", runDirEnv+"="+runDir)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr = isolation()

	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGHUP)
	if err := cmd.Start(); err != nil {
		fmt.Fprintf(os.Stderr, "harness: no private network namespace: %v\n"+
			"harness: run as root, or allow unprivileged user namespaces\n", err)
		return 1
	}
	theirs.Close()
	namespace, nsErr := netNamespace(cmd.Process.Pid)
	go func() {
		for s := range signals {
			_ = cmd.Process.Signal(s)
		}
	}()
	err = cmd.Wait()
	if nsErr == nil {
		// HAProxy is made to outlive its controller; it must not outlive the run.
		killNamespace(namespace)
	}
	return exitStatus(err)
}

// isolation asks for the namespaces. CLONE_NEWUSER maps the caller to root of
// the new user namespace, which owns the new network.
func isolation() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	return attr
}

func exitStatus(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case !errors.As(err, &exit):
		fmt.Fprintf(os.Stderr, "harness: %v\n", err)
		return 1
	case exit.ExitCode() >= 0:
		return exit.ExitCode()
	default: // as a shell would say it
		return 128 + int(exit.Sys().(syscall.WaitStatus).Signal())
	}
}
