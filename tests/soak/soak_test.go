// Package soak runs the soak of scripts/soak for a minute, and holds its judge to what it has to find.
package soak

import (
	"encoding/csv"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/tests/harness"
)

// runLimit bounds a soak of a minute, with its coming and going.
const runLimit = 3 * time.Minute

func TestMain(m *testing.M) { harness.Main(m) }

func TestAMinute(t *testing.T) {
	if testing.Short() {
		t.Skip("takes more than a minute")
	}
	for _, tool := range []string{"traefik", "redis-server", "python3"} {
		need(t, tool)
	}
	out := t.TempDir()
	run := harness.Run(t, harness.Command{Path: "/bin/bash", Args: []string{script("run.sh")}, Dir: ".", Env: append(os.Environ(),
		"BATON_BIN="+harness.Binary(t), "SOAK_OUT="+out, "SOAK_MINUTES=1", "SOAK_PROMOTE_EVERY=25", "SOAK_SAMPLE_EVERY=2", "SOAK_CLIENTS=30")})
	if code := run.Exit(t, runLimit); code != 0 {
		t.Errorf("run.sh ended with %d\n%s%s", code, run.Stdout(), run.Stderr())
	}
	file, err := os.Open(filepath.Join(out, "samples.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, row := range rows {
		seen[row[1]]++
	}
	for _, name := range []string{"standing", "front", "store", "clients", "blue-1", "green-1"} {
		if seen[name] == 0 {
			t.Errorf("%s was not watched: %v", name, seen)
		}
	}
}

// The judge finds what grows, in each column, and what was lost; and lets noise pass.
func TestTheJudge(t *testing.T) {
	need(t, "python3")
	flat := sample{rss: 40 << 20, goroutines: 50, descriptors: 100}
	for name, row := range map[string]struct {
		grows sample // in an hour
		lost  int
		want  int
	}{
		"flat":                    {sample{}, 0, 0},
		"noise":                   {sample{rss: 1 << 20, goroutines: 3, descriptors: 4}, 0, 0},
		"shrinks":                 {sample{rss: -20 << 20}, 0, 0},
		"memory leaks":            {sample{rss: 10 << 20}, 0, 1},
		"goroutines leak":         {sample{goroutines: 40}, 0, 1},
		"descriptors leak":        {sample{descriptors: 40}, 0, 1},
		"flat, a message is lost": {sample{}, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "samples.csv"), samples(flat, row.grows))
			write(t, filepath.Join(dir, "summary.json"), fmt.Sprintf(`{"clients": 1, "crowds": 1, "sent": 10, "acknowledged": 10, "lost": %d,
				"duplicated": 0, "reordered": 0, "unverified": 0, "reconnects": 0, "longest_gap_ms": 1, "promotions": 1, "promotions_failed": 0}`, row.lost))
			page := filepath.Join(dir, "page.md")
			write(t, page, "before\n<!-- soak -->\nold\n<!-- /soak -->\nafter\n")
			cmd := exec.Command("python3", script("plot.py"), "--results", dir, "--page", page, "--image", filepath.Join(dir, "soak.png"))
			out, err := cmd.CombinedOutput()
			if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != row.want {
				t.Errorf("%v, want exit code %d\n%s", err, row.want, out)
			}
			text, _ := os.ReadFile(page)
			if s := string(text); !strings.Contains(s, "server, never replaced") || strings.Contains(s, "old") || !strings.HasSuffix(s, "after\n") {
				t.Errorf("the page is\n%s", s)
			}
		})
	}
}

type sample struct{ rss, goroutines, descriptors int }

// samples are an hour of a process that is at one thing and grows by another, with some noise.
func samples(at, grows sample) string {
	lines := []string{"seconds,process,pid,rss_bytes,goroutines,descriptors"}
	const end, every = 3600, 60
	for s := 0; s <= end; s += every {
		noise := s / every % 3
		lines = append(lines, fmt.Sprintf("%d,standing,1,%d,%d,%d", s, at.rss+grows.rss*s/end+noise<<18,
			at.goroutines+grows.goroutines*s/end+noise, at.descriptors+grows.descriptors*s/end+noise))
	}
	return strings.Join(slices.Concat(lines, []string{""}), "\n")
}

func need(t *testing.T, tool string) {
	t.Helper()
	if _, err := exec.LookPath(tool); err != nil {
		harness.Skip(t, tool+" is not installed")
	}
}

func script(name string) string {
	path, err := filepath.Abs(filepath.Join("..", "..", "scripts", "soak", name))
	if err != nil {
		panic(err)
	}
	return path
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
