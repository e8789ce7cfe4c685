#!/usr/bin/env bats
# monitor.sh against replicas that are small real HTTP servers, with a driver that names them.

setup() {
  ROOT="$(cd "$BATS_TEST_DIRNAME/../.." && pwd)"
  export TREE="$BATS_TEST_TMPDIR/tree" STAGE="$BATS_TEST_TMPDIR/stage"
  mkdir -p "$TREE" "$STAGE"
  cp -r "$ROOT/scripts" "$TREE/scripts"
  write_driver
  MONITOR="$TREE/scripts/monitor.sh"
  PIDS=()
}

teardown() {
  local pid
  for pid in "${PIDS[@]}"; do
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
}

# A driver that reads the stage's files: what a test writes there is what monitor.sh finds.
write_driver() {
  cat >"$TREE/scripts/drivers/local.sh" <<'DRIVER'
driver_front_url() { cat "$STAGE/front" 2>/dev/null || echo http://127.0.0.1:9; }
driver_replica_urls() { cat "$STAGE/$1.urls" 2>/dev/null || true; }
driver_active_color() { cat "$STAGE/active"; }
driver_redis_info() { cat "$STAGE/redis" 2>/dev/null; }
driver_traefik_metrics_url() { cat "$STAGE/traefik" 2>/dev/null || true; }
driver_logs() { tail -n "$1" "$STAGE/log" 2>/dev/null || true; }
DRIVER
  echo blue >"$STAGE/active"
}

# replica COLOR NAME CONNECTIONS MESSAGES_A_SCRAPE [READY_CODE]
replica() {
  local port_file="$STAGE/$2.port"
  python3 "$BATS_TEST_DIRNAME/fake_replica.py" "$port_file" "$1" "$3" "$4" "${5:-200}" 3>&- &
  PIDS+=($!)
  for _ in $(seq 100); do
    [ -s "$port_file" ] && break
    sleep 0.05
  done
  echo "http://127.0.0.1:$(cat "$port_file")" >>"$STAGE/$1.urls"
}

once() { run "$MONITOR" --driver local --once --interval 0.3 "$@"; }

json() { jq -r "$1" <<<"$output"; }

@test "sums the replicas of a color" {
  replica blue b1 100 10
  replica blue b2 40 10
  once --json
  [ "$status" -eq 0 ]
  [ "$(json .active)" = blue ]
  [ "$(json .colors.blue.state)" = active ]
  [ "$(json .colors.blue.replicas)" = 2 ]
  [ "$(json .colors.blue.ready)" = 2 ]
  [ "$(json .colors.blue.connections)" = 140 ]
  [ "$(json .colors.green.state)" = off ]
}

@test "rates come from two scrapes and the time between them" {
  replica blue b1 1 100
  once --json
  # 100 messages between two scrapes at least 0.3 s apart: at most 333/s, and far from none.
  [ "$(json '.colors.blue.messages_per_second > 60 and .colors.blue.messages_per_second <= 334')" = true ]
  [ "$(json '.colors.blue.errors_per_second > 0.6')" = true ]
  # All of them in the bucket from 1 to 2 ms.
  [ "$(json '.colors.blue.p99_ms')" = 1.99 ]
}

@test "the busiest counters come first, five of them" {
  replica blue b1 1 100
  replica green g1 1 1000
  once --json
  [ "$(json '.busiest | length')" = 5 ]
  [ "$(json '.busiest[0].color')" = green ]
  [ "$(json '.busiest[0].counter')" = websocket_messages_total ]
  [ "$(json '[.busiest[].per_second] | . == (sort | reverse)')" = true ]
}

@test "a replica that does not answer is shown as down, and the view goes on" {
  replica blue b1 5 1
  echo "http://127.0.0.1:9" >"$STAGE/green.urls"
  once
  [ "$status" -eq 0 ]
  [[ "$output" == *"green"*"down"*"0 of 1"*"no answer"* ]]
  [[ "$output" == *"blue"*"active"*"1 of 1"* ]]
}

@test "not ready says what Redis says" {
  replica blue b1 5 1 503
  once
  [[ "$output" == *"not ready"*"redis: connection refused"* ]]
}

@test "everything down is still a view" {
  once
  [ "$status" -eq 0 ]
  [[ "$output" == *"blue"*"off"* ]]
  [[ "$output" == *"Redis"*"down"* ]]
  [[ "$output" == *"front door"*"down"* ]]
  once --json
  [ "$(json .redis.up)" = false ]
  [ "$(json .front_door.up)" = false ]
}

@test "Redis and Traefik tell their numbers" {
  replica blue b1 5 1
  printf 'redis_version:7\r\nconnected_clients:12\r\nused_memory_human:3.10M\r\nmaxmemory_human:256.00M\r\naof_last_write_status:ok\r\ninstantaneous_ops_per_sec:77\r\ndb0:keys=42,expires=42,avg_ttl=1\r\n' >"$STAGE/redis"
  echo "$(cat "$STAGE/blue.urls")" >"$STAGE/front"
  echo "$(cat "$STAGE/blue.urls")/traefik" >"$STAGE/traefik"
  once
  [[ "$output" == *"Redis"*"up"*"12 clients"*"77 ops/s"*"42 sessions"*"3.10M of 256.00M"*"append-only file ok"* ]]
  [[ "$output" == *"Traefik"*"up"*"9 open connections"* ]]
}

@test "only ERROR lines, the newest, in JSON and text format" {
  replica blue b1 5 1
  {
    echo '{"time":"2026-01-02T03:04:05.678Z","level":"INFO","msg":"connect","color":"blue"}'
    for i in 1 2 3 4 5 6; do
      echo '{"time":"2026-01-02T03:04:0'$i'.1Z","level":"ERROR","msg":"commit '$i' \"quoted\"","color":"blue","error":"redis: away"}'
    done
    echo 'time=2026-01-02T04:00:00Z level=ERROR msg="plain text" color=green'
  } >"$STAGE/log"
  once
  [[ "$output" != *"connect"$'\n'* ]]
  [[ "$output" != *"commit 1"* ]]
  [[ "$output" == *'03:04:06 blue  commit 6 "quoted": redis: away'* ]]
  [[ "$output" == *"04:00:00 green plain text"* ]]
  once --json
  [ "$(json '.errors | length')" = 5 ]
  [ "$(json '.errors[3].message')" = 'commit 6 "quoted": redis: away' ]
}

@test "--logs-only and --metrics-only show their half" {
  replica blue b1 5 1
  echo '{"time":"2026-01-02T03:04:05Z","level":"ERROR","msg":"boom","color":"blue"}' >"$STAGE/log"
  once --logs-only
  [[ "$output" == *boom* && "$output" != *connections* ]]
  once --metrics-only
  [[ "$output" != *boom* && "$output" == *connections* ]]
  once --metrics-only --json
  [ "$(json 'has("errors")')" = false ]
  once --logs-only --json
  [ "$(json 'has("colors")')" = false ]
}

@test "a switch is seen as it happens" {
  replica blue b1 5 1
  replica green g1 5 1
  "$MONITOR" --driver local --interval 0.2 >"$STAGE/out" 2>&1 3>&- &
  PIDS+=($!)
  wait_for 'blue +active'
  echo green >"$STAGE/active"
  wait_for 'switched: new connections go to green'
  wait_for 'blue: active → idle'
}

wait_for() {
  for _ in $(seq 100); do
    if grep -Eq "$1" "$STAGE/out"; then return 0; fi
    sleep 0.1
  done
  cat "$STAGE/out"
  return 1
}

@test "a pipe gets no escape sequences" {
  replica blue b1 5 1
  once
  [[ "$output" != *$'\033'* ]]
}

@test "SIGTERM ends it cleanly and leaves no files" {
  export TMPDIR="$BATS_TEST_TMPDIR/tmp"
  mkdir "$TMPDIR"
  "$MONITOR" --driver local --interval 0.2 >"$STAGE/out" 2>&1 3>&- &
  local pid=$!
  wait_for 'Redis'
  kill -TERM "$pid"
  wait "$pid"
  [ -z "$(ls "$TMPDIR")" ]
}

@test "misuse is told, with 2" {
  run "$MONITOR" --nonsense
  [ "$status" -eq 2 ]
  run "$MONITOR" --interval
  [ "$status" -eq 2 ]
  run "$MONITOR" --interval 0
  [ "$status" -eq 2 ]
  run "$MONITOR" --interval soon
  [ "$status" -eq 2 ]
  run "$MONITOR" --logs-only --metrics-only
  [ "$status" -eq 2 ]
  run "$MONITOR" --help
  [ "$status" -eq 0 ]
  [[ "$output" == *--metrics-only* ]]
}
