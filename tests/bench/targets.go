//go:build linux

package bench

import (
	"fmt"
	"os"
	"text/tabwriter"
)

// target is one promise: a measured figure, and what it must not pass.
type target struct {
	What   string  `json:"what"`
	Value  float64 `json:"value"`  // 0: not measured
	Spread float64 `json:"spread"` // half the way from the lowest to the highest, percent of the median
	Bound  float64 `json:"bound"`
	Unit   string  `json:"unit"`
	Least  bool    `json:"least"` // the value must be the bound at least; otherwise at most
}

func (t target) verdict() string {
	switch {
	case t.Value == 0:
		return "not measured"
	case t.Least && t.Value < t.Bound, !t.Least && t.Value > t.Bound:
		return "MISSED"
	default:
		return "met"
	}
}

func (t target) bound() string {
	if t.Least {
		return fmt.Sprintf("≥ %.3g%s", t.Bound, t.Unit)
	}
	return fmt.Sprintf("≤ %.3g%s", t.Bound, t.Unit)
}

func printTargets(targets []target) {
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "\ntarget\tmeasured\tspread\tasked\t")
	for _, t := range targets {
		fmt.Fprintf(out, "%s\t%.3g%s\t±%.0f%%\t%s\t%s\n", t.What, t.Value, t.Unit, t.Spread, t.bound(), t.verdict())
	}
	out.Flush()
}
