package faults

import (
	"encoding/json"
	"testing"
	"time"

	"baton/tests/harness"
)

// Clients written from the contract alone go through every fault in a random order, and their histories are exact.
func TestHistoriesAreExactThroughEveryFault(t *testing.T) {
	if testing.Short() {
		t.Skip("takes about 2 minutes")
	}
	c := startCluster(t)
	each := int(number(envClients, 60) / 2)
	crowd := startCrowd(c, each)
	crowd.waitProgress(t)
	plan := newSchedule(t, c)
	for f, more := plan.next(); more; f, more = plan.next() {
		t.Logf("%v: %s, at %d acknowledged", time.Since(crowd.ledger.began).Round(time.Millisecond), f.name, crowd.ledger.acked.Load())
		crowd.suffer(c, f)
		if len(crowd.ledger.findings()) > 0 {
			break
		}
	}
	crowd.finish()
	crowd.audit(c.redis)
	crowd.report(t)
	publish(t, "faults", crowd.ledger.table()+"\n\n"+plan.said(2*each))
}

// `baton soak` says the same of 200 clients.
func TestSoakLosesNothingThroughFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("takes about 45 seconds")
	}
	c := startCluster(t)
	soak := harness.Run(t, harness.Command{Path: harness.Binary(t), Args: []string{
		"soak", "--url", c.url(), "--clients", "200", "--rate", "5", "--duration", "30s", "--json",
	}})
	for _, f := range append(processFaults()[:2], networkFaults()[:4]...) {
		if !soak.Alive() {
			t.Fatalf("soak ended before %q", f.name)
		}
		t.Log(f.name)
		f.happen(c)
	}
	code := soak.Exit(t, 2*time.Minute)
	var report struct {
		Clients, Sent, Acknowledged, Lost, Duplicated, Reordered, Reconnects int
	}
	if err := json.Unmarshal([]byte(soak.Stdout()), &report); err != nil {
		t.Fatalf("%v: %s", err, soak.Stdout())
	}
	t.Logf("%s", soak.Stdout())
	if code != 0 || report.Lost+report.Duplicated+report.Reordered != 0 || report.Clients != 200 {
		t.Errorf("exit code %d, %+v", code, report)
	}
	if report.Acknowledged < 5000 || report.Reconnects < 200 {
		t.Errorf("too little happened: %+v", report)
	}
}
