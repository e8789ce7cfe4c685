# shellcheck shell=bash
# shellcheck disable=SC2034 # promote.sh and its report use what is set here
# Ending a color: it is asked to drain, moves its own connections, and ends.

# How long after the retirement the last clients are waited for, to be counted.
MOVED_PATIENCE_MS=3000

# step_retire: the old color. From here on there is no way back, only forward.
step_retire() {
  begin retire retiring
  SESSIONS_BEFORE="$(color_connections "$FROM")"
  RESUMES_BEFORE="$(color_resumes "$TO")"
  stop_color "$FROM"
  # The front door forgets addresses that anybody may listen on next.
  dynamic_write "$TO" || warn "the dynamic file still names the servers of $FROM"
  count_moved
  RETIRED=true
  STEP_NOTE="$SESSIONS_MOVED of $SESSIONS_BEFORE sessions resumed on $TO"
}

# stop_color COLOR: TERM, wait until its connections have moved and it has
# ended; KILL after the retire timeout. Sets CLOSES and FORCED.
stop_color() {
  local color="$1" deadline=$(($(now_ms) + RETIRE_TIMEOUT * 1000)) before now
  before="$(color_metrics "$color" | closes_by_code)"
  driver_term_color "$color" "$RETIRE_TIMEOUT"
  while [[ "$(driver_color_alive "$color")" != 0 ]]; do
    now="$(color_metrics "$color" | closes_by_code)"
    if [[ -n "$now" ]]; then CLOSES="$(closes_since "$before" "$now")"; fi
    if (($(now_ms) > deadline)); then
      FORCED=true
      driver_kill_color "$color"
    fi
    sleep 0.1
  done
  driver_forget_color "$color"
}

# closes_since BEFORE NOW: both "code count" lines.
closes_since() {
  awk 'NR == FNR { old[$1] = $2; next } NF == 2 && $2 > old[$1] { print $1, $2 - old[$1] }' <(printf '%s\n' "$1") <(printf '%s\n' "$2")
}

# count_moved waits a moment for the last clients to be back.
count_moved() {
  local deadline=$(($(now_ms) + MOVED_PATIENCE_MS))
  while :; do
    SESSIONS_MOVED=$(($(color_resumes "$TO") - RESUMES_BEFORE))
    ((SESSIONS_MOVED < SESSIONS_BEFORE && $(now_ms) < deadline)) || break
    sleep 0.1
  done
  # Somebody may have come back twice.
  if ((SESSIONS_MOVED > SESSIONS_BEFORE)); then SESSIONS_MOVED="$SESSIONS_BEFORE"; fi
}
