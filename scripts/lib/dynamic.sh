# shellcheck shell=bash
# The dynamic file of the front door: the one place of the active color.

DYNAMIC_TEMPLATE="$ROOT/docker/traefik/dynamic.yml.tmpl"
# Who may use /blue, /green and /metrics: this machine, and Docker's own bridges.
ADMIN_CIDRS_DEFAULT="127.0.0.0/8,::1/128,172.16.0.0/12"

# dynamic_active FILE: blue or green; nothing if the file does not name exactly one.
dynamic_active() {
  awk '/^ *- name:/ { color = $3; n++ } END { if (n == 1 && color ~ /^(blue|green)$/) print color }' "$1" 2>/dev/null || true
}

# dynamic_active_or_blue: for a start. What somebody wrote there by hand is not overwritten with a guess.
dynamic_active_or_blue() {
  local active
  active="$(dynamic_active "$DYNAMIC_FILE")"
  if [[ -z "$active" && -s "$DYNAMIC_FILE" ]]; then
    warn "$DYNAMIC_FILE does not name one active color: write blue or green under active-app, or remove the file to begin with blue"
    return 1
  fi
  echo "${active:-blue}"
}

# dynamic_render ACTIVE: the file's content, from the template and the driver's servers.
dynamic_render() {
  local content cidrs
  content="$(<"$DYNAMIC_TEMPLATE")" || return 1
  cidrs="$(env_value ADMIN_CIDRS "$ADMIN_CIDRS_DEFAULT$(driver_admin_cidrs)")"
  content="${content//"{{ACTIVE}}"/$1}"
  content="${content//"{{ADMIN_CIDRS}}"/$(yaml_list '"%s"' "${cidrs//,/ }")}"
  content="${content//"{{BLUE_SERVERS}}"/[$(yaml_list '{url: "%s"}' "$(driver_servers blue)")]}"
  content="${content//"{{GREEN_SERVERS}}"/[$(yaml_list '{url: "%s"}' "$(driver_servers green)")]}"
  printf '%s\n' "$content"
}

# yaml_list FORMAT "a b c": the items, formatted, between commas.
yaml_list() {
  local item items=()
  # shellcheck disable=SC2086,SC2059 # words are wanted, and the format is ours
  for item in $2; do items+=("$(printf "$1" "$item")"); done
  local IFS=,
  printf '%s' "${items[*]-}"
}

# dynamic_write ACTIVE: the switch itself, when ACTIVE is another color than before.
dynamic_write() {
  local content
  content="$(dynamic_render "$1")" || return 1
  printf '%s\n' "$content" | replace_file "$DYNAMIC_FILE"
}

# dynamic_why: the sentence when it can't be written.
dynamic_why() { echo "cannot write to $(dirname "$DYNAMIC_FILE"): is the disk full, or the folder read-only?"; }

# dynamic_writable: can the folder take a file of this size, and rename it?
dynamic_writable() {
  local probe
  probe="$(dirname "$DYNAMIC_FILE")/.probe"
  cp "$DYNAMIC_FILE" "$probe.tmp" 2>/dev/null && mv -f "$probe.tmp" "$probe" 2>/dev/null
  local result=$?
  rm -f "$probe.tmp" "$probe" 2>/dev/null
  return "$result"
}
