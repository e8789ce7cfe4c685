# shellcheck shell=bash
# The compose driver's up and down.

COMPOSE_UP_TIMEOUT_MS=120000
# Made by up where nobody set them.
COMPOSE_SECRETS=(REDIS_PASSWORD REDIS_APP_PASSWORD GRAFANA_ADMIN_PASSWORD)

driver_up() {
  local active
  compose_ensure_secrets && compose_ensure_images || return 1
  active="$(dynamic_active_or_blue)" || return 1
  mirror_check "$active"
  compose up -d "app_$active" >&2 || return 1
  # After the networks are made: one of them says who we are to the front door.
  mkdir -p "$(dirname "$DYNAMIC_FILE")" && dynamic_write "$active" || return 1
  # shellcheck disable=SC2046 # one word each
  compose up -d --no-deps $(compose_platform) >&2 || return 1
  set_env_line "$MIRROR_FILE" ACTIVE_ENV "$active" || warn "ACTIVE_ENV in $MIRROR_FILE could not be set"
  compose_wait "$active"
}

# compose_platform: the services beside the colors. BATON_WITHOUT leaves some
# out, as a site does that cannot have an image.
compose_platform() {
  local service without
  without=" $(env_value BATON_WITHOUT "") "
  for service in redis traefik prometheus grafana; do
    if [[ "$without" != *" $service "* ]]; then echo "$service"; fi
  done
}

compose_wait() {
  local deadline=$(($(now_ms) + COMPOSE_UP_TIMEOUT_MS))
  until color_ready "$1" && front_serves "$1"; do
    if (($(now_ms) > deadline)); then
      warn "$1: $(color_not_ready_why "$1"); the front door $(front_state)"
      return 1
    fi
    sleep 0.5
  done
}

# compose_ensure_secrets: Redis and Grafana have passwords, made here if nobody set one.
compose_ensure_secrets() {
  local name
  if [[ ! -e "$ENV_FILE" ]]; then
    (umask 077 && cp "$ROOT/.env.example" "$ENV_FILE" && chmod 600 "$ENV_FILE") || {
      warn "$ENV_FILE could not be made"
      return 1
    }
    say "$ENV_FILE was made from .env.example"
  fi
  for name in "${COMPOSE_SECRETS[@]}"; do
    if [[ -z "$(env_value "$name" "")" ]]; then
      set_env_line "$ENV_FILE" "$name" "$(head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n')" || {
        warn "$name could not be written to $ENV_FILE: is it read-only? Set it there or in the environment"
        return 1
      }
      say "$name was made and stands in $ENV_FILE"
    fi
  done
}

# compose_ensure_images builds the server's image where it is not there yet.
compose_ensure_images() {
  local image
  for image in "$(env_value BLUE_IMAGE baton:local)" "$(env_value GREEN_IMAGE baton:local)"; do
    if ! docker image inspect "$image" >/dev/null 2>&1; then
      [[ "$image" == baton:local ]] || {
        warn "there is no image $image"
        return 1
      }
      say "building $image"
      docker build --file "$ROOT/docker/Dockerfile" --tag "$image" "$ROOT" >&2 || return 1
    fi
  done
}

# Every profile, also those that stand beside the stack: nothing is left.
driver_down() {
  local name
  # compose.yml asks for the passwords whatever is done; to end the stack none is needed.
  for name in "${COMPOSE_SECRETS[@]}"; do export "$name=$(env_value "$name" none)"; done
  compose --profile redis-exporter --profile alerting down --remove-orphans >&2
}

driver_follow_logs() { compose logs --follow --tail 20; }
