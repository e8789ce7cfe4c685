package dashboards

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

const (
	rulesFolder   = "../../docker/prometheus/rules"
	answersWithin = 90 * time.Second
	rateSeconds   = 10
	askEvery      = 500 * time.Millisecond
)

// expression is one thing that somebody will ask Prometheus.
type expression struct{ where, expr string }

// Every panel, rule and annotation gets an answer from a stack that works; what the panels show is the load, before a
// promotion and after it; and what was counted is what the load was acknowledged, to the message.
func TestEveryExpressionHasAnAnswer(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a stack under load for a minute")
	}
	s := startStack(t, rulesFolder)
	blue, green := s.soak(t, ""), s.soak(t, "/green")
	s.answerAll(t, expressions(t))
	s.shows(t, twoColors()...)
	if s.front != "" {
		s.shows(t, shown{"redis-traefik", "Traefik: open connections", "web", 2 * soakers, exactly})
	}
	for color, sent := range map[string]*traffic{"blue": blue, "green": green} {
		acknowledged := sent.acknowledged(t)
		s.prometheus.eventually(t, `sum(websocket_messages_total{color="`+color+`"})`, acknowledged)
	}
	s.prometheus.eventually(t, `sum(websocket_active_connections)`, 0)
	if s.front != "" {
		s.showsAPromotion(t)
	}
}

// answerAll asks until each expression had an answer: rates need a few scrapes, and errors must be made.
func (s *stack) answerAll(t *testing.T, pending []expression) {
	t.Helper()
	total := len(pending)
	for deadline := time.Now().Add(answersWithin); len(pending) > 0; time.Sleep(askEvery) {
		s.misbehave(t)
		var unanswered []expression
		for _, e := range pending {
			values, err := s.prometheus.ask(e.expr)
			if err != nil {
				t.Fatalf("%s: %s: %v", e.where, e.expr, err)
			}
			if len(values) == 0 && s.expected(e.expr) {
				unanswered = append(unanswered, e)
			}
		}
		if pending = unanswered; time.Now().After(deadline) {
			break
		}
	}
	for _, e := range pending {
		t.Errorf("%s: no answer: %s", e.where, e.expr)
	}
	t.Logf("%d of %d expressions answered", total-len(pending), total)
}

func expressions(t *testing.T) []expression {
	t.Helper()
	var all []expression
	for name, d := range load(t) {
		for _, a := range d.Annotations.List {
			all = append(all, selectors(name+" annotation "+a.Name, a.Expr)...)
		}
		for _, p := range d.Panels {
			for _, q := range p.Targets {
				all = append(all, expression{name + " " + p.Title, expanded(q.Expr)})
			}
		}
		for _, v := range d.Templating.List {
			if v.Type == "query" {
				all = append(all, expression{name + " variable " + v.Name, labelValues(t, v.Definition)})
			}
		}
	}
	return append(all, rules(t)...)
}

// rules: a recording rule and what it records; of an alert, which is silent when all is well, every selector.
func rules(t *testing.T) []expression {
	t.Helper()
	paths, _ := filepath.Glob(filepath.Join(rulesFolder, "*.yml"))
	var all []expression
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var file struct {
			Groups []struct {
				Rules []struct{ Record, Alert, Expr string }
			}
		}
		if err := yaml.Unmarshal(text, &file); err != nil {
			t.Fatal(err)
		}
		for _, group := range file.Groups {
			for _, r := range group.Rules {
				if r.Alert != "" {
					all = append(all, selectors("alert "+r.Alert, r.Expr)...)
					continue
				}
				all = append(all, expression{"rule " + r.Record, r.Expr}, expression{"record " + r.Record, r.Record})
			}
		}
	}
	return all
}

// selectors are the series that an expression reads, each an expression of its own.
func selectors(where, expr string) []expression {
	series := regexp.MustCompile(`\b(up|(?:websocket|session|process|app|http|go|redis|traefik|color)[a-z0-9]*[_:][a-z0-9_:]+)\b(\{[^}]*\})?`)
	grouping := regexp.MustCompile(`\b(by|on|unless on) \([^)]*\)`)
	var all []expression
	for _, found := range series.FindAllString(grouping.ReplaceAllString(expr, ""), -1) {
		all = append(all, expression{where, found})
	}
	return all
}

// expanded puts in what Grafana would.
func expanded(expr string) string {
	return strings.NewReplacer("$color", ".+", "$instance", ".+", "$__rate_interval", fmt.Sprintf("%ds", rateSeconds)).Replace(expr)
}

// labelValues turns label_values(series, label) into a query for the same.
func labelValues(t *testing.T, definition string) string {
	t.Helper()
	parts := regexp.MustCompile(`^label_values\((.+), (\w+)\)$`).FindStringSubmatch(definition)
	if parts == nil {
		t.Fatalf("variable definition %q", definition)
	}
	return "count by (" + parts[2] + ") (" + expanded(parts[1]) + ")"
}

// A name in a JSON answer that is not there must not look like 0.
func field(t *testing.T, text, name string) float64 {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		t.Fatalf("not JSON: %q: %v", text, err)
	}
	value, ok := object[name].(float64)
	if !ok {
		t.Fatalf("no number %q in %s", name, text)
	}
	return value
}
