package failover

import (
	"testing"

	"baton/tests/harness"
)

// The least that Sentinel is for: the master dies, a process goes on at the new one, ready and counting.
func TestAProcessFollowsTheMaster(t *testing.T) {
	if testing.Short() {
		t.Skip("takes about 15 seconds")
	}
	group := harness.StartSentinels(t)
	server := harness.Start(t, harness.Env{"REDIS_URL": group.URL(), "COMMIT_TIMEOUT": "20s"})
	peer := server.Dial(harness.Handshake{})
	peer.Say("one")
	peer.Count(1)
	old := group.Master()
	group.Nodes[old].Kill()
	peer.Say("two")
	peer.Count(2)
	if group.Master() == old {
		t.Error("counted without a master")
	}
	server.WaitReady()
}
