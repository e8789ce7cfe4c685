package kubernetes

import (
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"baton/tests/harness"
)

const (
	clients   = 20
	patience  = 60 * time.Second
	rollCount = 2
)

// What a rolling restart, an emptied node or an autoscaler does: the replicas of one color are restarted one after the
// other, each after the one before is ready again. It is a drain like a promotion's, and has to cost as little.
func TestRollingRestartInsideAColor(t *testing.T) {
	if testing.Short() {
		t.Skip("takes about 20 seconds")
	}
	redis := harness.StartRedis(t)
	env := harness.Env{"REDIS_URL": redis.URL(), "COLOR": "blue", "DRAIN_SPREAD": "1s"}
	replicas := [rollCount]*harness.Server{harness.Start(t, env), harness.Start(t, env)}
	front := harness.Balance(t, replicas[0].Addr, replicas[1].Addr)
	load := harness.Run(t, harness.Command{Path: harness.Binary(t), Args: []string{
		"soak", "--url", "ws://" + front.Addr + "/ws/chat/", "--clients", strconv.Itoa(clients),
		"--rate", "5", "--plain", "0.5", "--duration", "10m", "--json",
	}})
	connected(t, load)
	for i := range replicas {
		if replicas[i].Metrics().Value("websocket_active_connections") == 0 {
			t.Fatalf("replica %d has no connection to move", i)
		}
		replicas[i] = restart(t, replicas[i], env)
		connected(t, load)
	}
	load.Signal(syscall.SIGINT)
	code := load.Exit(t, patience)
	var report struct{ Acknowledged, Lost, Duplicated, Reordered int }
	if err := json.Unmarshal([]byte(load.Stdout()), &report); err != nil {
		t.Fatalf("soak's report: %v\n%s", err, load.Stderr())
	}
	if code != 0 || report.Lost+report.Duplicated+report.Reordered != 0 || report.Acknowledged == 0 {
		t.Errorf("soak: exit %d, %+v", code, report)
	}
}

// restart ends a replica as the kubelet does, and starts it again at its address.
func restart(t *testing.T, s *harness.Server, env harness.Env) *harness.Server {
	t.Helper()
	s.Terminate()
	if code := s.Exit(t, patience); code != 0 {
		t.Errorf("the replica ended with %d, want 0", code)
	}
	_, text, err := net.SplitHostPort(s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	next := harness.StartOn(t, port, env)
	next.WaitReady()
	return next
}

// connected waits until a new line of the load says that all clients are.
func connected(t *testing.T, load *harness.Process) {
	t.Helper()
	told := len(load.Stderr())
	harness.Eventually(t, patience, "all clients are connected", func() bool {
		lines := strings.Split(strings.TrimSpace(load.Stderr()[told:]), "\n")
		return strings.Contains(lines[len(lines)-1], fmt.Sprintf("%d connected", clients))
	})
}
