#!/usr/bin/env bash
# Locust, headless, through the front door of the stack that runs; or of a local one, for as long as the load lasts.
set -euo pipefail

# shellcheck source=scripts/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/common.sh"

USERS="${USERS:-5000}"
DURATION="${DURATION:-60s}"
# Users that come each second.
SPAWN_RATE="${SPAWN_RATE:-200}"
# Locust is one thread: a process for each core, and one that leads them.
WORKERS="${WORKERS:-$(nproc)}"
LOCUST="${LOCUST:-locust}"
# Traefik needs two descriptors a user; and some for itself.
SPARE_FILES=1000

usage() {
  cat <<'TEXT'
usage: run.sh

Puts USERS users on the running stack: 80 % chat every 2-10 s, 20 % lurk and
send every 30-120 s. They resume when their connection ends, and check every
reply. Without a running stack it starts a local one, and takes it down again.

  USERS (5000), SPAWN_RATE (200 a second), DURATION (60s, the coming included)
  HOST (http://127.0.0.1:HTTP_PORT), WORKERS (the cores), LOCUST (locust)

exit: 0 every check passed; 1 one failed, or not all users came; 2 usage
TEXT
}

clean_up() {
  local code=$?
  trap - EXIT
  trap '' INT TERM HUP # a second Ctrl-C leaves nothing behind either
  if ((${#PIDS[@]})) && kill "${PIDS[@]}" 2>/dev/null; then wait "${PIDS[@]}" 2>/dev/null || true; fi
  if [[ -n "$OWN_DIR" ]]; then
    "$ROOT/scripts/stack.sh" down --driver local >/dev/null 2>&1 || true
    rm -rf "$OWN_DIR"
    rmdir "$RUN_DIR" 2>/dev/null || true
  fi
  exit "$code"
}

# find_host: HOST, else the stack that answers, else a new one.
find_host() {
  choose_driver ""
  if [[ -n "${HOST:-}" ]]; then
    [[ "$HOST" == *://* ]] || die 2 "HOST is a URL such as http://127.0.0.1:8080, not \"$HOST\""
    return
  fi
  HOST="$(driver_front_url)"
  http_ready "$HOST" || start_own
}

start_own() {
  OWN_DIR="$(mktemp -d "$RUN_DIR/loadtest.XXXXXX")"
  say "nothing serves at $HOST: a local stack for this run"
  export BATON_RUN_DIR="$OWN_DIR" HTTP_PORT=0 MAX_CONNECTIONS="${MAX_CONNECTIONS:-$((USERS + SPARE_FILES))}"
  (unset HOST && exec "$ROOT/scripts/stack.sh" up --driver local) | tee "$OWN_DIR/up"
  HOST="$(sed -n 's/^serving: \(http[^ ]*\).*/\1/p' "$OWN_DIR/up")"
}

# raise_files: what is started here inherits it.
raise_files() {
  ulimit -n "$(ulimit -Hn)" 2>/dev/null || true
  if [[ "$(ulimit -n)" != unlimited ]] && (($(ulimit -n) < 2 * USERS + SPARE_FILES)); then
    die 1 "$USERS users need $((2 * USERS + SPARE_FILES)) file descriptors, ulimit -n is $(ulimit -n)"
  fi
}

start_workers() {
  local i
  for ((i = 0; i < WORKERS; i++)); do
    "$LOCUST" -f "$FILE" --worker --master-port "$PORT" --loglevel WARNING &
    PIDS+=($!)
  done
}

load() {
  say "load: $USERS users at $HOST for $DURATION"
  PORT="$(free_port)"
  start_workers
  "$LOCUST" -f "$FILE" --master --master-bind-host 127.0.0.1 --master-bind-port "$PORT" --expect-workers "$WORKERS" \
    --headless --host "$HOST" --users "$USERS" --spawn-rate "$SPAWN_RATE" --run-time "$DURATION" --only-summary --loglevel WARNING &
  PIDS+=($!)
  wait "$!"
}

main() {
  if (($#)); then
    if [[ "$1" == -h || "$1" == --help ]]; then usage && exit 0; fi
    usage >&2 && exit 2
  fi
  command -v "$LOCUST" >/dev/null || die 1 "$LOCUST is not installed: apt-get install python3-locust python3-websocket"
  FILE="$ROOT/scripts/loadtest/locustfile.py"
  OWN_DIR="" PIDS=()
  # shellcheck source=scripts/lib/process.sh
  source "$ROOT/scripts/lib/process.sh"
  mkdir -p "$RUN_DIR"
  trap clean_up EXIT
  trap 'exit 130' INT TERM HUP
  raise_files
  find_host
  load
}

main "$@"
