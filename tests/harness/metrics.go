package harness

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

// Sample is one line of /metrics.
type Sample struct {
	Name   string
	Labels map[string]string
	Value  float64
}

// Samples are all lines of one scrape.
type Samples []Sample

// Metrics scrapes the server.
func (s *Server) Metrics() Samples {
	s.t.Helper()
	answer := s.Get("/metrics")
	if answer.Status != 200 {
		s.t.Fatalf("/metrics answers %d", answer.Status)
	}
	return ParseMetrics(s.t, answer.Body)
}

// Value is the sum of the samples with this name and, in pairs, these labels.
func (s Samples) Value(name string, labels ...string) float64 {
	var sum float64
	for _, sample := range s.find(name, labels) {
		sum += sample.Value
	}
	return sum
}

// Has tells whether there is such a sample.
func (s Samples) Has(name string, labels ...string) bool { return len(s.find(name, labels)) > 0 }

// WaitMetric waits until a metric has a value.
func (s *Server) WaitMetric(want float64, name string, labels ...string) {
	s.t.Helper()
	var got float64
	for deadline := time.Now().Add(requestWithin); time.Now().Before(deadline); time.Sleep(pollEvery) {
		if got = s.Metrics().Value(name, labels...); got == want {
			return
		}
	}
	s.t.Fatalf("%s%v is %v, want %v", name, labels, got, want)
}

func (s Samples) find(name string, labels []string) []Sample {
	var found []Sample
next:
	for _, sample := range s {
		if sample.Name != name {
			continue
		}
		for i := 0; i+1 < len(labels); i += 2 {
			if sample.Labels[labels[i]] != labels[i+1] {
				continue next
			}
		}
		found = append(found, sample)
	}
	return found
}

// ParseMetrics reads the text format, strictly enough to notice a line that is none.
func ParseMetrics(t testing.TB, body string) Samples {
	t.Helper()
	var samples Samples
	for line := range strings.Lines(body) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, rest, labelled := strings.Cut(line, "{")
		sample := Sample{Name: name, Labels: map[string]string{}}
		if labelled {
			var labels string
			labels, rest, _ = strings.Cut(rest, "} ")
			sample.Labels = parseLabels(labels)
		} else {
			sample.Name, rest, _ = strings.Cut(line, " ")
		}
		value, err := strconv.ParseFloat(strings.Fields(rest + " ")[0], 64)
		if err != nil {
			t.Fatalf("metrics line %q: %v", line, err)
		}
		sample.Value = value
		samples = append(samples, sample)
	}
	return samples
}

// parseLabels reads a="b",c="d"; no value that is bounded has a quote or a comma in it.
func parseLabels(text string) map[string]string {
	labels := map[string]string{}
	for text != "" {
		name, rest, ok := strings.Cut(text, `="`)
		if !ok {
			return labels
		}
		value, after, _ := strings.Cut(rest, `"`)
		labels[strings.TrimPrefix(name, ",")] = value
		text = after
	}
	return labels
}
