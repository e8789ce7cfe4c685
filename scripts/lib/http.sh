# shellcheck shell=bash
# Questions to servers. Each is bounded: a server that hangs is an answer too.

HTTP_TIMEOUT=2
# A report may wait longer for its numbers than a decision for its answer.
METRICS_TIMEOUT=5

# http_get URL: the body; fails unless the answer is 2xx.
http_get() { curl --fail --silent --show-error --noproxy '*' --max-time "$HTTP_TIMEOUT" "$1" 2>/dev/null; }

# http_status URL: the status, 000 without an answer.
http_status() { curl --silent --noproxy '*' --output /dev/null --write-out '%{http_code}' --max-time "$HTTP_TIMEOUT" "$1" || true; }

# http_color BASE: the color that answers /version there, or nothing.
http_color() { { http_get "$1/version" || true; } | sed -n 's/.*"color" *: *"\([a-z]*\)".*/\1/p'; }

# http_ready BASE
http_ready() { http_get "$1/readyz" >/dev/null || return 1; }

# http_not_ready_why BASE: what /readyz says, on one line.
http_not_ready_why() {
  local said
  said="$(curl --silent --noproxy '*' --max-time "$HTTP_TIMEOUT" "$1/readyz" | tr -d '\n' | cut -c 1-200)" || true
  printf '%s\n' "${said:-no answer}"
}

# color_metrics COLOR: /metrics of all its replicas, one after the other.
color_metrics() {
  local url
  while read -r url; do HTTP_TIMEOUT="$METRICS_TIMEOUT" http_get "$url/metrics" || true; done < <(driver_replica_urls "$1")
}

# metric_sum PATTERN: the sum over the series (stdin) whose name and labels
# match the awk pattern.
metric_sum() {
  awk -v pattern="^($1)\$" '!/^#/ && NF >= 2 { v = $NF; name = $0; sub(/ [^ ]*$/, "", name); if (name ~ pattern) sum += v } END { printf "%d\n", sum }'
}

# server_faults COLOR: errors that are the server's own, since it began.
server_faults() {
  color_metrics "$1" | metric_sum 'websocket_errors_total[{].*reason="(commit_timeout|session_store_unavailable|panic)".*[}]'
}

color_connections() { color_metrics "$1" | metric_sum 'websocket_active_connections([{].*[}])?'; }
color_resumes() { color_metrics "$1" | metric_sum 'websocket_resumes_total([{].*[}])?'; }

# closes_by_code: "code count" a line, out of the metrics on stdin.
closes_by_code() {
  awk '/^websocket_closes_total[{]/ && match($0, /code="[^"]*"/) { c = substr($0, RSTART + 6, RLENGTH - 7); n[c] += $NF }
    END { for (c in n) if (n[c] > 0) print c, n[c] }' | sort
}
