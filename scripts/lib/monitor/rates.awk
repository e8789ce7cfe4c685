# Turns two scrapes of each replica of a color into the color's sums and rates.
#
#   awk -v seconds=2 -f rates.awk replica=1 side=before OLD side=now NEW replica=2 …
#
# Prints `name value` lines (connections, draining, messages_total, messages_rate, errors_rate, p99_ms,
# version) and one `counter RATE SERIES` for every counter that moved. p99_ms is `-` without messages.

/^#/ || NF < 2 { next }

{
  value = $NF + 0
  series = substr($0, 1, length($0) - length($NF) - 1)
  name = series
  sub(/\{.*/, "", name)
  key = replica SUBSEP series
}

side == "before" { before[key] = value; known[replica] = 1; next }

name == "websocket_active_connections" { connections += value }
name == "websocket_draining" { draining += value }
name == "websocket_messages_total" { messages += value }
name == "app_build_info" { version = label(series, "version") }

name ~ /_total$/ && name !~ /^(go_|process_|promhttp_|http_requests_in_progress)/ {
  moved[series] += increase(key, value)
  if (name == "websocket_messages_total") message_moves += increase(key, value)
  if (name == "websocket_errors_total") error_moves += increase(key, value)
}

name == "websocket_message_duration_seconds_bucket" {
  bound = label(series, "le")
  if (!(bound in bucket)) bounds[++nbounds] = bound
  bucket[bound] += increase(key, value)
}

END {
  print "connections", connections + 0
  print "draining", draining + 0
  printf "messages_total %.0f\n", messages
  printf "messages_rate %.1f\n", message_moves / seconds
  printf "errors_rate %.2f\n", error_moves / seconds
  print "p99_ms", quantile(0.99)
  print "version", (version == "" ? "-" : version)
  for (series in moved)
    if (moved[series] > 0) printf "counter %.1f %s\n", moved[series] / seconds, series
}

# A counter that fell was restarted: what it shows now is what it counted since. A replica seen for the
# first time has no past to compare with.
function increase(key, value) {
  if (!(key in before)) return (replica in known) ? value : 0
  return value >= before[key] ? value - before[key] : value
}

function label(series, wanted,   text) {
  text = series
  if (!sub(".*[{,]" wanted "=\"", "", text)) return ""
  sub(/".*/, "", text)
  return text
}

# As Prometheus' histogram_quantile: linear within the bucket, the last finite bound at most.
function quantile(q,   i, rank, low, below) {
  if (nbounds == 0 || bucket[bounds[nbounds]] == 0) return "-"
  rank = q * bucket[bounds[nbounds]]
  for (i = 1; i <= nbounds && bucket[bounds[i]] < rank; i++) {
    low = bounds[i]
    below = bucket[bounds[i]]
  }
  if (bounds[i] == "+Inf") return sprintf("%.2f", low * 1000)
  return sprintf("%.2f", (low + (bounds[i] - low) * (rank - below) / (bucket[bounds[i]] - below)) * 1000)
}
