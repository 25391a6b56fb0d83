// Package chart renders the Helm chart of deploy/ with Helm's own library, as
// `helm template` does.
package chart

import (
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/releaseutil"
)

// Folder is the chart's place in the repository.
const Folder = "deploy/helm/headgate"

// Plain is where the plain manifests are, and Values those that make them, a file
// of the same name each.
const (
	Plain  = "deploy/kubernetes"
	Values = "deploy/kubernetes/values"
)

// Release is what an installation is called.
type Release struct{ Name, Namespace string }

// Render gives the objects as YAML documents, in the order in which Helm installs
// them. Values that the schema doesn't know are an error.
func Render(root string, release Release, values map[string]any) ([]string, error) {
	// It says on the standard log that it follows the link to deploy/rbac.
	log.SetOutput(io.Discard)
	chart, err := loader.LoadDir(filepath.Join(root, Folder))
	log.SetOutput(os.Stderr)
	if err != nil {
		return nil, err
	}
	options := chartutil.ReleaseOptions{Name: release.Name, Namespace: release.Namespace, Revision: 1, IsInstall: true}
	all, err := chartutil.ToRenderValues(chart, values, options, chartutil.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	files, err := engine.Render(chart, all)
	if err != nil {
		return nil, err
	}
	for name := range files {
		if !strings.HasSuffix(name, ".yaml") { // NOTES.txt, for people
			delete(files, name)
		}
	}
	hooks, manifests, err := releaseutil.SortManifests(files, nil, releaseutil.InstallOrder)
	if err != nil || len(hooks) > 0 {
		return nil, fmt.Errorf("hooks %v: %w", hooks, err)
	}
	var documents []string
	for _, manifest := range manifests {
		documents = append(documents, strings.TrimSpace(manifest.Content)+"\n")
	}
	return documents, nil
}

// Variants names the plain manifests.
func Variants(root string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(root, Values, "*.yaml"))
	var names []string
	for _, file := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(file), ".yaml"))
	}
	slices.Sort(names)
	return names, err
}

// ReadValues reads a variant's values.
func ReadValues(root, variant string) (map[string]any, error) {
	return chartutil.ReadValuesFile(filepath.Join(root, Values, variant+".yaml"))
}

// PlainManifest is the text of a file of deploy/kubernetes: its values' first
// comment, and the objects.
func PlainManifest(root, variant string) (string, error) {
	values, err := ReadValues(root, variant)
	if err != nil {
		return "", err
	}
	documents, err := Render(root, Release{"headgate", "headgate"}, values)
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(filepath.Join(root, Values, variant+".yaml"))
	if err != nil {
		return "", err
	}
	head := ""
	for _, line := range strings.SplitAfter(string(text), "\n") {
		if !strings.HasPrefix(line, "#") {
			break
		}
		head += line
	}
	head += "#\n# Made by `make manifests` from " + Folder + " and " + Values + "/" + variant + ".yaml.\n"
	return head + strings.Join(documents, "---\n"), nil
}
