# shellcheck shell=bash
# Asks everything once and leaves the answers in STATE; two calls make rates.
# Needs a driver and $WORK, a folder of our own.

declare -A STATE=()

readonly COLORS=(blue green)
readonly ASK_SECONDS=2 # a process that hangs must not hold up the view
readonly LOG_LINES=2000

collect() {
  local color url
  rm -rf "$WORK/before"
  if [[ -d "$WORK/now" ]]; then mv "$WORK/now" "$WORK/before"; fi
  mkdir -p "$WORK/now/blue" "$WORK/now/green" "$WORK/before/blue" "$WORK/before/green"
  STATE[before_at]="${STATE[now_at]:-}"
  STATE[now_at]="$(now_ms)"
  for color in "${COLORS[@]}"; do
    while IFS= read -r url; do
      if [[ -n "$url" ]]; then ask_replica "$url" "$WORK/now/$color/${url//[^a-zA-Z0-9]/_}" & fi
    done < <(driver_replica_urls "$color" 2>/dev/null)
  done
  driver_redis_info >"$WORK/redis" 2>/dev/null || : >"$WORK/redis" &
  ask_front_door &
  wait
  digest
}

# Leaves BASE.prom and BASE.ready: `<http code> <body>`, code 000 when nobody answers.
ask_replica() {
  local url="$1" base="$2" answer
  answer="$(curl -s -m "$ASK_SECONDS" -w '\n%{http_code}' "$url/readyz" 2>/dev/null)" || true
  printf '%s %s\n' "${answer##*$'\n'}" "${answer%%$'\n'*}" >"$base.ready"
  curl -s -m "$ASK_SECONDS" -f -o "$base.prom" "$url/metrics" 2>/dev/null || : >"$base.prom"
}

ask_front_door() {
  local url
  url="$(driver_traefik_metrics_url 2>/dev/null)" || url=""
  : >"$WORK/traefik"
  if [[ -n "$url" ]]; then
    curl -s -m "$ASK_SECONDS" -f -o "$WORK/traefik" "$url" 2>/dev/null || : >"$WORK/traefik"
  fi
  curl -s -m "$ASK_SECONDS" -o "$WORK/front.body" -w '%{http_code}' \
    "$(driver_front_url)/healthz" >"$WORK/front" 2>/dev/null || true
}

digest() {
  local color
  STATE[active]="$(driver_active_color 2>/dev/null)" || STATE[active]=""
  STATE[front]="$(driver_front_url)"
  : >"$WORK/counters"
  for color in "${COLORS[@]}"; do
    digest_replicas "$color"
    digest_metrics "$color"
    STATE[$color.state]="$(color_state "$color")"
  done
  digest_redis
  digest_front_door
}

digest_replicas() {
  local color="$1" file code rest
  STATE[$color.replicas]=0 STATE[$color.ready]=0 STATE[$color.alive]=0 STATE[$color.why]=""
  for file in "$WORK/now/$color"/*.ready; do
    [[ -e "$file" ]] || continue
    read -r code rest <"$file" || true
    STATE[$color.replicas]=$((STATE[$color.replicas] + 1))
    case "$code" in
      200) STATE[$color.ready]=$((STATE[$color.ready] + 1)) STATE[$color.alive]=$((STATE[$color.alive] + 1)) ;;
      000 | '') STATE[$color.why]="no answer" ;;
      *) STATE[$color.alive]=$((STATE[$color.alive] + 1)) STATE[$color.why]="$(why_not_ready "$rest")" ;;
    esac
  done
}

# {"status":"not_ready","checks":{"redis":"…","draining":false}} → what redis says
why_not_ready() {
  sed -n 's/.*"redis":"\([^"]*\)".*/redis: \1/p' <<<"$1" | sed 's/^redis: ok$//'
}

color_state() {
  local color="$1"
  if ((STATE[$color.replicas] == 0)); then
    echo "off"
  elif ((STATE[$color.alive] == 0)); then
    echo "down"
  elif ((${STATE[$color.draining]:-0} > 0)); then
    echo "draining"
  elif ((STATE[$color.ready] == 0)); then
    echo "not ready"
  elif [[ "${STATE[active]}" == "$color" ]]; then
    echo "active"
  else
    echo "idle"
  fi
}

digest_metrics() {
  local color="$1" name value
  while read -r name value; do
    if [[ "$name" == counter ]]; then
      echo "${value%% *} $color ${value#* }" >>"$WORK/counters"
    else
      STATE[$color.$name]="$value"
    fi
  done < <(rates "$color")
}

# rates COLOR pairs what each replica says now with what it said before.
rates() {
  local args=() file
  for file in "$WORK/now/$1"/*.prom; do
    [[ -e "$file" ]] || continue
    args+=("replica=${file##*/}")
    if [[ -s "$WORK/before/$1/${file##*/}" ]]; then
      args+=("side=before" "$WORK/before/$1/${file##*/}")
    fi
    args+=("side=now" "$file")
  done
  awk -v seconds="$(elapsed)" -f "$MONITOR_LIB/rates.awk" "${args[@]:-/dev/null}"
}

# Seconds between the two looks, never 0.
elapsed() { seconds "$((STATE[now_at] > ${STATE[before_at]:-0} ? STATE[now_at] - ${STATE[before_at]:-0} : 10))"; }

# The five busiest: `RATE COLOR SERIES`.
busiest() { sort -rn "$WORK/counters" | head -n 5; }

# The newest N errors: `TIME<tab>COLOR<tab>TEXT`.
newest_errors() {
  { driver_logs "$LOG_LINES" 2>/dev/null || true; } | awk -f "$MONITOR_LIB/errors.awk" | tail -n "$1"
}

digest_redis() {
  local key
  STATE[redis]="down"
  if [[ -s "$WORK/redis" ]]; then STATE[redis]="up"; fi
  for key in connected_clients used_memory_human maxmemory_human instantaneous_ops_per_sec aof_last_write_status; do
    STATE[redis.$key]="$(sed -n "s/^$key:\([^[:cntrl:]]*\).*/\1/p" "$WORK/redis" | head -n 1)"
  done
  STATE[redis.keys]="$(sed -n 's/^db0:keys=\([0-9]*\).*/\1/p' "$WORK/redis")"
}

digest_front_door() {
  local code
  code="$(cat "$WORK/front")"
  STATE[front.state]="down"
  # 502-504: the door is there, and nobody behind it.
  case "$code" in
    2?? | 4??) STATE[front.state]="up" ;;
    5??) STATE[front.state]="up, nobody behind it ($code)" ;;
  esac
  STATE[front.kind]="front door"
  STATE[front.open]=""
  if [[ -s "$WORK/traefik" ]]; then
    STATE[front.kind]="Traefik"
    STATE[front.open]="$(awk '/^traefik_open_connections\{.*entrypoint="web"/ { n += $NF } END { print n + 0 }' "$WORK/traefik")"
  fi
}
