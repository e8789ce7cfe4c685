# shellcheck shell=bash
# What a promote did: steps with their durations, and the result as text or JSON.

STEP_NAMES=()
STEP_MS=()
STEP_OK=()

# step NAME SENTENCE COMMAND…: says what it does, does it, says how long it took.
# A command that fails has told why by fail, and ends the script.
step() {
  local name="$1" begun
  begun="$(now_ms)"
  say "==> $name: $2"
  shift 2
  CURRENT_STEP="$name" CURRENT_BEGUN="$begun"
  "$@"
  step_ended true
}

step_ended() {
  local ms
  [[ -n "${CURRENT_STEP:-}" ]] || return 0
  ms=$(($(now_ms) - CURRENT_BEGUN))
  STEP_NAMES+=("$CURRENT_STEP") STEP_MS+=("$ms") STEP_OK+=("$1")
  if [[ "$1" == true ]]; then say "    done in $(seconds "$ms") s${STEP_NOTE:+: $STEP_NOTE}"; fi
  CURRENT_STEP="" STEP_NOTE=""
}

# report RESULT SENTENCE
report() {
  if [[ "$JSON" == true ]]; then
    print_to 1 "$(report_json "$1" "$2")"
  else
    report_text "$1" "$2"
  fi
}

report_text() {
  local i line
  say ""
  if [[ "$1" == promoted && -n "$CANARY_AFTER" ]]; then
    say "switch      $(seconds "$SWITCH_MS") s from the rename to the first new connection on $TO"
    say "canary      count $CANARY_BEFORE on $FROM, $CANARY_AFTER on $TO"
  fi
  if [[ "$RETIRED" == true ]]; then
    line="$(closes_text)"
    say "sessions    $SESSIONS_BEFORE on $FROM at its retirement, $SESSIONS_MOVED resumed on $TO"
    say "retirement  ${line:-no close counted}$([[ "$FORCED" == false ]] || echo ', then killed')"
  fi
  line=""
  for i in "${!STEP_NAMES[@]}"; do line+="${STEP_NAMES[i]} $(seconds "${STEP_MS[i]}")  "; done
  if [[ -n "$line" ]]; then say "steps       $line"; fi
  # What went wrong was told on stderr.
  if [[ "$1" == promoted ]]; then line=": $2"; else line=""; fi
  say "$1$line ($(seconds $(($(now_ms) - STARTED_MS))) s)"
}

closes_text() {
  local code count text=""
  while read -r code count; do
    if [[ -n "$code" ]]; then text+="${text:+, }$count closed $code"; fi
  done <<<"$CLOSES"
  printf '%s' "$text"
}

report_json() {
  local active
  active="$(driver_active_color)"
  printf '{"result":"%s","message":%s,"driver":"%s","from":"%s","to":"%s","active":"%s","seconds":%s,' \
    "$1" "$(json_string "$2")" "$DRIVER" "$FROM" "$TO" "$active" "$(seconds $(($(now_ms) - STARTED_MS)))"
  printf '"switch_ms":%s,"sessions":{"before":%s,"moved":%s},' \
    "${SWITCH_MS:-null}" "${SESSIONS_BEFORE:-null}" "${SESSIONS_MOVED:-null}"
  printf '"canary":{"before":%s,"after":%s},' "${CANARY_BEFORE:-null}" "${CANARY_AFTER:-null}"
  printf '"retirement":{"done":%s,"forced":%s,"closes":{%s}},"steps":[%s]}\n' "$RETIRED" "$FORCED" "$(json_closes)" "$(json_steps)"
}

json_steps() {
  local i
  for i in "${!STEP_NAMES[@]}"; do
    printf '%s{"name":"%s","seconds":%s,"ok":%s}' "$([[ "$i" == 0 ]] || echo ,)" "${STEP_NAMES[i]}" "$(seconds "${STEP_MS[i]}")" "${STEP_OK[i]}"
  done
}

json_closes() {
  local code count comma=""
  while read -r code count; do
    if [[ -n "$code" ]]; then printf '%s"%s":%s' "$comma" "$code" "$count" && comma=,; fi
  done <<<"$CLOSES"
}

# json_string TEXT: quoted; control characters become blanks.
json_string() {
  local text="${1//\\/\\\\}"
  text="${text//\"/\\\"}"
  printf '"%s"' "$(tr '\000-\037' ' ' <<<"$text" | sed 's/ $//')"
}
