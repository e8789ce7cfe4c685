#!/usr/bin/env bats
# The small parts under the drivers: processes, the dynamic file, .env, the lock.

bats_require_minimum_version 1.5.0

setup() {
  # shellcheck source=scripts/lib/common.sh
  source "$BATS_TEST_DIRNAME/../lib/common.sh"
  STATE_DIR="$BATS_TEST_TMPDIR/state"
  ENV_FILE="$BATS_TEST_TMPDIR/env"
  DYNAMIC_FILE="$BATS_TEST_TMPDIR/baton.yml"
  mkdir -p "$STATE_DIR"/{pids,ports,logs}
  driver_admin_cidrs() { :; }
  for part in process http dynamic lock report retire; do
    # shellcheck source=/dev/null
    source "$ROOT/scripts/lib/$part.sh"
  done
}

teardown() { process_stop sleeper 1; }

@test "a process outlives its starter and is known by its pid file" {
  (process_start sleeper sleep 60)
  pid="$(process_pid sleeper)"
  [ "$(tr '\0' ' ' <"/proc/$pid/cmdline")" = "sleep 60 " ]
  # Its own session: a Ctrl-C for the script is none for it.
  [ "$(ps -o sid= -p "$pid" | tr -d ' ')" = "$pid" ]
  process_stop sleeper 2
  [ ! -e "/proc/$pid" ] || [ -z "$(process_stamp "$pid")" ]
  [ ! -e "$STATE_DIR/pids/sleeper" ]
}

@test "a pid that somebody else has now is not taken for ours" {
  sleep 60 3>&- &
  other=$!
  echo "$other 1" >"$STATE_DIR/pids/sleeper"
  run process_pid sleeper
  [ "$status" -ne 0 ]
  process_stop sleeper 1
  kill -0 "$other"
  kill "$other"
}

@test "a process that does not heed TERM is killed" {
  process_start sleeper bash -c 'trap "" TERM; while :; do sleep 0.1; done'
  pid="$(process_pid sleeper)"
  process_stop sleeper 1
  [ -z "$(process_stamp "$pid")" ]
}

@test "what a process is started with holds neither the lock nor a pipe" {
  lock_take "$BATS_TEST_TMPDIR/lock"
  begin() { process_start sleeper sleep 60; }
  exec 5>"$BATS_TEST_TMPDIR/pipe"
  begin 9>&-
  exec 9>&- 5>&-
  [ ! -e "/proc/$(process_pid sleeper)/fd/5" ]
  flock --nonblock "$BATS_TEST_TMPDIR/lock" true
}

@test "the lock: one holder, and free when it is killed" {
  bash -c 'source "$1/scripts/lib/process.sh"; source "$1/scripts/lib/lock.sh"; lock_take "$2"; echo held; exec sleep 60' - "$ROOT" "$BATS_TEST_TMPDIR/lock" >"$BATS_TEST_TMPDIR/out" 3>&- &
  holder=$!
  until grep -qs held "$BATS_TEST_TMPDIR/out"; do sleep 0.02; done
  run lock_take "$BATS_TEST_TMPDIR/lock"
  [ "$status" -ne 0 ]
  kill -9 "$holder"
  lock_take "$BATS_TEST_TMPDIR/lock"
}

@test "the lock without flock" {
  mkdir "$BATS_TEST_TMPDIR/lock.d"
  echo "1 1" >"$BATS_TEST_TMPDIR/lock.d/holder"
  lock_take_directory "$BATS_TEST_TMPDIR/lock.d"
  run lock_take_directory "$BATS_TEST_TMPDIR/lock.d"
  [ "$status" -ne 0 ]
}

@test "the dynamic file: the active color is one word, servers and admins are filled in" {
  driver_servers() { if [[ "$1" == blue ]]; then echo "http://a:1 http://b:2"; fi; }
  printf 'ADMIN_CIDRS=192.0.2.0/24,::1/128\n' >"$ENV_FILE"
  dynamic_write green
  [ "$(dynamic_active "$DYNAMIC_FILE")" = green ]
  grep -q 'servers: \[{url: "http://a:1"},{url: "http://b:2"}\]' "$DYNAMIC_FILE"
  grep -q 'servers: \[\]' "$DYNAMIC_FILE"
  grep -q 'sourceRange: \["192.0.2.0/24","::1/128"\]' "$DYNAMIC_FILE"
  run ! grep -q '{{' "$DYNAMIC_FILE"
  [ "$(ls -A "$BATS_TEST_TMPDIR" | grep -c tmp)" = 0 ]
}

@test "the file for compose is what the template gives" {
  driver_servers() { echo "http://app_$1:8000"; }
  dynamic_write blue
  diff <(tr -d ' ' <"$DYNAMIC_FILE") <(tr -d ' ' <"$ROOT/docker/traefik/dynamic/baton.yml")
}

@test "no active color in a file that is absent, empty, or names a third color or two" {
  [ -z "$(dynamic_active "$BATS_TEST_TMPDIR/absent")" ]
  for names in red $'blue\n- name: green' $'blue\n- name: red'; do
    echo "- name: $names" >"$DYNAMIC_FILE"
    [ -z "$(dynamic_active "$DYNAMIC_FILE")" ]
    # A start does not write over what somebody put there.
    run ! dynamic_active_or_blue
  done
  : >"$DYNAMIC_FILE"
  [ "$(dynamic_active_or_blue)" = blue ]
}

@test ".env: the environment first, then the file, then the default; a line is replaced in place of none" {
  printf 'A="from file"\nexport B=two\nAB=no\n' >"$ENV_FILE"
  chmod 600 "$ENV_FILE"
  [ "$(env_value A x)" = "from file" ]
  [ "$(env_value B x)" = two ]
  [ "$(env_value C x)" = x ]
  [ "$(A=mine env_value A x)" = mine ]
  set_env_line "$ENV_FILE" B three
  set_env_line "$ENV_FILE" NEW 1
  [ "$(env_value B x)" = three ]
  [ "$(env_value AB x)" = no ]
  [ "$(env_value NEW x)" = 1 ]
  [ "$(stat -c %a "$ENV_FILE")" = 600 ]
}

@test ".env: a comment behind a value and quotes are none of it" {
  printf 'A=80 # public\nB='"'"'two # three'"'"' # four\nC= # nothing\nD="x y"\r\nE=a#b\n' >"$ENV_FILE"
  [ "$(env_value A x)" = 80 ]
  [ "$(env_value B x)" = "two # three" ]
  [ "$(env_value C x)" = x ]
  [ "$(env_value D x)" = "x y" ]
  [ "$(env_value E x)" = "a#b" ]
}

@test ".env that is a link stays one" {
  mkdir "$BATS_TEST_TMPDIR/shared"
  echo A=1 >"$BATS_TEST_TMPDIR/shared/env"
  ln -s shared/env "$ENV_FILE"
  set_env_line "$ENV_FILE" A 2
  [ -L "$ENV_FILE" ]
  [ "$(cat "$BATS_TEST_TMPDIR/shared/env")" = A=2 ]
}

@test "the time of day set back moves no deadline" {
  [ -r /proc/uptime ] || skip "no clock since boot here"
  unset EPOCHREALTIME
  EPOCHREALTIME=1000000000.000000
  before="$(now_ms)"
  sleep 0.05
  EPOCHREALTIME=1.000000
  after="$(now_ms)"
  ((after > before && after < before + 60000))
}

@test "a lock left by a machine that went down is free, though its pid is somebody's again" {
  echo "$$ 1 promote.sh" >"$BATS_TEST_TMPDIR/lock"
  lock_take "$BATS_TEST_TMPDIR/lock"
  mkdir "$BATS_TEST_TMPDIR/lock.d"
  echo "$$ 1 promote.sh" >"$BATS_TEST_TMPDIR/lock.d/holder"
  lock_take_directory "$BATS_TEST_TMPDIR/lock.d"
}

@test "metrics: sums by name and reason, closes by code and their difference" {
  driver_replica_urls() { printf 'http://one\nhttp://two\n'; }
  http_get() { printf 'websocket_active_connections{color="blue"} 3\nwebsocket_active_connections_max 9\nwebsocket_errors_total{reason="panic"} 1\nwebsocket_errors_total{reason="protocol_error"} 5\nwebsocket_closes_total{code="1001"} 1e+02\n'; }
  [ "$(color_connections blue)" = 6 ]
  [ "$(server_faults blue)" = 2 ]
  [ "$(color_metrics blue | closes_by_code)" = "1001 200" ]
  [ "$(closes_since $'1000 5\n1001 1' $'1000 5\n1001 7\n4001 2')" = $'1001 6\n4001 2' ]
}

@test "sentences are quoted for JSON" {
  [ "$(json_string $'a "b" \\ c\td' | jq -r .)" = 'a "b" \ c d' ]
}
