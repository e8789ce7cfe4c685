package faults

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

const (
	envSeed   = "FAULT_SEED"   // repeats a schedule that a run has logged
	envRounds = "FAULT_ROUNDS" // how often every fault comes; 1 by default, 30 are some minutes
)

// schedule is every fault, in an order that its seed repeats.
func schedule(t *testing.T) []fault {
	t.Helper()
	seed := number(envSeed, uint64(time.Now().UnixNano()))
	t.Logf("%s=%d", envSeed, seed)
	order := rand.New(rand.NewPCG(seed, 0)) // to be repeated, not to be secret
	var all []fault
	for range number(envRounds, 1) {
		all = append(all, faultsInTurn()...)
	}
	order.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

func number(name string, fallback uint64) uint64 {
	if n, err := strconv.ParseUint(os.Getenv(name), 10, 64); err == nil {
		return n
	}
	return fallback
}
