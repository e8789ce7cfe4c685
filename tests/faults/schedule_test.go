package faults

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"baton/tests/harness"
)

const (
	envSeed    = "FAULT_SEED"    // repeats a schedule that a run has logged
	envRounds  = "FAULT_ROUNDS"  // how often every fault comes; without it and the next, a few come
	envMinutes = "FAULT_MINUTES" // more rounds, until so much time is over
	envClients = "FAULT_CLIENTS" // 60

	few = 10 // of the faults, where nothing is asked for: every run draws others
)

// schedule is every fault, round by round, each round in an order of its own that the seed repeats.
type schedule struct {
	seed   uint64
	order  *rand.Rand
	faults []fault
	left   []fault
	rounds uint64
	until  time.Time
	most   int
}

// newSchedule leaves out what this machine can't do, and says so.
func newSchedule(t *testing.T, c *cluster) *schedule {
	t.Helper()
	s := &schedule{seed: number(envSeed, uint64(time.Now().UnixNano())), rounds: number(envRounds, 1)}
	s.order = rand.New(rand.NewPCG(s.seed, 0)) // to be repeated, not to be secret
	s.until = time.Now().Add(time.Duration(number(envMinutes, 0)) * time.Minute)
	for _, f := range faultsInTurn() {
		if why := c.lacks[f.needs]; why != "" {
			if os.Getenv("BATON_NO_SKIP") != "" {
				harness.Skip(t, why)
			}
			t.Logf("left out: %s: %s", f.name, why)
			continue
		}
		s.faults = append(s.faults, f)
	}
	if s.most = math.MaxInt; os.Getenv(envRounds)+os.Getenv(envMinutes) == "" {
		s.most = few
	}
	t.Logf("%s=%d", envSeed, s.seed)
	return s
}

// next is the next fault, if there is one.
func (s *schedule) next() (fault, bool) {
	if len(s.left) == 0 && (s.rounds > 0 || time.Now().Before(s.until)) {
		s.rounds = max(s.rounds, 1) - 1
		s.left = append(s.left, s.faults...)
		s.order.Shuffle(len(s.left), func(i, j int) { s.left[i], s.left[j] = s.left[j], s.left[i] })
	}
	if len(s.left) == 0 || s.most == 0 {
		return fault{}, false
	}
	s.most--
	f := s.left[0]
	s.left = s.left[1:]
	return f, true
}

// said is how to repeat it.
func (s *schedule) said(clients int) string {
	return fmt.Sprintf("%d clients, half of them plain; `%s=%d`.", clients, envSeed, s.seed)
}

func number(name string, fallback uint64) uint64 {
	if n, err := strconv.ParseUint(os.Getenv(name), 10, 64); err == nil {
		return n
	}
	return fallback
}
