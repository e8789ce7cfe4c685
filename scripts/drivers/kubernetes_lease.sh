# shellcheck shell=bash
# The kubernetes driver's lock and journal. Both are in the cluster, in one Lease: two people on two machines must not
# promote at once, and either goes on where the other was stopped. Every write of it fails if another holds it by then.

LEASE=baton-promote
# A holder that has not renewed for so long is dead. It is this machine's clock that counts: clocks differ.
LEASE_SECONDS="${BATON_LEASE_SECONDS:-15}"
# A journal, as an annotation of the Lease.
LEASE_JOURNAL=baton/journal

journal_file() { echo "Lease $KUBE_NAMESPACE/$LEASE"; }
journal_why() { echo ": $(kube_said)"; }
journal_put() { lease_patch_own "{\"op\":\"add\",\"path\":\"/metadata/annotations/${LEASE_JOURNAL/\//~1}\",\"value\":$(json_string "$(tr '\n' ';')")}"; }
journal_clear() { lease_patch_own "{\"op\":\"add\",\"path\":\"/metadata/annotations/${LEASE_JOURNAL/\//~1}\",\"value\":\"\"}"; }
journal_get() { lease_field "{.metadata.annotations.${LEASE_JOURNAL//./\\.}}" | tr ';' '\n'; }

# driver_lock: the Lease, for whoever has the lock of this machine. It is free, or its holder was of this machine (and is
# dead then), or it is watched until it is renewed or taken for dead.
driver_lock() {
  local version holder
  lease_make || die 1 "no $(journal_file) could be made: $(kube_said). Nothing was changed"
  # What is left of a killed run gives it back at any moment: then it is looked at once more.
  for _ in {1..10}; do
    version="$(lease_version)" && holder="$(lease_field '{.spec.holderIdentity}')" || return 1
    if [[ -n "$holder" && "$holder" != "$(lease_machine)/"* ]]; then lease_dead "$version" "$holder" || return 1; fi
    if lease_take "$version"; then
      lease_keep
      return
    fi
  done
  return 1
}

# driver_lock_held: an API server that is away is no proof that somebody else has it.
driver_lock_held() {
  local holder
  holder="$(lease_field '{.spec.holderIdentity}')" || return 0
  [[ "$holder" == "$(lease_self)" ]]
}

# driver_lock_elsewhere: its holder, which is not of this machine.
driver_lock_elsewhere() {
  local holder
  holder="$(lease_field '{.spec.holderIdentity}')" || return 0
  if [[ -n "$holder" && "$holder" != "$(lease_machine)/"* ]]; then echo "$(journal_file) of $holder"; fi
}

# lease_machine names whoever shares this lock file: a machine's name is not its own.
lease_machine() {
  if [[ ! -s "$STATE_DIR/machine" ]]; then printf '%s-%s\n' "$(uname -n)" "$(new_uuid)" | replace_file "$STATE_DIR/machine"; fi
  cat "$STATE_DIR/machine"
}

lease_self() { echo "$(lease_machine)/$$-$(process_stamp "$$")"; }
lease_now() { date -u +%Y-%m-%dT%H:%M:%S.000000Z; }
lease_field() { kube get lease "$LEASE" --output jsonpath="$1" 2>>"$STATE_DIR/kubectl.log"; }
lease_version() { lease_field '{.metadata.resourceVersion}'; }

lease_make() {
  if lease_version >/dev/null; then return 0; fi
  kube create --filename - >>"$STATE_DIR/kubectl.log" 2>&1 <<TEXT || lease_version >/dev/null
{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":"$LEASE","annotations":{"$LEASE_JOURNAL":""}},
 "spec":{"holderIdentity":"","leaseDurationSeconds":$LEASE_SECONDS}}
TEXT
}

# lease_dead VERSION HOLDER: nobody renews it.
lease_dead() {
  local deadline=$(($(now_ms) + LEASE_SECONDS * 1000))
  say "==> lock: $2 holds it; looking for $LEASE_SECONDS s whether it lives"
  while (($(now_ms) < deadline)); do
    [[ "$(lease_version)" == "$1" ]] || return 1
    sleep 1
  done
}

# lease_take VERSION: fails if anybody wrote it since.
lease_take() {
  local now
  now="$(lease_now)"
  lease_patch "{\"op\":\"test\",\"path\":\"/metadata/resourceVersion\",\"value\":\"$1\"},
    {\"op\":\"add\",\"path\":\"/spec/holderIdentity\",\"value\":\"$(lease_self)\"},
    {\"op\":\"add\",\"path\":\"/spec/leaseDurationSeconds\",\"value\":$LEASE_SECONDS},
    {\"op\":\"add\",\"path\":\"/spec/acquireTime\",\"value\":\"$now\"},{\"op\":\"add\",\"path\":\"/spec/renewTime\",\"value\":\"$now\"}"
}

# lease_keep renews it in the background for as long as this script lives, then gives it back: also when the script is
# killed with -9. Only a machine's death leaves it to LEASE_SECONDS.
lease_keep() {
  local pid="$$" stamp next=0
  stamp="$(process_stamp "$$")"
  (
    trap '' INT TERM HUP
    exec </dev/null >/dev/null 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
    while process_is "$pid" "$stamp"; do
      if ((SECONDS >= next)); then
        lease_patch_own "{\"op\":\"add\",\"path\":\"/spec/renewTime\",\"value\":\"$(lease_now)\"}" || true
        next=$((SECONDS + LEASE_SECONDS / 3))
      fi
      sleep 0.5
    done
    lease_patch_own '{"op":"add","path":"/spec/holderIdentity","value":""}' "$(lease_machine)/$pid-$stamp" || true
  ) &
}

# lease_patch_own OPERATION [SELF]: only while it is ours.
lease_patch_own() {
  lease_patch "{\"op\":\"test\",\"path\":\"/spec/holderIdentity\",\"value\":\"${2:-$(lease_self)}\"},$1"
}

lease_patch() { kube patch lease "$LEASE" --type json --patch "[$1]" >>"$STATE_DIR/kubectl.log" 2>&1; }
