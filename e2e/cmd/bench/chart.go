package main

import (
	"fmt"
	"math"
	"strings"
)

// panel is one picture of the chart: lines of one unit against the number of Ingresses.
type panel struct {
	title string
	lines []line
}

type line struct {
	label           string
	subject, metric string
	quantile        float64 // of a distribution
	scale           float64 // of the unit
}

var panels = []panel{
	{"event sent to first right answer, ms", []line{
		{"endpoint, p50", "endpoint replaced", firstRight, 0.5, 1},
		{"new host, p50", "new host on a Service", firstRight, 0.5, 1},
		{"new Service, p50", "new Service, slice, Ingress", firstRight, 0.5, 1},
		{"new certificate, p50", "new certificate, new host", firstRight, 0.5, 1},
	}},
	{"private memory of the controller, MiB", []line{
		{"at rest", "memory", atRest, 0, 1.0 / 1024},
	}},
	{"controller's processor time per event, us", []line{
		{"endpoint", "endpoint replaced", processorTime, 0, 1},
		{"new host", "new host on a Service", processorTime, 0, 1},
		{"new Service", "new Service, slice, Ingress", processorTime, 0, 1},
	}},
	{"cold start, s", []line{
		{"exec to all routes right", "cold start", coldStarted, 0, 1e-3},
	}},
}

const (
	panelWidth, panelHeight = 420, 300
	left, top               = 60, 40
	plotWidth, plotHeight   = 330, 200
)

var colours = []string{"#1b6ca8", "#c8553d", "#588157", "#6d597a"}

// chart draws the figures against the size, both axes logarithmic, as SVG.
func (r *report) chart() string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11">`+"\n",
		2*panelWidth, 2*panelHeight)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="white"/>`+"\n")
	for i, p := range panels {
		fmt.Fprintf(&b, `<g transform="translate(%d %d)">`+"\n", i%2*panelWidth, i/2*panelHeight)
		r.drawPanel(&b, p)
		b.WriteString("</g>\n")
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func (r *report) drawPanel(b *strings.Builder, p panel) {
	fmt.Fprintf(b, `<text x="%d" y="24" font-size="13">%s</text>`+"\n", left, p.title)
	low, high := math.Inf(1), 0.0
	for _, l := range p.lines {
		for _, v := range r.values(l) {
			low, high = min(low, v), max(high, v)
		}
	}
	if high == 0 {
		return
	}
	// Whole powers of ten.
	axis := scale{math.Floor(math.Log10(low)), math.Ceil(math.Log10(high) + 1e-9)}
	first, last := math.Log10(float64(r.options.sizes[0])), math.Log10(float64(r.options.sizes[len(r.options.sizes)-1]))
	sizes := scale{first, max(last, first+1)}
	for power := axis.low; power <= axis.high; power++ {
		y := top + plotHeight*(1-axis.at(math.Pow(10, power)))
		fmt.Fprintf(b, `<path d="M%d %.1fh%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%g</text>`+"\n",
			left, y, plotWidth, left-6, y+4, math.Pow(10, power))
	}
	for _, size := range r.options.sizes {
		fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="middle">%d</text>`+"\n",
			left+plotWidth*sizes.at(float64(size)), top+plotHeight+16, size)
	}
	for i, l := range p.lines {
		values := r.values(l)
		var points []string
		for _, size := range r.options.sizes {
			if v, ok := values[size]; ok {
				points = append(points, fmt.Sprintf("%.1f,%.1f", left+plotWidth*sizes.at(float64(size)), top+plotHeight*(1-axis.at(v))))
			}
		}
		fmt.Fprintf(b, `<polyline fill="none" stroke="%s" stroke-width="2" points="%s"/>`+"\n", colours[i], strings.Join(points, " "))
		fmt.Fprintf(b, `<text x="%d" y="%d" fill="%s">%s</text>`+"\n", left+i%2*170, top+plotHeight+34+i/2*14, colours[i], l.label)
	}
}

// scale is a logarithmic axis: the powers of ten at its ends.
type scale struct{ low, high float64 }

func (s scale) at(v float64) float64 { return (math.Log10(v) - s.low) / (s.high - s.low) }

// values are the figures of a line by size.
func (r *report) values(l line) map[int]float64 {
	found := map[int]float64{}
	for _, row := range r.rows {
		if row.subject != l.subject || row.metric != l.metric || row.size == 0 {
			continue
		}
		v := row.figure.value
		if row.figure.samples != nil {
			v = row.figure.quantile(l.quantile)
		}
		if v > 0 {
			found[row.size] = v * l.scale
		}
	}
	return found
}
