# shellcheck shell=bash
# The local driver's up and down: store, active color, front door.

# Within this the stack serves, or up gives up.
LOCAL_UP_TIMEOUT_MS=30000
# A color that does not drain within this is killed by down.
LOCAL_DOWN_TIMEOUT=15

driver_up() {
  local active
  [[ -x "$LOCAL_BIN" ]] || die 1 "there is no binary at $LOCAL_BIN: run 'make build', or set BATON_BIN"
  mkdir -p "$STATE_DIR"/{pids,ports,logs,dynamic,redis}
  active="$(dynamic_active_or_blue)" || return 1
  mirror_check "$active"
  local_up_store && local_up_color "$active" && local_up_front "$active" && return
  local_tell_logs
  driver_down
  return 1
}

local_up_store() {
  local port
  process_pid store >/dev/null && return
  port="$(local_port store "$(free_port)")"
  echo "$port" >"$STATE_DIR/ports/store"
  if [[ "$(local_choice "${BATON_STORE:-}" redis redis-server)" == redis ]]; then
    say "store: redis-server on 127.0.0.1:$port"
    process_start store redis-server --bind 127.0.0.1 --port "$port" --dir "$STATE_DIR/redis" --save '' \
      --appendonly yes --appendfsync always --maxmemory-policy noeviction
  else
    say "store: in memory, on 127.0.0.1:$port (gone when it ends)"
    process_start store "$LOCAL_BIN" store --listen "127.0.0.1:$port"
  fi
  local_wait "the store did not start" store port_open "$port"
}

local_up_color() {
  say "color: $1, $(driver_replicas "$1") process(es)"
  driver_start_color "$1"
  local_wait "$1 did not become ready" "$1-1" color_ready "$1" && dynamic_write "$1" && set_env_line "$MIRROR_FILE" ACTIVE_ENV "$1"
}

local_up_front() {
  local port="${HTTP_PORT:-8080}"
  if ! process_pid front >/dev/null; then
    if [[ "$port" == 0 ]]; then port="$(local_port front "$(free_port)")"; fi
    if port_open "$port"; then
      warn "port $port is in use: set HTTP_PORT to another one"
      return 1
    fi
    echo "$port" >"$STATE_DIR/ports/front"
    local_start_front "$port"
  fi
  local_wait "the front door did not open" front front_serves "$1"
}

local_start_front() {
  rm -f "$STATE_DIR/ports/front-metrics"
  if [[ "$(local_choice "${BATON_FRONTDOOR:-}" traefik traefik)" == builtin ]]; then
    say "front door: baton's own, on 127.0.0.1:$1"
    process_start front "$LOCAL_BIN" frontdoor --listen "127.0.0.1:$1" --dynamic "$STATE_DIR/dynamic"
    return
  fi
  say "front door: Traefik, on 127.0.0.1:$1"
  free_port >"$STATE_DIR/ports/front-metrics"
  sed -e "s|\":80\"|\"127.0.0.1:$1\"|" -e "s|\":8082\"|\"127.0.0.1:$(local_port front-metrics 0)\"|" \
    -e "s|/etc/traefik/dynamic|\"$STATE_DIR/dynamic\"|" "$ROOT/docker/traefik/traefik.yml" >"$STATE_DIR/traefik.yml"
  process_start front traefik --configFile="$STATE_DIR/traefik.yml"
}

# local_choice WANTED NAME COMMAND: NAME if wanted or, unless told otherwise, installed.
local_choice() {
  if [[ "$1" == builtin ]] || { [[ -z "$1" ]] && ! command -v "$3" >/dev/null; }; then echo builtin; else echo "$2"; fi
}

# local_wait SENTENCE PROCESS COMMAND…: until the command is true. Says the
# sentence if the process ends or the time is up.
local_wait() {
  local sentence="$1" process="$2" deadline=$(($(now_ms) + LOCAL_UP_TIMEOUT_MS))
  shift 2
  until "$@"; do
    if ! process_pid "$process" >/dev/null || (($(now_ms) > deadline)); then
      warn "$sentence"
      return 1
    fi
    sleep 0.05
  done
}

local_tell_logs() {
  local log
  for log in "$STATE_DIR"/logs/*.log; do
    if [[ -s "$log" ]]; then tail -n 3 "$log" | sed "s|^|$(basename "$log" .log): |" >&2; fi
  done
}

driver_down() {
  local name names
  # The front door goes last: it still carries the drain.
  mapfile -t names < <(process_names blue- green-)
  for name in "${names[@]}"; do process_signal TERM "$name"; done
  for name in "${names[@]}"; do process_stop "$name" "$LOCAL_DOWN_TIMEOUT"; done
  for name in front store; do process_stop "$name" 5; done
  rm -f "$STATE_DIR/ports/front-metrics"
}

driver_follow_logs() {
  local logs=("$STATE_DIR"/logs/*.log)
  [[ -e "${logs[0]}" ]] || die 1 "there are no logs under $STATE_DIR: no local stack was started here"
  exec tail -n 20 -F "${logs[@]}"
}
