package failover

import (
	"testing"

	"baton/tests/harness"
)

const replicas = 3

// What a rolling restart, an emptied node or an autoscaler does: the replicas of one color are restarted one after the
// other, each after the one before is ready again. It is a drain like a promotion's, and has to cost as little; so has
// an eviction that gives no time, which is a kill -9.
func TestRollingRestartInsideAColor(t *testing.T) {
	if testing.Short() {
		t.Skip("takes about 20 seconds")
	}
	redis := harness.StartRedis(t)
	s := startReplicas(t, replicas, harness.Env{"REDIS_URL": redis.URL(), "COLOR": "blue", "DRAIN_SPREAD": "1s"}, "--plain", "0.5")
	for i := range s.servers {
		s.mustServe(i)
		s.servers[i].Terminate()
		if code := s.servers[i].Exit(t, patience); code != 0 {
			t.Errorf("replica %d ended its drain with %d, want 0", i, code)
		}
		s.waitConnected()
		s.restartProcess(i)
	}
	s.mustServe(0)
	s.killProcess(0)
	s.waitConnected()
	s.restartProcess(0)
	report := s.finish()
	report.mustBeExact(t)
	if report.Reconnects < clients {
		t.Errorf("%d reconnects: not every client has moved", report.Reconnects)
	}
}

// mustServe tells that there is something to move.
func (s *service) mustServe(i int) {
	s.t.Helper()
	if s.servers[i].Metrics().Value("websocket_active_connections") == 0 {
		s.t.Fatalf("replica %d has no connection to move", i)
	}
}
