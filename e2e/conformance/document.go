package conformance

import (
	"fmt"
	"strings"
)

// Example is what docs/ingress.md shows between two headings or two groups of
// requests.
type Example struct {
	Heading  string
	Line     int      // of its first block
	Options  []string // of `headgate run`, from a ```sh block
	Objects  string   // the ```yaml blocks
	Requests string   // the ```http block
	Reports  []Report // the ```report block
}

// Report is a diagnostic that is demanded: a line `NAMESPACE/NAME REASON FIELD`.
type Report struct{ Ingress, Reason, Field string }

// ParseDocument takes the examples out of a Markdown text.
func ParseDocument(text string) ([]Example, error) {
	var examples []Example
	current, heading := Example{}, ""
	finish := func() {
		if current.Requests != "" {
			examples = append(examples, current)
		}
		current = Example{Heading: heading}
	}
	var block *strings.Builder
	kind, start := "", 0
	for i, line := range strings.Split(text, "\n") {
		info, isFence := strings.CutPrefix(line, "```")
		switch {
		case isFence && block == nil:
			block, kind, start = &strings.Builder{}, info, i+1
			if (kind == "yaml" || kind == "sh") && current.Requests != "" {
				finish()
			}
			if current.Line == 0 {
				current.Line = start
			}
		case isFence:
			if err := current.add(kind, block.String()); err != nil {
				return nil, fmt.Errorf("line %d: %w", start, err)
			}
			block = nil
		case block != nil:
			fmt.Fprintln(block, line)
		case strings.HasPrefix(line, "#"):
			heading = strings.TrimLeft(line, "# ")
			finish()
		}
	}
	finish()
	return examples, nil
}

func (e *Example) add(kind, text string) error {
	switch kind {
	case "yaml":
		e.Objects += "---\n" + text
	case "http":
		e.Requests += text
	case "sh":
		words := strings.Fields(text)
		if len(words) > 2 && words[0] == "headgate" && words[1] == "run" {
			e.Options = words[2:]
		}
	case "report":
		for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
			words := strings.Fields(line)
			if len(words) != 3 {
				return fmt.Errorf("%q is not NAMESPACE/NAME REASON FIELD", line)
			}
			e.Reports = append(e.Reports, Report{words[0], words[1], words[2]})
		}
	}
	return nil
}
