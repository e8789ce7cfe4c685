#!/usr/bin/env bash
# Builds the stack's images out of programs that are installed on this machine, for a site that reaches no
# registry: each is the program, the libraries it is linked to, and nothing else. Grafana has no such package.
set -euo pipefail

HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
readonly PREFIX="baton-offline"

usage() {
  cat <<'TEXT'
offline-images.sh — builds images out of installed programs, and prints the lines for .env that use them

usage: docker/offline-images.sh [--baton PATH] [--tag TAG] [NAME…]

  --baton PATH   a static baton (default bin/baton, see `make build`)
  --tag TAG      of every image (default local)
  NAME           baton, traefik, redis, prometheus, redis_exporter, alertmanager (default: what is installed)

Needs docker and ldd. The programs: traefik; redis-server and redis-cli; prometheus and promtool;
redis_exporter and alertmanager (also under Debian's names, prometheus-redis-exporter and prometheus-alertmanager).
TEXT
}

# first NAME…: the path of the first of these programs that is installed.
first() {
  local name
  for name in "$@"; do
    if command -v "$name"; then return 0; fi
  done
  return 1
}

# add ROOT PROGRAM TARGET puts a program and what it is linked to into an image's file system.
add() {
  local root="$1" program="$2" target="$3" library
  install -D -m 0755 "$program" "$root$target"
  while read -r library; do
    install -D -m 0755 "$(realpath "$library")" "$root$library"
  done < <({ ldd "$program" 2>/dev/null || true; } | grep -o '/[^ ]*' | sort -u)
}

# build NAME ROOT LINE…: an image of ROOT with these lines of a Dockerfile.
build() {
  local name="$1" root="$2"
  shift 2
  mkdir -p "$root/etc" "$root/.empty" && : >"$root/etc/passwd"
  {
    printf 'FROM scratch\nCOPY . /\nENV PATH=/usr/local/bin:/usr/bin:/bin\n'
    printf '%s\n' "$@"
  } >"$WORK/$name.Dockerfile"
  if ! docker build -q -t "$PREFIX/$name:$TAG" -f "$WORK/$name.Dockerfile" "$root" >"$WORK/build.log" 2>&1; then
    cat "$WORK/build.log" >&2
    return 1
  fi
}

image_baton() {
  [[ -x "$BATON" ]] || return 1
  add "$WORK/baton" "$BATON" /baton
  add_certificates "$WORK/baton"
  build baton "$WORK/baton" 'USER 65532:65532' 'EXPOSE 8000' 'ENTRYPOINT ["/baton"]' 'CMD ["serve"]'
  say BLUE_IMAGE baton
  say GREEN_IMAGE baton
}

image_traefik() {
  local program
  program="$(first traefik)" || return 1
  add "$WORK/traefik" "$program" /usr/local/bin/traefik
  add_certificates "$WORK/traefik"
  build traefik "$WORK/traefik" 'ENTRYPOINT ["/usr/local/bin/traefik"]'
  say TRAEFIK_IMAGE traefik
}

image_redis() {
  local server client
  server="$(first redis-server)" && client="$(first redis-cli)" || return 1
  add "$WORK/redis" "$server" /usr/bin/redis-server
  add "$WORK/redis" "$client" /usr/bin/redis-cli
  build redis "$WORK/redis" 'COPY --chown=999:1000 .empty /data' 'VOLUME /data' 'CMD ["redis-server"]'
  say REDIS_IMAGE redis
}

image_prometheus() {
  local server tool
  server="$(first prometheus)" && tool="$(first promtool)" || return 1
  add "$WORK/prometheus" "$server" /bin/prometheus
  add "$WORK/prometheus" "$tool" /bin/promtool
  build prometheus "$WORK/prometheus" 'COPY --chown=65534:65534 .empty /prometheus' 'VOLUME /prometheus' \
    'WORKDIR /prometheus' 'ENTRYPOINT ["/bin/prometheus"]'
  say PROMETHEUS_IMAGE prometheus
}

image_redis_exporter() {
  local program
  program="$(first redis_exporter prometheus-redis-exporter)" || return 1
  add "$WORK/redis_exporter" "$program" /bin/redis_exporter
  build redis_exporter "$WORK/redis_exporter" 'ENTRYPOINT ["/bin/redis_exporter"]'
  say REDIS_EXPORTER_IMAGE redis_exporter
}

image_alertmanager() {
  local program templates=/usr/share/prometheus/alertmanager
  program="$(first alertmanager prometheus-alertmanager)" || return 1
  add "$WORK/alertmanager" "$program" /bin/alertmanager
  # Debian keeps the message templates outside of the program.
  if [[ -d "$templates" ]]; then
    mkdir -p "$WORK/alertmanager$templates" && cp -L "$templates"/*.tmpl "$WORK/alertmanager$templates"
  fi
  build alertmanager "$WORK/alertmanager" 'COPY --chown=65534:65534 .empty /alertmanager' \
    'VOLUME /alertmanager' 'ENTRYPOINT ["/bin/alertmanager"]'
  say ALERTMANAGER_IMAGE alertmanager
}

add_certificates() {
  local bundle=/etc/ssl/certs/ca-certificates.crt
  if [[ -r "$bundle" ]]; then install -D -m 0644 "$bundle" "$1$bundle"; fi
}

say() { echo "$1=$PREFIX/$2:$TAG"; }

parse() {
  BATON="$HERE/../bin/baton" TAG=local NAMES=()
  while (($# > 0)); do
    case "$1" in
      --baton) BATON="${2:?--baton needs a path}" && shift ;;
      --tag) TAG="${2:?--tag needs a name}" && shift ;;
      -h | --help) usage && exit 0 ;;
      -*) echo "offline-images.sh: unknown option $1" >&2 && exit 2 ;;
      *) NAMES+=("$1") ;;
    esac
    shift
  done
}

main() {
  local name
  parse "$@"
  WORK="$(mktemp -d)"
  trap 'rm -rf "$WORK"' EXIT
  for name in "${NAMES[@]:-}"; do
    if [[ -n "$name" ]] && ! declare -F "image_$name" >/dev/null; then
      echo "offline-images.sh: no image \"$name\"" >&2
      return 2
    fi
  done
  if ((${#NAMES[@]} == 0)); then
    for name in baton traefik redis prometheus redis_exporter alertmanager; do
      "image_$name" || echo "offline-images.sh: $name is not installed, left out" >&2
    done
    return
  fi
  for name in "${NAMES[@]}"; do
    "image_$name" || { echo "offline-images.sh: $name is not installed" >&2 && return 1; }
  done
}

main "$@"
