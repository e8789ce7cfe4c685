#!/usr/bin/env bash
# An hour of everyday life on a local stack: clients come and go, colors are promoted, and every process is watched.
set -euo pipefail

# shellcheck source=scripts/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/common.sh"

MINUTES="${SOAK_MINUTES:-60}"
CLIENTS="${SOAK_CLIENTS:-150}"
# Clients besides them that stay for VISIT seconds; then others come.
VISITORS="${SOAK_VISITORS:-40}"
VISIT="${SOAK_VISIT:-20}"
# Messages per second and client.
RATE="${SOAK_RATE:-1}"
PROMOTE_EVERY="${SOAK_PROMOTE_EVERY:-180}"
BAKE="${SOAK_BAKE:-5}"
# Seconds between two samples.
SAMPLE_EVERY="${SOAK_SAMPLE_EVERY:-10}"
OUT="${SOAK_OUT:-$ROOT/scripts/soak/results}"

usage() {
  cat <<'TEXT'
usage: run.sh

Starts a local stack with the real Traefik and Redis, and beside its colors one
process that is never replaced. Clients come, go and are cut; a color is
promoted every few minutes. Memory, goroutines and descriptors of every process
are written to a file; plot.py judges and draws it.

  SOAK_MINUTES (60), SOAK_CLIENTS (150), SOAK_VISITORS (40), SOAK_VISIT (20 s)
  SOAK_RATE (1 message a second each), SOAK_PROMOTE_EVERY (180 s), SOAK_BAKE (5 s)
  SOAK_SAMPLE_EVERY (10 s), SOAK_OUT (scripts/soak/results)

exit: 0 nothing lost, duplicated or reordered, every promotion succeeded;
      1 otherwise; 2 usage
TEXT
}

clean_up() {
  local code=$?
  trap - EXIT
  if ((${#PIDS[@]})) && kill "${PIDS[@]}" 2>/dev/null; then wait "${PIDS[@]}" 2>/dev/null || true; fi
  process_stop standing 15
  "$COPY/scripts/stack.sh" down --driver local >/dev/null 2>&1 || true
  if ((code == 0)); then rm -rf "$COPY"; else warn "what the processes said is in $COPY"; fi
  exit "$code"
}

# copy: an hour is long, the tree may change meanwhile. What runs is a copy of it.
copy() {
  COPY="$(mktemp -d "${TMPDIR:-/tmp}/baton-soak.XXXXXX")"
  mkdir -p "$COPY/bin" "$COPY/docker"
  cp -R "$ROOT/scripts" "$COPY/scripts"
  cp -R "$ROOT/docker/traefik" "$COPY/docker/traefik"
  cp "${BATON_BIN:-$ROOT/bin/baton}" "$COPY/bin/baton"
  export BATON_BIN="$COPY/bin/baton" BATON_RUN_DIR="$COPY/run" BATON_ENV_FILE="$COPY/none" HTTP_PORT=0
  export BATON_FRONTDOOR=traefik BATON_STORE=redis SESSION_TTL=2m DRAIN_SPREAD=3s
  RUN_DIR="$BATON_RUN_DIR" ROOT="$COPY"
  mkdir -p "$RUN_DIR"
}

start_stack() {
  "$ROOT/scripts/stack.sh" up --driver local
  choose_driver local
  free_port >"$STATE_DIR/ports/standing"
  process_start standing env HOST=127.0.0.1 PORT="$(local_port standing 0)" COLOR=blue \
    REDIS_URL="redis://127.0.0.1:$(local_port store 0)" "$BATON_BIN" serve
  local_wait "the standing process did not become ready" standing http_ready "http://127.0.0.1:$(local_port standing 0)"
  URLS="ws://127.0.0.1:$(local_port front 0)/ws/chat/,ws://127.0.0.1:$(local_port standing 0)/ws/chat/"
}

# chat CLIENTS SECONDS NAME, in a subshell: a third of them plain, each connection cut after a minute in the mean.
chat() {
  exec "$BATON_BIN" soak --url "$URLS" --clients "$1" --rate "$RATE" --plain 0.33 --hop 60s --duration "$2s" --json \
    >>"$STATE_DIR/$3.json" 2>"$STATE_DIR/logs/$3.log"
}

# visits: one crowd after the other, each with sessions of its own.
visits() {
  local code=0
  # shellcheck disable=SC2046 # one job, or none
  trap 'kill $(jobs -p) 2>/dev/null; exit 143' TERM
  while ((SECONDS + VISIT < END)); do
    chat "$VISITORS" "$VISIT" visitors &
    wait "$!" || code=1
  done
  return "$code"
}

start_clients() {
  chat "$CLIENTS" "$((END - SECONDS))" clients &
  PIDS+=($!)
  echo "$!" >"$STATE_DIR/pids/clients"
  visits &
  PIDS+=($!)
}

promotions() {
  local next=$((SECONDS + PROMOTE_EVERY)) code=0
  while ((next + PROMOTE_EVERY / 2 < END)); do
    sleep $((next > SECONDS ? next - SECONDS : 0)) &
    wait "$!" # not the sleep itself: a trap would wait for its end
    "$ROOT/scripts/promote.sh" --driver local --bake "$BAKE" --json >>"$STATE_DIR/promotions.json" 2>>"$STATE_DIR/logs/promote.log" || code=1
    say "$(date +%T) promoted: $(driver_active_color)"
    next=$((next + PROMOTE_EVERY))
  done
  return "$code"
}

main() {
  local code=0 pid
  if (($#)); then
    if [[ "$1" == -h || "$1" == --help ]]; then usage && exit 0; fi
    usage >&2 && exit 2
  fi
  PIDS=() END=$((SECONDS + MINUTES * 60))
  copy
  choose_driver local
  trap clean_up EXIT
  trap 'exit 130' INT TERM
  start_stack
  mkdir -p "$OUT"
  start_clients
  python3 "$ROOT/scripts/soak/watch.py" --state "$STATE_DIR" --every "$SAMPLE_EVERY" --out "$OUT/samples.csv" &
  WATCH=$!
  promotions || code=1
  for pid in "${PIDS[@]}"; do wait "$pid" || code=1; done
  PIDS=("$WATCH")
  kill -0 "$WATCH" || code=1 # a watch that has ended has seen nothing
  python3 "$ROOT/scripts/soak/summary.py" "$STATE_DIR" | tee "$OUT/summary.json"
  return "$code"
}

main "$@"
