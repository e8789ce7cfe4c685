# shellcheck shell=bash
# What every script here shares: where things are, how they speak, which driver
# is meant. Sourced, never run.

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
RUN_DIR="${BATON_RUN_DIR:-$ROOT/.run}"
ENV_FILE="${BATON_ENV_FILE:-$ROOT/.env}"
# Progress goes to stdout; with --json to stderr, so that stdout is one object.
SAY_FD=1

say() { print_to "$SAY_FD" "$*"; }
warn() { complain "warning: $*"; }
complain() { print_to 2 "$*"; }

# print_to FD TEXT, in a process of its own: a reader that has gone (| head) ends that one only.
print_to() { (trap '' PIPE && printf '%s\n' "$2" >&3) 3>&"$1" 2>/dev/null || true; }

# die CODE SENTENCE: for what goes wrong before anything was begun.
die() {
  complain "$(basename "$0"): $2"
  exit "$1"
}

# env_value NAME DEFAULT: the environment, else .env, else the default.
env_value() {
  local value="${!1:-}"
  if [[ -z "$value" ]]; then value="$(env_line "$ENV_FILE" "$1")"; fi
  printf '%s\n' "${value:-$2}"
}

# env_line FILE NAME: the value there, without its quotes or the comment behind it; nothing if there is none.
env_line() {
  local value
  [[ -r "$1" ]] || return 0
  value="$(sed -n "s/^[[:space:]]*\(export[[:space:]]\{1,\}\)\{0,1\}$2[[:space:]]*=/ /p" "$1" | tail -n 1)"
  value="${value#"${value%%[![:space:]]*}"}"
  case "$value" in
    \"*) value="${value#\"}" value="${value%%\"*}" ;;
    \'*) value="${value#\'}" value="${value%%\'*}" ;;
    *) value=" $value" value="${value%%[[:space:]]#*}" value="${value#" "}" ;;
  esac
  printf '%s\n' "${value%"${value##*[![:space:]]}"}"
}

is_color() { [[ "$1" == blue || "$1" == green ]]; }

is_driver() { [[ "$1" == compose || "$1" == local || "$1" == kubernetes ]]; }

other_color() { if [[ "$1" == blue ]]; then echo green; else echo blue; fi; }

# now_ms is a clock in milliseconds, for durations: since boot where the system says so, since a deadline must not
# move when somebody sets the time.
now_ms() {
  local up
  if { read -r up _ </proc/uptime; } 2>/dev/null; then
    echo $((10#${up/./} * 10))
  elif [[ -n "${EPOCHREALTIME:-}" ]]; then
    local us="${EPOCHREALTIME//[.,]/}"
    echo "${us%???}"
  else
    echo "$(date +%s)000"
  fi
}

# seconds MILLISECONDS: 1234 is 1.23.
seconds() { printf '%d.%02d' "$(($1 / 1000))" "$(($1 % 1000 / 10))"; }

# replace_file FILE: stdin becomes the file, whole or not at all: it is written
# beside it and renamed. A disk that is full or read-only leaves the old file,
# and a link stays one.
replace_file() {
  local file="$1" temporary
  if [[ -L "$file" ]]; then file="$(readlink -f "$file")" || return 1; fi
  temporary="$(dirname "$file")/.$(basename "$file").tmp"
  if [[ -e "$file" ]]; then cp -p "$file" "$temporary" || return 1; fi
  { cat >"$temporary"; } 2>/dev/null || {
    rm -f "$temporary" 2>/dev/null
    return 1
  }
  mv -f "$temporary" "$file" 2>/dev/null
}

# set_env_line FILE NAME VALUE replaces one line of an .env file, or adds it.
set_env_line() {
  local rest=""
  if [[ -e "$1" ]]; then rest="$(grep -v "^[[:space:]]*$2[[:space:]]*=" "$1" || true)"; fi
  printf '%s%s=%s\n' "${rest:+$rest$'\n'}" "$2" "$3" | replace_file "$1"
}

# mirror_check ACTIVE: the mirror decides nothing, but one that differs tells of a file changed past promote.sh.
mirror_check() {
  local said
  said="$(env_line "$MIRROR_FILE" ACTIVE_ENV)"
  if [[ -n "$said" && "$said" != "$1" ]]; then
    warn "$DYNAMIC_FILE says $1, but ACTIVE_ENV in $MIRROR_FILE says $said: was the file edited, or checked out? It is the file that counts"
  fi
}

new_uuid() {
  local hex
  hex="$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"
  printf '%s-%s-4%s-a%s-%s\n' "${hex:0:8}" "${hex:8:4}" "${hex:13:3}" "${hex:17:3}" "${hex:20:12}"
}

# choose_driver NAME loads a driver. Without a name: BATON_DRIVER, else the
# local one while its stack runs, else compose.
choose_driver() {
  DRIVER="${1:-${BATON_DRIVER:-}}"
  if [[ -z "$DRIVER" ]]; then
    DRIVER=compose
    if [[ -e "$RUN_DIR/local/pids/front" ]]; then DRIVER=local; fi
  fi
  is_driver "$DRIVER" || die 2 "no driver \"$DRIVER\": it is compose, local or kubernetes"
  # shellcheck disable=SC2034 # the drivers' and the journal's
  STATE_DIR="$RUN_DIR/$DRIVER"
  # shellcheck source=/dev/null
  source "$ROOT/scripts/drivers/$DRIVER.sh"
}
