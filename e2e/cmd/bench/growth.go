package main

import (
	"fmt"
	"math"
)

// addGrowth adds how the figures of the sizes hang together: the exponent with
// which a time or a size grows, and for processor time the ratio of the two ends.
func (r *report) addGrowth() {
	if len(r.options.sizes) < 2 {
		return
	}
	smallest, largest := r.options.sizes[0], r.options.sizes[len(r.options.sizes)-1]
	seen := map[string]bool{}
	for _, row := range r.ordered() {
		if name := row.subject + row.metric; row.size != smallest || seen[name] || row.kind() == "" {
			continue
		} else {
			seen[name] = true
		}
		points := r.points(row)
		if len(points) < 2 {
			continue
		}
		switch row.kind() {
		case "exponent":
			r.add(0, row.subject, row.metric+", growth exponent", figure{value: slope(points)})
		case "ratio":
			if first, last := points[smallest], points[largest]; first > 0 {
				r.add(0, row.subject, fmt.Sprintf("%s, %d to %d", row.metric, largest, smallest), figure{value: last / first})
			}
		}
	}
}

// kind is what is to be said about the growth of a figure: "exponent", "ratio" or nothing.
func (r row) kind() string {
	switch {
	case r.metric == processorTime:
		return "ratio"
	case r.figure.samples != nil && r.metric != period, r.subject == "cold start" && r.figure.unit == "ms",
		r.metric == atRest:
		return "exponent"
	}
	return ""
}

// points are the values (of a distribution the medians) of a figure, by size.
func (r *report) points(of row) map[int]float64 {
	points := map[int]float64{}
	for _, row := range r.rows {
		if row.subject == of.subject && row.metric == of.metric && row.size > 0 && row.figure.value > 0 {
			points[row.size] = row.figure.value
		}
	}
	return points
}

// slope is that of the line through the logarithms (least squares).
func slope(points map[int]float64) float64 {
	var n, sumX, sumY, sumXX, sumXY float64
	for size, value := range points {
		x, y := math.Log(float64(size)), math.Log(value)
		n, sumX, sumY, sumXX, sumXY = n+1, sumX+x, sumY+y, sumXX+x*x, sumXY+x*y
	}
	return (n*sumXY - sumX*sumY) / (n*sumXX - sumX*sumX)
}
