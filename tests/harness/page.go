package harness

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// envReliability names the page whose tables a run writes; unset: none is written.
const envReliability = "RELIABILITY_PAGE"

// Row puts one row into a section's table, in the place of the one with the same first cell. The page has the section
// between `<!-- name -->` and `<!-- /name -->`. A failed test publishes nothing.
func Row(t testing.TB, section string, cells ...string) {
	t.Helper()
	path := os.Getenv(envReliability)
	if path == "" || t.Failed() {
		return
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	end := slices.Index(lines, "<!-- /"+section+" -->")
	if end < 0 {
		t.Fatalf("%s has no section %s", path, section)
	}
	row := "| " + strings.Join(cells, " | ") + " |"
	at := slices.IndexFunc(lines[:end], func(line string) bool { return strings.HasPrefix(line, "| "+cells[0]+" |") })
	if at >= 0 {
		lines[at] = row
	} else {
		for lines[end-1] == "" {
			end-- // behind the last row
		}
		lines = slices.Insert(lines, end, row)
	}
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
}
