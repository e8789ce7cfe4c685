# shellcheck shell=bash
# What a color and the front door look like from outside, by any driver.

# color_ready COLOR: every wanted replica lives and says ready.
color_ready() {
  local url urls=()
  mapfile -t urls < <(driver_replica_urls "$1")
  ((${#urls[@]} > 0 && ${#urls[@]} >= $(driver_replicas "$1"))) || return 1
  for url in "${urls[@]}"; do http_ready "$url" || return 1; done
}

# color_serves COLOR: at least one replica says ready.
color_serves() {
  local url
  while read -r url; do
    if http_ready "$url"; then return 0; fi
  done < <(driver_replica_urls "$1")
  return 1
}

# color_not_ready_why COLOR: one line.
color_not_ready_why() {
  local trouble url
  trouble="$(driver_color_trouble "$1")"
  if [[ -n "$trouble" ]]; then
    echo "$trouble"
    return
  fi
  while read -r url; do
    if ! http_ready "$url"; then
      echo "$url/readyz says $(http_not_ready_why "$url")"
      return
    fi
  done < <(driver_replica_urls "$1")
  echo "$(driver_color_alive "$1") of $(driver_replicas "$1") replicas run, those are ready"
}

# color_state COLOR: for people.
color_state() {
  local alive
  alive="$(driver_color_alive "$1")"
  if [[ "$alive" == 0 ]]; then
    echo "stopped"
  elif color_ready "$1"; then
    echo "ready, $alive replica(s), $(color_connections "$1") connections"
  else
    echo "not ready: $(color_not_ready_why "$1")"
  fi
}

# active_text: for people.
active_text() {
  local active
  active="$(driver_active_color)"
  echo "${active:-unknown, $DYNAMIC_FILE names none}"
}

# front_serves COLOR: the front door routes to it.
front_serves() { [[ "$(http_color "$(driver_front_url)")" == "$1" ]]; }

# color_front_url COLOR: a color by its name, active or not; color_tool_url: the same as driver_baton reaches it.
color_front_url() { echo "$(driver_front_url)/$1"; }
color_tool_url() { echo "$(driver_tool_url)/$1"; }

front_state() {
  local color status
  color="$(http_color "$(driver_front_url)")"
  if [[ -n "$color" ]]; then
    echo "answers, with $color"
    return
  fi
  status="$(http_status "$(driver_front_url)/version")"
  if [[ "$status" == 000 ]]; then echo "does not answer"; else echo "answers status $status"; fi
}
