package harness

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"
)

// watchEvery is the pace of new connections that watch a server.
const watchEvery = 20 * time.Millisecond

// Watch asks one server for its version, on a new connection each time, for as long as the test goes on.
type Watch struct {
	done  chan struct{}
	ended sync.WaitGroup

	mu     sync.Mutex
	colors map[string]int
	failed []string
}

// StartWatch begins at once.
func StartWatch(t testing.TB, base string) *Watch {
	t.Helper()
	w := &Watch{done: make(chan struct{}), colors: map[string]int{}}
	client := &http.Client{Timeout: requestWithin, Transport: &http.Transport{DisableKeepAlives: true}}
	w.ended.Go(func() {
		ticker := time.NewTicker(watchEvery)
		defer ticker.Stop()
		for {
			select {
			case <-w.done:
				return
			case <-ticker.C:
				w.ask(client, base)
			}
		}
	})
	t.Cleanup(func() { w.stop() })
	return w
}

func (w *Watch) ask(client *http.Client, base string) {
	var version struct{ Color string }
	response, err := client.Get(base + "/version")
	if err == nil {
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			err = fmt.Errorf("status %d", response.StatusCode)
		} else {
			err = json.NewDecoder(response.Body).Decode(&version)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.failed = append(w.failed, err.Error())
		return
	}
	w.colors[version.Color]++
}

func (w *Watch) stop() (colors map[string]int, failed []string) {
	select {
	case <-w.done:
	default:
		close(w.done)
	}
	w.ended.Wait()
	return w.colors, w.failed
}

// MustHaveSeen ends it: every connection was answered, by each of these colors and by no other.
func (w *Watch) MustHaveSeen(t testing.TB, what string, colors ...string) {
	t.Helper()
	seen, failed := w.stop()
	if len(failed) > 0 {
		t.Errorf("%s: %d of its connections failed, the first: %s", what, len(failed), failed[0])
	}
	for _, color := range colors {
		if seen[color] == 0 {
			t.Errorf("%s: %s never answered (%v)", what, color, seen)
		}
		delete(seen, color)
	}
	if len(seen) > 0 {
		t.Errorf("%s: answered by %v too", what, seen)
	}
}
