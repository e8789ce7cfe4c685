package faults

import (
	"testing"

	"baton/tests/harness"
)

// The master dies under load, twice, and Sentinels name another one. Replication is asynchronous, so what the new master
// lacks the live connections repair: nobody gives one up meanwhile.
func TestHistoriesAreExactThroughFailOvers(t *testing.T) {
	if testing.Short() {
		t.Skip("takes about 30 seconds")
	}
	group := harness.StartSentinels(t)
	env := harness.Env{"REDIS_URL": group.URL(), "COMMIT_TIMEOUT": "20s", "HEARTBEAT_INTERVAL": "1s", "MAX_CONNECTIONS_PER_ADDRESS": "0"}
	c := &cluster{t: t, redis: group.Nodes[group.Master()]}
	c.front = harness.Balance(t, harness.Start(t, env).Addr, harness.Start(t, env).Addr)
	const each, times = 20, 2
	crowd := startCrowd(c, each)
	crowd.waitProgress(t)
	for range times {
		crowd.suffer(c, fault{name: "fail-over through Sentinel", steady: true, happen: func(c *cluster) {
			old := group.Master()
			group.Nodes[old].Kill()
			c.redis = group.Nodes[group.WaitFailover(old)]
			crowd.waitProgress(t)
			group.Nodes[old].Start()
			group.WaitWhole()
		}})
	}
	crowd.finish()
	crowd.audit(c.redis)
	crowd.report(t)
	publish(t, "failover", crowd.ledger.table())
}
