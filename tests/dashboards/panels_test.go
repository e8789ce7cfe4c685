package dashboards

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"baton/tests/harness"
)

const (
	showsWithin = 45 * time.Second
	nearly      = 0.1 // rates over some seconds, of a load that is made on the same machine
	exactly     = 0
)

// shown is what a panel is to show: the value of the series that its legend names so.
type shown struct {
	dashboard, panel, legend string
	value, tolerance         float64
}

// twoColors is what is to be seen of a soak on each color.
func twoColors() []shown {
	return []shown{
		{"overview", "Active connections", "", 2 * soakers, exactly},
		{"overview", "Connections", "blue", soakers, exactly},
		{"overview", "Connections", "green", soakers, exactly},
		{"overview", "Messages", "blue", soakers, nearly},
		{"overview", "Messages", "green", soakers, nearly},
		{"overview", "Failed by our fault", "", 0, exactly},
		{"overview", "Replicas", "", 2, exactly},
		{"promotion", "Blue", "blue", soakers, exactly},
		{"promotion", "Green", "green", soakers, exactly},
		{"promotion", "Draining", "", 0, exactly},
		{"promotion", "Versions", "", 1, exactly},
		{"service", "Time of a message", "+Inf", 2 * soakers * rateSeconds, nearly},
		{"redis-traefik", "Counts in Redis", "messages", 2 * soakers, nearly},
	}
}

// showsAPromotion moves a soak from blue to green: everybody is seen to arrive there, once.
func (s *stack) showsAPromotion(t *testing.T) {
	t.Helper()
	load := s.soak(t, "")
	s.shows(t, shown{"promotion", "Blue", "blue", soakers, exactly})
	resumed := s.value(t, "promotion", "Resumed in 5 m", "")
	exact := s.prometheus.number(t, `sum(websocket_resumes_total{color="green"})`)
	s.switchTo(t, "green")
	s.leadsTo(t, "green")
	s.blue.Terminate()
	s.shows(t, shown{"promotion", "Draining", "", 1, exactly})
	s.blue.Exit(t, startWithin)
	s.prometheus.target(t, "app_blue")
	s.shows(t,
		shown{"promotion", "Blue", "blue", 0, exactly},
		shown{"promotion", "Green", "green", soakers, exactly},
		shown{"promotion", "Connections moving", "green", soakers, exactly},
		shown{"promotion", "Resumed in 5 m", "", resumed + soakers, nearly},
		shown{"promotion", "Cut in 5 m", "", 0, exactly},
		shown{"overview", "Messages", "green", soakers, nearly},
		shown{"overview", "Replicas", "", 1, exactly},
	)
	s.prometheus.eventually(t, `sum(websocket_resumes_total{color="green"})`, exact+soakers)
	load.acknowledged(t)
	if moved := field(t, load.Stdout(), "reconnects"); moved != soakers {
		t.Errorf("the load counted %v reconnects of %d clients", moved, soakers)
	}
}

// shows waits until the panels show all of it at once.
func (s *stack) shows(t *testing.T, wanted ...shown) {
	t.Helper()
	var wrong []string
	for deadline := time.Now().Add(showsWithin); ; time.Sleep(askEvery) {
		wrong = wrong[:0]
		for _, w := range wanted {
			if got := s.value(t, w.dashboard, w.panel, w.legend); !(math.Abs(got-w.value) <= w.tolerance*w.value) {
				wrong = append(wrong, fmt.Sprintf("%s, %s %s: %v, the load says %v", w.dashboard, w.panel, w.legend, got, w.value))
			}
		}
		if len(wrong) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(strings.Join(wrong, "\n"))
		}
	}
}

// value is what a panel shows of one series now; NaN if it shows none.
func (s *stack) value(t *testing.T, dashboard, title, legend string) float64 {
	t.Helper()
	found := false
	for _, p := range s.dashboards[dashboard+".json"].Panels {
		if p.Title != title {
			continue
		}
		found = true
		for _, q := range p.Targets {
			samples, err := s.prometheus.samples(expanded(q.Expr))
			if err != nil {
				t.Fatal(err)
			}
			for _, sample := range samples {
				if named(q.LegendFormat, sample.Metric) == legend {
					return sample.number
				}
			}
		}
	}
	if !found {
		t.Fatalf("%s has no panel %s", dashboard, title)
	}
	return math.NaN()
}

// named puts labels into a legend as Grafana does.
func named(legend string, labels map[string]string) string {
	for name, value := range labels {
		legend = strings.ReplaceAll(legend, "{{"+name+"}}", value)
	}
	return legend
}

// leadsTo waits until the front door hands new connections to a color.
func (s *stack) leadsTo(t *testing.T, color string) {
	t.Helper()
	harness.Eventually(t, startWithin, "new connections go to "+color, func() bool {
		answer, err := http.Get("http://" + s.front + "/version")
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		var version struct{ Color string }
		return json.NewDecoder(answer.Body).Decode(&version) == nil && version.Color == color
	})
}
