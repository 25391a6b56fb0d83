// Package install tests what people install: the chart and the plain manifests made
// from it, the image and the pod of two containers, two installations side by side,
// and that documents and dashboards speak of what exists.
package install
