#!/usr/bin/env bash
# Checks the Prometheus configuration and runs every alert just under and just over its threshold.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

main() {
  if ! command -v promtool >/dev/null; then
    echo "check.sh: promtool is not installed (it comes with Prometheus)" >&2
    return 1
  fi
  promtool check config --syntax-only "$here/prometheus.yml"
  promtool check rules "$here"/rules/*.yml
  # Relative rule_files are looked up from the test's own folder.
  promtool test rules "$here"/tests/*.yml
  if command -v amtool >/dev/null; then
    amtool check-config "$here/alertmanager.yml"
  else
    echo "check.sh: amtool is not installed, alertmanager.yml is not checked" >&2
  fi
}

main "$@"
