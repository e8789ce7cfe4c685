#!/usr/bin/env bats
# promote.sh --driver kubernetes, with fakes of kubectl, curl and baton first in PATH: the steps and the failures.

bats_require_minimum_version 1.5.0

setup() {
  ROOT="$(cd "$BATS_TEST_DIRNAME/../.." && pwd)"
  export WORLD="$BATS_TEST_TMPDIR/world" BATON_RUN_DIR="$BATS_TEST_TMPDIR/run" BATON_ENV_FILE="$BATS_TEST_TMPDIR/none"
  export BATON_BIN="$BATS_TEST_DIRNAME/fakes/baton" BLUE_REPLICAS=2 GREEN_REPLICAS=2 BATON_READY_TIMEOUT=5
  export BATON_FRONT_URL=http://127.0.0.1:8099 BATON_ADMIN_URL=http://127.0.0.1:8099 BATON_FRONT_TIMEOUT_MS=5000
  export PATH="$BATS_TEST_DIRNAME/fakes:$PATH" BATON_LEASE_SECONDS=3
  mkdir -p "$WORLD"/{containers,broken,sessions}
  echo blue >"$WORLD/route"
  for i in 1 2; do echo "app_blue running 0 100$i" >"$WORLD/containers/blue$i"; done
  for color in blue green; do printf 'websocket_active_connections 5\nwebsocket_resumes_total 0\n' >"$WORLD/metrics_$color"; done
}

teardown() {
  local pid
  if read -r pid _ <"$BATON_RUN_DIR/kubernetes/pids/proxy" 2>/dev/null; then kill "$pid" 2>/dev/null || true; fi
}

promote() { run --separate-stderr timeout 120 "$ROOT/scripts/promote.sh" --driver kubernetes --bake 1 "$@"; }

is() { [ "$status" -eq "$1" ] && [ "$(<"$WORLD/route")" = "$2" ] || { echo "exit $status, route $(<"$WORLD/route")" && echo "$output" && echo "$stderr" && return 1; }; }

@test "kubernetes: green is promoted, blue scaled to nothing" {
  promote
  is 0 green
  [ -z "$(ls "$WORLD/containers" | grep blue || true)" ]
  grep -q 'kubectl.*scale deployment baton-blue --replicas 0' "$WORLD/calls"
  [ -z "$(tr -d '\n' <"$WORLD/lease/journal")" ]
}

@test "kubernetes: the idle color comes up as large as the active one is" {
  for i in 3 4; do echo "app_blue running 0 100$i" >"$WORLD/containers/blue$i"; done
  promote
  is 0 green
  grep -q 'scale deployment baton-green --replicas 4' "$WORLD/calls"
}

@test "kubernetes: the new color crashes" {
  touch "$WORLD/broken/crash_green"
  promote
  is 1 blue
  [[ "$stderr" == *CrashLoopBackOff* ]]
  [ -z "$(ls "$WORLD/containers" | grep green || true)" ]
}

@test "kubernetes: the new color fails the smoke test" {
  touch "$WORLD/broken/smoke_green"
  promote
  is 1 blue
}

@test "kubernetes: the new color breaks sessions: switched back" {
  touch "$WORLD/broken/canary_green"
  promote
  is 1 blue
  [[ "$stderr" == *"switched back to blue"* ]]
}

@test "kubernetes: the route may not be patched: nothing was changed" {
  touch "$WORLD/broken/route_forbidden"
  promote
  is 1 blue
  [[ "$stderr" == *"nothing was changed"* ]]
}

@test "kubernetes: killed at each step, then run again" {
  local step
  for step in start ready smoke canary switch verify bake retire; do
    rm -rf "$WORLD"/containers/* "$WORLD"/sessions/*
    echo blue >"$WORLD/route"
    for i in 1 2; do echo "app_blue running 0 100$i" >"$WORLD/containers/blue$i"; done
    echo "$step" >"$WORLD/kill_at"
    promote
    [ "$status" -eq 137 ] || { echo "not killed at $step: $status" && return 1; }
    promote
    is 0 green || { echo "after a kill at $step" && return 1; }
  done
}

# held HOLDER: the Lease, as another machine has it.
held() {
  mkdir "$WORLD/lease"
  echo "$1" >"$WORLD/lease/holder"
  echo 7 >"$WORLD/lease/version"
  printf 'step=bake\nfrom=blue\nto=green\npid=1\nstamp=1\nsince=now\n' >"$WORLD/lease/journal"
}

@test "kubernetes: another machine holds the lock and renews it: nothing was changed" {
  held another/1-1
  (for i in 8 9; do sleep 0.7 && echo "$i" >"$WORLD/lease/version"; done) 3>&- &
  promote
  is 3 blue
  [[ "$stderr" == *"another promote holds the lock Lease baton/baton-promote of another/1-1"* ]]
  [[ "$stderr" == *"at its step 'bake' (on another machine)"* ]]
}

@test "kubernetes: another machine died with the lock: its promote is gone on with" {
  held another/1-1
  echo green >"$WORLD/route"
  for i in 1 2; do echo "app_green running 0 200$i" >"$WORLD/containers/green$i"; done
  promote
  is 0 green
  [[ "$output" == *"looking for 3 s whether it lives"* ]]
  [[ "$output" == *"was stopped at its step 'bake'"* ]]
}

@test "kubernetes: the lock is lost on the way: nothing more is done" {
  mkdir "$WORLD/lease" && touch "$WORLD/lease"/{holder,journal} && echo 1 >"$WORLD/lease/version"
  echo 'echo another/1-1 >"$WORLD/lease/holder"' >"$WORLD/then_0"
  promote
  is 4 blue
  [[ "$stderr" == *"another promote holds the lock by now"* ]]
  [ -n "$(ls "$WORLD/containers" | grep green)" ]
}
