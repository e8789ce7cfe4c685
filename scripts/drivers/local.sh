# shellcheck shell=bash
# The local driver: the whole stack as plain processes of this machine, without
# Docker. Everything it writes is under $STATE_DIR (.run/local).
# The functions driver_… are the interface that both drivers have.
#
#   BATON_BIN                       the binary (bin/baton)
#   BATON_BIN_BLUE, BATON_BIN_GREEN another one for one color
#   BATON_FRONTDOOR  traefik|builtin, BATON_STORE redis|builtin (what is installed)
#   HTTP_PORT (8080; 0: any free one), BLUE_REPLICAS, GREEN_REPLICAS (1)

# shellcheck source=scripts/lib/process.sh
source "$ROOT/scripts/lib/process.sh"
# shellcheck source=scripts/lib/http.sh
source "$ROOT/scripts/lib/http.sh"
# shellcheck source=scripts/lib/dynamic.sh
source "$ROOT/scripts/lib/dynamic.sh"
# shellcheck source=scripts/drivers/local_stack.sh
source "$ROOT/scripts/drivers/local_stack.sh"

DYNAMIC_FILE="$STATE_DIR/dynamic/baton.yml"
# .env of the repository belongs to compose; local writes under .run only.
MIRROR_FILE="$STATE_DIR/.env"
LOCAL_BIN="${BATON_BIN:-$ROOT/bin/baton}"

driver_front_url() { echo "http://127.0.0.1:$(local_port front "${HTTP_PORT:-8080}")"; }
driver_active_color() { dynamic_active "$DYNAMIC_FILE"; }
# driver_tool_url: the front door as driver_baton reaches it.
driver_tool_url() { driver_front_url; }
driver_baton() { "$LOCAL_BIN" "$@"; }

driver_traefik_metrics_url() {
  if [[ -e "$STATE_DIR/ports/front-metrics" ]]; then echo "http://127.0.0.1:$(local_port front-metrics 0)/metrics"; fi
}

# driver_redis_info: what INFO says, by the protocol itself: redis-cli may be absent.
driver_redis_info() {
  local port line size
  port="$(local_port store "")"
  [[ -n "$port" ]] || return 1
  (
    exec 3<>"/dev/tcp/127.0.0.1/$port" || exit 1
    printf 'INFO\r\n' >&3
    IFS=$'$\r' read -r -t 2 _ size line <&3 && [[ "$size" -gt 0 ]] && head -c "$size" <&3
  ) 2>/dev/null
}

# driver_logs N: the newest lines of both colors.
driver_logs() {
  local logs=()
  mapfile -t logs < <(find "$STATE_DIR/logs" -name 'blue-*.log' -o -name 'green-*.log')
  if ((${#logs[@]})); then tail -q -n "$1" "${logs[@]}" | sort | tail -n "$1"; fi
}

# driver_replicas COLOR: how many are wanted.
driver_replicas() { if [[ "$1" == blue ]]; then echo "${BLUE_REPLICAS:-1}"; else echo "${GREEN_REPLICAS:-1}"; fi; }

# driver_replica_urls COLOR: a base URL for each living replica.
driver_replica_urls() {
  local name
  while read -r name; do
    if process_pid "$name" >/dev/null; then echo "http://127.0.0.1:$(local_port "$name" 0)"; fi
  done < <(process_names "$1-")
}

driver_admin_cidrs() { :; } # loopback is all there is

# driver_servers COLOR: what the front door is told; here the replicas themselves.
driver_servers() { driver_replica_urls "$1" | tr '\n' ' '; }

# driver_start_color COLOR: the replicas that do not live yet.
driver_start_color() {
  local i
  for ((i = 1; i <= $(driver_replicas "$1"); i++)); do local_start_replica "$1" "$i" || return 1; done
}

driver_color_alive() { driver_replica_urls "$1" | grep -c . || true; }

# driver_color_trouble COLOR: why not every replica lives; nothing if all do.
driver_color_trouble() {
  local name
  while read -r name; do
    if ! process_pid "$name" >/dev/null; then
      echo "the process $name has ended: $(tail -n 1 "$STATE_DIR/logs/$name.log" 2>/dev/null | cut -c 1-300)"
      return
    fi
  done < <(process_names "$1-")
  if [[ "$(driver_color_alive "$1")" == 0 ]]; then echo "no process of $1 runs"; fi
}

# driver_term_color COLOR SECONDS: asks every replica to drain and end; returns at once.
driver_term_color() { local_signal_color TERM "$1"; }
driver_kill_color() { local_signal_color KILL "$1"; }

driver_forget_color() {
  local name
  while read -r name; do process_forget "$name"; done < <(process_names "$1-")
}

local_signal_color() {
  local name
  while read -r name; do process_signal "$1" "$name"; done < <(process_names "$2-")
}

# local_port NAME DEFAULT: the port that NAME was given.
local_port() {
  if [[ -s "$STATE_DIR/ports/$1" ]]; then cat "$STATE_DIR/ports/$1"; else echo "$2"; fi
}

local_start_replica() {
  local color="$1" name="$1-$2" port bin="$LOCAL_BIN"
  if [[ "$color" == blue ]]; then bin="${BATON_BIN_BLUE:-$bin}"; else bin="${BATON_BIN_GREEN:-$bin}"; fi
  if process_pid "$name" >/dev/null; then return 0; fi
  port="$(free_port)"
  mkdir -p "$STATE_DIR/ports" && echo "$port" >"$STATE_DIR/ports/$name" || return 1
  process_start "$name" env HOST=127.0.0.1 PORT="$port" COLOR="$color" \
    REDIS_URL="redis://127.0.0.1:$(local_port store 0)" "$bin" serve
}
