package failover

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"baton/tests/harness"
)

// clusterFault is something that happens to one master of a Cluster.
type clusterFault struct {
	name   string
	happen func(c *harness.Cluster, master int)
	back   func(c *harness.Cluster, master int)
}

func clusterFaults() []clusterFault {
	takenOver := func(lose func(c *harness.Cluster, m int)) func(c *harness.Cluster, m int) {
		return func(c *harness.Cluster, m int) {
			heir := c.Replica(m)
			lose(c, m)
			c.WaitMaster(heir)
		}
	}
	none := func(*harness.Cluster, int) {}
	return []clusterFault{
		{"killed", takenOver(func(c *harness.Cluster, m int) { c.Nodes[m].Kill() }), func(c *harness.Cluster, m int) { c.Nodes[m].Start() }},
		{"stopped", takenOver(func(c *harness.Cluster, m int) { c.Nodes[m].Pause() }), func(c *harness.Cluster, m int) { c.Nodes[m].Resume() }},
		{"replaced in order", takenOver(func(c *harness.Cluster, m int) { c.Nodes[c.Replica(m)].Do("CLUSTER", "FAILOVER") }), none},
	}
}

// bystander is how long a session may wait at most while another shard has no master: a machine's hiccup, less than a try.
const bystander = time.Second

// One shard after the other loses its master, and a process goes with it.
func TestClusterLosesNothingThatAReplicaHas(t *testing.T) {
	if testing.Short() {
		t.Skip("takes about a minute")
	}
	cluster := harness.StartCluster(t)
	s := startService(t, harness.Env{"REDIS_URL": cluster.URL(), "REDIS_WAIT_REPLICAS": "1"})
	hit, others := map[string]time.Duration{}, map[string]time.Duration{}
	turn := 0
	for round := range rounds() {
		for _, f := range clusterFaults() {
			shard := turn % 3
			beats := onePerShard(t, cluster, s)
			master := cluster.Masters()[shard]
			f.happen(cluster, master)
			for i, beat := range beats {
				if i != shard {
					beat.waitAnswers(t, 50)
				}
			}
			f.back(cluster, master) // with one replica a shard, its heir has none to wait for before
			beats[shard].waitAnswers(t, 50)
			for i, beat := range beats {
				stall := others
				if i == shard {
					stall = hit
				}
				stall[f.name] = max(stall[f.name], beat.take())
				beat.end()
			}
			s.killProcess(turn % 2)
			s.waitConnected()
			t.Logf("round %d: master %s, longest stalls so far: its shard %v, the others %v", round+1, f.name, hit[f.name], others[f.name])
			s.restartProcess(turn % 2)
			turn++
			cluster.WaitWhole()
		}
	}
	for name, stall := range others {
		if stall > bystander {
			t.Errorf("master %s: the other shards stood still for %v, want %v at most", name, stall, bystander)
		}
	}
	t.Logf("longest stalls: the shard %v, the other shards %v", hit, others)
	s.finish().mustBeExact(t)
}

// onePerShard is a pulse in a session of each master, in the order of Masters.
func onePerShard(t *testing.T, c *harness.Cluster, s *service) []*pulse {
	t.Helper()
	var beats []*pulse
	for _, master := range c.Masters() {
		beats = append(beats, startPulse(t, s.front.Addr, sessionOn(c, master)))
	}
	return beats
}

func sessionOn(c *harness.Cluster, master int) string {
	for {
		session := uuid.NewString()
		if c.Serves(master, c.Slot(session)) {
			return session
		}
	}
}

// Every slot of a master that holds a session moves to another one, and back, while the sessions count.
func TestReshardingLosesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("takes about half a minute")
	}
	cluster := harness.StartCluster(t)
	s := startService(t, harness.Env{"REDIS_URL": cluster.URL(), "REDIS_WAIT_REPLICAS": "1"})
	masters := cluster.Masters()
	beat := startPulse(t, s.front.Addr, sessionOn(cluster, masters[0]))
	for round := range 2 * rounds() {
		from, to := masters[round%2], masters[(round+1)%2]
		slots := cluster.Occupied(from)
		for _, slot := range slots {
			cluster.Move(slot, from, to)
		}
		if !cluster.Serves(to, cluster.Slot(beat.session)) {
			t.Fatal("the pulse's session has not moved")
		}
		beat.waitAnswers(t, 50)
		t.Logf("move %d: %d slots, longest stall %v", round+1, len(slots), beat.take())
		s.killProcess(round % 2)
		s.waitConnected()
		s.restartProcess(round % 2)
	}
	s.finish().mustBeExact(t)
}
