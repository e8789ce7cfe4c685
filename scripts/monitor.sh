#!/usr/bin/env bash
# Shows the stack as it runs: colors, traffic, Redis, the front door and the newest errors.
set -euo pipefail

SCRIPTS="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
MONITOR_LIB="$SCRIPTS/lib/monitor"
# shellcheck source=scripts/lib/common.sh
source "$SCRIPTS/lib/common.sh"
# shellcheck source=scripts/lib/monitor/collect.sh
source "$MONITOR_LIB/collect.sh"
# shellcheck source=scripts/lib/monitor/render.sh
source "$MONITOR_LIB/render.sh"
# shellcheck source=scripts/lib/monitor/json.sh
source "$MONITOR_LIB/json.sh"

EVENTS=()
readonly ERROR_LINES=5 LOGS_ONLY_LINES=20 EVENT_LINES=5

usage() {
  cat <<'TEXT'
monitor.sh — a refreshing view of the running stack

usage: scripts/monitor.sh [options]

  --interval SECONDS   time between two looks (default 2)
  --once               look once (over one interval), print, end
  --json               one JSON object a look, a line each
  --metrics-only       without the logs
  --logs-only          only the newest ERROR lines
  --driver NAME        compose, local or kubernetes (default: what runs)
  -h, --help           this text

It ends with q or Ctrl-C. NO_COLOR is honored. Exit codes: 0 ended · 1 failed · 2 usage.
TEXT
}

misuse() {
  echo "monitor.sh: $1 (--help shows the options)" >&2
  exit 2
}

parse() {
  INTERVAL=2 ONCE=0 FORMAT=text SHOW=all FLAG_DRIVER=""
  while (($# > 0)); do
    case "$1" in
      --interval | --driver) take_value "$@" && shift ;;
      --*=*) take_value "${1%%=*}" "${1#*=}" ;;
      --once) ONCE=1 ;;
      --json) FORMAT=json ;;
      --metrics-only) only metrics ;;
      --logs-only) only logs ;;
      -h | --help) usage && exit 0 ;;
      *) misuse "unknown option $1" ;;
    esac
    shift
  done
}

take_value() {
  if (($# < 2)); then misuse "$1 needs a value"; fi
  if [[ "$1" == --driver ]]; then
    FLAG_DRIVER="$2"
  elif [[ "$1" != --interval ]]; then
    misuse "unknown option $1"
  elif [[ "$2" =~ ^[0-9]*\.?[0-9]+$ && "$2" =~ [1-9] ]]; then
    INTERVAL="$2"
  else
    misuse "--interval wants a number of seconds over 0, not '$2'"
  fi
}

only() {
  if [[ "$SHOW" != all && "$SHOW" != "$1" ]]; then misuse "--logs-only and --metrics-only exclude each other"; fi
  SHOW="$1"
}

# What changed since the last look, kept until newer changes push it out.
note_events() {
  local color old new
  new="${STATE[active]}" old="${STATE[was.active]:-$new}"
  if [[ "$new" != "$old" ]]; then note "switched: new connections go to $new"; fi
  STATE[was.active]="$new"
  for color in "${COLORS[@]}"; do
    new="${STATE[$color.state]}" old="${STATE[was.$color]:-$new}"
    if [[ "$new" != "$old" ]]; then note "$color: $old → $new (${STATE[$color.connections]} connections)"; fi
    STATE[was.$color]="$new"
  done
}

note() {
  EVENTS+=("$(date +%H:%M:%S) $1")
  EVENTS=("${EVENTS[@]: -$((${#EVENTS[@]} < EVENT_LINES ? ${#EVENTS[@]} : EVENT_LINES))}")
}

render() {
  if [[ "$FORMAT" == json ]]; then
    render_json
    return
  fi
  render_header
  if [[ "$SHOW" == logs ]]; then
    render_errors "$LOGS_ONLY_LINES"
    return
  fi
  render_colors
  render_busiest
  render_services
  render_events
  if [[ "$SHOW" == all ]]; then render_errors "$ERROR_LINES"; fi
}

look() {
  if [[ "$SHOW" == logs ]]; then
    STATE[front]="$(driver_front_url)"
    return
  fi
  collect
  note_events
}

# The whole frame is drawn over the old one in a single write, each line cleared behind its end:
# the screen is never blank in between, so nothing flickers.
draw() {
  local frame
  frame="$(render)"
  if ((FULLSCREEN == 0)); then
    printf '%s\n' "$frame"
    return
  fi
  frame="$(head -n "$(($(tput lines 2>/dev/null || echo 24) - 1))" <<<"$frame")"
  printf '\033[H%s\033[K\n\033[J' "${frame//$'\n'/$'\033[K\n'}"
}

open_screen() {
  # shellcheck disable=SC2034 # render.sh reads it
  PAINTED=0 FULLSCREEN=0
  if [[ "$FORMAT" != text || ! -t 1 ]]; then return; fi
  if [[ -z "${NO_COLOR:-}" ]]; then PAINTED=1; fi
  if ((ONCE == 0)); then
    FULLSCREEN=1
    printf '\033[?1049h\033[?25l\033[?7l'
  fi
}

close_screen() {
  if ((FULLSCREEN == 1)); then printf '\033[?7h\033[?25h\033[?1049l'; fi
  rm -rf "$WORK"
}

# Waits for the next look; 1 when somebody pressed q.
pause() {
  local key=""
  if ((FULLSCREEN == 0)) || [[ ! -t 0 ]]; then
    sleep "$INTERVAL"
    return 0
  fi
  read -rsn 1 -t "$INTERVAL" key || true
  [[ "$key" != q ]]
}

main() {
  parse "$@"
  choose_driver "$FLAG_DRIVER"
  WORK="$(mktemp -d)"
  FULLSCREEN=0
  trap close_screen EXIT
  trap 'exit 0' INT TERM
  open_screen
  look
  if [[ "$SHOW" != logs && ($ONCE == 1 || "$FORMAT" == json) ]]; then
    sleep "$INTERVAL"
    look
  fi
  draw
  while ((ONCE == 0)) && pause; do
    look
    draw
  done
}

main "$@"
