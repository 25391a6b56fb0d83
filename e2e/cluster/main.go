// Command headgate-cluster is the Kubernetes control plane that the end-to-end
// tests run against: the real API server, controller manager and scheduler in
// one binary, so that there is a single thing to build and to keep in a cache.
//
// Usage: headgate-cluster kube-apiserver|kube-controller-manager|kube-scheduler [flags]
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"k8s.io/component-base/cli"
	// The components look these up by registration, so they are only linked in.
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"

	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

const usage = "usage: headgate-cluster kube-apiserver|kube-controller-manager|kube-scheduler [flags]"

func main() {
	components := map[string]func() *cobra.Command{
		"kube-apiserver":          apiserver.NewAPIServerCommand,
		"kube-controller-manager": controllermanager.NewControllerManagerCommand,
		"kube-scheduler":          func() *cobra.Command { return scheduler.NewSchedulerCommand() },
	}
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
	name := os.Args[1]
	newCommand, ok := components[name]
	if !ok {
		fmt.Fprintf(os.Stderr, "headgate-cluster: no component %q\n%s\n", name, usage)
		os.Exit(2)
	}
	// The components read the rest of the command line as their own.
	os.Args = append([]string{name}, os.Args[2:]...)
	os.Exit(cli.Run(newCommand()))
}
