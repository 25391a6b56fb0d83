package harness

import (
	"bufio"
	"encoding/json"
	"os"
)

// AuditLine is one request of a controller, as the API server wrote it down. Of a
// watch there is one line when it has begun and one when it has ended.
type AuditLine struct {
	Verb      string
	Stage     string
	ObjectRef struct{ Resource, Subresource, Namespace, Name string }

	ResponseStatus struct{ Code int }
}

// What gives "patch ingresses/status", or "get leases".
func (l AuditLine) What() string {
	text := l.Verb + " " + l.ObjectRef.Resource
	if l.ObjectRef.Subresource != "" {
		text += "/" + l.ObjectRef.Subresource
	}
	return text
}

// AuditLines is everything that controllers have asked for since the line number
// `from` (0 for the beginning), and the number for the next call.
func (c *Cluster) AuditLines(t TB, from int) ([]AuditLine, int) {
	t.Helper()
	file, err := os.Open(c.file("audit.log"))
	if err != nil {
		t.Fatalf("%v", err)
	}
	defer file.Close()
	var found []AuditLine
	n := 0
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line AuditLine
		if json.Unmarshal(lines.Bytes(), &line) != nil {
			break // being written
		}
		if n >= from {
			found = append(found, line)
		}
		n++
	}
	return found, n
}
