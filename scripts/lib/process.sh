# shellcheck shell=bash
# Background processes that outlive the script, each with a pid file under
# $STATE_DIR/pids. A pid file holds the pid and when the process began, so that
# a pid which the system has given to somebody else is never taken for ours.

# process_stamp PID: when it began; nothing for a process that is gone or a zombie.
process_stamp() {
  local line state
  if [[ -r /proc/self/stat ]]; then
    { read -r line <"/proc/$1/stat"; } 2>/dev/null || return 0
    # After the name, which may hold blanks: the state, and 19 fields on the start.
    read -r -a line <<<"${line##*) }"
    if [[ "${line[0]}" != Z && "${line[0]}" != X ]]; then echo "${line[19]}"; fi
  else
    state="$(ps -o state= -p "$1" 2>/dev/null)" || return 0
    if [[ "$state" != Z* ]]; then ps -o lstart= -p "$1" | tr -s ' ' '_'; fi
  fi
}

# process_is PID STAMP
process_is() { [[ -n "$1" && -n "$2" && "$(process_stamp "$1")" == "$2" ]]; }

# process_start NAME COMMAND…: in its own session, output to its log. The child
# writes the pid file itself before it becomes the command: however the script
# is killed, no process is ever without one.
process_start() {
  local name="$1" session=(nohup) self
  shift
  mkdir -p "$STATE_DIR/pids" "$STATE_DIR/logs" || return 1
  if command -v setsid >/dev/null; then session=(setsid); fi
  (
    # Nothing of the caller is kept: not the lock, not a pipe somebody waits on.
    exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
    # Not $BASHPID within $(…): there it is another process.
    self="$BASHPID"
    printf '%s %s\n' "$self" "$(process_stamp "$self")" >"$STATE_DIR/pids/$name" || exit 1
    exec "${session[@]}" "$@"
  ) </dev/null >>"$STATE_DIR/logs/$name.log" 2>&1 &
  local tries=0
  until [[ -s "$STATE_DIR/pids/$name" ]] || ((tries++ > 100)); do sleep 0.01; done
}

# process_pid NAME: its pid while it lives.
process_pid() {
  local pid="" stamp=""
  [[ -r "$STATE_DIR/pids/$1" ]] || return 1
  read -r pid stamp <"$STATE_DIR/pids/$1" || true
  process_is "$pid" "$stamp" || return 1
  echo "$pid"
}

process_signal() {
  local pid
  pid="$(process_pid "$2")" || return 0
  kill -s "$1" "$pid" 2>/dev/null || true
}

# process_stop NAME SECONDS: TERM, and KILL if it has not ended by then.
process_stop() {
  local deadline=$(($(now_ms) + $2 * 1000))
  process_signal TERM "$1"
  while process_pid "$1" >/dev/null; do
    if (($(now_ms) > deadline)); then process_signal KILL "$1"; fi
    sleep 0.05
  done
  process_forget "$1"
}

process_forget() { rm -f "$STATE_DIR/pids/$1" "$STATE_DIR/ports/$1"; }

# process_names PREFIX…: those with a pid file, alive or not.
process_names() {
  local prefix file
  for prefix in "$@"; do
    for file in "$STATE_DIR/pids/$prefix"*; do
      if [[ -e "$file" ]]; then basename "$file"; fi
    done
  done
}

# free_port: a loopback port that nobody listens on and none of ours was given.
# Below the range from which the kernel serves outgoing connections.
free_port() {
  local port
  while :; do
    port=$((RANDOM % 12000 + 20000))
    if grep -qsx "$port" "$STATE_DIR"/ports/*; then continue; fi
    if ! port_open "$port"; then break; fi
  done
  echo "$port"
}

port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
