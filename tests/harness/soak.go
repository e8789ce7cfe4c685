package harness

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const soakWithin = time.Minute

// Soak is `baton soak`: clients that talk during a whole test, half of them plain ones.
type Soak struct {
	t       testing.TB
	clients int
	process *Process
}

// StartSoak connects clients to a front door, such as http://127.0.0.1:8080, each with 5 messages a second.
func StartSoak(t testing.TB, front string, clients int) *Soak {
	t.Helper()
	s := &Soak{t: t, clients: clients, process: Run(t, Command{Path: Binary(t), Args: []string{
		"soak", "--url", strings.Replace(front, "http", "ws", 1) + "/ws/chat/", "--clients", strconv.Itoa(clients),
		"--rate", "5", "--plain", "0.5", "--duration", "20m", "--json",
	}})}
	s.Connected()
	return s
}

// Connected waits until a new line of it says that all clients are.
func (s *Soak) Connected() {
	s.t.Helper()
	told := len(s.process.Stderr())
	Eventually(s.t, soakWithin, "all clients are connected", func() bool {
		lines := strings.Split(strings.TrimSpace(s.process.Stderr()[told:]), "\n")
		return strings.Contains(lines[len(lines)-1], fmt.Sprintf("%d connected", s.clients))
	})
}

// Exact ends the clients: nothing may be lost, duplicated or reordered.
func (s *Soak) Exact() {
	s.t.Helper()
	s.Connected()
	s.process.Signal(syscall.SIGINT)
	code := s.process.Exit(s.t, soakWithin)
	var report struct{ Sent, Acknowledged, Lost, Duplicated, Reordered, Refused int }
	if err := json.Unmarshal([]byte(s.process.Stdout()), &report); err != nil {
		s.t.Fatalf("soak's report: %v\n%s", err, s.process.Stderr())
	}
	if code != 0 || report.Lost+report.Duplicated+report.Reordered != 0 || report.Acknowledged == 0 {
		s.t.Errorf("soak: exit %d, %+v", code, report)
	}
}
