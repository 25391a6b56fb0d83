package harness

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// toolFD is the child's end of the socket to the parent (the first ExtraFile).
const toolFD = 3

// A tool is a script of this repository that prints the path of a program. It
// may have to download it, which only the parent, outside of the namespace, can.
type toolRequest struct {
	Script string
	Args   []string
}

type toolReply struct {
	Path  string
	Error string
}

const (
	haproxyScript = "deploy/dev/haproxy"
	clusterScript = "e2e/cluster/build"
	imageScript   = "deploy/image/root"
	oauth2Script  = "e2e/oauth2-proxy/build"
)

func toolSocket() (ours, theirs *os.File, err error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), "tools"), os.NewFile(uintptr(fds[1]), "tools"), nil
}

// serveTools runs in the parent until the child closes its end.
func serveTools(socket *os.File) {
	in, out := json.NewDecoder(socket), json.NewEncoder(socket)
	for {
		var request toolRequest
		if in.Decode(&request) != nil {
			return
		}
		var reply toolReply
		path, err := runTool(request)
		if err != nil {
			reply.Error = err.Error()
		}
		reply.Path = path
		if out.Encode(reply) != nil {
			return
		}
	}
}

func runTool(request toolRequest) (string, error) {
	root, err := findRoot()
	if err != nil {
		return "", err
	}
	if !slices.Contains([]string{haproxyScript, clusterScript, imageScript, oauth2Script}, request.Script) {
		return "", fmt.Errorf("no tool %q", request.Script)
	}
	cmd := exec.Command(filepath.Join(root, request.Script), request.Args...)
	// A fetch ends with the run, however that ends; its half-made folder doesn't
	// disturb the next one.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	// A fetch or a build takes a while and says so.
	var progress strings.Builder
	cmd.Stderr = io.MultiWriter(os.Stderr, &progress)
	out, err := cmd.Output()
	if err != nil {
		lines := strings.Split(strings.TrimSpace(progress.String()), "\n")
		return "", fmt.Errorf("%s: %w: %s", request.Script, err, lines[len(lines)-1])
	}
	return strings.TrimSpace(string(out)), nil
}

var toolClient struct {
	once sync.Once
	mu   sync.Mutex
	in   *json.Decoder
	out  *json.Encoder
}

// askTool is called in the namespace and has the parent run a tool.
func askTool(request toolRequest) (string, error) {
	c := &toolClient
	c.once.Do(func() {
		socket := os.NewFile(toolFD, "tools")
		c.in, c.out = json.NewDecoder(socket), json.NewEncoder(socket)
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.out.Encode(request); err != nil {
		return "", fmt.Errorf("asking for %s (is TestMain calling harness.Main?): %w", request.Script, err)
	}
	var reply toolReply
	if err := c.in.Decode(&reply); err != nil {
		return "", fmt.Errorf("waiting for %s: %w", request.Script, err)
	}
	if reply.Error != "" {
		return "", errors.New(reply.Error)
	}
	return reply.Path, nil
}

// Root is the folder of the repository.
func Root(t TB) string {
	t.Helper()
	root, err := findRoot()
	if err != nil {
		t.Fatalf("%v", err)
	}
	return root
}

func findRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, haproxyScript)); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("the working folder is not inside Headgate's repository")
		}
	}
}

// freePorts start below the range that the kernel takes for outgoing
// connections, so that a port once given stays free until it is bound.
var freePorts = struct {
	sync.Mutex
	next int
}{next: 20000}

// FreePort gives a TCP port that nothing in the namespace uses.
func FreePort(t TB) int {
	t.Helper()
	freePorts.Lock()
	defer freePorts.Unlock()
	for freePorts.next < 32000 {
		port := freePorts.next
		freePorts.next++
		if l, err := net.Listen("tcp", fmt.Sprintf(":%d", port)); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatalf("no free port is left")
	return 0
}
