# shellcheck shell=bash
# The kubernetes driver: the Deployments baton-blue and baton-green of docker/kubernetes, by kubectl. The active color
# is the one that has the weight in the HTTPRoute `baton`: one object, patched at once.
# The functions driver_… are the interface that every driver has.
#
#   BATON_NAMESPACE (baton), BATON_KUBECTL (kubectl, may have flags: --context …)
#   BATON_FRONT_URL  the gateway's public listener, such as https://baton.example.com
#   BATON_ADMIN_URL  its listener `admin`, which has /blue and /green
#   BLUE_REPLICAS (2), GREEN_REPLICAS (3), BATON_BIN (bin/baton)

# shellcheck source=scripts/lib/process.sh
source "$ROOT/scripts/lib/process.sh"
# shellcheck source=scripts/lib/http.sh
source "$ROOT/scripts/lib/http.sh"
# shellcheck source=scripts/drivers/kubernetes_lease.sh
source "$ROOT/scripts/drivers/kubernetes_lease.sh"
# shellcheck source=scripts/drivers/kubernetes_stack.sh
source "$ROOT/scripts/drivers/kubernetes_stack.sh"

KUBE_NAMESPACE="$(env_value BATON_NAMESPACE baton)"
read -r -a KUBECTL <<<"$(env_value BATON_KUBECTL kubectl)"
# Where the active color stands, as the sentences of promote.sh name it.
# shellcheck disable=SC2034
DYNAMIC_FILE="HTTPRoute $KUBE_NAMESPACE/baton"
# shellcheck disable=SC2034 # promote.sh's
MIRROR_FILE="$STATE_DIR/.env"
KUBE_TIMEOUT=10s
mkdir -p "$STATE_DIR" 2>/dev/null || true

kube() { "${KUBECTL[@]}" --namespace "$KUBE_NAMESPACE" --request-timeout "$KUBE_TIMEOUT" "$@"; }

# kube_said: the last words of kubectl.
kube_said() { tail -n 1 "$STATE_DIR/kubectl.log" 2>/dev/null | cut -c 1-300; }

driver_front_url() { env_value BATON_FRONT_URL http://127.0.0.1:8000; }
driver_tool_url() { driver_front_url; }
# The colors by name are on a listener of their own, which is not public.
color_front_url() { echo "$(env_value BATON_ADMIN_URL http://127.0.0.1:9000)/$1"; }
color_tool_url() { color_front_url "$1"; }
driver_baton() { "${BATON_BIN:-$ROOT/bin/baton}" "$@"; }

# driver_replicas COLOR: of a color that this run has started, as many as then: an autoscaler may add more at any time,
# which are not waited for. Of a color that runs, what its Deployment (or an autoscaler) wants. Of one that does not, what
# the settings say, and no fewer than the other one has now: it is to carry the same load.
driver_replicas() {
  local now other wanted started
  started="KUBE_STARTED_$1"
  if [[ -n "${!started:-}" ]]; then
    echo "${!started}"
    return
  fi
  now="$(kube_replicas "$1")" other="$(kube_replicas "$(other_color "$1")")"
  if [[ "$1" == blue ]]; then wanted="$(env_value BLUE_REPLICAS 2)"; else wanted="$(env_value GREEN_REPLICAS 3)"; fi
  if ((now > 0)); then
    echo "$now"
  else
    echo "$((other > wanted ? other : wanted))"
  fi
}

kube_replicas() {
  local replicas
  replicas="$(kube get deployment "baton-$1" --output jsonpath='{.spec.replicas}' 2>/dev/null)" || true
  echo "${replicas:-0}"
}

driver_traefik_metrics_url() { :; }
driver_redis_info() { return 1; }
driver_logs() { kube logs --selector app.kubernetes.io/name=baton --tail "$1" 2>/dev/null || true; }

# driver_active_color: the one color that has all the weight.
driver_active_color() {
  kube get httproute baton --output jsonpath='{range .spec.rules[0].backendRefs[?(@.weight>0)]}{.name}{"\n"}{end}' 2>/dev/null |
    awk '/^baton-(blue|green)$/ { color = substr($0, 7); n++ } END { if (n == 1) print color }'
}

# dynamic_write COLOR: the switch itself, when COLOR is another one than before. One patch of one object; the tests
# refuse to write weights where another order of colors is.
dynamic_write() {
  local blue=0 green=0
  if [[ "$1" == blue ]]; then blue=1; else green=1; fi
  kube patch httproute baton --type json --patch "[
    {\"op\":\"test\",\"path\":\"/spec/rules/0/backendRefs/0/name\",\"value\":\"baton-blue\"},
    {\"op\":\"test\",\"path\":\"/spec/rules/0/backendRefs/1/name\",\"value\":\"baton-green\"},
    {\"op\":\"add\",\"path\":\"/spec/rules/0/backendRefs/0/weight\",\"value\":$blue},
    {\"op\":\"add\",\"path\":\"/spec/rules/0/backendRefs/1/weight\",\"value\":$green}]" >>"$STATE_DIR/kubectl.log" 2>&1
}

dynamic_why() { echo "$DYNAMIC_FILE can't be patched: $(kube_said)."; }

# dynamic_writable: would the API server take the switch?
dynamic_writable() {
  kube patch httproute baton --type merge --patch '{}' --dry-run=server >>"$STATE_DIR/kubectl.log" 2>&1
}

# driver_replica_urls COLOR: each living pod, through the API server.
driver_replica_urls() {
  local pod base
  base="$(kube_proxy)" || return 0
  for pod in $(kube_pods "$1"); do echo "$base/api/v1/namespaces/$KUBE_NAMESPACE/pods/$pod:8000/proxy"; done
}

driver_start_color() {
  local replicas
  replicas="$(driver_replicas "$1")"
  kube_autoscaled "$1" true
  kube scale deployment "baton-$1" --replicas "$replicas" >>"$STATE_DIR/kubectl.log" 2>&1 || return 1
  printf -v "KUBE_STARTED_$1" '%s' "$replicas"
}

# driver_color_alive counts every pod that has not ended, those too that drain.
driver_color_alive() {
  local pods
  # An API server that is away is no proof that nothing runs.
  pods="$(kube get pods --selector "color=$1" --output name)" || {
    echo 1
    return
  }
  grep -c . <<<"$pods" || true
}

# driver_color_trouble COLOR: why not every replica lives; nothing if all do. A pod that is replaced while its
# Deployment stays whole is Kubernetes' own matter.
driver_color_trouble() {
  local state
  state="$(kube get pods --selector "color=$1" --output jsonpath='{range .items[*]}{.metadata.name}{" "}{.status.containerStatuses[?(@.name=="baton")].restartCount}{" "}{.status.containerStatuses[?(@.name=="baton")].state.waiting.reason}{"\n"}{end}')" || return 0
  if [[ -z "$state" ]]; then
    if [[ "$(kube_replicas "$1")" == 0 ]]; then echo "the Deployment baton-$1 has no replicas"; fi
    kube get deployment "baton-$1" --output jsonpath='{.status.conditions[?(@.type=="ReplicaFailure")].message}' 2>/dev/null || true
    return
  fi
  awk '$2 > 0 { print "pod " $1 " was restarted " $2 " time(s) " $3; exit }
    $3 ~ /^(CrashLoopBackOff|ErrImagePull|ImagePullBackOff|InvalidImageName|CreateContainerConfigError)$/ { print "pod " $1 " does not start: " $3; exit }' <<<"$state"
}

# driver_term_color COLOR SECONDS: to no replicas; each pod drains within its grace period.
driver_term_color() {
  printf -v "KUBE_STARTED_$1" ''
  kube_autoscaled "$1" false
  kube scale deployment "baton-$1" --replicas 0 >>"$STATE_DIR/kubectl.log" 2>&1 || warn "baton-$1 could not be scaled to 0 (see $STATE_DIR/kubectl.log)"
}

driver_kill_color() {
  kube delete pods --selector "color=$1" --grace-period 0 --force --wait=false >>"$STATE_DIR/kubectl.log" 2>&1 || true
}

# driver_forget_color: what ended is the Deployment's to tidy.
driver_forget_color() { :; }

# kube_pods COLOR: of those that have come up, who is to stay; when all of them are told to end, those.
kube_pods() {
  # shellcheck disable=SC2016 # a template of kubectl's
  kube get pods --selector "color=$1" --field-selector status.phase=Running --output go-template='{{range .items}}{{$pod := .}}{{range .status.containerStatuses}}{{if and .started (eq .name "baton")}}{{with $pod.metadata.deletionTimestamp}}ending{{else}}stays{{end}} {{$pod.metadata.name}}{{"\n"}}{{end}}{{end}}{{end}}' 2>/dev/null |
    awk '{ pods[$1] = pods[$1] $2 "\n" } END { printf "%s", "stays" in pods ? pods["stays"] : pods["ending"] }'
}

# kube_autoscaled COLOR true|false: KEDA, where it is used, leaves an idle color alone. The HorizontalPodAutoscaler
# does so by itself.
kube_autoscaled() {
  local paused=paused=true
  if [[ "$2" == true ]]; then paused=paused-; fi
  kube annotate scaledobject "baton-$1" --overwrite "autoscaling.keda.sh/$paused" >/dev/null 2>&1 || true
}

# kube_proxy: the address of a `kubectl proxy` of ours, started where none runs.
kube_proxy() {
  local port
  if process_pid proxy >/dev/null && [[ -s "$STATE_DIR/ports/proxy" ]]; then
    echo "http://127.0.0.1:$(<"$STATE_DIR/ports/proxy")"
    return
  fi
  mkdir -p "$STATE_DIR"/{ports,pids,logs} && port="$(free_port)" || return 1
  # To the replicas only, and not for long: who is on this machine may use it too.
  process_start proxy timeout 600 "${KUBECTL[@]}" proxy --port "$port" --address 127.0.0.1 --reject-methods '^(POST|PUT|PATCH|DELETE)$' \
    --accept-paths "^/api/v1/namespaces/$KUBE_NAMESPACE/pods/baton-[^/]+:8000/proxy/" || return 1
  echo "$port" >"$STATE_DIR/ports/proxy"
  for _ in {1..50}; do
    if port_open "$port"; then
      echo "http://127.0.0.1:$port"
      return
    fi
    process_pid proxy >/dev/null || return 1
    sleep 0.1
  done
  return 1
}
