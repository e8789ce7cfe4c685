# shellcheck shell=bash
# STATE as one JSON object on one line, without jq: the view must work on a bare machine.

json_string() {
  local text="$1"
  text="${text//\\/\\\\}"
  text="${text//\"/\\\"}"
  text="${text//[[:cntrl:]]/ }"
  printf '"%s"' "$text"
}

# A number as it is; what is not one is null.
json_number() {
  if [[ "$1" =~ ^-?[0-9]+(\.[0-9]+)?$ ]]; then printf '%s' "$1"; else printf 'null'; fi
}

render_json() {
  printf '{"time":"%s","driver":%s' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$(json_string "$DRIVER")"
  if [[ "$SHOW" != logs ]]; then
    printf ',"front":%s,"active":%s' "$(json_string "${STATE[front]}")" "$(json_string "${STATE[active]}")"
    printf ',"colors":{"blue":%s,"green":%s}' "$(json_color blue)" "$(json_color green)"
    printf ',"busiest":[%s]' "$(json_busiest)"
    printf ',"redis":%s,"front_door":%s' "$(json_redis)" "$(json_front_door)"
  fi
  if [[ "$SHOW" != metrics ]]; then printf ',"errors":[%s]' "$(json_errors)"; fi
  printf '}\n'
}

json_color() {
  local color="$1"
  printf '{"state":%s,"replicas":%s,"ready":%s,"connections":%s,"messages_total":%s' \
    "$(json_string "${STATE[$color.state]}")" "${STATE[$color.replicas]}" "${STATE[$color.ready]}" \
    "$(json_number "${STATE[$color.connections]}")" "$(json_number "${STATE[$color.messages_total]}")"
  printf ',"messages_per_second":%s,"errors_per_second":%s,"p99_ms":%s,"version":%s}' \
    "$(json_number "${STATE[$color.messages_rate]}")" "$(json_number "${STATE[$color.errors_rate]}")" \
    "$(json_number "${STATE[$color.p99_ms]}")" "$(json_string "${STATE[$color.version]}")"
}

json_busiest() {
  local rate color series comma=""
  while read -r rate color series; do
    printf '%s{"color":"%s","counter":%s,"per_second":%s}' "$comma" "$color" "$(json_string "$series")" "$rate"
    comma=","
  done < <(busiest)
}

json_redis() {
  printf '{"up":%s,"clients":%s,"operations_per_second":%s,"sessions":%s,"memory":%s}' \
    "$(json_up "${STATE[redis]}")" "$(json_number "${STATE[redis.connected_clients]}")" \
    "$(json_number "${STATE[redis.instantaneous_ops_per_sec]}")" "$(json_number "${STATE[redis.keys]}")" \
    "$(json_string "${STATE[redis.used_memory_human]}")"
}

json_front_door() {
  printf '{"kind":%s,"up":%s,"open_connections":%s}' "$(json_string "${STATE[front.kind]}")" \
    "$(json_up "${STATE[front.state]}")" "$(json_number "${STATE[front.open]}")"
}

json_up() { if [[ "$1" == up ]]; then echo true; else echo false; fi; }

json_errors() {
  local at color text comma=""
  while IFS=$'\t' read -r at color text; do
    printf '%s{"time":"%s","color":%s,"message":%s}' "$comma" "$at" "$(json_string "$color")" "$(json_string "$text")"
    comma=","
  done < <(newest_errors "$ERROR_LINES")
}
