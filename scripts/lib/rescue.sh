# shellcheck shell=bash
# shellcheck disable=SC2034 # promote.sh and its report use what is set here
# The ways out: what is done when a step fails, and what the next run does for
# one that was killed.

# fail SENTENCE ends the script; finish (its EXIT trap) puts things right.
fail() {
  FAILURE="$1"
  exit 1
}

# finish is the EXIT trap. PHASE says what has to be undone:
# nothing, a color that was started, a switch; a retirement is not undone.
finish() {
  local code=$?
  trap - EXIT
  # Ignored, not only caught: a Ctrl-C is for the whole group, and would end the commands that put things right.
  trap '' INT TERM HUP
  set +e
  step_ended false
  if [[ "$PHASE" != ended ]] && ! driver_lock_held; then
    conclude 4 needs_person "${FAILURE:-an unexpected error}; and another promote holds the lock by now: this run leaves everything to it"
  fi
  case "$PHASE" in
    ended) exit "$code" ;;
    untouched) conclude 1 rolled_back "${FAILURE:-an unexpected error}; nothing was changed${FROM:+, $FROM is active}" ;;
    starting) undo_start ;;
    switched) undo_switch ;;
    retiring) conclude 4 needs_person "$TO is active and serves, but $FROM could not be retired: ${FAILURE:-an unexpected error}. Run promote.sh again to finish" ;;
  esac
}

conclude() {
  PHASE=ended
  if [[ "$1" != 0 ]]; then complain "promote.sh: $3"; fi
  report "$2" "$3"
  exit "$1"
}

undo_start() {
  say "==> undo: $FAILURE"
  retire_failed
  journal_clear
  conclude 1 rolled_back "${FAILURE:-an unexpected error}; $TO was retired, $FROM stayed active"
}

undo_switch() {
  say "==> roll back: ${FAILURE:-an unexpected error}"
  switch_back || conclude 4 needs_person "${FAILURE:-an unexpected error}; $SWITCH_BACK_SAID"
  retire_failed
  journal_clear
  conclude 1 rolled_back "${FAILURE:-an unexpected error}; switched back to $FROM, $TO was retired"
}

# switch_back: the old color is active again, seen through the front door for a
# while: a switch to the new one may still be on its way there, and so may
# connections. It is not tried while the old color is worse off than the new one.
switch_back() {
  local deadline since=""
  journal_write rollback || true
  if ! color_serves "$FROM" && color_serves "$TO"; then
    SWITCH_BACK_SAID="$FROM does not serve any more ($(color_not_ready_why "$FROM")), so $TO stays active and both were left as they are. Repair $FROM or run promote.sh again"
    return 1
  fi
  if ! dynamic_write "$FROM"; then
    SWITCH_BACK_SAID="$(dynamic_why) It says $(driver_active_color), both colors were left as they are"
    return 1
  fi
  mirror_active "$FROM"
  deadline=$(($(now_ms) + FRONT_TIMEOUT_MS))
  until [[ -n "$since" ]] && (($(now_ms) - since >= FRONT_SETTLE_MS)); do
    if front_serves "$FROM"; then
      since="${since:-$(now_ms)}"
    else
      since=""
      SWITCH_BACK_SAID="the dynamic file says $FROM again, but the front door at $(driver_front_url) does not follow ($(front_state)); both colors were left as they are. Restore the front door, then run promote.sh again"
      (($(now_ms) < deadline)) || return 1
    fi
    sleep 0.05
  done
}

# retire_failed ends the new color; its clients move to the old one.
retire_failed() {
  if [[ "$(driver_color_alive "$TO")" != 0 ]]; then stop_color "$TO"; fi
  driver_forget_color "$TO"
  dynamic_write "$FROM" || warn "the dynamic file still names the servers of $TO"
  CLOSES=""
}

# recover looks at what a killed run left, and gets to a good state. Sets RESUME
# when the switch had been made and only the rest is to be done.
recover() {
  local code=0
  journal_read || code=$?
  if ((code == 2)); then fail "cannot read $(journal_file), where an earlier run may have left something to do"; fi
  if ((code != 0)); then
    journal_clear
    return 0
  fi
  say "==> recover: a promote from $JOURNAL_FROM to $JOURNAL_TO was stopped at its step '$JOURNAL_STEP' ($JOURNAL_SINCE)"
  FROM="$JOURNAL_FROM" TO="$JOURNAL_TO"
  if [[ "$(driver_active_color)" != "$TO" ]]; then
    recover_unswitched
  elif [[ "$JOURNAL_STEP" == rollback || "$ROLLBACK" == true || (-n "$WANTED" && "$WANTED" != "$TO") ]] && [[ "$JOURNAL_STEP" != retire ]]; then
    recover_switched_back
  else
    RESUME="$JOURNAL_STEP"
    say "    $TO is active already: going on from there"
  fi
}

recover_unswitched() {
  say "    $FROM is active: retiring what was started of $TO"
  retire_failed
  journal_clear
  WANTED="${WANTED:-$TO}"
}

recover_switched_back() {
  PHASE=switched
  FAILURE="an earlier run was stopped at its step '$JOURNAL_STEP'"
  say "    switching back to $FROM"
  switch_back || conclude 4 needs_person "$FAILURE; $SWITCH_BACK_SAID"
  retire_failed
  journal_clear
  PHASE=untouched FAILURE=""
  RECOVERED_BACK=true
}
