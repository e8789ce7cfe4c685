package failover

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
	clients = 60
	rate    = 10
	// patience is longer than any fail-over, a full synchronisation and a busy machine included.
	patience = 60 * time.Second
)

// service is processes of one color behind a balancer, and `baton soak` as their load: its ledger says what was lost.
type service struct {
	t       *testing.T
	env     harness.Env
	servers []*harness.Server
	front   *harness.Balancer
	soak    *harness.Process
}

// startService runs two processes that must lose nothing of baton.v1's clients.
func startService(t *testing.T, env harness.Env) *service {
	t.Helper()
	return startReplicas(t, 2, env)
}

// startReplicas runs n processes; more arguments are soak's.
func startReplicas(t *testing.T, n int, env harness.Env, soak ...string) *service {
	t.Helper()
	s := &service{t: t, env: env}
	s.env["HEARTBEAT_INTERVAL"] = "1s"
	var addrs []string
	for range n {
		server := harness.Start(t, s.env)
		s.servers, addrs = append(s.servers, server), append(addrs, server.Addr)
	}
	s.front = harness.Balance(t, addrs...)
	s.soak = harness.Run(t, harness.Command{Path: harness.Binary(t), Args: append([]string{
		"soak", "--url", "ws://" + s.front.Addr + "/ws/chat/", "--clients", strconv.Itoa(clients),
		"--rate", strconv.Itoa(rate), "--duration", "1h", "--json",
	}, soak...)})
	s.waitConnected()
	return s
}

// killProcess ends a process at once: its clients' newest counts are where Redis has them, and nowhere else.
func (s *service) killProcess(i int) { s.servers[i].Kill() }

// restartProcess brings a killed process back to its port.
func (s *service) restartProcess(i int) {
	s.t.Helper()
	_, text, _ := net.SplitHostPort(s.servers[i].Addr)
	port, _ := strconv.Atoi(text)
	s.servers[i] = harness.StartOn(s.t, port, s.env)
	s.servers[i].WaitReady()
}

// waitConnected waits until a new line of the load says that all clients are connected.
func (s *service) waitConnected() {
	s.t.Helper()
	told := len(s.soak.Stderr())
	harness.Eventually(s.t, patience, "all clients are connected", func() bool {
		lines := strings.Split(strings.TrimSpace(s.soak.Stderr()[told:]), "\n")
		return strings.Contains(lines[len(lines)-1], fmt.Sprintf("%d connected", clients))
	})
}

// ledger is what soak reports.
type ledger struct{ Acknowledged, Lost, Duplicated, Reordered, Reconnects int }

func (s *service) finish() ledger {
	s.t.Helper()
	s.soak.Signal(syscall.SIGINT)
	s.soak.Exit(s.t, patience)
	var report ledger
	if err := json.Unmarshal([]byte(s.soak.Stdout()), &report); err != nil {
		s.t.Fatalf("soak's report: %v\n%s", err, s.soak.Stderr())
	}
	return report
}

// mustBeExact is what every test of this package comes to.
func (l ledger) mustBeExact(t *testing.T) {
	t.Helper()
	t.Logf("%+v", l)
	if l.Lost+l.Duplicated+l.Reordered != 0 || l.Acknowledged == 0 {
		t.Errorf("want nothing lost, duplicated or reordered: %+v", l)
	}
}
