package metrics

import (
	"math"
	"sort"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// Histogram is a Prometheus histogram that takes n observations of one value at
// the price of one: the messages of a commit are answered together.
type Histogram struct {
	desc   *prometheus.Desc
	bounds []float64
	counts []atomic.Uint64 // one more than bounds: above the last
	sum    atomic.Uint64   // math.Float64bits
}

// NewHistogram returns a histogram with the given upper bounds, ascending.
func NewHistogram(name, help string, bounds []float64) *Histogram {
	return &Histogram{
		desc:   prometheus.NewDesc(name, help, nil, nil),
		bounds: bounds,
		counts: make([]atomic.Uint64, len(bounds)+1),
	}
}

// Observe adds n observations of v.
func (h *Histogram) Observe(v float64, n uint64) {
	h.counts[sort.SearchFloat64s(h.bounds, v)].Add(n)
	for {
		old := h.sum.Load()
		if h.sum.CompareAndSwap(old, math.Float64bits(math.Float64frombits(old)+v*float64(n))) {
			return
		}
	}
}

// Describe implements prometheus.Collector.
func (h *Histogram) Describe(ch chan<- *prometheus.Desc) { ch <- h.desc }

// Collect implements prometheus.Collector.
func (h *Histogram) Collect(ch chan<- prometheus.Metric) { ch <- h.metric() }

func (h *Histogram) metric() prometheus.Metric {
	buckets := make(map[float64]uint64, len(h.bounds))
	var total uint64
	for i, bound := range h.bounds {
		total += h.counts[i].Load()
		buckets[bound] = total
	}
	total += h.counts[len(h.bounds)].Load()
	return prometheus.MustNewConstHistogram(h.desc, total, math.Float64frombits(h.sum.Load()), buckets)
}
