package wire

import (
	"strings"
	"testing"
	"time"

	"baton/tests/harness"
)

func TestStoreAwayRefusesHandshakes(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]func(*harness.Redis){
		"killed": func(r *harness.Redis) { r.Kill() }, "paused": func(r *harness.Redis) { r.Pause() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redis := harness.StartRedis(t)
			s := harness.Start(t, harness.Env{"REDIS_URL": redis.URL(), "COMMIT_TIMEOUT": "500ms"})
			away(redis)
			for _, h := range []harness.Handshake{{}, {Session: sessionA}, claim(sessionA, "1")} {
				start := time.Now()
				answer := s.Refused(h)
				if answer.Status != 503 || answer.ErrorCode(t) != "session_store_unavailable" || answer.RetryAfter() == 0 {
					t.Errorf("%d %v %s", answer.Status, answer.Header, answer.Body)
				}
				if took := time.Since(start); took > 1500*time.Millisecond {
					t.Errorf("refused after %v, COMMIT_TIMEOUT is 500ms", took)
				}
				if strings.Contains(answer.Body, redis.Addr) {
					t.Errorf("the answer tells internals: %s", answer.Body)
				}
			}
			body := s.WaitNotReady()
			if strings.Contains(body, `"redis":"ok"`) {
				t.Errorf("not ready, though %s", body)
			}
			if answer := s.Get("/healthz"); answer.Status != 200 {
				t.Errorf("/healthz: %d", answer.Status)
			}
			redis.Resume()
			if name == "killed" {
				redis.Start()
			}
			s.WaitReady()
			s.Dial(harness.Handshake{Session: sessionA}).Silent()
		})
	}
}

func TestStoreThatCannotBeReadIsNeverCountZero(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*harness.Redis){
		"wrong type": func(r *harness.Redis) { r.Do("SET", harness.Key(sessionA), "x") },
		"no number":  func(r *harness.Redis) { r.Do("HSET", harness.Key(sessionA), "count", "many") },
		"read only":  func(r *harness.Redis) { r.Do("REPLICAOF", "127.0.0.1", "1") },
		"full":       func(r *harness.Redis) { r.Do("CONFIG", "SET", "maxmemory", "1") },
		"forbidden":  func(r *harness.Redis) { r.Do("ACL", "SETUSER", "default", "-@all", "+ping") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redis := harness.StartRedis(t)
			s := harness.Start(t, harness.Env{"REDIS_URL": redis.URL(), "COMMIT_TIMEOUT": "500ms"})
			spoil(redis)
			answer := s.Refused(harness.Handshake{Session: sessionA, Sub: harness.V1})
			if answer.Status != 503 || answer.ErrorCode(t) != "session_store_unavailable" {
				t.Errorf("%d %s", answer.Status, answer.Body)
			}
		})
	}
}

func TestCommitTimeoutIsClosed1013(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]func(*harness.Redis){
		"killed": func(r *harness.Redis) { r.Kill() }, "paused": func(r *harness.Redis) { r.Pause() },
		"full": func(r *harness.Redis) { r.Do("CONFIG", "SET", "maxmemory", "1") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redis := harness.StartRedis(t)
			s := harness.Start(t, harness.Env{"REDIS_URL": redis.URL(), "COMMIT_TIMEOUT": "700ms"})
			p := s.Dial(harness.Handshake{Session: sessionA})
			p.Say("a", "b")
			p.Count(1, 2)
			away(redis)
			start := time.Now()
			p.Say("c", "d", "e")
			p.Closed(1013)
			if took := time.Since(start); took < 600*time.Millisecond || took > 3*time.Second {
				t.Errorf("closed after %v, COMMIT_TIMEOUT is 700ms", took)
			}
			bringBack(redis, name)
			s.WaitReady()
			got := stored(t, s, sessionA) // a paused Redis may have taken the write, which nobody was told of
			if got != 2 && (name != "paused" || got < 2 || got > 5) {
				t.Errorf("count is %d, want 2", got)
			}
			again := s.Dial(harness.Handshake{Session: sessionA})
			again.Say("x")
			again.Count(got + 1)
			if errors := s.Metrics().Value("websocket_errors_total", "reason", "commit_timeout"); errors != 1 {
				t.Errorf("commit_timeout errors: %v", errors)
			}
		})
	}
}

func TestStoreBackWithinCommitTimeoutIsNotNoticed(t *testing.T) {
	t.Parallel()
	redis := harness.StartRedis(t)
	s := harness.Start(t, harness.Env{"REDIS_URL": redis.URL()})
	p := s.Dial(harness.Handshake{Session: sessionA})
	p.Say("a")
	p.Count(1)
	redis.Kill()
	p.Say("b", "c")
	redis.Start()
	p.Count(2, 3)
	redis.Pause()
	p.Say("d", "e")
	redis.Resume()
	p.Count(4, 5)
	redis.Do("SCRIPT", "FLUSH")
	p.Say("f")
	p.Count(6)
	redis.Do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
	p.Say("g")
	p.Count(7)
	redis.RestartEmpty()
	p.Say("h")
	p.Count(8)
	if got := redis.Field(sessionA, "count"); got != "8" {
		t.Errorf("Redis holds %q", got)
	}
}

func TestOneSpoiledSessionHurtsNoOther(t *testing.T) {
	t.Parallel()
	redis := harness.StartRedis(t)
	s := harness.Start(t, harness.Env{"REDIS_URL": redis.URL(), "COMMIT_TIMEOUT": "500ms"})
	bad, good := s.Dial(harness.Handshake{Session: sessionA}), s.Dial(harness.Handshake{Session: sessionB})
	redis.Do("DEL", harness.Key(sessionA))
	redis.Do("SET", harness.Key(sessionA), "no hash")
	bad.Say("m")
	for n := 1; n <= 20; n++ {
		good.Say("m")
		good.Count(n)
	}
	bad.Closed(1013)
	good.Say("m")
	good.Count(21)
}

func TestRedisAbsentAtStart(t *testing.T) {
	t.Parallel()
	redis := harness.PrepareRedis(t)
	s := harness.StartUnready(t, harness.Env{"REDIS_URL": redis.URL(), "COMMIT_TIMEOUT": "500ms"})
	ready := s.Get("/readyz")
	if ready.Status != 503 || ready.JSON(t)["status"] != "not_ready" {
		t.Errorf("%d %s", ready.Status, ready.Body)
	}
	if answer := s.Refused(harness.Handshake{}); answer.Status != 503 || answer.ErrorCode(t) != "session_store_unavailable" {
		t.Errorf("%d %s", answer.Status, answer.Body)
	}
	redis.Start()
	s.WaitReady()
	p := s.Dial(harness.Handshake{})
	p.Say("m")
	p.Count(1)
}

func TestRedisAbsentForTheWholeLife(t *testing.T) {
	t.Parallel()
	redis := harness.PrepareRedis(t)
	s := harness.StartUnready(t, harness.Env{"REDIS_URL": redis.URL()})
	s.Terminate()
	if code := s.Exit(t, waitFor); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestRedisWithPasswordAndACLUser(t *testing.T) {
	t.Parallel()
	redis := harness.StartRedis(t)
	redis.Do("ACL", "SETUSER", "baton", "on", ">p@ss:w/rd", "~session:*", "+@all", "-@dangerous", "+info")
	s := harness.Start(t, harness.Env{"REDIS_URL": "redis://baton:p%40ss%3Aw%2Frd@" + redis.Addr + "/0"})
	p := s.Dial(harness.Handshake{Session: sessionA})
	p.Say("m")
	p.Count(1)
	if got := redis.Field(sessionA, "count"); got != "1" {
		t.Errorf("Redis holds %q", got)
	}
	wrong := harness.StartUnready(t, harness.Env{"REDIS_URL": "redis://baton:wr0ngpass@" + redis.Addr + "/0"})
	body := wrong.WaitNotReady()
	if answer := wrong.Refused(harness.Handshake{}); answer.Status != 503 {
		t.Errorf("%d %s", answer.Status, answer.Body)
	}
	if all := body + wrong.Stdout() + wrong.Stderr(); strings.Contains(all, "wr0ngpass") {
		t.Errorf("the password is told:\n%s", all)
	}
}

func TestRedisOverUnixSocketAndOtherDatabase(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/r.sock"
	redis := harness.StartRedis(t, "--unixsocket", path)
	for url, db := range map[string]string{"unix://" + path + "?db=2": "2", "redis://" + redis.Addr + "/3": "3"} {
		p := harness.Start(t, harness.Env{"REDIS_URL": url}).Dial(harness.Handshake{Session: sessionA})
		p.Say("m")
		p.Count(1)
		if info := redis.Do("INFO", "keyspace"); !strings.Contains(info, "db"+db+":keys=1") {
			t.Errorf("%s: keys are elsewhere: %s", url, info)
		}
	}
}

func TestConnectedSessionNeverExpires(t *testing.T) {
	t.Parallel()
	const ttl = 1500 * time.Millisecond
	redis := harness.StartRedis(t)
	s := harness.Start(t, harness.Env{"REDIS_URL": redis.URL(), "SESSION_TTL": ttl.String(), "HEARTBEAT_INTERVAL": "30s"})
	p := s.Dial(harness.Handshake{Session: sessionA})
	p.Say("m")
	p.Count(1)
	for end := time.Now().Add(2 * ttl); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if redis.Do("EXISTS", harness.Key(sessionA)) != "1" {
			t.Fatal("a connected session expired")
		}
	}
	left := time.Now()
	p.Close()
	s.WaitMetric(0, "websocket_active_connections")
	harness.Eventually(t, waitFor, "it expires after the disconnect", func() bool {
		return redis.Do("EXISTS", harness.Key(sessionA)) == "0"
	})
	if lived := time.Since(left); lived < ttl-200*time.Millisecond || lived > ttl+time.Second {
		t.Errorf("expired %v after the disconnect, SESSION_TTL is %v", lived, ttl)
	}
	if got := stored(t, s, sessionA); got != 0 {
		t.Errorf("an expired session counts from %d", got)
	}
}

func TestConnectedSessionNeverExpiresHoweverShortItsTTL(t *testing.T) {
	t.Parallel()
	redis := harness.StartRedis(t)
	s := harness.Start(t, harness.Env{"REDIS_URL": redis.URL(), "SESSION_TTL": "300ms"})
	p := s.Dial(harness.Handshake{Session: sessionA})
	p.Say("m")
	p.Count(1)
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if redis.Do("EXISTS", harness.Key(sessionA)) != "1" {
			t.Fatal("a connected session expired")
		}
	}
	p.Say("m")
	p.Count(2)
}

func TestTTLIsTheSessionsWhole(t *testing.T) {
	t.Parallel()
	redis := harness.StartRedis(t)
	s := harness.Start(t, harness.Env{"REDIS_URL": redis.URL(), "SESSION_TTL": "1h"})
	p := s.Dial(harness.Handshake{Session: sessionA})
	for range 2 { // after the claim, after a message
		if ttl := redis.Do("TTL", harness.Key(sessionA)); ttl != "3600" && ttl != "3599" {
			t.Errorf("TTL is %s", ttl)
		}
		redis.Do("EXPIRE", harness.Key(sessionA), "100")
		p.Say("m")
		p.Next()
	}
	redis.Do("EXPIRE", harness.Key(sessionA), "100")
	p.Close()
	harness.Eventually(t, waitFor, "the disconnect sets the TTL", func() bool {
		ttl := redis.Do("TTL", harness.Key(sessionA))
		return ttl == "3600" || ttl == "3599"
	})
}

func bringBack(redis *harness.Redis, how string) {
	switch how {
	case "killed":
		redis.Start()
	case "paused":
		redis.Resume()
	case "full":
		redis.Do("CONFIG", "SET", "maxmemory", "0")
	}
}
