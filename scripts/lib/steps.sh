# shellcheck shell=bash
# shellcheck disable=SC2034 # promote.sh and its report use what is set here
# The steps of a promote, in their order. Each returns only when it is done;
# what stops one calls fail with a sentence.

READY_TIMEOUT="${BATON_READY_TIMEOUT:-30}"
# How long the front door may take to follow the dynamic file, and when it is nudged.
FRONT_TIMEOUT_MS="${BATON_FRONT_TIMEOUT_MS:-6000}"
FRONT_NUDGE_MS=1500
# How long the old color has to be seen alone after a switch back, before the new one may go.
FRONT_SETTLE_MS=1000
# Messages of the canary session before the switch.
CANARY_MESSAGES=3
# New connections that must all land on the new color.
VERIFY_CONNECTIONS=5
# One failed look at readiness is a blip, this many in a row are not.
BAKE_STRIKES=2
BAKE_LOOKS=3

# begin STEP: journal first, then act.
begin() {
  PHASE="$2"
  journal_write "$1" || fail "cannot write $(journal_file)$(journal_why)"
}

step_check() {
  local tool front
  for tool in curl awk sed; do command -v "$tool" >/dev/null || fail "$tool is not installed"; done
  front="$(driver_front_url)"
  front_answers || fail "the front door at $front does not answer: is it down? ('stack.sh up' starts it)"
  dynamic_writable || fail "$(dynamic_why)"
  journal_writable || fail "cannot write to $STATE_DIR: is the disk full or read-only?"
  mirror_check "$FROM"
  if ! front_serves "$FROM"; then warn "the front door does not reach $FROM: $(front_state)"; fi
}

# front_answers, whatever it says; asked again before it is called down.
front_answers() {
  local try
  for try in 1 2 3; do
    if [[ "$(http_status "$(driver_front_url)/version")" != 000 ]]; then return 0; fi
    sleep "0.$try"
  done
  return 1
}

journal_writable() { printf 'probe\n' | replace_file "$STATE_DIR/probe" && rm -f "$STATE_DIR/probe"; }

step_start() {
  begin start starting
  # As for a rollback: if it alone serves, it is not restarted.
  if color_ready "$TO" && { [[ "$ROLLBACK" == true ]] || ! color_serves "$FROM"; }; then
    STEP_NOTE="it still runs"
    # It may have a restart behind it: that is none of this promote.
    KNOWN_TROUBLE="$(driver_color_trouble "$TO")"
    return
  fi
  if [[ "$(driver_color_alive "$TO")" != 0 ]]; then stop_color "$TO"; fi
  driver_forget_color "$TO"
  driver_start_color "$TO" || fail "$TO could not be started"
}

step_ready() {
  local deadline=$(($(now_ms) + READY_TIMEOUT * 1000)) trouble
  begin ready starting
  until color_ready "$TO"; do
    trouble="$(driver_color_trouble "$TO")"
    [[ -z "$trouble" ]] || fail "$TO did not start: $trouble"
    (($(now_ms) < deadline)) || fail "$TO did not become ready within $READY_TIMEOUT s: $(color_not_ready_why "$TO")"
    sleep 0.1
  done
}

step_smoke() {
  local base
  base="$(color_tool_url "$TO")"
  begin smoke starting
  # The front door learns where the new color listens; what is active stays.
  dynamic_write "$FROM" || fail "$(dynamic_why)"
  wait_front_routes "$TO" || fail "the front door does not route /$TO/ ($(http_status "$(color_front_url "$TO")/version")): if it is 403, add this machine to ADMIN_CIDRS"
  tool smoke --url "ws${base#http}/ws/chat/" --expect-color "$TO" || fail "$TO failed the smoke test: $TOOL_SAID"
}

wait_front_routes() {
  local deadline=$(($(now_ms) + FRONT_TIMEOUT_MS))
  until [[ "$(http_color "$(color_front_url "$1")")" == "$1" ]]; do
    (($(now_ms) < deadline)) || return 1
    sleep 0.05
  done
}

# step_canary: a session with a few messages on the old color, through the front door.
step_canary() {
  begin canary starting
  if canary_opens ""; then return; fi
  if [[ "$ROLLBACK" == true ]] || ! color_serves "$FROM"; then
    STEP_NOTE="left out: $FROM does not take sessions ($TOOL_SAID)"
    return
  fi
  fail "no canary session could be held on $FROM: $TOOL_SAID"
}

# step_canary_again: behind the switch, in a run that goes on where another was
# stopped. The front door leads to the old color by its name only.
step_canary_again() {
  canary_opens "$FROM" || fail "no canary session could be held on $FROM: $TOOL_SAID"
}

# canary_opens BY: the server names the session, since it may take signed ids only.
canary_opens() {
  CANARY_SESSION=""
  canary new "$FROM" "$CANARY_MESSAGES" 0 "$1" || return 1
  CANARY_SESSION="$(sed -n 's/.*"session_id":"\([^"]*\)".*/\1/p' <<<"$TOOL_SAID")"
  [[ -n "$CANARY_SESSION" ]] || return 1
  CANARY_BEFORE="$CANARY_MESSAGES"
}

# canary SESSION COLOR MESSAGES COUNT BY: COUNT is what the session counts at its opening, BY the color to be reached by
# its name, or nothing for the active one.
canary() {
  local base
  if [[ -n "$5" ]]; then base="$(color_tool_url "$5")"; else base="$(driver_tool_url)"; fi
  tool smoke --json --url "ws${base#http}/ws/chat/" --session "$1" --messages "$3" --expect-count "$4" --expect-color "$2"
}

# step_switch: one rename. If the front door misses the event, it is written
# again; the time is taken from the first rename.
step_switch() {
  local renamed nudged
  # Between its start and now a replica may have died: then nobody is to meet it.
  color_ready "$TO" || fail "$TO broke before the switch: $(color_not_ready_why "$TO")"
  begin switch switched
  dynamic_write "$TO" || fail "$(dynamic_why)"
  renamed="$(now_ms)" nudged="$renamed"
  until front_serves "$TO"; do
    (($(now_ms) - renamed < FRONT_TIMEOUT_MS)) || fail "the front door did not follow the dynamic file within $((FRONT_TIMEOUT_MS / 1000)) s: $(front_state)"
    if (($(now_ms) - nudged > FRONT_NUDGE_MS)); then
      nudged="$(now_ms)"
      nudge_front
    fi
    sleep 0.01
  done
  SWITCH_MS=$(($(now_ms) - renamed))
}

nudge_front() {
  say "    no effect yet: writing the file again"
  dynamic_write "$TO" || true
  if [[ -e "$DYNAMIC_FILE" ]]; then touch "$DYNAMIC_FILE" 2>/dev/null || true; fi
}

# step_verify: through the front door, as a client would.
step_verify() {
  local i
  begin verify switched
  for ((i = 1; i <= VERIFY_CONNECTIONS; i++)); do
    front_serves "$TO" || fail "new connection $i of $VERIFY_CONNECTIONS did not land on $TO: $(front_state)"
  done
  if [[ -n "$CANARY_SESSION" ]]; then
    canary "$CANARY_SESSION" "$TO" 1 "$CANARY_BEFORE" "" || fail "$TO broke the canary session (count $CANARY_BEFORE on $FROM): $TOOL_SAID"
    CANARY_AFTER=$((CANARY_BEFORE + 1))
    STEP_NOTE="canary went on from $CANARY_BEFORE to $CANARY_AFTER"
  fi
  mirror_active "$TO"
}

mirror_active() { set_env_line "$MIRROR_FILE" ACTIVE_ENV "$1" || warn "ACTIVE_ENV in $MIRROR_FILE could not be set to $1 (a mirror only; the dynamic file says $1)"; }

# step_bake watches the new color while the old one still stands by.
step_bake() {
  local deadline=$(($(now_ms) + BAKE_MS)) faults strikes=0 looks=0
  begin bake switched
  faults="$(server_faults "$TO")"
  # On a slow machine time passes without a look: so many there are at least.
  while (($(now_ms) < deadline || looks++ < BAKE_LOOKS || strikes > 0)); do
    bake_look "$faults"
    if color_ready "$TO" && front_serves "$TO"; then strikes=0; else strikes=$((strikes + 1)); fi
    ((strikes < BAKE_STRIKES)) || fail "$TO broke during the bake: $(color_not_ready_why "$TO"); the front door $(front_state)"
    sleep 0.25
  done
}

bake_look() {
  local trouble now
  trouble="$(driver_color_trouble "$TO")"
  [[ -z "$trouble" || -n "$KNOWN_TROUBLE" ]] || fail "$TO broke during the bake: $trouble"
  now="$(server_faults "$TO")"
  ((now <= $1)) || fail "$TO broke during the bake: $((now - $1)) server errors (commit_timeout, session_store_unavailable or panic)"
}

# tool COMMAND…: one of baton's own; TOOL_SAID is its last line.
tool() {
  local code=0
  TOOL_SAID="$(driver_baton "$@" 2>&1)" || code=$?
  TOOL_SAID="$(tail -n 1 <<<"$TOOL_SAID" | cut -c 1-300)"
  return "$code"
}
