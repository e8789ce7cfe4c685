# shellcheck shell=bash
# STATE as a screen for people. Everything goes to stdout; the caller decides where it is drawn.

# Colors only where somebody sees them (https://no-color.org).
paint() {
  if [[ "$PAINTED" == 1 ]]; then printf '\033[%sm%s\033[0m' "$1" "$2"; else printf '%s' "$2"; fi
}

render_header() {
  paint 1 "Baton"
  printf '  %s · %s · %s · every %s s\n\n' "$DRIVER" "${STATE[front]}" "$(date +%H:%M:%S)" "$INTERVAL"
}

render_colors() {
  local color
  paint 2 "$(printf '   %-7s %-10s %-12s %11s %10s %10s %10s' color state ready connections msg/s errors/s p99)"
  printf '\n'
  for color in "${COLORS[@]}"; do render_color "$color"; done
  printf '\n'
}

render_color() {
  local color="$1" dot="○" ready
  if [[ "${STATE[active]}" == "$color" ]]; then dot="●"; fi
  printf ' %s ' "$(paint "$(color_code "$color")" "$dot")"
  paint "1;$(color_code "$color")" "$(printf '%-7s' "$color")"
  printf ' %s' "$(paint "$(state_code "${STATE[$color.state]}")" "$(printf '%-10s' "${STATE[$color.state]}")")"
  if ((STATE[$color.replicas] == 0)); then
    printf '\n'
    return
  fi
  ready="${STATE[$color.ready]} of ${STATE[$color.replicas]}"
  printf ' %-12s %11s %10s %10s %10s' "$ready" "${STATE[$color.connections]}" \
    "${STATE[$color.messages_rate]}" "${STATE[$color.errors_rate]}" "$(milliseconds "${STATE[$color.p99_ms]}")"
  if [[ -n "${STATE[$color.why]}" ]]; then printf '  %s' "$(paint 31 "${STATE[$color.why]}")"; fi
  printf '\n'
}

color_code() { if [[ "$1" == blue ]]; then echo 34; else echo 32; fi; }

state_code() {
  case "$1" in
    active) echo 1 ;;
    down | "not ready") echo 31 ;;
    draining) echo 33 ;;
    *) echo 2 ;;
  esac
}

milliseconds() { if [[ "$1" == - ]]; then echo "-"; else echo "$1 ms"; fi; }

render_events() {
  if ((${#EVENTS[@]} == 0)); then return; fi
  paint 2 " lately"
  printf '\n'
  printf '   %s\n' "${EVENTS[@]}"
  printf '\n'
}

render_busiest() {
  local rate color series
  paint 2 " busiest counters"
  printf '\n'
  if [[ ! -s "$WORK/counters" ]]; then printf '   nothing moves\n'; fi
  while read -r rate color series; do
    printf '   %10s/s  %s %s\n' "$rate" "$(paint "$(color_code "$color")" "$(printf '%-5s' "$color")")" "$series"
  done < <(busiest)
  printf '\n'
}

render_services() {
  printf ' %-11s %s' Redis "$(paint "$(up_code "${STATE[redis]}")" "${STATE[redis]}")"
  fact " · %s clients" "${STATE[redis.connected_clients]}"
  fact " · %s ops/s" "${STATE[redis.instantaneous_ops_per_sec]}"
  fact " · %s sessions" "${STATE[redis.keys]}"
  fact " · %s" "${STATE[redis.used_memory_human]}"
  fact " of %s" "${STATE[redis.maxmemory_human]#0B}"
  fact " · append-only file %s" "${STATE[redis.aof_last_write_status]}"
  printf '\n %-11s %s' "${STATE[front.kind]}" "$(paint "$(up_code "${STATE[front.state]}")" "${STATE[front.state]}")"
  fact " · %s open connections" "${STATE[front.open]}"
  printf '\n\n'
}

up_code() { if [[ "$1" == up ]]; then echo 32; else echo 31; fi; }

# shellcheck disable=SC2059 # the format is ours
fact() { if [[ -n "$2" ]]; then printf "$1" "$2"; fi; }

render_errors() {
  local lines="$1" at color text any=0
  paint 2 " newest errors"
  printf '\n'
  while IFS=$'\t' read -r at color text; do
    any=1
    printf '   %s %s %s\n' "$at" "$(paint "$(color_code "$color")" "$(printf '%-5s' "$color")")" "$text"
  done < <(newest_errors "$lines")
  if ((any == 0)); then printf '   none\n'; fi
}
