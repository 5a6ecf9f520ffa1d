#!/usr/bin/env bash
# What the units must do, seen from inside of a container that systemd has booted. Run by nix/tests/units.sh as a unit.
#
# usage: scenario.sh native|oci     prints a line per expectation; exit code 1 when one is not met
set -euo pipefail

readonly CHAIN=/tank/op-stack/chain
readonly L2=http://127.0.0.1:28545
readonly LEDGER=0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512
readonly FINAL='ObservationFinalized(bytes32,bytes32)'
# Anvil's first account, on both chains
readonly RICH=0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80
PATH=/opt/test/bin:/opt/ec-op-stack/bin:/opt/ec-witness/bin:$PATH
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
  within 'the challenger is refused: the prestate is not the one on chain' logged "$(unit op-challenger)" 'the chain demands 0x'
  must 'the challenger waits' not active op-challenger
  must 'and no process of it runs' not pgrep -x op-challenger
  cp /opt/test/right.bin.gz /tank/op-prestate/prestate.bin.gz
  within 'with the right prestate it runs' active op-challenger
}

idempotence() {
  local before after
  before=$(stat -c '%n %i %Y' $CHAIN/*)
  must 'publishing again succeeds' systemctl restart op-stack-chain.service
  after=$(stat -c '%n %i %Y' $CHAIN/*)
  must 'and changes nothing' test "$before" == "$after"
  must 'the deployment ran twice: once failing, once not' test "$(wc -l </tank/op-stack/bootstrap/deployer/applied)" -eq 2
}

# status as JSON fulfils an expression of jq; its exit code says no as long as anything is wrong
status() {
  local said
  said=$(ec-op-stack status --json) || true
  jq -e "$1" <<<"$said"
}

# the tools read /etc/ec-op-stack/stack.json, which the module rendered
chain() {
  within 'batches make the safe head follow' status '.status.heads.safe.number > 0'
  within 'op-proposer makes a dispute game' status '.status.game.count > 0'
  within 'the finalized head follows' status '.status.heads.finalized.number > 0'
  within 'status finds all well' ec-op-stack status
  must 'the doctor finds nothing to mend' ec-op-stack doctor
  within 'the doctor was asked when the files were published' logged op-stack-doctor.service '^ok .*listeners'
  must 'it shows no API key' not sh -c '{ ec-op-stack doctor; ec-op-stack status; journalctl --output=cat --unit op-stack-doctor; } | grep an-api-key'
  sed 's/--game-type=1/--game-type=0/' /etc/ec-op-stack/stack.json >/tmp/stack.json
  must 'the doctor finds a wrong game type' not ec-op-stack doctor --stack /tmp/stack.json
  sed 's|/run/agenix/op-jwt|/run/agenix/op-batcher-key|' /etc/ec-op-stack/stack.json >/tmp/stack.json
  must 'and a JWT secret that is none of ours' not ec-op-stack doctor --stack /tmp/stack.json
}

secrets() {
  local key value
  [[ $BACKEND == native ]] || podman ps --quiet | xargs podman inspect >/tmp/inspected
  systemctl show '*' >/tmp/shown
  for key in batcher proposer challenger; do
    value=$(<"/run/agenix/op-$key-key")
    must "the $key's key is in its process" grep -aq -- "$value" "/proc/$(process "op-$key")/environ"
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

later() { (($(cast block-number --rpc-url $L2) > $1 + 2)); }

restarts() {
  local geth node head
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
  within 'without an engine that answers op-node waits' state "$(unit op-node)" activating
  must 'and is not started' not pgrep -x op-node
  kill -CONT "$geth"
  within 'with it, it starts' active op-node
  head=$(cast block-number --rpc-url $L2)
  within 'and the chain goes on' later "$head"
}

rpc() { cast rpc --rpc-url http://127.0.0.1:29545 "$@"; }

# as docs/operating.md takes a chain down
stops() {
  must 'the sequencer is stopped' rpc admin_stopSequencer
  within 'the safe head reaches the unsafe one' status '.status.heads | .safe.number == .unsafe_head.number'
  must 'the target stops all' systemctl stop op-stack.target
  # systemctl waits for the target only
  within 'none is left' not pgrep -x 'op-node|op-batcher|op-proposer|op-challenger|op-dispute-mon|op-geth|geth'
  within 'op-geth is the last' state "$(unit op-geth)" inactive
  must 'op-batcher stopped before op-node' earlier op-batcher op-node InactiveEnterTimestampMonotonic
  must 'op-node stopped before op-geth' earlier op-node op-geth InactiveEnterTimestampMonotonic
  must 'op-geth wrote its state down' logged "$(unit op-geth)" 'Blockchain stopped'
  must 'op-node did not fail' test "$(property "$(unit op-node)" Result)" == success
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

# the ledger's event, once the L2 block it is in is final
finalized() {
  cast logs --rpc-url $L2 --address $LEDGER --from-block 0 --to-block finalized "$FINAL" | grep -q transactionHash
}

witness() {
  within 'without a store the witness fails' state ec-witness-la.service failed
  must 'with exit code 78' test "$(property ec-witness-la.service ExecMainStatus)" == 78
  must 'and says which command initialises' logged ec-witness-la.service 'systemctl start ec-witness-la-init'
  local voter
  voter=$(cast wallet address --private-key "$(cat /run/agenix/ec-witness-la)")
  must 'the contracts are deployed on the L2' env EC_WITNESS_KEY=$RICH \
    ec-witness deploy --rpc $L2 --chain-id 901 --witness "$voter" --quorum 1
  must 'the witness gets funds' cast send --rpc-url $L2 --private-key $RICH --value 1ether "$voter"
  must 'the command succeeds' systemctl start ec-witness-la-init.service
  must 'then the witness is ready' systemctl start ec-witness-la.service
  within 'it votes, and a slot is final, in a finalized block' finalized
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
  chain
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
