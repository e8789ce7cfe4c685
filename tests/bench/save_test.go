//go:build linux

package bench

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// report is one benchmark's figures as plot.py reads them: rows for the page's tables, and what was asked.
type report struct {
	Taken   string   `json:"taken"`
	Machine string   `json:"machine"`
	Commit  string   `json:"commit"`
	Load    string   `json:"load_average"` // 1, 5 and 15 minutes, when the benchmark ended
	Rounds  int      `json:"rounds"`
	Rows    any      `json:"rows"`
	Targets []target `json:"targets"`
}

// row is a server under a shape.
type row struct {
	Clients  int      `json:"clients"`
	InFlight int      `json:"in_flight"`
	Server   string   `json:"server"`
	Absent   string   `json:"absent,omitempty"`
	Figures  *figures `json:"figures,omitempty"`
}

func (r results) report(all []server, shapes []shape, targets []target) report {
	var rows []row
	for _, s := range shapes {
		for _, candidate := range all {
			rows = append(rows, row{s.clients, s.inFlight, candidate.name, candidate.absent, r[candidate.name][s]})
		}
	}
	return report{Rows: rows, Targets: targets}
}

// save writes a benchmark's figures where BENCH_OUT says.
func save(b *testing.B, name string, r report) {
	b.Helper()
	dir := os.Getenv(envOut)
	if dir == "" {
		return
	}
	commit, _ := exec.Command("git", "rev-parse", "--short", "HEAD").Output() // empty outside of a repository
	load, _ := os.ReadFile("/proc/loadavg")
	r.Taken, r.Machine, r.Rounds = time.Now().UTC().Format(time.DateOnly), machine(), rounds()
	r.Commit, r.Load = strings.TrimSpace(string(commit)), strings.Join(strings.Fields(string(load))[:3], " ")
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".json"), append(text, '\n'), 0o644); err != nil {
		b.Fatal(err)
	}
}

// machine is the processor and what runs on it. How TCP avoids congestion is said because it tells on a loopback too: BBR
// paces, which costs a server a tenth at the highest rates.
func machine() string {
	model := "unknown processor"
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			model = strings.TrimSpace(value)
			break
		}
	}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	tcp, _ := os.ReadFile("/proc/sys/net/ipv4/tcp_congestion_control")
	return strings.Join([]string{
		model, strconv.Itoa(runtime.NumCPU()) + " cores", "Linux " + strings.TrimSpace(string(kernel)),
		"TCP " + strings.TrimSpace(string(tcp)), runtime.Version(),
	}, ", ")
}
