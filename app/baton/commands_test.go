package baton

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"baton/client/smoke"
	"baton/client/soak"
)

// running starts a server for the commands to talk to.
func running(t *testing.T) (app *App, stop func() error) {
	t.Helper()
	app = New(testConfig(t), slog.New(slog.DiscardHandler), time.Now(), Counts)
	if err := app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	stopped := sync.OnceValue(app.Stop)
	t.Cleanup(func() { _ = stopped() })
	return app, stopped
}

// runCommand runs one as main does.
func runCommand(t *testing.T, args ...string) (code int, out, err string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(args, streams{out: &stdout, err: &stderr}, Counts)
	return code, stdout.String(), stderr.String()
}

func TestSmokeVisitsCarryASession(t *testing.T) {
	app, _ := running(t)
	url := "ws://" + app.Address() + "/ws/chat/"
	var session string
	for i, args := range [][]string{
		{"--session", "new", "--messages", "3"},
		{"--messages", "1", "--expect-count", "3", "--expect-color", "blue"},
		{"--messages", "0", "--expect-count", "4"},
	} {
		if i > 0 {
			args = append(args, "--session", session)
		}
		code, out, why := runCommand(t, append([]string{"smoke", "--json", "--url", url}, args...)...)
		var result smoke.Result
		if err := json.Unmarshal([]byte(out), &result); code != exitOK || err != nil {
			t.Fatalf("%v: exit code %d, %v\n%s%s", args, code, err, out, why)
		}
		if want := min(uint64(3+i), 4); result.Count != want || result.Color != "blue" || result.Instance == "" {
			t.Errorf("%v: %+v", args, result)
		}
		session = result.SessionID
	}
	for why, wrong := range map[string][]string{"expected 9": {"--expect-count", "9"}, `expected "green"`: {"--expect-color", "green"}} {
		code, out, said := runCommand(t, append([]string{"smoke", "--json", "--url", url, "--session", session}, wrong...)...)
		if code != exitFailure || out != "" || !strings.Contains(said, why) {
			t.Errorf("%v: exit code %d\n%s%s", wrong, code, out, said)
		}
	}
	if code, _, _ := runCommand(t, "smoke", "--expect-count", "3"); code != exitUsage {
		t.Errorf("--expect-count without --session: exit code %d", code)
	}
}

func TestSoakReportsInJSON(t *testing.T) {
	app, _ := running(t)
	code, out, why := runCommand(t, "soak", "--json", "--quiet", "--url", "ws://"+app.Address()+"/ws/chat/",
		"--clients", "20", "--rate", "20", "--duration", "500ms", "--plain", "0.5", "--hop", "200ms")
	var report soak.Report
	if err := json.Unmarshal([]byte(out), &report); code != exitOK || err != nil || why != "" {
		t.Fatalf("exit code %d, %v\n%s%s", code, err, out, why)
	}
	if report.Clients != 20 || report.Acknowledged == 0 || report.Reconnects == 0 {
		t.Errorf("%s", out)
	}
	var fields map[string]any
	_ = json.Unmarshal([]byte(out), &fields)
	for _, name := range []string{"clients", "sent", "acknowledged", "lost", "duplicated", "reordered", "reconnects", "refused", "gap_ms"} {
		if _, ok := fields[name]; !ok {
			t.Errorf("no field %s in %v", name, slices.Sorted(maps.Keys(fields)))
		}
	}
}

func TestSoakOfNobodyFails(t *testing.T) {
	code, _, why := runCommand(t, "soak", "--url", "ws://127.0.0.1:1/ws/chat/", "--clients", "2", "--duration", "100ms", "--settle", "100ms")
	if code != exitFailure || !strings.Contains(why, "nothing was acknowledged") {
		t.Errorf("exit code %d\n%s", code, why)
	}
}

func TestHealthcheckFollowsPortAndReadiness(t *testing.T) {
	app, stop := running(t)
	_, port, _ := strings.Cut(app.Address(), ":")
	t.Setenv("PORT", port)
	t.Setenv("HOST", "0.0.0.0")
	if code, _, why := runCommand(t, "healthcheck"); code != exitOK {
		t.Errorf("exit code %d: %s", code, why)
	}
	_ = stop()
	code := runHealthcheck(context.Background(), nil, streams{out: &bytes.Buffer{}, err: &bytes.Buffer{}})
	if code != exitFailure {
		t.Errorf("of a server that is gone: exit code %d", code)
	}
}
