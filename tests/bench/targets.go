//go:build linux

package bench

import (
	"fmt"
	"os"
	"text/tabwriter"
)

// target is one promise: a measured figure and the most it may be.
type target struct {
	what        string
	value, most float64
	unit        string
}

func printTargets(targets []target) {
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "\ntarget\tmeasured\tat most\t")
	for _, t := range targets {
		verdict := "met"
		if t.value > t.most {
			verdict = "MISSED"
		}
		fmt.Fprintf(out, "%s\t%.3g%s\t%.3g%s\t%s\n", t.what, t.value, t.unit, t.most, t.unit, verdict)
	}
	out.Flush()
}
