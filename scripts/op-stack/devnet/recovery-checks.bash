#!/usr/bin/env bash
# Sourced by devnet.sh: a chain outlives its host. The commands are those of docs/recovering.md, as they are printed there.
# shellcheck disable=SC2016,SC2034,SC2153,SC2317 # jq's variables; names and functions that the printed commands use; PORT is in chain.bash

# Of the public mnemonic: who owns SystemConfig, who owns the factory of games, and accounts that have no role
readonly OWNER_PATH="m/44'/60'/2'/901/10" FACTORY_OWNER_PATH="m/44'/60'/1'/900/1"
readonly SPARE_CHALLENGER_INDEX=12 SPARE_PROPOSER_INDEX=13 SPARE_INDEX=14 SPARE_P2P_INDEX=15

# printed NAME: the block after `<!-- run: NAME -->`
printed() {
  local text
  text=$(awk -v mark="<!-- run: $1 -->" '
    $0 == mark { on = 1; next }
    on && /^    / { print substr($0, 5); seen = 1; next }
    on && /^$/ { if (seen) print; next }
    on { exit }' "$ROOT/docs/recovering.md")
  [[ -n $text ]] || die 1 "docs/recovering.md has no block \`$1\`"
  printf '%s\n' "$text"
}

# perform WHAT NODE BLOCK…: runs printed blocks on a node of the devnet, in one shell that ends at the first failure, as long as
# five minutes at most. An expectation that is never called where bash ignores errors: behind `if`, `until`, `!` or `&&`.
perform() {
  local what=$1 text block code=0 pid end=$((SECONDS + 300))
  SERVES=$2
  text=$(for block in ask "${@:3}"; do printed "$block"; done)
  set +e
  (
    set -Eeuo pipefail
    trap - EXIT
    export EC_OP_STACK_STACK=$DIR/$SERVES/stack.json
    ec-op-stack() { "$EC" "$@"; }
    cast() { "$CAST" "$@"; }
    eval "$text"
  ) >"$DIR/out" 2>&1 &
  pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    ((SECONDS < end)) || kill "$pid"
    sleep 0.2
  done
  wait "$pid"
  code=$?
  set -e
  EXPECTED=$((EXPECTED + 1))
  ((code == 0)) || FAILED=$((FAILED + 1))
  tell "$what, as printed" "$( ((code == 0)) && echo true || echo false)"
}

# What the printed commands call: ends and starts components of the node that SERVES says.
systemctl() {
  local verb=$1 unit
  shift
  for unit in "$@"; do
    case $verb/$unit in
      stop/op-stack.target) stop_node ;;
      start/op-stack.target) start_node ;;
      stop/*) stop "$(process_name "$SERVES" "$unit")" ;;
      start/*) restart_component "$unit" ;;
      restart/*)
        stop "$(process_name "$SERVES" "$unit")"
        restart_component "$unit"
        ;;
      *) die 2 "systemctl $verb $unit: not known here" ;;
    esac
  done
}

# The same: the host's configuration names $SYSTEM/new/op-batcher, and named $SYSTEM/old/op-batcher before.
nixos-rebuild() {
  local named=new
  case $1 in
    build)
      mkdir -p result/etc/ec-op-stack
      jq --arg version "$("$SYSTEM/new/op-batcher" --version | awk '{ print $3 }')" '.components["op-batcher"].version = $version' \
        "$DIR/$SERVES/stack.json" >result/etc/ec-op-stack/stack.json
      ;;
    switch)
      [[ $2 != --rollback ]] || named=old
      systemctl stop op-batcher
      ln -sfn "$(readlink "$SYSTEM/$named/op-batcher")" "$DIR/bin/op-batcher"
      write_stack "$SERVES"
      systemctl start op-batcher
      ;;
    *) die 2 "nixos-rebuild $1: not known here" ;;
  esac
}

# As a unit does: secrets are handed over at each start.
restart_component() {
  hand_over "$SERVES"
  start_component "$SERVES" "$1"
}

stop_node() {
  local component
  for component in op-challenger op-proposer op-batcher op-node op-geth; do
    stop "$(process_name "$SERVES" "$component")"
  done
}

start_node() {
  local component
  hand_over "$SERVES"
  for component in op-geth op-node op-batcher op-proposer op-challenger; do
    [[ $SERVES != standby || $component != op-proposer ]] || continue
    [[ $(planned "$SERVES" --arg name "$component" '.components | has($name)') == false ]] || start_component "$SERVES" "$component"
  done
}

# configure NODE PEER STOPPED: what the host's configuration becomes
configure() {
  plan "$@"
  write_stack "$1"
}

# Hashes of blocks up to a number, each tenth and the last: as `number hash`.
history_of() {
  local number
  for ((number = 0; number < $2; number += 10)); do
    printf '%s %s\n' "$number" "$(block "$1" "$number" hash)"
  done
  printf '%s %s\n' "$2" "$(block "$1" "$2" hash)"
}

# unchanged EXECUTION: the blocks that were safe are the same there
unchanged() {
  local number hash
  while read -r number hash; do
    [[ $(block "$1" "$number" hash) == "$hash" ]] || {
      echo "block $number was $hash, and is $(block "$1" "$number" hash)"
      return 1
    }
  done <"$DIR/safe"
}

safe_at_least() {
  (($(head_of "$1" safe) >= $2))
}

# The node knows which L2 block was safe at an L1 block, which only its own record tells.
knows_safe_head_at() {
  rpc "$1" optimism_safeHeadAtL1Block "[\"$(printf '0x%x' "$2")\"]"
}

# The machine with the sequencer burns: nothing is ended in order, and nothing is left but what is kept elsewhere.
lose_sequencer() {
  local component
  for component in op-challenger op-proposer op-batcher op-node op-geth; do
    send_signal KILL "$component"
    rm -f "$DIR/run/$component"
  done
  sleep 1
  rm -rf "$DIR"/sequencer/op-*
}

check_recovery() {
  check_snapshot
  check_loss
  check_takeover
  check_rotation
  check_proposer_rotation
  check_exchange
  check_challenger_rotation
}

check_snapshot() {
  local SNAPSHOT=$DIR/snapshot
  PART=recovery
  within 90 'the safe head has gone on' safe_at_least "$SEQUENCER_NODE" 20
  AT_SNAPSHOT=$(rpc "$SEQUENCER_NODE" optimism_syncStatus | jq .current_l1.number)
  expect 'a node that runs is not copied' not "$EC" snapshot --stack "$DIR/sequencer/stack.json" --to "$DIR/snapshot"
  perform 'a snapshot is taken' sequencer snapshot
  expect 'without a secret of this host' test -z "$(find "$DIR/snapshot" -name nodekey -o -name jwt)"
  within 60 'the sequencer goes on' grows 5 head_of "$SEQUENCER_NODE" unsafe
}

check_loss() {
  local SNAPSHOT=$DIR/snapshot NODE=$SEQUENCER_NODE BATCHER=http://127.0.0.1:$((PORT + 121)) safe
  PART=recovery
  within 120 'the safe head passes the snapshot' grows 20 head_of "$SEQUENCER_NODE" safe
  safe=$(head_of "$SEQUENCER_NODE" safe)
  history_of "$SEQUENCER" "$safe" >"$DIR/safe"
  lose_sequencer
  expect 'with the sequencer lost nothing answers' not rpc "$SEQUENCER" eth_chainId
  configure sequencer '' true
  perform 'its data is restored' sequencer restore
  expect 'it makes no blocks by itself' test "$(rpc "$NODE" admin_sequencerActive)" == false
  perform 'it derives what was posted since' sequencer catch-up
  expect 'up to the last block that was safe' safe_at_least "$NODE" "$safe"
  expect 'which are all the same' unchanged "$SEQUENCER"
  perform 'it makes blocks again' sequencer sequence
  within 60 'the unsafe head advances' grows 5 head_of "$NODE" unsafe
  within 180 'the safe head passes what was safe' safe_at_least "$NODE" $((safe + 10))
  expect 'without a reorg of what was safe' unchanged "$SEQUENCER"
  expect 'it knows the safe heads of before the snapshot' knows_safe_head_at "$NODE" "$AT_SNAPSHOT"
  configure sequencer '' false
  stop op-node
  stop op-batcher
  start_component sequencer op-node
  start_component sequencer op-batcher
  within 60 'configured as before it goes on after a restart' grows 5 head_of "$NODE" unsafe
  within 120 'and status finds nothing wrong' status_says ''
}

# Who has the sequencer's keys, and makes no blocks yet.
configure_standby() {
  mkdir -p "$DIR/standby/keys"
  (umask 077 && cp "$DIR"/sequencer/keys/{p2p,batcher,proposer,challenger} "$DIR/standby/keys/" && openssl rand -hex 32 >"$DIR/standby/keys/jwt")
  configure standby "$(sequencer_address)"
}

same_head() {
  [[ $(head_of "$1" unsafe hash) == "$(head_of "$2" unsafe hash)" ]]
}

check_takeover() {
  local OLD=$SEQUENCER_NODE NEW=$STANDBY_NODE safe
  local OLD_BATCHER=http://127.0.0.1:$((PORT + 121)) NEW_BATCHER=http://127.0.0.1:$((PORT + 66))
  local SNAPSHOT=$DIR/snapshot
  PART=recovery
  configure_standby
  perform 'a standby begins with the snapshot' standby restore
  within 120 'it has the newest blocks' same_head "$OLD" "$NEW"
  safe=$(head_of "$OLD" safe)
  history_of "$SEQUENCER" "$safe" >"$DIR/safe"
  perform 'it takes over' standby ready hand-over take-over
  within 60 'its unsafe head advances' grows 5 head_of "$NEW" unsafe
  within 60 'the old one follows it' same_head "$NEW" "$OLD"
  expect 'and makes no blocks' test "$(rpc "$OLD" admin_sequencerActive)" == false
  within 180 'the safe head goes on by its batches' safe_at_least "$NEW" $((safe + 10))
  expect 'without a reorg of what was safe' unchanged "$STANDBY"
  # the other way round: OLD and NEW exchanged
  OLD=$STANDBY_NODE NEW=$SEQUENCER_NODE NEW_BATCHER=$OLD_BATCHER OLD_BATCHER=http://127.0.0.1:$((PORT + 66))
  perform 'and gives back' sequencer ready hand-over take-over
  within 60 'the unsafe head of the first advances' grows 5 head_of "$NEW" unsafe
  within 180 'and its safe head' safe_at_least "$NEW" $((safe + 20))
  expect 'without a reorg of what was safe' unchanged "$SEQUENCER"
  SERVES=standby stop_node
}

check_rotation() {
  local NODE=$SEQUENCER_NODE NEW_KEY BATCHER_KEY=$DIR/sequencer/keys/batcher P2P_KEY=$DIR/sequencer/keys/p2p safe
  local OWNER=(--mnemonic "$MNEMONIC" --mnemonic-derivation-path "$OWNER_PATH")
  PART=recovery
  NEW_KEY=$DIR/sequencer/keys/batcher-2
  jq --arg new "$(key "$NEW_KEY" "$SPARE_INDEX")" '.batcher = $new' "$DIR/accounts.json" >"$DIR/accounts.new"
  send "$RICH" "$(jq -r .batcher "$DIR/accounts.new")" --value 10ether
  perform 'the batcher gets another key' sequencer rotate-batcher
  mv "$DIR/accounts.new" "$DIR/accounts.json"
  write_stack sequencer
  safe=$(head_of "$NODE" safe)
  within 60 'its batches reach the inbox' test_positive batches
  within 180 'the safe head follows them' safe_at_least "$NODE" $((safe + 10))
  within 60 'and the doctor finds it right' "$EC" doctor --stack "$DIR/sequencer/stack.json"

  NEW_KEY=$DIR/sequencer/keys/p2p-2
  key "$NEW_KEY" "$SPARE_P2P_INDEX" >/dev/null
  SERVES=standby start_node
  # a node asks for what it missed at four blocks a second
  within 300 'a second node hears of blocks' same_head "$NODE" "$STANDBY_NODE"
  perform 'the sequencer gets another key to sign with' sequencer rotate-p2p
  within 60 'it makes blocks' grows 5 head_of "$NODE" unsafe
  perform 'the second node reads who signs' standby read-signer
  within 180 'and takes the blocks that the new key signs' same_head "$NODE" "$STANDBY_NODE"
  SERVES=standby stop_node
}

# The newest game was made by this account, and claims op-node's own root.
proposed_by() {
  local newest
  newest=$(game $(($(games) - 1)))
  [[ $(call "$L1" "$newest" 'gameCreator()(address)') == "$1" ]] && game_is_of "$newest" "$(game_block "$newest")"
}

# may_not_propose ACCOUNT: the factory makes no game for it, for no other reason than who it is
may_not_propose() {
  local said
  said=$("$CAST" call --rpc-url "$L1" --from "$1" "$FACTORY" 'create(uint32,bytes32,bytes)(address)' 1 "$(printf '0x%064x' 1)" \
    "$(printf '0x%064x' "$(head_of "$SEQUENCER_NODE" unsafe)")" 2>&1) && return 1
  echo "$said"
  # BadAuth()
  [[ $said == *BadAuth* || $said == *d386ef3e* ]]
}

# constants GAME: all that an implementation is made with, but the proposer and the challenger
constants() {
  local name
  for name in 'gameType()(uint32)' 'absolutePrestate()(bytes32)' 'maxGameDepth()(uint256)' 'splitDepth()(uint256)' \
    'clockExtension()(uint64)' 'maxClockDuration()(uint64)' 'vm()(address)' 'weth()(address)' 'anchorStateRegistry()(address)' \
    'l2ChainId()(uint256)' 'version()(string)'; do
    "$CAST" call --rpc-url "$L1" "$1" "$name"
  done
}

# What the games that come are made of.
implementation() {
  call "$L1" "$FACTORY" 'gameImpls(uint32)(address)' 1
}

# named ROLE: whom that names
named() {
  call "$L1" "$(implementation)" "$1()(address)"
}

# exchange_role NEW: gives ROLE another key by what is printed
exchange_role() {
  local OWNER=(--mnemonic "$MNEMONIC" --mnemonic-derivation-path "$FACTORY_OWNER_PATH") old before other
  other=$([[ $ROLE == proposer ]] && echo challenger || echo proposer)
  old=$(implementation)
  before=$(constants "$old")$(named "$other")
  perform "the $ROLE gets another key" sequencer role-game role-look rotate-role
  jq --arg role "$ROLE" --arg new "$1" '.[$role] = $new' "$DIR/accounts.json" >"$DIR/accounts.new"
  mv "$DIR/accounts.new" "$DIR/accounts.json"
  write_stack sequencer
  expect 'by another implementation' test "$(implementation)" != "$old"
  expect "which differs in the $ROLE only" test "$(constants "$(implementation)")$(named "$other")" == "$before"
}

check_proposer_rotation() {
  local ROLE=proposer NEW_KEY=$DIR/sequencer/keys/proposer-2 ROLE_KEY=$DIR/sequencer/keys/proposer old new
  PART=recovery
  old=$(jq -r .proposer "$DIR/accounts.json")
  new=$(key "$NEW_KEY" "$SPARE_PROPOSER_INDEX")
  send "$RICH" "$new" --value 10ether
  within 120 'the newest game is of the proposer' proposed_by "$old"
  expect 'another account may not propose' may_not_propose "$new"
  expect 'and the doctor says so' finds accounts 'take proposals of' ".accounts.proposer = \"$new\""
  exchange_role "$new"
  within 120 'a game of the new account is made' proposed_by "$new"
  expect 'the old account may not propose any more' may_not_propose "$old"
  within 60 'and the doctor finds it right' "$EC" doctor --stack "$DIR/sequencer/stack.json"
}

# The last: a wrong game is among those that status looks at.
check_challenger_rotation() {
  local ROLE=challenger NEW_KEY=$DIR/sequencer/keys/challenger-2 ROLE_KEY=$DIR/sequencer/keys/challenger new wrong
  PART=recovery
  [[ -e $DIR/prestate.bin.gz ]] || {
    say 'NOT CHECKED: the exchange of a challenger, of which there is none with --short'
    return 0
  }
  new=$(key "$NEW_KEY" "$SPARE_CHALLENGER_INDEX")
  send "$RICH" "$new" --value 100ether
  exchange_role "$new"
  expect 'games that come name it' test "$(named challenger)" == "$new"
  # two senders would race for the nonces
  stop op-proposer
  propose_wrongly "$SPARE_PROPOSER_INDEX"
  wrong=$(game $(($(games) - 1)))
  expect 'a game with a wrong root stands' not game_is_of "$wrong" "$(game_block "$wrong")"
  within 120 'the new challenger attacks it' attacked "$wrong"
}

# The batcher of another release: OP_BATCHER_BEFORE_BIN, or built of the modules that tools-before pins.
other_batcher() {
  local build=$ROOT/scripts/op-stack/tools-before/build found
  found=${OP_BATCHER_BEFORE_BIN:-$("$build" --path)/op-batcher}
  if [[ ! -x $found ]]; then
    say 'building op-batcher of another release'
    "$build" op-batcher >&2 || die 2 'it cannot be had: set OP_BATCHER_BEFORE_BIN, or let Go reach its module proxy'
  fi
  printf '%s\n' "$found"
}

# batcher_is PROGRAM: what runs is this one, and the stack file has its version
batcher_is() {
  local pid version
  read -r pid _ <"$DIR/run/op-batcher"
  version=$(jq -r '.components["op-batcher"].version' "$DIR/sequencer/stack.json")
  echo "$(readlink "/proc/$pid/exe"), $version"
  [[ "/proc/$pid/exe" -ef $1 && $("$1" --version) == *" $version"* ]]
}

check_exchange() {
  local SYSTEM=$DIR/system NODE=$SEQUENCER_NODE old new
  PART=recovery
  old=$(readlink "$DIR/bin/op-batcher")
  new=$(other_batcher)
  mkdir -p "$SYSTEM"/{old,new}
  ln -s "$old" "$SYSTEM/old/op-batcher"
  ln -s "$new" "$SYSTEM/new/op-batcher"
  expect 'there are two releases of op-batcher' test "$("$old" --version)" != "$("$new" --version)"
  history_of "$SEQUENCER" "$(head_of "$NODE" safe)" >"$DIR/safe"
  perform 'op-batcher is exchanged, and the safe head goes on' sequencer exchange safe-goes-on
  expect 'it is the new one' batcher_is "$new"
  within 60 'its batches reach the inbox' test_positive batches
  within 120 'status finds nothing wrong' status_says ''
  perform 'it is exchanged back, and the safe head goes on' sequencer exchange-back safe-goes-on
  expect 'it is the old one' batcher_is "$old"
  expect 'no block that was safe is another' unchanged "$SEQUENCER"
}
