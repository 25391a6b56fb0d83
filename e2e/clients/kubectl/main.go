// Command kubectl is Kubernetes' own, of the version of the control plane that the
// tests run against.
package main

import (
	"os"

	"k8s.io/component-base/cli"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
)

func main() {
	if err := cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()); err != nil {
		util.CheckErr(err) // says it as kubectl does, and ends
	}
	os.Exit(0)
}
