#!/usr/bin/env bash
# Promotes the idle color: start, check, switch, verify, watch, retire the old
# one. Rolls back by itself whatever fails before the retirement.
set -euo pipefail

# shellcheck source=scripts/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
# shellcheck source=scripts/lib/color.sh
source "$ROOT/scripts/lib/color.sh"
# shellcheck source=scripts/lib/lock.sh
source "$ROOT/scripts/lib/lock.sh"
# shellcheck source=scripts/lib/journal.sh
source "$ROOT/scripts/lib/journal.sh"
# shellcheck source=scripts/lib/report.sh
source "$ROOT/scripts/lib/report.sh"
# shellcheck source=scripts/lib/steps.sh
source "$ROOT/scripts/lib/steps.sh"
# shellcheck source=scripts/lib/retire.sh
source "$ROOT/scripts/lib/retire.sh"
# shellcheck source=scripts/lib/rescue.sh
source "$ROOT/scripts/lib/rescue.sh"

usage() {
  cat <<'TEXT'
usage: promote.sh [status|rollback] [flags]

  (no command)   promote the idle color
  status         the active color, what runs, what is under way
  rollback       make the other color active again; stops a promote that is under way

  --to COLOR            blue or green (the idle one)
  --bake SECONDS        how long the new color is watched before the old one is retired (10)
  --retire-timeout S    how long the old color may take to move its connections (30)
  --no-retire           leave the old color running, for a rollback at once
  --dry-run             say what would be done, do nothing
  --json                the report as one JSON object on stdout, progress on stderr
  --driver compose|local|kubernetes

exit: 0 promoted (or rolled back as asked), 1 failed and rolled back, 2 usage,
      3 another promote holds the lock, 4 a person is needed
TEXT
}

usage_error() {
  printf 'promote.sh: %s\n\n' "$1" >&2
  usage >&2
  exit 2
}

defaults() {
  COMMAND=promote WANTED="" BAKE="" RETIRE_TIMEOUT=30 RETIRE=true DRY_RUN=false JSON=false DRIVER_FLAG=""
  ROLLBACK=false FROM="" TO="" PHASE=ended FAILURE="" RESUME="" RECOVERED_BACK=false
  CANARY_SESSION="" CANARY_BEFORE="" CANARY_AFTER="" SWITCH_MS="" RESUMES_BEFORE=""
  SESSIONS_BEFORE="" SESSIONS_MOVED="" RETIRED=false FORCED=false CLOSES="" STEP_NOTE="" TOOL_SAID="" KNOWN_TROUBLE=""
  STARTED_MS="$(now_ms)"
}

parse() {
  while (($#)); do
    case "$1" in
      promote | status | rollback) COMMAND="$1" ;;
      --to | --bake | --retire-timeout | --driver)
        (($# > 1)) || usage_error "$1 needs a value"
        flag "$1" "$2" && shift
        ;;
      --*=*) flag "${1%%=*}" "${1#*=}" ;;
      --no-retire) RETIRE=false ;;
      --dry-run) DRY_RUN=true ;;
      --json) JSON=true SAY_FD=2 ;;
      -h | --help) usage && exit 0 ;;
      *) usage_error "unknown argument $1" ;;
    esac
    shift
  done
}

flag() {
  case "$1" in
    --to) is_color "$2" || usage_error "--to is blue or green, not \"$2\"" && WANTED="$2" ;;
    --bake) BAKE="$(to_seconds "$2")" || usage_error "--bake is a number of seconds, not \"$2\"" ;;
    --retire-timeout) RETIRE_TIMEOUT="$(to_seconds "$2")" || usage_error "--retire-timeout is a number of seconds, not \"$2\"" ;;
    --driver) is_driver "$2" || usage_error "--driver is compose, local or kubernetes, not \"$2\"" && DRIVER_FLAG="$2" ;;
    *) usage_error "unknown flag $1" ;;
  esac
}

# to_seconds TEXT: 10, 10s or 2m, in seconds.
to_seconds() {
  [[ "$1" =~ ^([0-9]{1,5})(s|m)?$ ]] || return 1
  if [[ "${BASH_REMATCH[2]}" == m ]]; then echo $((10#${BASH_REMATCH[1]} * 60)); else echo $((10#${BASH_REMATCH[1]})); fi
}

refuse_second() {
  local elsewhere
  if [[ "$(lock_holder "$(promote_lock)")" == stack.sh ]]; then die 3 "stack.sh up or down is at work: wait for its end. Nothing was changed"; fi
  elsewhere="$(driver_lock_elsewhere)"
  die 3 "another promote holds the lock ${elsewhere:-$(promote_lock)} ($(promote_state)). Nothing was changed"
}

# under_lock is everything that changes something.
under_lock() {
  PHASE=untouched
  trap finish EXIT
  trap 'fail "stopped by SIGINT"' INT
  trap 'fail "stopped by SIGTERM"' TERM
  trap 'fail "stopped by SIGHUP"' HUP
  find_active
  recover
  if [[ -n "$RESUME" ]]; then resume; else promote_wanted; fi
}

find_active() {
  FROM="$(driver_active_color)"
  is_color "$FROM" || fail "$DYNAMIC_FILE does not say which one color is active: is the stack up? ('stack.sh up --driver $DRIVER')"
  TO="$(other_color "$FROM")"
}

promote_wanted() {
  find_active
  TO="${WANTED:-$TO}"
  if [[ "$RECOVERED_BACK" == true && "$ROLLBACK" == true ]]; then conclude 0 promoted "$FROM is active again"; fi
  if [[ "$TO" == "$FROM" ]]; then conclude 0 promoted "$TO is the active color already, nothing was changed"; fi
  step check "front door, dynamic folder, disk" step_check
  step start "$(driver_replicas "$TO") replica(s) of $TO" step_start
  step ready "every replica of $TO answers /readyz" step_ready
  step smoke "one real session against $TO directly" step_smoke
  step canary "a session with $CANARY_MESSAGES messages on $FROM, through the front door" step_canary
  step switch "new connections go to $TO" step_switch
  after_switch
}

# after_switch is also where a run goes on that was stopped behind the switch.
after_switch() {
  step verify "new connections and the canary session are on $TO" step_verify
  if ((BAKE > 0)); then step bake "watching $TO for $BAKE s" step_bake; fi
  retire_and_report
}

retire_and_report() {
  if [[ "$RETIRE" == true ]]; then
    # From here on there is only forward. Ignored, not only caught: a Ctrl-C is for the commands below too.
    trap '' INT TERM HUP
    step retire "$FROM drains, at most $RETIRE_TIMEOUT s" step_retire
  fi
  journal_clear
  conclude 0 promoted "$TO is active$([[ "$RETIRE" == true ]] || echo ", $FROM still runs")"
}

# resume: the switch of a killed run stands.
resume() {
  PHASE=switched
  if [[ "$RESUME" == retire ]]; then
    PHASE=retiring
    mirror_active "$TO"
    retire_and_report
  fi
  # The front door may not have seen the file yet that was renamed last.
  step switch "new connections go to $TO" step_switch
  if color_serves "$FROM"; then
    step canary "a session with $CANARY_MESSAGES messages on $FROM, directly" step_canary_again
  fi
  after_switch
}

promote() {
  BAKE="${BAKE:-10}"
  if [[ "$DRY_RUN" == true ]]; then
    dry_run
    return
  fi
  BAKE_MS=$((BAKE * 1000))
  lock_take "$(promote_lock)" || refuse_second
  under_lock 9>&-
}

dry_run() {
  local from to
  from="$(driver_active_color)"
  is_color "$from" || die 1 "$DYNAMIC_FILE does not say which one color is active: is the stack up?"
  to="${WANTED:-$(other_color "$from")}"
  if journal_read; then say "first: recover a promote to $JOURNAL_TO that was stopped at its step '$JOURNAL_STEP'"; fi
  if [[ "$to" == "$from" ]]; then
    say "$to is the active color already: nothing to do"
    return
  fi
  say "would promote $to ($from is active): start $(driver_replicas "$to") replica(s), ready, smoke test, canary on $from,"
  say "switch, verify, bake $BAKE s$([[ "$RETIRE" == true ]] && echo ", retire $from (at most $RETIRE_TIMEOUT s)")"
}

# rollback: a promote that is under way is told to stop; else the other color is
# promoted, at once where it still runs, and without a bake.
rollback() {
  ROLLBACK=true
  BAKE="${BAKE:-0}"
  if [[ "$DRY_RUN" == false ]] && ! lock_take "$(promote_lock)"; then stop_running_promote; fi
  promote
}

stop_running_promote() {
  local patience=$((RETIRE_TIMEOUT + 30))
  journal_read || true
  if process_is "$JOURNAL_PID" "$JOURNAL_STAMP" && [[ "$JOURNAL_STEP" != retire ]]; then
    say "==> a promote to $JOURNAL_TO is at its step '$JOURNAL_STEP' (process $JOURNAL_PID): telling it to roll back"
    kill -s TERM "$JOURNAL_PID"
    lock_wait "$(promote_lock)" "$patience" || refuse_second
    [[ "$(driver_active_color)" == "$JOURNAL_FROM" ]] && ! journal_read && answer_rolled_back
  else
    lock_wait "$(promote_lock)" "$patience" || refuse_second
  fi
}

answer_rolled_back() {
  FROM="$JOURNAL_TO" TO="$(driver_active_color)" PHASE=untouched
  conclude 0 promoted "the promote under way was stopped, $TO is active"
}

status() {
  local color front_color
  front_color="$(http_color "$(driver_front_url)")"
  if [[ "$JSON" == true ]]; then
    status_json "$front_color"
  else
    say "active   $(active_text)"
    say "front    $(driver_front_url) ($(front_state))"
    for color in blue green; do say "$(printf '%-8s' "$color") $(color_state "$color")"; done
    say "promote  $(promote_state)"
  fi
  [[ -n "$front_color" ]]
}

promote_state() {
  local elsewhere
  elsewhere="$(driver_lock_elsewhere)"
  if ! journal_read; then
    echo "none under way"
  elif process_is "$JOURNAL_PID" "$JOURNAL_STAMP"; then
    echo "from $JOURNAL_FROM to $JOURNAL_TO, at its step '$JOURNAL_STEP' (process $JOURNAL_PID)"
  elif [[ -n "$elsewhere" ]]; then
    echo "from $JOURNAL_FROM to $JOURNAL_TO, at its step '$JOURNAL_STEP' (on another machine)"
  else
    echo "one from $JOURNAL_FROM to $JOURNAL_TO was stopped at its step '$JOURNAL_STEP'; the next run recovers it"
  fi
}

status_json() {
  local color
  printf '{"driver":"%s","active":"%s","front":{"url":"%s","color":"%s"},' "$DRIVER" "$(driver_active_color)" "$(driver_front_url)" "$1"
  for color in blue green; do
    printf '"%s":{"replicas":%s,"ready":%s,"connections":%s},' "$color" "$(driver_color_alive "$color")" \
      "$(color_ready "$color" && echo true || echo false)" "$(color_connections "$color")"
  done
  printf '"promote":%s}\n' "$(json_string "$(promote_state)")"
}

main() {
  defaults
  parse "$@"
  choose_driver "$DRIVER_FLAG"
  case "$COMMAND" in
    promote) promote ;;
    rollback) rollback ;;
    status) status ;;
  esac
}

main "$@"
