// Command playground is a Kubernetes of one machine, for trying Headgate as it is
// installed: the real API server and controllers, a node that runs pods of Headgate's
// image and stands in for agnhost's, and load balancers. All of it is in a network
// namespace of its own; deploy/dev/playground builds and starts it.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"headgate.dev/e2e/harness"
)

func main() { os.Exit(harness.Isolated(run)) }

func run() (code int) {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "playground: expected a command")
		return 2
	}
	t := harness.NewProgram("playground")
	defer func() {
		if failed := t.End(recover()); failed != 0 {
			code = failed
		}
	}()
	if err := harness.CanRunPods(t); err != nil {
		t.Fatalf("%v", err)
	}
	c := harness.StartCluster(t)
	c.StartControllerManager(t)
	listenFor(t, fmt.Sprintf("%s:%d", harness.APIAddress, harness.APIServerPort), func() (string, error) {
		return fmt.Sprintf("127.0.0.1:%d", harness.APIServerPort), nil
	})
	n := newNode(t, c)
	t.Cleanup(n.stop)
	t.Cleanup(newCloud(t, c).stop)
	return command(t, c.AdminKubeconfig(t))
}

// command runs what this program is told to, and gives its exit status.
func command(t *harness.Program, kubeconfig string) int {
	// The command gets them as well, and says what becomes of it.
	signal.Ignore(syscall.SIGINT, syscall.SIGQUIT)
	child := exec.Command(os.Args[1], os.Args[2:]...)
	child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
	child.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	err := child.Run()
	if child.ProcessState == nil {
		t.Fatalf("%v", err)
	}
	return child.ProcessState.ExitCode()
}
