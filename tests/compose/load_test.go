package compose

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"baton/tests/harness"
)

const settleWithin = 60 * time.Second

// load is a running `baton soak` through the front door.
type load struct {
	*harness.Process
	duration time.Duration
}

// verdict is what it says at the end.
type verdict struct {
	Clients, Sent, Acknowledged, Lost, Duplicated, Reordered, Reconnects int
}

func (s *stack) soak(t *testing.T, duration time.Duration) *load {
	t.Helper()
	return &load{duration: duration, Process: harness.Run(t, harness.Command{
		Path: s.binary, Env: os.Environ(), Args: []string{
			"soak", "--url", "ws://" + s.front + "/ws/chat/", "--clients", "60", "--rate", "4",
			"--plain", "0.3", "--duration", duration.String(), "--json", "--quiet",
		},
	})}
}

// exact waits for the end: nothing lost, duplicated or reordered. A plain client that is cut sends on without
// knowing, so its unanswered message stays unacknowledged; that is no loss.
func (l *load) exact(t *testing.T) verdict {
	t.Helper()
	code := l.Exit(t, l.duration+2*settleWithin)
	var v verdict
	if err := json.Unmarshal([]byte(l.Stdout()), &v); err != nil {
		t.Fatalf("soak ended with %d and says %q: %v\n%s", code, l.Stdout(), err, l.Stderr())
	}
	if code != 0 || v.Lost+v.Duplicated+v.Reordered > 0 || v.Acknowledged == 0 {
		t.Errorf("soak ended with %d: %s\n%s", code, l.Stdout(), l.Stderr())
	}
	t.Logf("%s", l.Stdout())
	return v
}
