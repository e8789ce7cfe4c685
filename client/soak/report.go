package soak

import (
	"errors"
	"fmt"
	"io"
)

// Report is what a soak found. The first three faults break the server's
// promise.
type Report struct {
	Clients      int    `json:"clients"` // that had a session
	Sent         uint64 `json:"sent"`
	Acknowledged uint64 `json:"acknowledged"`

	Lost       uint64 `json:"lost"`       // acknowledged and forgotten, or sent and not counted at the end
	Duplicated uint64 `json:"duplicated"` // counted more often than sent
	Reordered  uint64 `json:"reordered"`  // replies of one connection that did not rise by one

	Reconnects uint64    `json:"reconnects"`
	Refused    uint64    `json:"refused"` // attempts to connect that came to nothing
	GapMS      Quantiles `json:"gap_ms"`  // without a connection that could take a message

	Handovers  uint64    `json:"handovers"`  // reconnects with the new connection open before the old one ended
	AckMS      Quantiles `json:"ack_ms"`     // from Send to the reply, resends included; baton.v1 clients only
	Skipped    int       `json:"skipped"`    // not sent: a queue was full
	Unverified int       `json:"unverified"` // sessions whose final count could not be asked for
}

// Quantiles are of durations in milliseconds.
type Quantiles struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// Verdict is nil if the server kept its promise, and could be seen to.
func (r Report) Verdict() error {
	switch {
	case r.Lost+r.Duplicated+r.Reordered > 0:
		return fmt.Errorf("%d lost, %d duplicated, %d reordered", r.Lost, r.Duplicated, r.Reordered)
	case r.Acknowledged == 0:
		return errors.New("nothing was acknowledged")
	case r.Unverified > 0:
		return fmt.Errorf("the final count of %d sessions could not be asked for", r.Unverified)
	}
	return nil
}

// Print writes the report for people.
func (r Report) Print(w io.Writer) {
	_, _ = fmt.Fprintf(w, "clients       %d\nsent          %d\nacknowledged  %d\n", r.Clients, r.Sent, r.Acknowledged)
	_, _ = fmt.Fprintf(w, "lost          %d\nduplicated    %d\nreordered     %d\n", r.Lost, r.Duplicated, r.Reordered)
	_, _ = fmt.Fprintf(w, "reconnects    %d (%d handovers)\nrefused       %d\n", r.Reconnects, r.Handovers, r.Refused)
	_, _ = fmt.Fprintf(w, "gap           %s\nlatency       %s\n", r.GapMS, r.AckMS)
	if r.Skipped > 0 {
		_, _ = fmt.Fprintf(w, "skipped       %d (queue full)\n", r.Skipped)
	}
}

func (q Quantiles) String() string {
	return fmt.Sprintf("p50 %.1f ms, p99 %.1f ms, max %.1f ms", q.P50, q.P99, q.Max)
}
