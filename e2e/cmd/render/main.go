// Command render writes the plain manifests of deploy/kubernetes, which are the
// chart with the values beside them.
//
// Usage: go run ./cmd/render [ROOT]
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"headgate.dev/e2e/chart"
)

func main() {
	root := ".."
	if len(os.Args) > 1 {
		root = os.Args[1]
	}
	if err := write(root); err != nil {
		fmt.Fprintln(os.Stderr, "render:", err)
		os.Exit(1)
	}
}

func write(root string) error {
	variants, err := chart.Variants(root)
	if err != nil {
		return err
	}
	for _, variant := range variants {
		text, err := chart.PlainManifest(root, variant)
		if err == nil {
			err = os.WriteFile(filepath.Join(root, chart.Plain, variant+".yaml"), []byte(text), 0o644)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", variant, err)
		}
	}
	return nil
}
