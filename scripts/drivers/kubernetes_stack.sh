# shellcheck shell=bash
# The kubernetes driver's up and down. BATON_OVERLAY (docker/kubernetes/overlays/local) is what is applied.

KUBE_UP_TIMEOUT_MS=180000

driver_up() {
  local active deadline=$(($(now_ms) + KUBE_UP_TIMEOUT_MS))
  kube apply --server-side --field-manager baton --kustomize "$(env_value BATON_OVERLAY "$ROOT/docker/kubernetes/overlays/local")" >&2 || return 1
  # Only where there is none: from its making on the route is promote.sh's.
  if ! kube get httproute baton >/dev/null 2>&1; then kube create --kustomize "$ROOT/docker/kubernetes/route" >&2 || return 1; fi
  active="$(driver_active_color)"
  is_color "$active" || return 1
  # A Deployment that is new has one replica, and the idle color none.
  if ! journal_pending; then driver_term_color "$(other_color "$active")" 30; fi
  driver_start_color "$active" || return 1
  until color_ready "$active" && front_serves "$active"; do
    if (($(now_ms) > deadline)); then
      warn "$active: $(color_not_ready_why "$active"); the front door $(front_state)"
      return 1
    fi
    sleep 0.5
  done
}

# journal_pending: a promote was stopped; its other color is for the next run to judge.
journal_pending() { [[ -n "$(journal_get)" ]]; }

# driver_down scales both colors to nothing; Redis and what it holds stay.
driver_down() {
  local color
  for color in blue green; do driver_term_color "$color" 30; done
  journal_clear
  process_stop proxy 5 || true
  rm -f "$STATE_DIR/ports/proxy"
}

driver_follow_logs() { kube logs --selector app.kubernetes.io/name=baton --tail 20 --follow --max-log-requests 50; }
