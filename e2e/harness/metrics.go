package harness

import (
	"fmt"
	"strconv"
	"strings"
)

// Metrics is a scrape: the value of each series, by its name with its labels as
// they were written (`requests_total{code="200"}`).
type Metrics map[string]float64

// ParseMetrics reads the Prometheus text format.
func ParseMetrics(text string) (Metrics, error) {
	metrics := Metrics{}
	for _, line := range strings.Split(text, "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		// Labels may hold spaces: the series ends at the last brace, if any.
		end := strings.LastIndexByte(line, '}') + 1
		if end == 0 {
			end = strings.IndexByte(line, ' ')
		}
		if end <= 0 {
			return nil, fmt.Errorf("metrics: no value in %q", line)
		}
		fields := strings.Fields(line[end:])
		if len(fields) == 0 { // a second field would be a timestamp
			return nil, fmt.Errorf("metrics: no value in %q", line)
		}
		value, err := strconv.ParseFloat(fields[0], 64)
		if err != nil {
			return nil, fmt.Errorf("metrics: %q: %w", line, err)
		}
		metrics[line[:end]] = value
	}
	return metrics, nil
}

// Sum adds up the series of one name that have all of these labels, given as
// `key="value"`.
func (m Metrics) Sum(name string, labels ...string) float64 {
	sum := 0.0
	for series, value := range m {
		metric, rest, _ := strings.Cut(series, "{")
		if metric == name && hasLabels(rest, labels) {
			sum += value
		}
	}
	return sum
}

func hasLabels(text string, labels []string) bool {
	text = "," + strings.TrimSuffix(text, "}") + ","
	for _, label := range labels {
		if !strings.Contains(text, ","+label+",") {
			return false
		}
	}
	return true
}
