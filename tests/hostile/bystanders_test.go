package hostile

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"baton/tests/harness"
)

const (
	crowd = 20
	pace  = 10 * time.Millisecond // between two messages of one

	// envCrowd is the server of the crowd that this program is, when it is one.
	envCrowd = "HOSTILE_CROWD"
)

// bystanders are clients that do what they should, from another address than the attacker's. They are a process of their own,
// so that they wait for the server and not for the attacker's threads.
type bystanders struct {
	t       *testing.T
	ask     *json.Encoder
	answers *json.Decoder
}

// seen is what the crowd tells of one round.
type seen struct {
	P99   float64 // seconds
	Wrong string  `json:",omitempty"`
}

func newBystanders(t *testing.T, s *harness.Server) *bystanders {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), envCrowd+"="+s.Addr), os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close() // which ends it
		_ = cmd.Wait()
	})
	return &bystanders{t: t, ask: json.NewEncoder(in), answers: json.NewDecoder(out)}
}

// p99 of the time from a message to its count, in seconds, over all of them for a while.
func (b *bystanders) p99(lasts time.Duration) float64 {
	b.t.Helper()
	var round seen
	if err := errors.Join(b.ask.Encode(lasts), b.answers.Decode(&round)); err != nil {
		b.t.Fatalf("the bystanders are gone: %v", err)
	}
	if round.Wrong != "" {
		b.t.Fatal("a bystander " + round.Wrong)
	}
	return round.P99
}

// alive checks that none was cut, and that every count is as it should be.
func (b *bystanders) alive() { b.p99(pace) }

// stand is the other process: rounds as they are asked for, until nobody asks any more.
func stand(addr string, asked io.Reader, told io.Writer) error {
	var all []*bystander
	for i := range crowd {
		peer, answer, err := harness.Handshake{}.Open(addr)
		if err != nil {
			return fmt.Errorf("bystander %d: %w", i, err)
		}
		if peer == nil {
			return fmt.Errorf("bystander %d was answered %d %s", i, answer.Status, answer.Body)
		}
		all = append(all, &bystander{peer: peer})
	}
	questions, out := json.NewDecoder(bufio.NewReader(asked)), json.NewEncoder(told)
	for {
		var lasts time.Duration
		if err := questions.Decode(&lasts); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := out.Encode(watch(all, lasts)); err != nil {
			return err
		}
	}
}

// watch lets all of them talk for a while.
func watch(all []*bystander, lasts time.Duration) seen {
	var mu sync.Mutex
	var took []float64
	var wrong error
	var running sync.WaitGroup
	end := time.Now().Add(lasts)
	for _, b := range all {
		running.Go(func() {
			mine, err := b.talk(end)
			mu.Lock()
			defer mu.Unlock()
			took, wrong = append(took, mine...), errors.Join(wrong, err)
		})
	}
	running.Wait()
	if wrong != nil {
		return seen{Wrong: wrong.Error()}
	}
	slices.Sort(took)
	return seen{P99: took[len(took)*99/100]}
}

// bystander is one of them.
type bystander struct {
	peer  *harness.Peer
	count int
}

// talk sends a message at each pace, one at least, and returns how long each took.
func (b *bystander) talk(end time.Time) (took []float64, err error) {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for len(took) == 0 || time.Now().Before(end) {
		<-tick.C
		began := time.Now()
		if err := b.exchange(); err != nil {
			return nil, err
		}
		took = append(took, time.Since(began).Seconds())
	}
	return took, nil
}

func (b *bystander) exchange() error {
	b.count++
	if err := b.peer.TrySend(harness.Text("m")); err != nil {
		return fmt.Errorf("was cut: %w", err)
	}
	for {
		frame, err := b.peer.Read(waitFor)
		if err != nil {
			return fmt.Errorf("was cut: %w", err)
		}
		if frame.Op == harness.OpClose {
			return fmt.Errorf("was closed: %v", frame)
		}
		var reply struct{ Count int }
		if frame.Op != harness.OpText || json.Unmarshal(frame.Payload, &reply) != nil || reply.Count == 0 {
			continue // a ping, a heartbeat
		}
		if reply.Count != b.count {
			return fmt.Errorf("was told %d, want %d", reply.Count, b.count)
		}
		return nil
	}
}
