package main

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// figure is one measured thing: a value, or a distribution of samples.
type figure struct {
	value   float64
	unit    string
	samples []float64 // sorted; nil = there is only the value
	note    string
}

func ms(d time.Duration) figure {
	return figure{value: float64(d) / float64(time.Millisecond), unit: "ms"}
}

func kib(n int) figure { return figure{value: float64(n), unit: "KiB"} }

func count(n int) figure { return figure{value: float64(n)} }

func times(all []time.Duration) figure {
	f := figure{unit: "ms"}
	for _, d := range all {
		f.samples = append(f.samples, float64(d)/float64(time.Millisecond))
	}
	slices.Sort(f.samples)
	f.value = f.quantile(0.5)
	return f
}

// quantile is the smallest sample that so many are not above.
func (f figure) quantile(q float64) float64 {
	if len(f.samples) == 0 {
		return math.NaN()
	}
	i := int(math.Ceil(q*float64(len(f.samples)))) - 1
	return f.samples[min(max(i, 0), len(f.samples)-1)]
}

// number is for people: as many digits as mean something.
func number(x float64) string {
	switch {
	case x == math.Trunc(x) && math.Abs(x) < 1e9:
		return fmt.Sprintf("%.0f", x)
	case math.Abs(x) >= 100:
		return fmt.Sprintf("%.0f", x)
	case math.Abs(x) >= 10:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.2f", x)
}
