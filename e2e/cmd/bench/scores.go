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
	"time"

	"headgate.dev/e2e/harness"
)

// score is a figure of one turn, and how those of several turns become one.
type score struct {
	figure
	join func(a, b figure) figure // nil: both are samples
}

func total(f figure) score {
	return score{f, func(a, b figure) figure { a.value += b.value; return a }}
}

func largest(f figure) score {
	return score{f, func(a, b figure) figure { a.value = max(a.value, b.value); return a }}
}

// sample is one of the samples of a distribution.
func sample(f figure) score {
	f.samples = []float64{f.value}
	return score{figure: f}
}

// scores is the table of all subjects.
type scores struct {
	o       options
	started time.Time
	load    string
	haproxy string
	metrics []string // in the order of their first appearance
	cells   map[cell]figure
}

type cell struct {
	size            int
	metric, subject string
}

func newScores(o options) *scores {
	return &scores{o: o, started: time.Now().UTC(), load: load(), cells: map[cell]figure{}}
}

func (s *scores) add(size int, subject, metric string, f score) {
	fmt.Fprintf(os.Stderr, "peers: %s, %s: %s\n", subject, metric, f.figure.short())
	if !slices.Contains(s.metrics, metric) {
		s.metrics = append(s.metrics, metric)
	}
	at := cell{size, metric, subject}
	old, ok := s.cells[at]
	switch {
	case !ok:
		s.cells[at] = f.figure
	case f.join != nil:
		s.cells[at] = f.join(old, f.figure)
	default:
		old.samples = append(old.samples, f.samples...)
		slices.Sort(old.samples)
		old.value = old.quantile(0.5)
		s.cells[at] = old
	}
}

// short is a figure in a table: the median, and p99 of more than a few samples.
func (f figure) short() string {
	text := number(f.value)
	if len(f.samples) > 4 {
		text += ", " + number(f.quantile(0.99))
	}
	return strings.TrimSpace(text + " " + f.unit)
}

// ratio is to the first subject's, where that says something.
func (s *scores) ratio(at cell) (float64, bool) {
	first := cell{at.size, at.metric, strings.Split(s.o.subjects, ",")[0]}
	mine, ok := s.cells[at]
	base := s.cells[first].value
	return mine.value / base, ok && at != first && base > 0 && mine.unit != ""
}

// print writes a table of Markdown, with ratios.
func (s *scores) print(out io.Writer) {
	names := strings.Split(s.o.subjects, ",")
	fmt.Fprintf(out, "HAProxy %s for all of them; p50 and p99, where there are two\n%s\n", s.haproxy, strings.Join(machine(), "\n"))
	fmt.Fprintf(out, "load       %s, %s at its end\n", s.load, loadNow())
	for _, name := range names {
		i := slices.IndexFunc(subjects, func(x subject) bool { return x.name == name })
		fmt.Fprintf(out, "%s: %s\n", name, subjects[i].settings)
	}
	for _, folder := range strings.Split(s.o.peers, ",") {
		fmt.Fprintf(out, "%s\n", filepath.Base(folder))
	}
	for _, size := range s.o.sizes {
		fmt.Fprintf(out, "\n| %d routes | %s |\n|---|%s\n", size, strings.Join(names, " | "), strings.Repeat("---|", len(names)))
		for _, metric := range s.metrics {
			fmt.Fprintf(out, "| %s", metric)
			for _, name := range names {
				at := cell{size, metric, name}
				text := "-"
				if f, ok := s.cells[at]; ok {
					text = f.short()
				}
				if r, ok := s.ratio(at); ok {
					text += fmt.Sprintf(" (%s x)", number(r))
				}
				fmt.Fprintf(out, " | %s", text)
			}
			fmt.Fprintln(out, " |")
		}
	}
}

// finish prints the table and records it as DATE-peers.txt and .csv.
func (s *scores) finish(t harness.TB) {
	s.print(os.Stdout)
	if s.o.results == "" {
		return
	}
	base := filepath.Join(s.o.results, s.started.Format("2006-01-02")+"-peers")
	text, err := os.Create(base + ".txt")
	if err != nil {
		t.Fatalf("%v", err)
	}
	s.print(text)
	table, err := os.Create(base + ".csv")
	if err != nil {
		t.Fatalf("%v", err)
	}
	out := csv.NewWriter(table)
	_ = out.Write([]string{"routes", "metric", "subject", "unit", "samples", "value", "p99", "max", "ratio"})
	for _, row := range s.rows() {
		_ = out.Write(row)
	}
	out.Flush()
	for _, err := range []error{out.Error(), text.Close(), table.Close()} {
		if err != nil {
			t.Fatalf("%v", err)
		}
	}
	t.(*harness.Program).Logf("recorded in %s.csv and .txt", filepath.Base(base))
}

func (s *scores) rows() (rows [][]string) {
	for _, size := range s.o.sizes {
		for _, metric := range s.metrics {
			for _, name := range strings.Split(s.o.subjects, ",") {
				at := cell{size, metric, name}
				f, ok := s.cells[at]
				if !ok {
					continue
				}
				row := []string{strconv.Itoa(size), metric, name, f.unit, strconv.Itoa(len(f.samples)), exact(f.value), "", "", ""}
				if f.samples != nil {
					row[6], row[7] = exact(f.quantile(0.99)), exact(f.quantile(1))
				}
				if r, ok := s.ratio(at); ok && !math.IsInf(r, 0) {
					row[8] = exact(r)
				}
				rows = append(rows, row)
			}
		}
	}
	return rows
}
