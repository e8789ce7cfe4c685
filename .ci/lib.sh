# shellcheck shell=bash
# Sourced by the programs beside it: how a step is announced, timed, skipped and failed.

FAILURES=0

have() { command -v "$1" >/dev/null 2>&1; }

# skip NAME REASON: says why a check did not run. With BATON_NO_SKIP set that is a failure.
skip() {
  if [[ -n "${BATON_NO_SKIP:-}" ]]; then
    printf 'FAIL  %s: would be skipped: %s\n' "$1" "$2" >&2
    FAILURES=$((FAILURES + 1))
  else
    printf 'SKIP  %s: %s\n' "$1" "$2"
  fi
}

# check NAME COMMAND...: runs a check and shows its output only when it fails.
check() {
  local name=$1 started=$SECONDS output
  shift
  if output=$("$@" 2>&1); then
    printf 'ok    %s (%ds)\n' "$name" $((SECONDS - started))
  else
    printf '%s\nFAIL  %s (%ds)\n' "$output" "$name" $((SECONDS - started)) >&2
    FAILURES=$((FAILURES + 1))
  fi
}

# check_with PROGRAM NAME COMMAND...: the same where PROGRAM is installed, else a skip.
check_with() {
  local program=$1
  shift
  if have "$program"; then
    check "$@"
  else
    skip "$1" "$program is not installed"
  fi
}

# verdict: the exit code of all checks so far.
verdict() {
  if ((FAILURES > 0)); then
    printf '%d failed\n' "$FAILURES" >&2
    return 1
  fi
}

# tracked PATTERN...: the repository's files of these names, new ones too, ignored ones not.
tracked() {
  git ls-files --cached --others --exclude-standard --deduplicate -- "$@" | while read -r file; do
    if [[ -f "$file" ]]; then printf '%s\n' "$file"; fi
  done
}
