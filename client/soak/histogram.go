package soak

import (
	"math"
	"time"
)

// Buckets grow by 2 % from 1 µs on: that is how exact p50 and p99 are.
const (
	bucketGrowth = 1.02
	bucketUnit   = time.Microsecond
	bucketCount  = 1200 // up to six hours
)

// histogram keeps durations without keeping each.
type histogram struct {
	buckets [bucketCount]uint64 // the first one is for less than bucketUnit
	total   uint64
	max     time.Duration
}

func (h *histogram) add(d time.Duration) {
	i := 0
	if d >= bucketUnit {
		i = 1 + int(math.Log(float64(d)/float64(bucketUnit))/math.Log(bucketGrowth))
	}
	h.buckets[min(i, bucketCount-1)]++
	h.total++
	h.max = max(h.max, d)
}

func (h *histogram) quantiles() Quantiles {
	return Quantiles{P50: milliseconds(h.quantile(0.5)), P99: milliseconds(h.quantile(0.99)), Max: milliseconds(h.max)}
}

// quantile is the upper edge of the bucket that holds it, or the maximum.
func (h *histogram) quantile(q float64) time.Duration {
	rank := uint64(math.Ceil(q * float64(h.total)))
	var seen uint64
	for i, n := range h.buckets {
		if seen += n; seen >= rank && n > 0 {
			if i == 0 {
				return 0
			}
			return min(h.max, time.Duration(float64(bucketUnit)*math.Pow(bucketGrowth, float64(i))))
		}
	}
	return h.max
}

// milliseconds with three places.
func milliseconds(d time.Duration) float64 {
	return math.Round(float64(d)/float64(time.Microsecond)) / 1000
}
