#!/usr/bin/env bats
# promote.sh, step by step, with fake executables first in PATH: docker,
# docker-compose, curl and baton live in a world of text files (fakes/world.bash).

bats_require_minimum_version 1.5.0

setup() {
  ROOT="$(cd "$BATS_TEST_DIRNAME/../.." && pwd)"
  export WORLD="$BATS_TEST_TMPDIR/world" BATON_RUN_DIR="$BATS_TEST_TMPDIR/run"
  export BATON_DYNAMIC_DIR="$BATS_TEST_TMPDIR/dynamic" BATON_ENV_FILE="$BATS_TEST_TMPDIR/env"
  export BATON_BIN="$BATS_TEST_DIRNAME/fakes/baton" HTTP_PORT=8099 BLUE_REPLICAS=2 GREEN_REPLICAS=2 BATON_READY_TIMEOUT=1 BATON_FRONT_TIMEOUT_MS=3000
  export PATH="$BATS_TEST_DIRNAME/fakes:$PATH"
  mkdir -p "$WORLD"/{containers,broken,sessions} "$BATON_DYNAMIC_DIR"
  cp "$ROOT/docker/traefik/dynamic/baton.yml" "$BATON_DYNAMIC_DIR/"
  printf 'HTTP_PORT=80\nACTIVE_ENV=blue\n# the end\n' >"$BATON_ENV_FILE"
  echo "app_blue running 0 1001" >"$WORLD/containers/blue1"
  echo "app_blue running 0 1002" >"$WORLD/containers/blue2"
  metrics blue 5 0
  metrics green 0 0
}

# metrics COLOR CONNECTIONS FAULTS
metrics() {
  cat >"$WORLD/metrics_$1" <<TEXT
# HELP websocket_active_connections x
websocket_active_connections $2
websocket_resumes_total 0
websocket_errors_total{reason="commit_timeout"} $3
websocket_errors_total{reason="protocol_error"} 9
websocket_closes_total{code="1001"} 0
TEXT
}

# What waits for $WORLD/baked goes on when the bake has counted green's faults, and looks again.
wait_for_bake() {
  echo 'until (($(grep -c "200[12]/metrics" "$WORLD/calls") > 2)); do sleep 0.05; done' >"$WORLD/baked"
}

break_it() { echo "${2:-}" >"$WORLD/broken/$1"; }

promote() { run --separate-stderr timeout 60 "$ROOT/scripts/promote.sh" --driver compose --bake 1 "$@"; }

active() { sed -n -E 's/^ *- name: (blue|green)$/\1/p' "$BATON_DYNAMIC_DIR/baton.yml"; }

# said TEXT: on stdout or stderr.
said() { [[ "$output$stderr" == *"$1"* ]] || { echo "not said: $1" && echo "$output" && echo "$stderr" && return 1; }; }

# rolled_back_to_blue: what every failure before the retirement must end in.
rolled_back_to_blue() {
  [ "$status" -eq 1 ] || { echo "status $status" && echo "$output" && echo "$stderr" && return 1; }
  [ "$(active)" = blue ]
  [ -e "$WORLD/containers/blue1" ] && [ -e "$WORLD/containers/blue2" ]
  [ -z "$(ls "$WORLD/containers" | grep green || true)" ]
  [ ! -e "$BATON_RUN_DIR/compose/promote.journal" ]
  ! grep -q "docker stop.*blue" "$WORLD/calls"
}

promoted_to_green() {
  [ "$status" -eq 0 ] || { echo "status $status" && echo "$output" && echo "$stderr" && return 1; }
  [ "$(active)" = green ]
  [ -z "$(ls "$WORLD/containers" | grep blue || true)" ]
  [ ! -e "$BATON_RUN_DIR/compose/promote.journal" ]
  grep -qx ACTIVE_ENV=green "$BATON_ENV_FILE"
}

@test "promotes the idle color and retires the old one" {
  promote
  promoted_to_green
  said "canary      count 3 on blue, 4 on green"
  grep -qx "HTTP_PORT=80" "$BATON_ENV_FILE"
  grep -qx "# the end" "$BATON_ENV_FILE"
  ! grep -q traefik "$WORLD/calls"
}

@test "the report as JSON is one object with every step" {
  promote --json
  promoted_to_green
  [ "$(jq -r '.result, .from, .to, .active, .canary.before, .canary.after' <<<"$output" | paste -sd' ')" = "promoted blue green green 3 4" ]
  [ "$(jq -r '[.steps[].name] | join(" ")' <<<"$output")" = "check start ready smoke canary switch verify bake retire" ]
  [ "$(jq '[.steps[].ok] | all' <<<"$output")" = true ]
}

@test "blue again, from any directory" {
  promote
  cd / && promote
  [ "$status" -eq 0 ]
  [ "$(active)" = blue ]
}

@test "the new color cannot be started" {
  break_it cannot_start_green
  promote
  rolled_back_to_blue
  said "green could not be started"
}

@test "the new color's process ends" {
  break_it dies_green
  promote
  rolled_back_to_blue
  said "green did not start: container green1 is restarting, restarted 3 time(s)"
  said "the last words"
}

@test "the new color never gets ready" {
  break_it unready_green
  promote
  rolled_back_to_blue
  said "green did not become ready within 1 s"
  said "connection refused"
}

@test "the new color fails the smoke test" {
  break_it smoke_green
  promote
  rolled_back_to_blue
  said 'green failed the smoke test: smoke: reply 2 was {"count":7}'
}

@test "a failure as JSON: rolled_back, the failed step, the sentence" {
  break_it smoke_green
  promote --json
  rolled_back_to_blue
  [ "$(jq -r '.result, .active, .steps[-1].name, .steps[-1].ok' <<<"$output" | paste -sd' ')" = "rolled_back blue smoke false" ]
  jq -r .message <<<"$output" | grep -q 'reply 2 was {"count":7}'
}

@test "this machine may not use /green" {
  break_it forbidden
  promote
  rolled_back_to_blue
  said "ADMIN_CIDRS"
}

@test "no canary session on the old color, which is ready" {
  break_it canary_blue
  promote
  rolled_back_to_blue
  said "no canary session could be held on blue"
}

@test "the front door does not follow the file" {
  break_it front_stuck blue
  promote
  rolled_back_to_blue
  said "writing the file again"
  said "did not follow the dynamic file"
}

@test "the front door misses the event and is nudged" {
  break_it front_misses_events
  promote
  promoted_to_green
  said "writing the file again"
}

@test "the new color breaks the canary session" {
  break_it canary_green
  promote
  rolled_back_to_blue
  said "green broke the canary session (count 3 on blue): smoke: opened with count 0, expected 3"
  grep -qx ACTIVE_ENV=blue "$BATON_ENV_FILE"
}

@test "the new color gets unready during the bake" {
  echo 'touch "$WORLD/broken/unready_green"' >"$WORLD/then_3"
  promote
  rolled_back_to_blue
  said "green broke during the bake"
  grep -qx ACTIVE_ENV=blue "$BATON_ENV_FILE"
}

@test "the new color's process ends during the bake" {
  echo 'sed -i "s/running 0/running 1/" "$WORLD/containers/green2"' >"$WORLD/then_3"
  promote
  rolled_back_to_blue
  said "green broke during the bake: container green2"
}

@test "server errors during the bake; the clients' own do not count" {
  wait_for_bake
  echo '(bash "$WORLD/baked"; sed -i "s/commit_timeout\"} 0/commit_timeout\"} 1/" "$WORLD/metrics_green") >/dev/null 2>&1 &' >"$WORLD/then_3"
  promote
  rolled_back_to_blue
  said "server errors (commit_timeout"
}

@test "the front door is down before anything was begun" {
  break_it front_down
  promote
  rolled_back_to_blue
  said "does not answer"
  said "nothing was changed"
  ! grep -q "docker-compose.*up" "$WORLD/calls"
}

@test "the front door goes down after the switch: a person is needed" {
  echo 'touch "$WORLD/broken/front_down"' >"$WORLD/then_3"
  promote
  [ "$status" -eq 4 ]
  said "green broke during the bake"
  said "the front door at http://127.0.0.1:8099 does not follow"
}

@test "the front door neither follows forth nor back: a person is needed, told how things stand" {
  echo 'echo green >"$WORLD/broken/front_stuck"; touch "$WORLD/broken/unready_green"' >"$WORLD/then_3"
  promote
  [ "$status" -eq 4 ]
  said "the dynamic file says blue again, but the front door"
  said "both colors were left as they are"
  [ -e "$WORLD/containers/blue1" ] && [ -e "$WORLD/containers/green1" ]
  rm "$WORLD"/broken/* "$WORLD/then_3"
  promote
  promoted_to_green
}

@test "both broke: the one that serves stays active, a person is needed" {
  wait_for_bake
  echo 'sed -i "s/running 0/exited 0/" "$WORLD"/containers/blue*; sed -i "s/commit_timeout\"} 0/commit_timeout\"} 1/" "$WORLD/metrics_green"; (bash "$WORLD/baked"; sed -i "s/commit_timeout\"} 1/commit_timeout\"} 2/" "$WORLD/metrics_green") >/dev/null 2>&1 &' >"$WORLD/then_3"
  promote
  [ "$status" -eq 4 ]
  [ "$(active)" = green ]
  said "blue does not serve any more"
}

@test "a full disk: nothing was changed" {
  mkdir -p "$BATS_TEST_TMPDIR/small"
  mount -t tmpfs -o size=8k tmpfs "$BATS_TEST_TMPDIR/small" || skip "needs the right to mount"
  cp "$BATON_DYNAMIC_DIR/baton.yml" "$BATS_TEST_TMPDIR/small/"
  head -c 100000 /dev/zero >"$BATS_TEST_TMPDIR/small/filler" 2>/dev/null || true
  BATON_DYNAMIC_DIR="$BATS_TEST_TMPDIR/small" promote
  umount "$BATS_TEST_TMPDIR/small"
  rolled_back_to_blue
  said "is the disk full, or the folder read-only"
}

@test "a read-only dynamic folder: nothing was changed" {
  mkdir -p "$BATS_TEST_TMPDIR/small"
  mount -t tmpfs tmpfs "$BATS_TEST_TMPDIR/small" || skip "needs the right to mount"
  cp "$BATON_DYNAMIC_DIR/baton.yml" "$BATS_TEST_TMPDIR/small/"
  mount -o remount,ro "$BATS_TEST_TMPDIR/small"
  BATON_DYNAMIC_DIR="$BATS_TEST_TMPDIR/small" promote
  umount "$BATS_TEST_TMPDIR/small"
  rolled_back_to_blue
  said "is the disk full, or the folder read-only"
}

@test "an old color that does not drain is killed after the retire timeout" {
  break_it deaf
  promote --json --retire-timeout 1
  promoted_to_green
  [ "$(jq .retirement.forced <<<"$output")" = true ]
}

@test "an old color that is dead already is no obstacle" {
  sed -i 's/running 0/exited 0/' "$WORLD"/containers/blue*
  promote
  promoted_to_green
  said "left out: blue does not take sessions"
}

@test "--no-retire leaves the old color, rollback is then a switch" {
  promote --no-retire
  [ "$status" -eq 0 ]
  [ "$(active)" = green ]
  [ -e "$WORLD/containers/blue1" ]
  : >"$WORLD/calls"
  promote rollback
  [ "$status" -eq 0 ]
  [ "$(active)" = blue ]
  ! grep -q "docker-compose.*up" "$WORLD/calls"
  [ ! -e "$WORLD/containers/green1" ]
}

@test "--dry-run changes nothing" {
  before="$(cat "$BATON_DYNAMIC_DIR/baton.yml")"
  promote --dry-run
  [ "$status" -eq 0 ]
  said "would promote green"
  [ "$before" = "$(cat "$BATON_DYNAMIC_DIR/baton.yml")" ]
  ! grep -qE "docker-compose.*up|docker (stop|rm)" "$WORLD/calls"
}

@test "--to the active color: nothing to do" {
  promote --to blue
  [ "$status" -eq 0 ]
  said "blue is the active color already"
}

@test "usage errors" {
  for arguments in "--to red" "--bake ten" "--bake" "--driver swarm" "nonsense" "--retire-timeout=-1"; do
    # shellcheck disable=SC2086
    run "$ROOT/scripts/promote.sh" $arguments
    [ "$status" -eq 2 ]
    [[ "$output" == *usage:* ]]
  done
}

@test "two promotes at once: the second is told, with 3" {
  echo 'sleep 3' >"$WORLD/then_0"
  "$ROOT/scripts/promote.sh" --driver compose --bake 0 >"$BATS_TEST_TMPDIR/first" 2>&1 3>&- &
  first=$!
  until [ -e "$BATON_RUN_DIR/compose/promote.journal" ]; do sleep 0.05; done
  promote
  [ "$status" -eq 3 ]
  said "another promote holds the lock"
  said "(process $first)"
  wait "$first"
  [ "$(active)" = green ]
}

@test "a rollback during a bake stops the promote" {
  "$ROOT/scripts/promote.sh" --driver compose --bake 30 >"$BATS_TEST_TMPDIR/first" 2>&1 3>&- &
  first=$!
  until grep -qs step=bake "$BATON_RUN_DIR/compose/promote.journal"; do sleep 0.05; done
  promote rollback
  [ "$status" -eq 0 ]
  said "telling it to roll back"
  code=0 && wait "$first" || code=$?
  [ "$code" -eq 1 ]
  grep -q "stopped by SIGTERM; switched back to blue" "$BATS_TEST_TMPDIR/first"
  status=1 && rolled_back_to_blue
}

@test "SIGINT and SIGTERM before the retirement roll back" {
  for signal in INT TERM; do
    env --default-signal=INT "$ROOT/scripts/promote.sh" --driver compose --bake 30 >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
    pid=$!
    until grep -qs step=bake "$BATON_RUN_DIR/compose/promote.journal"; do sleep 0.05; done
    kill -s "$signal" "$pid"
    status=0 && wait "$pid" || status=$?
    rolled_back_to_blue
    grep -q "stopped by SIG$signal" "$BATS_TEST_TMPDIR/out"
  done
}

# bats test_tags=slow
@test "SIGINT, SIGTERM or SIGHUP to all of it at any step: back before the retirement, forward from there" {
  signals=(HUP INT TERM)
  for step in start ready smoke canary switch verify bake retire; do
    rm -rf "$WORLD" "$BATON_RUN_DIR" && setup
    signal="${signals[0]}" && signals=("${signals[@]:1}" "$signal")
    echo "$step $signal" >"$WORLD/signal_at"
    run --separate-stderr timeout 60 env --default-signal=INT,TERM,HUP setsid --wait "$ROOT/scripts/promote.sh" --driver compose --bake 1
    [ ! -e "$WORLD/signal_at" ]
    if [ "$step" = retire ]; then
      promoted_to_green
    else
      rolled_back_to_blue || { echo "SIG$signal at $step" && return 1; }
      said "stopped by SIG$signal"
    fi
  done
}

@test "its reader goes away: it is finished all the same" {
  bash -c '"$1" --driver compose --bake 1 2>&1 | head -n 1' - "$ROOT/scripts/promote.sh"
  status=0 && promoted_to_green
}

@test "a replica that dies between ready and switch: nobody meets the new color" {
  echo 'sed -i "s/running 0/exited 0/" "$WORLD/containers/green2"' >"$WORLD/then_0"
  promote
  rolled_back_to_blue
  said "green broke before the switch: container green2 is exited"
}

@test "the dynamic file edited by hand: the color that alone serves is not restarted" {
  sed -i 's/- name: blue/- name: green/' "$BATON_DYNAMIC_DIR/baton.yml"
  promote --to blue
  [ "$status" -eq 0 ]
  [ "$(active)" = blue ]
  said "says green, but ACTIVE_ENV in $BATON_ENV_FILE says blue"
  ! grep -qE "docker-compose.* up|docker stop" "$WORLD/calls"
}

@test "a third color in the dynamic file, or two: nothing was changed" {
  for names in red $'blue\\n          - name: green'; do
    cp "$ROOT/docker/traefik/dynamic/baton.yml" "$BATON_DYNAMIC_DIR/"
    sed -i "s/- name: blue/- name: $names/" "$BATON_DYNAMIC_DIR/baton.yml"
    before="$(cat "$BATON_DYNAMIC_DIR/baton.yml")"
    promote
    [ "$status" -eq 1 ]
    said "does not say which one color is active"
    said "nothing was changed"
    [ "$before" = "$(cat "$BATON_DYNAMIC_DIR/baton.yml")" ]
  done
}

@test "a color that restarted once, long ago, can be rolled back to with a bake" {
  promote --no-retire
  sed -i 's/running 0/running 1/' "$WORLD/containers/blue2"
  promote rollback
  [ "$status" -eq 0 ]
  [ "$(active)" = blue ]
}

@test ".env missing: the mirror is made" {
  rm "$BATON_ENV_FILE"
  promote
  promoted_to_green
}

@test ".env read-only: a warning, the promote is made" {
  mkdir -p "$BATS_TEST_TMPDIR/small"
  mount -t tmpfs tmpfs "$BATS_TEST_TMPDIR/small" || skip "needs the right to mount"
  echo ACTIVE_ENV=blue >"$BATS_TEST_TMPDIR/small/env"
  mount -o remount,ro "$BATS_TEST_TMPDIR/small"
  BATON_ENV_FILE="$BATS_TEST_TMPDIR/small/env" promote
  umount "$BATS_TEST_TMPDIR/small"
  [ "$status" -eq 0 ]
  [ "$(active)" = green ]
  said "could not be set to green"
}

@test "stack.sh up during a promote changes nothing; a promote during up is told, with 3" {
  "$ROOT/scripts/promote.sh" --driver compose --bake 30 >"$BATS_TEST_TMPDIR/first" 2>&1 3>&- &
  first=$!
  until grep -qs step=bake "$BATON_RUN_DIR/compose/promote.journal"; do sleep 0.05; done
  for command in up down; do
    run "$ROOT/scripts/stack.sh" "$command" --driver compose
    [ "$status" -eq 1 ]
    [[ "$output" == *"a promote is under way"* ]]
  done
  [ "$(active)" = green ]
  kill "$first" && wait "$first" || true
  "$ROOT/scripts/stack.sh" up --driver compose >"$BATS_TEST_TMPDIR/up" 2>&1 3>&- &
  up=$!
  until grep -qs stack.sh "$BATON_RUN_DIR/compose/promote.lock"; do sleep 0.05; done
  promote
  kill "$up"
  [ "$status" -eq 3 ]
  said "stack.sh up or down is at work"
}

# bats test_tags=slow
@test "killed (-9) at any step, the next run finishes it" {
  for step in start ready smoke canary switch verify bake retire; do
    rm -rf "$WORLD" "$BATON_RUN_DIR" && setup
    echo "$step" >"$WORLD/kill_at"
    promote
    [ "$status" -eq 137 ] || { echo "at $step: status $status, $output $stderr" && return 1; }
    [ -n "$(ls "$WORLD/containers" | grep blue)" ]
    promote
    promoted_to_green || { echo "killed at $step" && return 1; }
    said "was stopped at its step '$step'"
  done
}

@test "killed behind the switch, a rollback gets back" {
  for step in verify bake; do
    rm -rf "$WORLD" "$BATON_RUN_DIR" && setup
    echo "$step" >"$WORLD/kill_at"
    promote
    [ "$status" -eq 137 ]
    [ "$(active)" = green ]
    promote rollback
    [ "$status" -eq 0 ]
    status=1 && rolled_back_to_blue
  done
}

@test "killed while it rolled back, the next run finishes that and promotes anew" {
  echo 'touch "$WORLD/broken/unready_green"' >"$WORLD/then_3"
  echo rollback >"$WORLD/kill_at"
  promote
  [ "$status" -eq 137 ]
  rm "$WORLD/broken/unready_green" "$WORLD/then_3"
  promote
  promoted_to_green
  said "switching back to blue"
}

@test "a promote that was killed does not leave the lock with what it started" {
  echo 'sleep 20 >/dev/null 2>&1 & echo $! >"$WORLD/straggler"' >"$WORLD/then_0"
  echo switch >"$WORLD/kill_at"
  promote
  [ "$status" -eq 137 ]
  rm "$WORLD/then_0"
  promote
  promoted_to_green
  kill "$(<"$WORLD/straggler")"
}

@test "status: text, JSON, and 1 when nothing answers" {
  promote status
  [ "$status" -eq 0 ]
  said "active   blue"
  said "ready, 2 replica(s), 10 connections"
  said "none under way"
  promote status --json
  [ "$(jq -r '.active, .blue.ready, .green.ready, .blue.connections' <<<"$output" | paste -sd' ')" = "blue true false 10" ]
  break_it front_down
  promote status
  [ "$status" -eq 1 ]
}
