package session

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"
)

const testTTL = time.Minute

// eachStore runs a test on the embedded store and on a real Redis, with the same
// code and scripts.
func eachStore(t *testing.T, f func(t *testing.T, s *Store, db redis.UniversalClient)) {
	t.Run("embedded", func(t *testing.T) {
		embedded, err := StartEmbedded("127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(embedded.Close)
		s, db := open(t, embedded.URL())
		f(t, s, db)
	})
	t.Run("redis", func(t *testing.T) {
		s, db := open(t, startRedis(t))
		f(t, s, db)
	})
}

func open(t *testing.T, url string) (*Store, redis.UniversalClient) {
	t.Helper()
	return openFor(t, url, time.Second)
}

func openFor(t *testing.T, url string, commitTimeout time.Duration) (*Store, redis.UniversalClient) {
	t.Helper()
	db, err := Connect(url, commitTimeout)
	if err != nil {
		t.Fatal(err)
	}
	s := NewStore(db, StoreConfig{TTL: testTTL, CommitTimeout: commitTimeout})
	t.Cleanup(func() { _ = s.Close() })
	return s, db
}

// startRedis runs a redis-server of the test's own on a unix socket.
func startRedis(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("BATON_NO_SKIP") != "" {
			t.Fatal("redis-server is not installed")
		}
		t.Skip("SKIP: redis-server is not installed")
	}
	dir := t.TempDir()
	socket := filepath.Join(dir, "s")
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--dir", dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	url := "unix://" + socket
	s, _ := open(t, url)
	for deadline := time.Now().Add(10 * time.Second); s.Ping(t.Context()) != nil; {
		if time.Now().After(deadline) {
			t.Fatal("redis-server does not answer")
		}
		time.Sleep(5 * time.Millisecond)
	}
	return url
}

// commitOnce sends one commit and returns how it ended.
func commitOnce(t *testing.T, s *Store, c Commit) error {
	t.Helper()
	b := newBatch(s, noObserver{})
	e := &entry{commit: c, done: make(chan error, 1)}
	e.commit.Deadline = time.Now().Add(time.Second)
	for b.join(e); !b.empty(); {
		b.send()
	}
	return <-e.done
}

type entry struct {
	commit Commit
	done   chan error
}

func (e *entry) Commit() (Commit, bool) { return e.commit, true }
func (e *entry) Committed(err error)    { e.done <- err }

type noObserver struct{}

func (noObserver) ObserveBatch(int, time.Duration, int, error) {}

func owner(token, attempt string) Owner { return Owner{Session: "s", Token: token, Attempt: attempt} }

func mustClaim(t *testing.T, s *Store, o Owner) State {
	t.Helper()
	state, err := s.Claim(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func TestClaimReturnsTheCountAndWhetherTheSessionWasThere(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store, _ redis.UniversalClient) {
		if got := mustClaim(t, s, owner("a", "")); got != (State{}) {
			t.Errorf("new session: %+v", got)
		}
		if got := mustClaim(t, s, owner("a", "")); got != (State{}) {
			t.Errorf("the same claim again: %+v, want what it was at first", got)
		}
		if err := commitOnce(t, s, Commit{Owner: owner("a", ""), Count: 7, Live: true}); err != nil {
			t.Fatal(err)
		}
		if got := mustClaim(t, s, owner("b", "")); got != (State{Count: 7, Existed: true}) {
			t.Errorf("resumed session: %+v", got)
		}
	})
}

func TestOnlyTheOwnerCommits(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store, db redis.UniversalClient) {
		mustClaim(t, s, owner("a", ""))
		mustClaim(t, s, owner("b", ""))
		if err := commitOnce(t, s, Commit{Owner: owner("a", ""), Count: 1, Live: true}); !errors.Is(err, ErrFenced) {
			t.Errorf("commit of the older owner: %v, want ErrFenced", err)
		}
		assertField(t, db, "count", "0")
	})
}

func TestAnOlderCommitThatWasStuckChangesNothing(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store, db redis.UniversalClient) {
		mustClaim(t, s, owner("a", ""))
		for _, count := range []uint64{5, 6, 5, 6} {
			if err := commitOnce(t, s, Commit{Owner: owner("a", ""), Count: count, Live: true}); err != nil {
				t.Fatal(err)
			}
		}
		assertField(t, db, "count", "6")
	})
}

func TestACommitRepairsAStoreThatLostTheSession(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store, db redis.UniversalClient) {
		mustClaim(t, s, owner("a", "41"))
		if err := db.FlushDB(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		if err := commitOnce(t, s, Commit{Owner: owner("a", "41"), Count: 9, Live: true}); err != nil {
			t.Fatal(err)
		}
		assertField(t, db, "count", "9")
		assertField(t, db, "attempt", "41")
		assertField(t, db, "owner", "a")
		if ttl := db.PTTL(t.Context(), key("s")).Val(); ttl <= 0 || ttl > testTTL {
			t.Errorf("TTL after the repair: %v", ttl)
		}
	})
}

func TestAConnectionThatHasEndedRepairsNothing(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store, db redis.UniversalClient) {
		if err := commitOnce(t, s, Commit{Owner: owner("a", "41"), Count: 9}); err != nil {
			t.Fatal(err)
		}
		if n := db.Exists(t.Context(), key("s")).Val(); n != 0 {
			t.Error("the session is there again")
		}
	})
}

func TestANewerAttemptTakesItsSessionBackFromAnOlderOne(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store, db redis.UniversalClient) {
		// Redis lost everything; the older connection's heartbeat came first.
		old, live := owner("old", "9"), owner("new", "10")
		if err := commitOnce(t, s, Commit{Owner: old, Count: 3, Live: true}); err != nil {
			t.Fatal(err)
		}
		if err := commitOnce(t, s, Commit{Owner: live, Count: 5, Live: true}); err != nil {
			t.Fatal(err)
		}
		if err := commitOnce(t, s, Commit{Owner: old, Count: 4, Live: true}); !errors.Is(err, ErrFenced) {
			t.Errorf("the older connection: %v, want ErrFenced", err)
		}
		assertField(t, db, "count", "5")
		assertField(t, db, "attempt", "10")
		// A takeover without an attempt leaves the stored one, and stands.
		mustClaim(t, s, owner("plain", ""))
		if err := commitOnce(t, s, Commit{Owner: live, Count: 6, Live: true}); !errors.Is(err, ErrFenced) {
			t.Errorf("after a takeover without an attempt: %v, want ErrFenced", err)
		}
	})
}

func TestAttempts(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store, _ redis.UniversalClient) {
		steps := []struct {
			token, attempt, stored string
			stale                  bool
		}{
			{"a", "10", "10", false},
			{"a", "10", "10", false}, // its own claim again
			{"b", "10", "", true},
			{"b", "9", "", true},
			{"b", "11", "11", false},
			{"c", "", "11", false}, // takes over, leaves the stored one
			{"d", "11", "", true},
			{"d", "9007199254740993", "9007199254740993", false},
			{"e", "9007199254740992", "", true}, // doubles could not tell these apart
			{"e", "9223372036854775807", "9223372036854775807", false},
		}
		for i, step := range steps {
			state, err := s.Claim(t.Context(), owner(step.token, step.attempt))
			if errors.Is(err, ErrStaleAttempt) != step.stale || (err != nil && !step.stale) {
				t.Errorf("step %d: %v, want stale %v", i, err, step.stale)
			}
			if err == nil && state.Attempt != step.stored {
				t.Errorf("step %d: attempt %q, want %q", i, state.Attempt, step.stored)
			}
		}
	})
}

func TestACountThatCannotBeReadIsNotZero(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store, db redis.UniversalClient) {
		for name, damage := range map[string]func() error{
			"not a number": func() error { return db.HSet(t.Context(), key("s"), "count", "many").Err() },
			"not a hash":   func() error { return db.Set(t.Context(), key("s"), "1", 0).Err() },
		} {
			if err := errors.Join(db.Del(t.Context(), key("s")).Err(), damage()); err != nil {
				t.Fatal(err)
			}
			if state, err := s.Claim(t.Context(), owner("a", "")); !errors.Is(err, ErrUnavailable) {
				t.Errorf("%s: claimed %+v, %v", name, state, err)
			}
		}
	})
}

func TestCommitterAnswersEveryEntryOnceAndLeavesNothingBehind(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	embedded, err := StartEmbedded("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	db, err := Connect(embedded.URL(), 20*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	s := NewStore(db, StoreConfig{TTL: testTTL, CommitTimeout: 20 * time.Second})
	c := s.NewCommitter(noObserver{})
	var wg sync.WaitGroup
	for i := range 2*maxBatch + 1 {
		e := &entry{done: make(chan error, 2), commit: Commit{
			Owner: Owner{Session: string(rune('a' + i%26)), Token: "t"}, Count: uint64(i), Deadline: time.Now().Add(20 * time.Second),
		}}
		if !c.Add(e) {
			t.Fatal("an open committer refused an entry")
		}
		wg.Go(func() {
			if err := <-e.done; err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	c.Close()
	if c.Add(&entry{}) {
		t.Error("a closed committer took an entry")
	}
	_ = s.Close()
	embedded.Close()
}

func TestABrokenSessionLeavesTheOthersAlone(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store, db redis.UniversalClient) {
		ctx := t.Context()
		damage := errors.Join(db.Set(ctx, key("string"), "1", 0).Err(), db.HSet(ctx, key("words"), "owner", "a", "count", "many").Err())
		if damage != nil {
			t.Fatal(damage)
		}
		b := newBatch(s, noObserver{})
		entries := map[string]*entry{}
		for i := range maxPerScript { // more than one script's, with the two below
			entries[string(rune('A'+i))] = nil
		}
		entries["string"], entries["words"] = nil, nil
		for id := range entries {
			e := &entry{done: make(chan error, 1), commit: Commit{
				Owner: Owner{Session: id, Token: "a"}, Count: 4, Live: true, Deadline: time.Now().Add(10 * time.Second),
			}}
			entries[id] = e
			b.join(e)
		}
		mustClaim(t, s, owner("a", ""))
		if err := commitOnce(t, s, Commit{Owner: owner("a", ""), Count: 1, Live: true}); err != nil { // Redis has the script now
			t.Fatal(err)
		}
		for tries := 0; !b.empty(); tries++ {
			if b.send(); tries > 20 {
				t.Fatalf("%d are still to be sent: %v", len(b.waiting), b.waiting[0].err)
			}
		}
		for id, e := range entries {
			switch err := <-e.done; {
			case id == "string" || id == "words":
				if !errors.Is(err, ErrUnavailable) {
					t.Errorf("%s: %v, want ErrUnavailable", id, err)
				}
			case err != nil:
				t.Errorf("%s: %v", id, err)
			case db.HGet(ctx, key(id), "count").Val() != "4":
				t.Errorf("%s was not stored", id)
			}
		}
	})
}

func TestAFreshSessionsLifeIsNotRenewedInACrowd(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store, db redis.UniversalClient) {
		mustClaim(t, s, owner("a", "1"))
		const left = 5 * time.Second
		count := uint64(0)
		for _, c := range []struct {
			live, fresh bool
			size        int
			renewed     bool
		}{
			{true, true, crowd, false},
			{true, true, crowd - 1, true},
			{true, false, crowd, true},
			{false, true, crowd, true}, // the connection has ended: from here it counts
		} {
			db.PExpire(t.Context(), key("s"), left)
			count++
			b := newBatch(s, noObserver{})
			for i := range c.size {
				commit := Commit{Owner: owner("a", "1"), Count: count, Live: c.live, Fresh: c.fresh, Deadline: time.Now().Add(10 * time.Second)}
				if i > 0 {
					commit.Session = "other"
				}
				b.join(&entry{commit: commit, done: make(chan error, 1)})
			}
			for !b.empty() {
				b.send()
			}
			if ttl := db.PTTL(t.Context(), key("s")).Val(); (ttl > left) != c.renewed {
				t.Errorf("%+v: %v are left", c, ttl)
			}
		}
		assertField(t, db, "count", "4")
	})
}

func TestCommitFailsAtItsDeadlineWhenRedisIsAway(t *testing.T) {
	db, err := Connect("redis://127.0.0.1:1", 300*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	s := NewStore(db, StoreConfig{TTL: testTTL, CommitTimeout: 300 * time.Millisecond})
	defer func() { _ = s.Close() }()
	c := s.NewCommitter(noObserver{})
	defer c.Close()
	began := time.Now()
	e := &entry{done: make(chan error, 1), commit: Commit{Owner: owner("a", ""), Count: 1, Deadline: began.Add(300 * time.Millisecond)}}
	c.Add(e)
	if err := <-e.done; !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
	if took := time.Since(began); took < 250*time.Millisecond || took > 2*time.Second {
		t.Errorf("failed after %v, want about 300ms", took)
	}
	if _, err := s.Claim(t.Context(), owner("a", "")); !errors.Is(err, ErrUnavailable) {
		t.Errorf("claim: %v, want ErrUnavailable", err)
	}
}

func assertField(t *testing.T, db redis.UniversalClient, field, want string) {
	t.Helper()
	if got := db.HGet(t.Context(), key("s"), field).Val(); got != want {
		t.Errorf("%s is %q, want %q", field, got, want)
	}
}
