package faults

import (
	"testing"
	"time"

	"baton/tests/harness"
)

// A suite that can't fail proves nothing: each of these bugs is built into the binary and has to be found.
func TestPlantedBugsAreFound(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the binary for every bug")
	}
	const scripts, conn = "middleware/session/scripts.go", "handlers/conn.go"
	for name, plant := range map[string]struct{ file, text, bug string }{
		"commits are not fenced": {
			scripts, `if s[1] == ARGV[1] then`, `if s[1] then`,
		},
		"a claim starts again from zero": {
			scripts, `'owner', owner, 'count', s[1] or '0')`, `'owner', owner, 'count', '0')`,
		},
		"counts are added, not set, so that a retried commit counts twice": {
			conn, `Count:    c.count + uint64(c.inFlight),`, `Count:    c.count + 2*uint64(c.inFlight),`,
		},
		"replies leave before the count is stored": {
			conn, `	c.inFlight, c.flightAge, c.pending = c.pending, c.since, 0
`, `	c.inFlight, c.flightAge, c.pending = c.pending, c.since, 0
	defer func() { c.inFlight = 0 }()
	c.reply(c.inFlight)
	c.count -= uint64(c.inFlight)
	defer func() { c.count += uint64(c.inFlight) }()
`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			harness.Plant(t, plant.file, plant.text, plant.bug)
			c := startCluster(t)
			crowd := startCrowd(t, c.balancer.Addr, 20)
			for _, f := range faultsInTurn() {
				f.happen(c)
				crowd.wait(2*time.Second, 400) // a broken server may never get on
			}
			crowd.finish()
			found := 0
			for _, w := range crowd.walkers {
				for _, complaint := range w.complaints(c) {
					if found++; found == 1 {
						t.Logf("found: %s", complaint)
					}
				}
			}
			if found == 0 {
				t.Error("not found")
			}
		})
	}
}
