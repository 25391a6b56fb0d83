package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"headgate.dev/e2e/harness"
)

// report is the table, as it grows.
type report struct {
	options  options
	started  time.Time
	load     string
	haproxy  string
	headgate string
	compiler string
	idle     memory
	rows     []row
}

type row struct {
	size    int
	subject string
	metric  string
	figure  figure
}

func newReport(o options) *report {
	return &report{options: o, started: time.Now().UTC(), load: load()}
}

// add also shows the figure, so that a run that breaks off has said something.
func (r *report) add(size int, subject, metric string, f figure) {
	r.rows = append(r.rows, row{size, subject, metric, f})
	fmt.Fprintf(os.Stderr, "bench: %s, %s: %s %s\n", subject, metric, number(f.value), f.unit)
}

// addOperations adds what HAProxy confirmed between two moments, per change.
func (r *report) addOperations(size int, subject string, before, after harness.Metrics, changes int) {
	var names []string
	total := 0.0
	for name := range after {
		if n := after[name] - before[name]; n > 0 {
			total += n
			names = append(names, fmt.Sprintf("%s %s", number(n/float64(changes)), name))
		}
	}
	slices.Sort(names)
	r.add(size, subject, "operations per change", figure{value: total / float64(changes), note: strings.Join(names, ", ")})
}

// print writes the table, ordered by subject, so that the sizes stand together.
func (r *report) print(w io.Writer) {
	for _, line := range r.head() {
		fmt.Fprintln(w, line)
	}
	fmt.Fprintln(w)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "subject\tmetric\tIngresses\tvalue or p50\tp90\tp99\tmax\tsamples")
	for _, row := range r.ordered() {
		f := row.figure
		fmt.Fprintf(table, "%s\t%s\t%d\t%s", row.subject, row.metric, row.size, strings.TrimSpace(number(f.value)+" "+f.unit))
		if f.samples != nil {
			fmt.Fprintf(table, "\t%s\t%s\t%s\t%d", number(f.quantile(0.9)), number(f.quantile(0.99)),
				number(f.quantile(1)), len(f.samples))
		}
		if f.note != "" {
			fmt.Fprintf(table, "\t%s", f.note)
		}
		fmt.Fprintln(table)
	}
	table.Flush()
}

func (r *report) head() []string {
	lines := []string{
		"Headgate " + r.headgate + ", " + r.started.Format("2006-01-02 15:04") + " UTC",
		"HAProxy    " + r.haproxy + ", started by the controller",
		"compiler   " + r.compiler,
		"API server e2e/apistub: in memory, TLS 1.3 and HTTP/2, in one process with the pods and the prober",
	}
	return append(append(lines, machine()...), "load       "+r.load)
}

func (r *report) ordered() []row {
	var subjects []string
	for _, row := range r.rows {
		if !slices.Contains(subjects, row.subject) {
			subjects = append(subjects, row.subject)
		}
	}
	rows := slices.Clone(r.rows)
	first := map[string]int{} // where a metric of a subject appears for the first time
	for i, row := range slices.Backward(r.rows) {
		first[row.subject+row.metric] = i
	}
	slices.SortStableFunc(rows, func(a, b row) int {
		if d := slices.Index(subjects, a.subject) - slices.Index(subjects, b.subject); d != 0 {
			return d
		}
		return first[a.subject+a.metric] - first[b.subject+b.metric]
	})
	return rows
}

// record writes DATE-HAPROXY.csv, .txt and .svg.
func (r *report) record(t harness.TB, dir string) {
	version, _, _ := strings.Cut(r.haproxy, "-")
	base := filepath.Join(dir, r.started.Format("2006-01-02")+"-"+version)
	text, err := os.Create(base + ".txt")
	if err != nil {
		t.Fatalf("%v", err)
	}
	r.print(text)
	if err := text.Close(); err != nil {
		t.Fatalf("%v", err)
	}
	table, err := os.Create(base + ".csv")
	if err != nil {
		t.Fatalf("%v", err)
	}
	out := csv.NewWriter(table)
	_ = out.Write([]string{"ingresses", "subject", "metric", "unit", "samples", "value", "p50", "p90", "p99", "p99.9", "max", "note"})
	for _, row := range r.ordered() {
		_ = out.Write(row.fields())
	}
	out.Flush()
	if err := out.Error(); err != nil {
		t.Fatalf("%v", err)
	}
	if err := table.Close(); err != nil {
		t.Fatalf("%v", err)
	}
	if len(r.options.sizes) > 0 {
		if err := os.WriteFile(base+".svg", []byte(r.chart()), 0o644); err != nil {
			t.Fatalf("%v", err)
		}
	}
	fmt.Fprintf(os.Stderr, "bench: recorded in %s.csv, .txt and .svg\n", filepath.Base(base))
}

func (r row) fields() []string {
	fields := []string{strconv.Itoa(r.size), r.subject, r.metric, r.figure.unit, strconv.Itoa(len(r.figure.samples))}
	if r.figure.samples == nil {
		return append(fields, exact(r.figure.value), "", "", "", "", "", r.figure.note)
	}
	fields = append(fields, "")
	for _, q := range []float64{0.5, 0.9, 0.99, 0.999, 1} {
		fields = append(fields, exact(r.figure.quantile(q)))
	}
	return append(fields, r.figure.note)
}

// exact is for programs: no exponent, and no more digits than were measured.
func exact(x float64) string { return strconv.FormatFloat(math.Round(x*1e4)/1e4, 'f', -1, 64) }
