#!/usr/bin/env bash
# Starts and ends the whole stack.
set -euo pipefail

# shellcheck source=scripts/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
# shellcheck source=scripts/lib/color.sh
source "$ROOT/scripts/lib/color.sh"
# shellcheck source=scripts/lib/lock.sh
source "$ROOT/scripts/lib/lock.sh"
# shellcheck source=scripts/lib/journal.sh
source "$ROOT/scripts/lib/journal.sh"

usage() {
  cat <<'TEXT'
usage: stack.sh up|down|status|logs [--driver compose|local|kubernetes]

  up       start the stack with its active color; returns when it serves
  down     end it; leaves no process (compose: no container)
  status   what runs, and what answers
  logs     follow the logs

  --driver compose   docker compose (the default, unless a local stack runs)
  --driver local     plain processes of this machine: front door on
                     127.0.0.1:${HTTP_PORT:-8080}, everything written under .run/
  --driver kubernetes  kubectl and docker/kubernetes; down scales both colors to nothing

exit: 0 done, 1 failed (status: not serving), 2 usage
TEXT
}

# up writes the active color too: beside a promote it could take a switch back.
up() {
  take_lock
  driver_up 9>&- || die 1 "the stack did not come up"
  say "serving: $(driver_front_url) ($(driver_active_color) is active)"
}

# down does not pull the stack away under a promote, which would take it for a
# failure and start to repair.
down() {
  take_lock
  driver_down 9>&- || die 1 "the stack did not go down"
  # What a killed promote left to be recovered is gone with it.
  journal_clear
  say "the stack is down"
}

take_lock() {
  lock_take "$(promote_lock)" && return
  if [[ "$(lock_holder "$(promote_lock)")" == stack.sh ]]; then die 1 "another stack.sh up or down is at work: wait for its end"; fi
  die 1 "a promote is under way: end it first (promote.sh status tells its process)"
}

status() {
  local color front
  front="$(driver_front_url)"
  say "driver   $DRIVER"
  say "front    $front ($(front_state))"
  say "active   $(active_text)"
  for color in blue green; do say "$(printf '%-8s' "$color") $(color_state "$color")"; done
  http_ready "$front"
}

main() {
  local command="" driver=""
  while (($#)); do
    case "$1" in
      up | down | status | logs) command="$1" ;;
      --driver) (($# > 1)) || die 2 "--driver needs compose, local or kubernetes" && driver="$2" && shift ;;
      --driver=*) driver="${1#*=}" ;;
      -h | --help) usage && exit 0 ;;
      *) usage >&2 && exit 2 ;;
    esac
    shift
  done
  [[ -n "$command" ]] || { usage >&2 && exit 2; }
  choose_driver "$driver"
  case "$command" in
    up) up ;;
    down) down ;;
    status) status ;;
    logs) driver_follow_logs ;;
  esac
}

main "$@"
