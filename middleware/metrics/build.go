package metrics

import "github.com/prometheus/client_golang/prometheus"

// latencyBuckets reach from 50 µs, a round trip on one machine, to 5 s, the
// default COMMIT_TIMEOUT.
func latencyBuckets() []float64 {
	return []float64{.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}
}

func batchBuckets() []float64 { return prometheus.ExponentialBuckets(1, 2, 11) } // 1 to 1024

func counter(r prometheus.Registerer, name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	r.MustRegister(c)
	return c
}

func gauge(r prometheus.Registerer, name, help string) prometheus.Gauge {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	r.MustRegister(g)
	return g
}

func gaugeFunc(r prometheus.Registerer, name, help string, f func() float64) {
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f))
}

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
