#!/usr/bin/env bash
# The whole story on one machine, without Docker, in under a minute: a thousand
# clients talk while blue is replaced by green and green by blue.
set -euo pipefail

# shellcheck source=scripts/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

CLIENTS="${DEMO_CLIENTS:-1000}"
# Besides them: clients without baton.v1, which are closed and come back by themselves.
PLAIN="${DEMO_PLAIN:-0}"
# Messages per second and client; and how long they talk: both switches fit in.
RATE="${DEMO_RATE:-0.5}"
DURATION="${DEMO_DURATION:-28s}"
BAKE=2
# A gap that a person in a chat would notice.
NOTICED_MS=1000

usage() {
  cat <<'TEXT'
usage: demo.sh

Starts a local stack on a free port, lets 1,000 clients talk, promotes green,
then blue again, and tells what the clients saw. Leaves nothing behind.

  DEMO_CLIENTS (1000), DEMO_RATE (0.5 messages a second each), DEMO_DURATION (28s)
  DEMO_PLAIN (0): clients besides them that do not speak baton.v1
  BATON_FRONTDOOR=builtin, BATON_STORE=builtin: without Traefik and Redis even if installed

exit: 0 nothing lost, duplicated or reordered; 1 otherwise; 2 usage
TEXT
}

# clean_up ends what was started, however the demo ends.
clean_up() {
  local code=$?
  trap - EXIT
  trap '' INT TERM HUP # a second Ctrl-C leaves nothing behind either
  if ((${#SOAK_PIDS[@]})) && kill "${SOAK_PIDS[@]}" 2>/dev/null; then wait "${SOAK_PIDS[@]}" 2>/dev/null || true; fi
  # A promote that was stopped with the demo puts things right first.
  if [[ -n "$PROMOTE_PID" ]] && kill "$PROMOTE_PID" 2>/dev/null; then wait "$PROMOTE_PID" 2>/dev/null || true; fi
  "$ROOT/scripts/stack.sh" down --driver local >/dev/null 2>&1 || true
  rm -rf "$DEMO_DIR"
  rmdir "$RUN_DIR" 2>/dev/null || true
  exit "$code"
}

# title SENTENCE
title() { printf '\n--- %s\n' "$1"; }

# start_clients NAME COUNT SHARE: SHARE of them plain.
start_clients() {
  local front
  front="$(sed -n 's/^serving: \(http[^ ]*\).*/\1/p' "$DEMO_DIR/up")"
  "$BATON_BIN" soak --url "ws${front#http}/ws/chat/" --clients "$2" --plain "$3" --rate "$RATE" --duration "$DURATION" --json \
    >"$DEMO_DIR/$1.json" 2>"$DEMO_DIR/$1.log" &
  SOAK_PIDS+=($!)
}

start_load() {
  start_clients baton.v1 "$CLIENTS" 0
  if ((PLAIN > 0)); then start_clients plain "$PLAIN" 1; fi
  all_connected baton.v1 "$CLIENTS"
  if ((PLAIN > 0)); then all_connected plain "$PLAIN"; fi
}

# all_connected NAME COUNT: the switch is to meet them all.
all_connected() {
  until grep -qs " $2 connected" "$DEMO_DIR/$1.log"; do
    kill -0 "${SOAK_PIDS[@]}" 2>/dev/null || die 1 "the clients could not connect: $(tail -n 1 "$DEMO_DIR/$1.log")"
    sleep 0.1
  done
}

switch_to() {
  title "promote $1, under load"
  "$ROOT/scripts/promote.sh" --driver local --to "$1" --bake "$BAKE" &
  PROMOTE_PID=$!
  wait "$PROMOTE_PID"
  PROMOTE_PID=""
}

# number GROUP NAME: out of soak's result.
number() { sed -n "s/.*\"$2\":\([0-9.]*\).*/\1/p" "$DEMO_DIR/$1.json"; }

# seen GROUP: what its clients saw.
seen() {
  local gap
  title "what $(number "$1" clients) $1 clients saw over two switches"
  gap="$(sed -n 's/.*"gap_ms":{"p50":\([0-9.]*\),"p99":\([0-9.]*\),"max":\([0-9.]*\)}.*/p50 \1 ms, p99 \2 ms, max \3 ms/p' "$DEMO_DIR/$1.json")"
  printf 'acknowledged  %s of %s messages\n' "$(number "$1" acknowledged)" "$(number "$1" sent)"
  printf 'lost          %s\nduplicated    %s\nreordered     %s\n' "$(number "$1" lost)" "$(number "$1" duplicated)" "$(number "$1" reordered)"
  printf 'moved         %s times, %s attempts refused\ngap           %s\n' "$(number "$1" reconnects)" "$(number "$1" refused)" "$gap"
}

# slowest: the longest gap of any client, ms.
slowest() { sed -n 's/.*"gap_ms":{[^}]*"max":\([0-9]*\).*/\1/p' "$DEMO_DIR"/*.json | sort -n | tail -n 1; }

verdict() {
  local pid code=0
  for pid in "${SOAK_PIDS[@]}"; do wait "$pid" || code=1; done
  SOAK_PIDS=()
  seen baton.v1
  if ((PLAIN > 0)); then seen plain; fi
  printf '\ntook          %s s\n' "$(seconds $(($(now_ms) - BEGUN_MS)))"
  if ((code == 0 && $(slowest) < NOTICED_MS)); then
    printf '\nNobody noticed.\n'
  elif ((code == 0)); then
    printf '\nNothing was lost, but somebody waited %s s: this machine is busy, or too small for so many.\n' "$(seconds "$(slowest)")"
  else
    printf '\nSomebody noticed: this is a failure.\n'
  fi
  return "$code"
}

main() {
  if (($#)); then
    if [[ "$1" == -h || "$1" == --help ]]; then usage && exit 0; fi
    usage >&2 && exit 2
  fi
  export BATON_BIN="${BATON_BIN:-$ROOT/bin/baton}" HTTP_PORT=0
  [[ -x "$BATON_BIN" ]] || die 1 "there is no binary at $BATON_BIN: run 'make build'"
  SOAK_PIDS=() PROMOTE_PID="" BEGUN_MS="$(now_ms)"
  mkdir -p "$RUN_DIR"
  DEMO_DIR="$(mktemp -d "$RUN_DIR/demo.XXXXXX")"
  export BATON_RUN_DIR="$DEMO_DIR"
  trap clean_up EXIT
  trap 'exit 130' INT TERM HUP
  title "a local stack, and $((CLIENTS + PLAIN)) clients on blue"
  "$ROOT/scripts/stack.sh" up --driver local | tee "$DEMO_DIR/up"
  start_load
  switch_to green
  switch_to blue
  verdict
}

main "$@"
