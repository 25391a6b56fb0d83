package harness

import (
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// LogLine is one line of the controller's log.
type LogLine struct {
	Raw    string
	Fields map[string]string // key=value, unquoted; empty for other lines
}

// Has says whether the line has all of these, given as "key=value".
func (l LogLine) Has(pairs ...string) bool {
	for _, pair := range pairs {
		key, value, _ := strings.Cut(pair, "=")
		if got, ok := l.Fields[key]; !ok || got != value {
			return false
		}
	}
	return true
}

// parseLogLine reads logfmt: key=value, with the value quoted when it has to be.
func parseLogLine(raw string) LogLine {
	line := LogLine{Raw: raw, Fields: map[string]string{}}
	rest := raw
	for {
		rest = strings.TrimLeft(rest, " ")
		key, after, ok := strings.Cut(rest, "=")
		if !ok || key == "" || strings.ContainsAny(key, " \"") {
			return line
		}
		value := after
		if quoted, err := strconv.QuotedPrefix(after); err == nil {
			value, _ = strconv.Unquote(quoted)
			rest = after[len(quoted):]
		} else {
			value, rest, _ = strings.Cut(after, " ")
		}
		line.Fields[key] = value
	}
}

// lineStart is how the controller's lines begin.
var lineStart = regexp.MustCompile(`time=[0-9-]+T[0-9:.]+Z level=`)

// splitLine parts what a line has of HAProxy from what it has of the controller: HAProxy
// writes the end of a line by itself, and the controller may come in between.
func splitLine(raw string) []string {
	at := lineStart.FindStringIndex(raw)
	if at == nil || at[0] == 0 || strings.HasPrefix(raw, "time=") {
		return []string{raw}
	}
	return []string{raw[:at[0]], raw[at[0]:]}
}

// logLines collects what is written to it, split into lines.
type logLines struct {
	mu    sync.Mutex
	part  string // of a line that hasn't ended
	lines []LogLine
}

func (l *logLines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	parts := strings.Split(l.part+string(b), "\n")
	for _, raw := range parts[:len(parts)-1] {
		for _, line := range splitLine(raw) {
			l.lines = append(l.lines, parseLogLine(line))
		}
	}
	l.part = parts[len(parts)-1]
	return len(b), nil
}

func (l *logLines) all() []LogLine {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines[:len(l.lines):len(l.lines)]
}
