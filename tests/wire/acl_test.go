package wire

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"baton/tests/harness"
)

const appPassword = "app-password"

// composeUser is the user that docker/compose.yml gives the colors, as arguments of redis-server.
func composeUser(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../docker/compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	var compose struct {
		Services struct{ Redis struct{ Command []string } }
	}
	if err := yaml.Unmarshal(text, &compose); err != nil {
		t.Fatal(err)
	}
	args := compose.Services.Redis.Command
	from := slices.Index(args, "--user")
	if from < 0 {
		t.Fatal("docker/compose.yml makes no user")
	}
	to := from + 1
	for to < len(args) && !strings.HasPrefix(args[to], "--") {
		to++
	}
	user := args[from:to]
	for i := range user {
		user[i] = regexp.MustCompile(`\$\{REDIS_APP_PASSWORD[^}]*\}`).ReplaceAllString(user[i], appPassword)
	}
	return user
}

// The whole service runs as the user of the compose stack, is denied nothing, and may do nothing that it does not need.
func TestTheServiceNeedsNoMoreOfRedisThanItsUserMay(t *testing.T) {
	t.Parallel()
	user := composeUser(t)
	redis := harness.StartRedis(t, user...)
	s := harness.Start(t, harness.Env{
		"REDIS_URL": "redis://baton:" + appPassword + "@" + redis.Addr + "/0", "HEARTBEAT_INTERVAL": "200ms", "DRAIN_SPREAD": "100ms",
		"CHANNEL_LAYER": "redis",
	})
	first := s.Dial(claim(sessionA, "1"))
	first.Hello()
	first.Say("a", "b")
	countBesideHeartbeats(first, 2)
	resumed := s.Dial(claim(sessionA, "2"))
	resumed.Hello()
	first.Say("c")
	first.ClosedEventually(4001)
	used := deniedNothing(t, redis)
	redis.Restart() // the scripts are gone: EVAL, not EVALSHA
	s.WaitReady()
	s.Refused(claim(sessionA, "1"))
	idle := s.Dial(harness.Handshake{Session: sessionB})
	idle.Object() // a heartbeat, which keeps the session
	used += deniedNothing(t, redis)
	redis.RestartEmpty()
	s.WaitReady()
	resumed.Say("d") // and repairs it
	countBesideHeartbeats(resumed, 3)
	s.Terminate()
	if code := s.Exit(t, waitFor); code != 0 {
		t.Errorf("exit code %d", code)
	}
	used += deniedNothing(t, redis)
	for _, rule := range user {
		if rule == "+publish" {
			continue // counting has nothing to say to others: tests/chat does
		}
		if command, granted := strings.CutPrefix(rule, "+"); granted && !strings.Contains(used, "cmdstat_"+command+":") {
			t.Errorf("the user may %s, which the service did not need", command)
		}
	}
	for _, forbidden := range []string{"FLUSHALL", "KEYS *", "CONFIG GET *", "GET session:{x}", "HSET other count 1", "SCRIPT FLUSH", "ACL LIST", "SHUTDOWN"} {
		if reply := redis.Do(append([]string{"ACL", "DRYRUN", "baton"}, strings.Fields(forbidden)...)...); reply == "OK" {
			t.Errorf("the user may %s", forbidden)
		}
	}
}

// deniedNothing looks before a restart takes the log away, and says what was used so far.
func deniedNothing(t *testing.T, redis *harness.Redis) (used string) {
	t.Helper()
	if denied := redis.Do("ACL", "LOG"); denied != "" {
		t.Errorf("denied:\n%s", denied)
	}
	return redis.Do("INFO", "commandstats")
}

func countBesideHeartbeats(p *harness.Peer, until int) {
	for p.Object()["count"] != float64(until) {
	}
}
