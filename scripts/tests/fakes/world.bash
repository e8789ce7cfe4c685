# shellcheck shell=bash
# A world of text files in which the fake executables live:
#   $WORLD/containers/ID      "service status restarts port"
#   $WORLD/broken/WHAT        present: that part is broken
#   $WORLD/calls              every call, a line each
#   $WORLD/sessions/ID        a session's count
#   $WORLD/kill_at            a step: promote.sh is killed (-9) when it is there
#   $WORLD/signal_at          a step and a signal for promote.sh and its children, as a terminal sends it

world_enter() {
  printf '%s\n' "$*" >>"$WORLD/calls"
  local journal="$BATON_RUN_DIR/compose/promote.journal" step pid signal
  if [[ -e "$WORLD/lease/journal" ]]; then journal="$WORLD/lease/journal"; fi
  if [[ -s "$WORLD/signal_at" && -s "$journal" ]]; then
    read -r step signal <"$WORLD/signal_at"
    if grep -qx "step=$step" "$journal"; then
      rm "$WORLD/signal_at"
      kill -s "$signal" -- "-$(sed -n 's/^pid=//p' "$journal")"
    fi
  fi
  if [[ -s "$WORLD/kill_at" && -s "$journal" ]]; then
    step="$(sed -n 's/^step=//p' "$journal")"
    pid="$(sed -n 's/^pid=//p' "$journal")"
    if [[ "$step" == "$(<"$WORLD/kill_at")" ]]; then
      rm "$WORLD/kill_at"
      kill -9 "$pid"
      exit 137
    fi
  fi
}

broken() { [[ -e "$WORLD/broken/$1" ]]; }

# front_color: whom the front door routes to.
front_color() {
  if [[ -s "$WORLD/route" ]]; then
    cat "$WORLD/route"
  elif broken front_stuck; then
    cat "$WORLD/broken/front_stuck"
  elif broken front_misses_events && [[ ! -e "$WORLD/nudged" ]]; then
    echo blue
  else
    sed -n -E 's/^ *- name: (blue|green)$/\1/p' "$BATON_DYNAMIC_DIR/baton.yml"
  fi
}

# running COLOR: ids of its running containers.
running() {
  local file
  for file in "$WORLD"/containers/*; do
    if [[ -e "$file" ]] && grep -q "^app_$1 running" "$file"; then basename "$file"; fi
  done
}
