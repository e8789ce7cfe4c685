package harness

import (
	"encoding/json"
	"strings"
	"testing"
)

// Line is one line of the server's log.
type Line map[string]any

// Text is a field as a string, empty when it is missing.
func (l Line) Text(name string) string {
	text, _ := l[name].(string)
	return text
}

// Logs decodes standard output, where every line has to be a JSON object.
func (p *Process) Logs(t testing.TB) []Line {
	t.Helper()
	var lines []Line
	for raw := range strings.Lines(p.Stdout()) {
		if !strings.HasSuffix(raw, "\n") {
			break // still being written
		}
		var line Line
		if err := json.Unmarshal([]byte(raw), &line); err != nil {
			t.Fatalf("log line is no JSON object: %q", raw)
		}
		lines = append(lines, line)
	}
	return lines
}
