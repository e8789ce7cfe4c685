package baton

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fasthttp/websocket"
	"go.uber.org/goleak"

	"baton/config"
)

// testConfig is the default configuration on a free port, changed by the
// variables given as name, value.
func testConfig(t *testing.T, variables ...string) config.Config {
	t.Helper()
	env := map[string]string{"HOST": "127.0.0.1", "PORT": "0", "DRAIN_SPREAD": "100ms", "DRAIN_TIMEOUT": "5s"}
	for i := 0; i < len(variables); i += 2 {
		env[variables[i]] = variables[i+1]
	}
	cfg, err := config.FromEnv(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func dial(t *testing.T, app *App, query string, protocols ...string) *websocket.Conn {
	t.Helper()
	dialer := websocket.Dialer{Subprotocols: protocols}
	ws, response, err := dialer.DialContext(t.Context(), "ws://"+app.Address()+"/ws/chat/"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	t.Cleanup(func() { _ = ws.Close() })
	return ws
}

func read(t *testing.T, ws *websocket.Conn) string {
	t.Helper()
	_ = ws.SetReadDeadline(time.Now().Add(10 * time.Second))
	_, message, err := ws.ReadMessage()
	if err != nil {
		t.Fatal(err)
	}
	return string(message)
}

func closeCode(ws *websocket.Conn) int {
	_ = ws.SetReadDeadline(time.Now().Add(10 * time.Second))
	for {
		_, _, err := ws.ReadMessage()
		var closed *websocket.CloseError
		if errors.As(err, &closed) {
			return closed.Code
		}
		if err != nil {
			return -1
		}
	}
}

func TestADrainAnswersWhatIsOwedClosesEverybodyAndLeavesNoGoroutine(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent(),
		// The HTTP server's own sleepers, one for the process, one that wakes every 10 s.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
	app := New(testConfig(t), slog.New(slog.DiscardHandler), time.Now(), Counts)
	if err := app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	var clients sync.WaitGroup
	for i := range 50 {
		var protocols []string
		if i%2 == 0 {
			protocols = []string{"baton.v1"}
		}
		ws := dial(t, app, "", protocols...)
		if i%2 == 0 {
			if first := read(t, ws); !strings.Contains(first, `"type":"session"`) {
				t.Fatalf("first message %s", first)
			}
		}
		if err := ws.WriteMessage(websocket.TextMessage, []byte("x")); err != nil {
			t.Fatal(err)
		}
		if got := read(t, ws); got != `{"count":1}` {
			t.Fatalf("got %s", got)
		}
		clients.Go(func() {
			if code := closeCode(ws); code != websocket.CloseGoingAway {
				t.Errorf("close code %d, want 1001", code)
			}
			_ = ws.Close()
		})
	}
	for range 2 { // the second does nothing
		if err := app.Stop(); err != nil {
			t.Error(err)
		}
	}
	clients.Wait()
	if used := app.slots.InUse(); used != 0 {
		t.Errorf("%d slots are still taken", used)
	}
}

func TestADrainIsCutOffAtItsTimeout(t *testing.T) {
	app := New(testConfig(t, "DRAIN_TIMEOUT", "200ms"), slog.New(slog.DiscardHandler), time.Now(), Counts)
	if err := app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ws := dial(t, app, "") // does not read: never answers the close
	var cut *cutError
	if err := app.Stop(); !errors.As(err, &cut) || cut.connections != 1 {
		t.Errorf("got %v, want one connection cut", err)
	}
	if code := closeCode(ws); code != websocket.CloseGoingAway {
		t.Errorf("close code %d, want 1001", code)
	}
}

func TestAHandshakeThatCannotBeAnsweredGivesItsSlotBack(t *testing.T) {
	app := New(testConfig(t, "MAX_CONNECTIONS", "1"), slog.New(slog.DiscardHandler), time.Now(), Counts)
	if err := app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = app.Stop() }()
	ws := dial(t, app, "")
	dialer := websocket.Dialer{}
	_, response, err := dialer.DialContext(t.Context(), "ws://"+app.Address()+"/ws/chat/", nil)
	if err == nil || response == nil || response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" {
		t.Fatalf("second connection: %v %v, want 503 with Retry-After", response, err)
	}
	_ = response.Body.Close()
	_ = ws.Close()
	waitFor(t, func() bool { return app.slots.InUse() == 0 })
	dial(t, app, "")
}

func TestSignals(t *testing.T) {
	for name, tc := range map[string]struct {
		signals []os.Signal
		want    int
	}{
		"one drains":           {[]os.Signal{syscall.SIGTERM}, exitOK},
		"the second stops now": {[]os.Signal{os.Interrupt, syscall.SIGTERM}, exitFailure},
	} {
		t.Run(name, func(t *testing.T) {
			signals := make(chan os.Signal, 2)
			out := &lockedBuffer{}
			code := make(chan int, 1)
			go func() {
				code <- serve(context.Background(), testConfig(t, "DRAIN_SPREAD", "3s"), streams{out, out}, signals, time.Now(), Counts)
			}()
			waitFor(t, func() bool { return strings.Contains(out.String(), "listening") })
			if len(tc.signals) > 1 { // somebody to wait for
				address := out.address()
				ws, response, err := websocket.DefaultDialer.DialContext(t.Context(), "ws://"+address+"/ws/chat/", nil)
				if err != nil {
					t.Fatal(err)
				}
				_ = response.Body.Close()
				t.Cleanup(func() { _ = ws.Close() })
			}
			for _, s := range tc.signals {
				signals <- s
			}
			select {
			case got := <-code:
				if got != tc.want {
					t.Errorf("exit code %d, want %d\n%s", got, tc.want, out)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("did not stop")
			}
		})
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// address is the one that the log says the server listens on.
func (l *lockedBuffer) address() string {
	_, rest, _ := strings.Cut(l.String(), `"address":"`)
	address, _, _ := strings.Cut(rest, `"`)
	return address
}

func waitFor(t *testing.T, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !condition(); {
		if time.Now().After(deadline) {
			t.Fatal("condition not met in 10s")
		}
		time.Sleep(time.Millisecond)
	}
}
