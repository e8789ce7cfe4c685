//go:build linux

package bench

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"testing"
	"time"

	"baton/tests/harness"
)

const (
	envOrder  = "BENCH_ORDER"  // set in the load process
	envRounds = "BENCH_ROUNDS" // how often each server takes its turn
	envQuick  = "BENCH_QUICK"  // one short round, which shows that all runs and measures nothing
	envOut    = "BENCH_OUT"    // the folder that the figures are written to; empty: nowhere
	envOnly   = "BENCH_ONLY"   // a regular expression: only turns whose "server clients × in flight" it matches are taken

	defaultRounds = 5
	warm          = 500 * time.Millisecond
	measure       = 2 * time.Second
	slowWarm      = 2 * time.Second
	slowMeasure   = 4 * time.Second
	quickTurn     = 300 * time.Millisecond
)

func TestMain(m *testing.M) {
	if text := os.Getenv(envOrder); text != "" {
		if err := runLoad(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	harness.Main(m)
}

// apply runs the load process to its report.
func apply(b *testing.B, o order) yield {
	b.Helper()
	report, err := tryLoad(o)
	if err != nil {
		b.Fatal(err)
	}
	return report
}

func tryLoad(o order) (yield, error) {
	cmd, err := loader(o)
	if err != nil {
		return yield{}, err
	}
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return yield{}, fmt.Errorf("load: %w", err)
	}
	var report yield
	if err := json.Unmarshal(out, &report); err != nil {
		return yield{}, fmt.Errorf("load: %w: %s", err, out)
	}
	return report, nil
}

func loader(o order) (*exec.Cmd, error) {
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envOrder+"="+string(text))
	return cmd, nil
}

func quick() bool { return os.Getenv(envQuick) != "" }

func rounds() int {
	if n, err := strconv.Atoi(os.Getenv(envRounds)); err == nil && n > 0 {
		return n
	}
	if quick() {
		return 1
	}
	return defaultRounds
}

// wanted tells whether a turn is asked for.
func wanted(b *testing.B, server string, s shape) bool {
	b.Helper()
	only, err := regexp.Compile(os.Getenv(envOnly))
	if err != nil {
		b.Fatalf("%s: %v", envOnly, err)
	}
	return only.MatchString(fmt.Sprintf("%s %s", server, s))
}

// turn is how long a server is loaded: first to warm it, then to measure it.
func (s server) turn() (first, then time.Duration) {
	switch {
	case quick():
		return quickTurn, quickTurn
	case s.slow:
		return slowWarm, slowMeasure
	default:
		return warm, measure
	}
}
