# shellcheck shell=bash
# shellcheck disable=SC2034 # what is read here is used by the recovery
# How far a promote has come, written before each step: what the next run reads
# if this one is killed. It is absent when nothing is under way.

journal_file() { echo "$STATE_DIR/promote.journal"; }

# Where it is kept, a driver may say: it is written whole or not at all, and nothing is read where there is none.
journal_put() { replace_file "$(journal_file)"; }
journal_get() { cat "$(journal_file)" 2>/dev/null || true; }
journal_clear() { rm -f "$(journal_file)"; }
journal_why() { echo ": is the disk full or read-only?"; }

# journal_write STEP
journal_write() {
  printf 'step=%s\nfrom=%s\nto=%s\npid=%s\nstamp=%s\nsince=%s\n' \
    "$1" "$FROM" "$TO" "$$" "$(process_stamp "$$")" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" | journal_put
}

# journal_read sets JOURNAL_STEP, _FROM, _TO, _PID, _STAMP and _SINCE; 1 if there is none, 2 if it can't be read.
journal_read() {
  local key value text
  JOURNAL_STEP="" JOURNAL_FROM="" JOURNAL_TO="" JOURNAL_PID="" JOURNAL_STAMP="" JOURNAL_SINCE=""
  text="$(journal_get)" || return 2
  while IFS='=' read -r key value; do
    case "$key" in
      step) JOURNAL_STEP="$value" ;;
      from) JOURNAL_FROM="$value" ;;
      to) JOURNAL_TO="$value" ;;
      pid) JOURNAL_PID="$value" ;;
      stamp) JOURNAL_STAMP="$value" ;;
      since) JOURNAL_SINCE="$value" ;;
    esac
  done <<<"$text"
  is_color "$JOURNAL_FROM" && is_color "$JOURNAL_TO"
}
