#!/usr/bin/env bash
# What the units must do, seen from inside of a container that systemd has booted. Run by nix/tests/units.sh as a unit.
#
# usage: scenario.sh native|oci     prints a line per expectation; exit code 1 when one is not met
set -euo pipefail

readonly CHAIN=/tank/op-stack/chain
BACKEND=$1
FAILED=0

unit() {
  if [[ $BACKEND == oci ]]; then printf 'podman-%s.service' "$1"; else printf '%s.service' "$1"; fi
}

# Runs a command that must succeed.
must() {
  local what=$1
  shift
  if "$@" >/tmp/out 2>&1; then
    printf 'ok      %s\n' "$what"
  else
    printf 'FAILED  %s\n' "$what"
    sed 's/^/        /' /tmp/out | tail -n 5
    FAILED=1
  fi
}

# Tries a command for up to 120 seconds.
within() {
  local what=$1 end=$((SECONDS + 120))
  shift
  until "$@" >/dev/null 2>&1 || ((SECONDS >= end)); do sleep 0.5; done
  must "$what" "$@"
}

not() { ! "$@"; }
state() { [[ $(systemctl is-active "$1") == "$2" ]]; }
active() { state "$(unit "$1")" active; }
# not by grep -q: what writes to it would be told that by a signal
logged() { journalctl --no-pager --output=cat --unit "$1" | grep -- "$2" >/dev/null; }
listening() { ss -ltnH | awk '{print $4}' | grep ":$1\$" >/dev/null; }
property() { systemctl show --property="$2" --value "$1"; }
earlier() { (($(property "$(unit "$1")" "$3") < $(property "$(unit "$2")" "$3"))); }

# the process of a component, not the shell or conmon before it
process() { pgrep -x "$1" | head -n 1; }

verify_units() {
  local file name
  for file in /etc/systemd/system/{op-,podman-op-,ec-}*.{service,target}; do
    [[ -e $file ]] || continue
    name=$(basename "$file")
    # an unknown key is only a line on stderr, with exit code 0
    must "verify $name" test -z "$(systemd-analyze verify --man=no "$file" 2>&1)"
  done
}

security() {
  local file name
  for file in /etc/systemd/system/{op-,ec-}*.service; do
    [[ -e $file ]] || continue
    name=$(basename "$file")
    [[ $BACKEND == native || $name == ec-* || $name == op-stack-chain* ]] || continue
    must "security of $name: $(systemd-analyze security --offline=yes --no-pager "$file" 2>/dev/null | grep -o 'exposure level.*: [0-9.]*' | grep -oE '[0-9.]+$' | tail -n 1)" \
      systemd-analyze security --offline=yes --threshold=25 --no-pager "$file"
  done
}

gating() {
  within 'the deployment fails, and op-stack-chain with it' state op-stack-chain.service failed
  touch $CHAIN/genesis.json
  sleep 5
  must 'on half-made output nothing starts: op-geth' not listening 28551
  must 'on half-made output nothing starts: op-node' not listening 29545
  must 'what is waited for is said' logged op-geth-init.service "$CHAIN/complete is not there"
  rm /opt/test/deployment-fails
  must 'the deployment succeeds when it is run again' systemctl restart op-stack-chain.service
  within 'op-geth runs' active op-geth
  within 'op-node runs' active op-node
  within 'op-batcher runs' active op-batcher
  within 'op-proposer runs' active op-proposer
  within 'op-dispute-mon runs' active op-dispute-mon
  must 'op-node started after op-geth' earlier op-geth op-node ExecMainStartTimestampMonotonic
  must 'op-batcher started after op-node' earlier op-node op-batcher ExecMainStartTimestampMonotonic
}

prestate() {
  must 'the challenger waits while the prestate is not the one on chain' not active op-challenger
  must 'and no process of it runs' not pgrep -x op-challenger
  touch /opt/test/prestate-is-right
  within 'with the right prestate it runs' active op-challenger
}

idempotence() {
  local before after
  before=$(stat -c '%n %i %Y' $CHAIN/*)
  must 'publishing again succeeds' systemctl restart op-stack-chain.service
  after=$(stat -c '%n %i %Y' $CHAIN/*)
  must 'and changes nothing' test "$before" == "$after"
  must 'the deployment ran twice: once failing, once not' test "$(wc -l </tank/op-stack/bootstrap/deployments)" -eq 2
}

secrets() {
  local key value
  [[ $BACKEND == native ]] || podman ps --quiet | xargs podman inspect >/tmp/inspected
  systemctl show '*' >/tmp/shown
  for key in batcher proposer challenger; do
    value=$(<"/run/agenix/op-$key-key")
    must "the $key's key is in its process" grep -aq "$value" "/proc/$(process "op-$key")/environ"
    must "the $key's key is in no unit" not grep -rq "$value" /etc/systemd/system "$STORE"
    must 'in no argument' not grep -aq "$value" /proc/[0-9]*/cmdline
    must 'not shown by systemctl' not grep -q "$value" /tmp/shown
    [[ $BACKEND == native ]] || must 'not shown by podman' not grep -q "$value" /tmp/inspected
  done
  must 'one component cannot read the key of another' not setpriv --reuid=ec-op-proposer --regid=ec-op-proposer --clear-groups \
    cat "/proc/$(process op-batcher)/environ"
  must 'nor its data' not setpriv --reuid=ec-op-proposer --regid=ec-op-proposer --clear-groups ls /tank/op-stack/op-geth
}

listeners() {
  must 'beyond loopback only P2P listens' test -z \
    "$(ss -ltnH | awk '{print $4}' | grep -vE '^(127\.[0-9.]+|\[::1\]|\[::ffff:127\.[0-9.]+\]):' | grep -E ':2[6-9][0-9]{3}$' | grep -vE ':(28503|28522)$')"
}

restarts() {
  local geth node
  geth=$(process op-geth) || geth=$(process geth)
  node=$(process op-node)
  kill -KILL "$geth"
  sleep 1
  within 'a killed op-geth comes back' listening 28551
  within 'as a unit' active op-geth
  must 'op-node rode it out' test "$(process op-node)" == "$node"

  # stopped, it would be started again as what op-node wants; frozen, it is there and does not answer
  geth=$(process op-geth) || geth=$(process geth)
  kill -STOP "$geth"
  systemctl restart --no-block "$(unit op-node)"
  sleep 6
  must 'without an engine that answers op-node waits' state "$(unit op-node)" activating
  must 'and is not started' not pgrep -x op-node
  kill -CONT "$geth"
  within 'with it, it starts' active op-node
}

stops() {
  must 'the target stops all' systemctl stop op-stack.target
  # systemctl waits for the target only
  within 'none is left' not pgrep -x 'op-node|op-batcher|op-proposer|op-challenger|op-dispute-mon|op-geth|geth'
  within 'op-geth is the last' state "$(unit op-geth)" inactive
  must 'op-batcher stopped before op-node' earlier op-batcher op-node InactiveEnterTimestampMonotonic
  must 'op-node stopped before op-geth' earlier op-node op-geth InactiveEnterTimestampMonotonic
  must 'op-geth wrote its state down' logged "$(unit op-geth)" 'Blockchain stopped\|stopped cleanly'
  must 'op-node stopped cleanly' logged "$(unit op-node)" 'stopped cleanly'
  must 'op-geth did not fail' test "$(property "$(unit op-geth)" Result)" == success
}

datadir() {
  cp /tank/op-stack/op-geth/data/initialised /tmp/initialised
  echo other >/tank/op-stack/op-geth/data/initialised
  must 'a datadir of another genesis is refused' not timeout 5 systemctl restart op-geth-init.service
  systemctl stop op-geth-init.service
  must 'and named' logged op-geth-init.service 'from another genesis'
  cp /tmp/initialised /tank/op-stack/op-geth/data/initialised
  chmod u+w $CHAIN/rollup.json
  echo ' ' >>$CHAIN/rollup.json
  must "changed files of the chain are refused" not systemctl restart op-stack-chain.service
  must 'and named' logged op-stack-chain.service 'differs from what was published'
}

witness() {
  within 'without a store the witness fails' state ec-witness-la.service failed
  must 'with exit code 78' test "$(property ec-witness-la.service ExecMainStatus)" == 78
  must 'and says which command initialises' logged ec-witness-la.service 'systemctl start ec-witness-la-init'
  must 'that command succeeds' systemctl start ec-witness-la-init.service
  must 'then the witness is ready' systemctl start ec-witness-la.service
  must 'its store is its own' test "$(stat -c %a /var/lib/private/ec-witness/la)" == 700
  local pid
  pid=$(property ec-witness-la.service MainPID)
  must 'it sees the archive' nsenter -t "$pid" -m ls /var/lib/every-channel/manifests/la-nbc
  must 'read-only' not nsenter -t "$pid" -m touch /var/lib/every-channel/manifests/x
  must 'and nothing else below /var/lib' not nsenter -t "$pid" -m ls /var/lib/dpkg
  kill -STOP "$pid"
  within 'when it hangs the watchdog ends it' logged ec-witness-la.service 'Watchdog timeout'
  within 'and it comes back' state ec-witness-la.service active
}

main() {
  verify_units
  security
  gating
  # the rest needs a chain that runs
  ((FAILED == 0)) || return 1
  prestate
  idempotence
  listeners
  secrets
  restarts
  witness
  stops
  datadir
  return "$FAILED"
}

main
