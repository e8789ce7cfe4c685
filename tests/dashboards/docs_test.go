package dashboards

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"baton/tests/harness"
)

const page = "../../docs/observability.md"

// The table of metrics is what a running server says, no more and no less.
func TestDocumentedMetricsExist(t *testing.T) {
	t.Parallel()
	server := harness.Start(t, nil)
	documented := rows(t, "metric")
	exported := map[string]string{}
	for line := range strings.Lines(server.Get("/metrics").Body) {
		kind := regexp.MustCompile(`^# TYPE ((?:websocket|session|app|channel)_\w+) (\w+)`).FindStringSubmatch(line)
		if kind != nil {
			exported[kind[1]] = kind[2]
		}
	}
	for name, cells := range documented {
		if exported[name] != cells[0] {
			t.Errorf("%s is documented as %q, the server says %q", name, cells[0], exported[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(exported)) {
		if documented[name] == nil {
			t.Errorf("%s is not documented", name)
		}
	}
}

// The table of alerts is what the rules say.
func TestDocumentedAlertsAreTheRules(t *testing.T) {
	t.Parallel()
	documented := rows(t, "alert")
	text, err := os.ReadFile(filepath.Join(rulesFolder, "alerts.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert, For          string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			cells := documented[rule.Alert]
			if cells == nil || cells[0] != rule.Labels["severity"] || cells[2] != rule.For {
				t.Errorf("%s (%s, for %s) is documented as %q", rule.Alert, rule.Labels["severity"], rule.For, cells)
			}
			if rule.Annotations["summary"] == "" || !strings.HasSuffix(rule.Annotations["runbook"], ".") {
				t.Errorf("%s: no summary, or no sentence in its runbook: %q", rule.Alert, rule.Annotations)
			}
			delete(documented, rule.Alert)
		}
	}
	for name := range documented {
		t.Errorf("%s is documented, and there is no such alert", name)
	}
}

// rows of the table whose first column has this title: the cells behind each name.
func rows(t *testing.T, title string) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "| "+title+" |")
	if !found {
		t.Fatalf("%s has no table of %ss", page, title)
	}
	table, _, _ = strings.Cut(table, "\n\n")
	all := map[string][]string{}
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		name := strings.TrimSpace(cells[0])
		if !strings.HasPrefix(name, "`") {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		all[strings.Trim(name, "`")] = cells[1:]
	}
	return all
}
