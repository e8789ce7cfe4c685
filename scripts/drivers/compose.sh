# shellcheck shell=bash
# The compose driver: the stack of docker/compose.yml, by docker compose v2 or
# docker-compose v1. The functions driver_… are the interface that both drivers have.
#
# Settings come from the environment, else .env: HTTP_PORT (80), BLUE_REPLICAS (2),
# GREEN_REPLICAS (3), BLUE_IMAGE and GREEN_IMAGE (baton:local), COMPOSE_PROJECT_NAME (baton).

# shellcheck source=scripts/lib/process.sh
source "$ROOT/scripts/lib/process.sh"
# shellcheck source=scripts/lib/http.sh
source "$ROOT/scripts/lib/http.sh"
# shellcheck source=scripts/lib/dynamic.sh
source "$ROOT/scripts/lib/dynamic.sh"
# shellcheck source=scripts/drivers/compose_stack.sh
source "$ROOT/scripts/drivers/compose_stack.sh"

DYNAMIC_FILE="$(env_value BATON_DYNAMIC_DIR "$ROOT/docker/traefik/dynamic")/baton.yml"
# shellcheck disable=SC2034 # promote.sh's
MIRROR_FILE="$ENV_FILE"
COMPOSE_PROJECT="$(env_value COMPOSE_PROJECT_NAME baton)"
mkdir -p "$STATE_DIR" 2>/dev/null || true

driver_front_url() { echo "http://127.0.0.1:$(env_value HTTP_PORT 80)"; }
driver_active_color() { dynamic_active "$DYNAMIC_FILE"; }
driver_traefik_metrics_url() { echo "http://127.0.0.1:$(env_value TRAEFIK_METRICS_PORT 8082)/metrics"; }
driver_replicas() { if [[ "$1" == blue ]]; then env_value BLUE_REPLICAS 2; else env_value GREEN_REPLICAS 3; fi; }

# driver_servers: Docker's DNS answers with every replica in a random order, anew for
# each connection; so one name spreads them, and a dead replica is passed over.
driver_servers() { echo "http://app_$1:8000"; }

# driver_admin_cidrs: this machine as Traefik sees it, the gateway of its network. Docker
# takes 192.168.x.x for a network when 172.16.0.0/12 is used up.
driver_admin_cidrs() {
  docker network inspect -f '{{range .IPAM.Config}}{{with .Gateway}},{{.}}{{end}}{{end}}' \
    "${COMPOSE_PROJECT}_edge" 2>/dev/null || true
}

# driver_baton COMMAND…: the host's binary, else the one in a running container.
driver_baton() {
  if compose_host_binary; then
    "${BATON_BIN:-$ROOT/bin/baton}" "$@"
  else
    docker exec --env BATON_TOKEN "$(compose_tool_container)" /baton "$@"
  fi
}

driver_tool_url() { if compose_host_binary; then driver_front_url; else echo "http://traefik:80"; fi; }

compose_host_binary() { [[ -x "${BATON_BIN:-$ROOT/bin/baton}" ]]; }

compose_tool_container() {
  compose_containers app_blue app_green | head -n 1
}

# driver_replica_urls COLOR: each replica is published on a port of 127.0.0.1.
driver_replica_urls() {
  local id port
  for id in $(compose_containers "app_$1"); do
    port="$(docker port "$id" 8000/tcp 2>/dev/null | sed -n 's/^127\.0\.0\.1://p' | head -n 1)"
    if [[ -n "$port" ]]; then echo "http://127.0.0.1:$port"; fi
  done
}

driver_start_color() {
  compose up -d --no-deps "app_$1" >>"$STATE_DIR/compose.log" 2>&1 || {
    warn "docker compose: $(tail -n 1 "$STATE_DIR/compose.log" | cut -c 1-300)"
    return 1
  }
}

driver_color_alive() { compose_containers "app_$1" | grep -c . || true; }

# driver_color_trouble COLOR: why not every replica lives; nothing if all do.
driver_color_trouble() {
  local id state
  for id in $(compose_all_containers "app_$1"); do
    state="$(docker inspect -f '{{.State.Status}} {{.RestartCount}}' "$id" 2>/dev/null || echo "gone 0")"
    if [[ "$state" != "running 0" && "$state" != "created 0" ]]; then
      echo "container ${id:0:12} is ${state% *}, restarted ${state#* } time(s): $(docker logs --tail 1 "$id" 2>&1 | cut -c 1-300)"
      return
    fi
  done
  if [[ -z "$(compose_all_containers "app_$1")" ]]; then echo "no container of $1 runs"; fi
}

# driver_term_color COLOR SECONDS: asks every replica to drain and end; returns at
# once. Docker kills what has not ended by then, and does not restart it.
driver_term_color() {
  local ids
  mapfile -t ids < <(compose_all_containers "app_$1")
  if ((${#ids[@]})); then docker stop --time "$2" "${ids[@]}" >/dev/null 2>&1 9>&- & fi
}

driver_kill_color() {
  local ids
  mapfile -t ids < <(compose_containers "app_$1")
  if ((${#ids[@]})); then docker kill "${ids[@]}" >/dev/null 2>&1 || true; fi
}

driver_forget_color() {
  local ids
  mapfile -t ids < <(compose_all_containers "app_$1")
  if ((${#ids[@]})); then docker rm --force "${ids[@]}" >/dev/null 2>&1 || true; fi
}

driver_redis_info() {
  local id
  id="$(compose_containers redis | head -n 1)"
  [[ -n "$id" ]] && docker exec "$id" redis-cli INFO 2>/dev/null
}

# driver_logs N: the newest lines of both colors.
driver_logs() {
  local id
  for id in $(compose_all_containers app_blue app_green); do
    docker logs --tail "$1" "$id" 2>/dev/null || true
  done | sort | tail -n "$1"
}

# compose_containers SERVICE…: ids of the running ones.
compose_containers() { compose_ps "" "$@"; }

compose_all_containers() { compose_ps --all "$@"; }

compose_ps() {
  local all="$1" service
  shift
  for service in "$@"; do
    docker ps ${all:+"$all"} --quiet --no-trunc --filter "label=com.docker.compose.project=$COMPOSE_PROJECT" \
      --filter "label=com.docker.compose.service=$service"
  done
}

# compose ARGUMENT…: v2 if it is there, else v1. The replicas' numbers and images
# are compose.yml's own matter.
compose() {
  local command=(docker-compose) env_file=()
  if docker compose version >/dev/null 2>&1; then command=(docker compose); fi
  if [[ -e "$ENV_FILE" ]]; then env_file=(--env-file "$ENV_FILE"); fi
  "${command[@]}" -p "$COMPOSE_PROJECT" -f "$ROOT/docker/compose.yml" "${env_file[@]}" --profile green "$@"
}
