package harness

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// containerEnv tells this program that it is the first process of a container, and
// has what it is to become, as JSON.
const containerEnv = "HEADGATE_E2E_CONTAINER"

// containerSpec is what a container runtime is given.
type containerSpec struct {
	Network    string // the namespace to join, as a path; "" = that of the run
	Root       string // of the image
	Scratch    string // an empty folder, to put the root together on
	IsReadOnly bool
	Mounts     []containerMount
	UID, GID   int
	Args, Env  []string
	Probe      *Probe // try this instead of running Args
}

type containerMount struct {
	From, To   string
	IsReadOnly bool
}

// Probe is what an intruder in a container tries.
type Probe struct{ Read, Write []string }

// ProbeResult says how that went, and who it was.
type ProbeResult struct {
	UID, GID    int
	Status      string            // /proc/self/status
	Processes   []string          // the entries of /proc that are
	Read, Write map[string]string // by path, the error, or "" where it worked
}

// insideContainer becomes the process of the container: a view of the file system of
// its own, no capability, no way to get one. It returns only when that fails, or
// after a probe.
func insideContainer() int {
	// What is set below belongs to the thread.
	runtime.LockOSThread()
	var spec containerSpec
	err := json.Unmarshal([]byte(os.Getenv(containerEnv)), &spec)
	if err == nil {
		err = enter(&spec)
	}
	if err == nil && spec.Probe != nil {
		err = json.NewEncoder(os.Stdout).Encode(probe(spec.Probe))
		if err == nil {
			return 0
		}
	}
	if err == nil {
		err = syscall.Exec(spec.Args[0], spec.Args, spec.Env)
	}
	fmt.Fprintf(os.Stderr, "harness: container: %v\n", err)
	return 126
}

func enter(spec *containerSpec) error {
	if err := join(spec.Network); err != nil {
		return fmt.Errorf("network: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("private mounts: %w", err)
	}
	if err := unix.Mount(spec.Root, spec.Scratch, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("root: %w", err)
	}
	if err := mountDevices(filepath.Join(spec.Scratch, "dev")); err != nil {
		return err
	}
	if err := unix.Mount("proc", filepath.Join(spec.Scratch, "proc"), "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("proc: %w", err)
	}
	for _, m := range spec.Mounts {
		if err := bind(m.From, filepath.Join(spec.Scratch, m.To), m.IsReadOnly); err != nil {
			return fmt.Errorf("%s: %w", m.To, err)
		}
	}
	if spec.IsReadOnly {
		if err := unix.Mount("", spec.Scratch, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
			return fmt.Errorf("read-only root: %w", err)
		}
	}
	if err := unix.Chroot(spec.Scratch); err != nil {
		return err
	}
	if err := unix.Chdir("/"); err != nil {
		return err
	}
	return dropPrivileges(spec.UID, spec.GID)
}

func join(network string) error {
	if network == "" {
		return nil
	}
	file, err := os.Open(network)
	if err != nil {
		return err
	}
	defer file.Close()
	return unix.Setns(int(file.Fd()), unix.CLONE_NEWNET)
}

func bind(from, to string, isReadOnly bool) error {
	if err := unix.Mount(from, to, "", unix.MS_BIND, ""); err != nil {
		return err
	}
	if !isReadOnly {
		return nil
	}
	return unix.Mount("", to, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, "")
}

func mountDevices(dir string) error {
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID, "mode=755,size=64k"); err != nil {
		return fmt.Errorf("dev: %w", err)
	}
	for _, name := range []string{"null", "zero", "random", "urandom"} {
		to := filepath.Join(dir, name)
		if err := os.WriteFile(to, nil, 0o666); err != nil {
			return err
		}
		if err := bind("/dev/"+name, to, false); err != nil {
			return fmt.Errorf("/dev/%s: %w", name, err)
		}
	}
	return nil
}

// dropPrivileges leaves this thread, and what it executes, with no capability.
func dropPrivileges(uid, gid int) error {
	for capability := uintptr(0); ; capability++ {
		err := unix.Prctl(unix.PR_CAPBSET_DROP, capability, 0, 0, 0)
		if errors.Is(err, unix.EINVAL) {
			break
		}
		if err != nil {
			return fmt.Errorf("dropping capability %d: %w", capability, err)
		}
	}
	if err := syscall.Setgroups(nil); err != nil {
		return err
	}
	if err := syscall.Setresgid(gid, gid, gid); err != nil {
		return err
	}
	if err := syscall.Setresuid(uid, uid, uid); err != nil {
		return err
	}
	return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
}

func probe(p *Probe) ProbeResult {
	result := ProbeResult{UID: os.Getuid(), GID: os.Getgid(), Read: map[string]string{}, Write: map[string]string{}}
	status, _ := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/status", unix.Gettid()))
	result.Status = string(status)
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		if strings.Trim(entry.Name(), "0123456789") == "" {
			result.Processes = append(result.Processes, entry.Name())
		}
	}
	for _, path := range p.Read {
		_, err := os.ReadFile(path)
		result.Read[path] = reason(err)
	}
	for _, folder := range p.Write {
		path := filepath.Join(folder, "intruder")
		err := os.WriteFile(path, nil, 0o600)
		result.Write[folder] = reason(err)
		_ = os.Remove(path)
	}
	return result
}

func reason(err error) string {
	var path *fs.PathError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &path):
		return path.Err.Error()
	default:
		return err.Error()
	}
}
