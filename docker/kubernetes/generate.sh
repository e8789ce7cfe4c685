#!/usr/bin/env bash
# Writes platform/prometheusrule.yaml out of the rules that compose uses. A test runs it with --check.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
target="$here/platform/prometheusrule.yaml"

rules() {
  local file
  cat <<'TEXT'
# Made by docker/kubernetes/generate.sh from docker/prometheus/rules; don't edit by hand.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: baton
spec:
  groups:
TEXT
  for file in "$here"/../prometheus/rules/*.yml; do
    sed -e '/^#/d' -e '/^groups:$/d' -e 's/^\(.\)/  \1/' "$file"
  done
}

if [[ "${1:-}" == --check ]]; then
  rules | diff -u "$target" - || {
    echo "generate.sh: $target is not what docker/prometheus/rules says: run docker/kubernetes/generate.sh" >&2
    exit 1
  }
else
  rules >"$target"
fi
