package faults

import (
	"fmt"
	"strings"
	"testing"

	"baton/tests/harness"
)

// planted is a bug that is built into the binary and has to be found.
type planted struct {
	name string
	bugs []harness.Bug
}

func plantedBugs() []planted {
	const scripts, conn = "middleware/session/scripts.go", "handlers/conn.go"
	return []planted{
		{"commits are not fenced", []harness.Bug{in(scripts, `elseif s[1] == owner then`, `elseif s[1] then`)}},
		{"a claim starts again from zero", []harness.Bug{
			in(scripts, `'owner', owner, 'count', s[1] or '0')`, `'owner', owner, 'count', '0')`),
		}},
		{"counts are added, not set", []harness.Bug{
			in(conn, `c.count + uint64(c.inFlight),`, `uint64(c.inFlight),`),
			in(scripts, `elseif tonumber(count) > stored then call('HSET', session, 'count', count) end`,
				`else call('HINCRBY', session, 'count', count) end`),
		}},
		{"replies leave before the count is stored", []harness.Bug{
			in(conn, `	c.inFlight, c.flightAge, c.pending = c.pending, c.since, 0
`, `	c.inFlight, c.flightAge, c.pending = c.pending, c.since, 0
	defer func() { c.inFlight = 0 }()
	c.reply(c.inFlight)
	c.count -= uint64(c.inFlight)
	defer func() { c.count += uint64(c.inFlight) }()
`),
		}},
		{"a drain closes without the replies that it owes", []harness.Bug{
			in("handlers/drain.go", `c.closeAfterReplies(frame.CloseGoingAway, reasonDraining)`, `c.closeNow(frame.CloseGoingAway, reasonDraining)`),
		}},
		{"sessions whose ids begin alike share a count", []harness.Bug{
			in("middleware/session/store.go", `"session:{" + id + "}"`, `"session:{" + id[:1] + "}"`),
		}},
	}
}

func in(file, text, instead string) harness.Bug {
	return harness.Bug{File: file, Text: text, Instead: instead}
}

// A suite that can't fail proves nothing.
func TestPlantedBugsAreFound(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the binary for every bug")
	}
	rows := []string{"| planted bug | found after | messages until then | how |", "|---|---|---|---|"}
	for _, bug := range plantedBugs() {
		t.Run(bug.name, func(t *testing.T) {
			harness.PlantAll(t, bug.bugs...)
			first, faults := hunt(t)
			t.Logf("found after %v and %d faults: %s", first.after, faults, first.text)
			rows = append(rows, fmt.Sprintf("| %s | %.1f s, %d faults | %d | %s |", bug.name, first.after.Seconds(), faults, first.acked, first.text))
		})
	}
	publish(t, "planted", strings.Join(rows, "\n"))
}

// hunt lets faults happen until something is found.
func hunt(t *testing.T) (finding, int) {
	t.Helper()
	c := startCluster(t)
	crowd := startCrowd(c, 20)
	plan := newSchedule(t, c)
	plan.most = len(plan.faults)
	for faults := 0; ; faults++ {
		if found := crowd.ledger.findings(); len(found) > 0 {
			return found[0], faults
		}
		f, more := plan.next()
		if !more {
			t.Fatal("not found")
		}
		crowd.suffer(c, f)
	}
}
