package metrics

import (
	"sort"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// TracedHistogram is a Histogram whose buckets name a trace each, as OpenMetrics has it. It is a type of its own, so that
// the one on the message path carries nothing more.
type TracedHistogram struct {
	*Histogram
	newest []atomic.Pointer[prometheus.Exemplar] // one for each bucket, nil before the first
}

// NewTracedHistogram returns a histogram with the given upper bounds, ascending.
func NewTracedHistogram(name, help string, bounds []float64) *TracedHistogram {
	return &TracedHistogram{NewHistogram(name, help, bounds), make([]atomic.Pointer[prometheus.Exemplar], len(bounds)+1)}
}

// Exemplar names the trace of a value that was observed.
func (h *TracedHistogram) Exemplar(v float64, traceID string) {
	h.newest[sort.SearchFloat64s(h.bounds, v)].Store(&prometheus.Exemplar{
		Value: v, Labels: prometheus.Labels{"trace_id": traceID}, Timestamp: time.Now(),
	})
}

// Collect implements prometheus.Collector.
func (h *TracedHistogram) Collect(ch chan<- prometheus.Metric) {
	var exemplars []prometheus.Exemplar
	for i := range h.newest {
		if e := h.newest[i].Load(); e != nil {
			exemplars = append(exemplars, *e)
		}
	}
	metric := h.metric()
	if len(exemplars) > 0 {
		metric = prometheus.MustNewMetricWithExemplars(metric, exemplars...)
	}
	ch <- metric
}
