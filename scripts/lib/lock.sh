# shellcheck shell=bash
# One promote at a time, and none while the stack goes up or down. The lock dies
# with its holder.

promote_lock() { echo "$STATE_DIR/promote.lock"; }

# Seconds that what is left of a killed holder may take to end.
LOCK_STRAGGLERS=20

# lock_take FILE: fails if somebody else holds it. It stands on descriptor 9 of
# this shell; run what follows with 9>&-: bash then keeps it on a descriptor
# that no child inherits, so that a server started by a promote, or a command
# that outlives a killed one, never holds the lock.
lock_take() {
  mkdir -p "$(dirname "$1")" 2>/dev/null || true
  if ! command -v flock >/dev/null; then
    lock_take_directory "$1.d"
    return
  fi
  { exec 9>>"$1"; } 2>/dev/null || die 1 "cannot write $1: is the disk full or read-only? Nothing was changed"
  flock --nonblock 9 || { ! lock_holder_lives "$1" && flock --wait "$LOCK_STRAGGLERS" 9; } || return 1
  lock_sign "$1" 2>/dev/null || true
  driver_lock
}

# lock_sign FILE: who holds it.
lock_sign() { printf '%s %s %s\n' "$$" "$(process_stamp "$$")" "$(basename "$0")" >"$1"; }

# lock_holder FILE: the script that holds it.
lock_holder() { awk '{ print $3; exit }' "$1.d/holder" 2>/dev/null || awk '{ print $3; exit }' "$1" 2>/dev/null || true; }

# driver_lock: what a driver holds besides, where promotes on other machines are to be kept out too. Called by who has
# the lock of this machine.
driver_lock() { :; }

# driver_lock_held: false only if it is known that somebody else holds it by now.
driver_lock_held() { :; }

# driver_lock_elsewhere: who on another machine holds it, or nothing.
driver_lock_elsewhere() { :; }

# lock_holder_lives FILE: the holder writes itself into the file. If it is dead
# and the lock still held, that is a subshell of it about to end.
lock_holder_lives() {
  local pid="" stamp=""
  { read -r pid stamp _ <"$1"; } 2>/dev/null || true
  process_is "$pid" "$stamp"
}

# lock_take_directory: for systems without flock; a directory with its holder in it.
lock_take_directory() {
  if ! mkdir "$1" 2>/dev/null && lock_holder_lives "$1/holder"; then return 1; fi
  lock_sign "$1/holder"
  driver_lock
}

# lock_wait FILE SECONDS
lock_wait() {
  local deadline=$(($(now_ms) + $2 * 1000))
  until lock_take "$1"; do
    if (($(now_ms) > deadline)); then return 1; fi
    sleep 0.1
  done
}
