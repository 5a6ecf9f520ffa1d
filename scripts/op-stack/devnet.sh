#!/usr/bin/env bash
# A whole OP Stack chain on this machine: an Anvil L1 with the real contracts, and the real programs.
set -euo pipefail
shopt -s inherit_errexit

readonly SUPERSIM=0.1.0-alpha.58
readonly SUPERSIM_SHA512=f181e8de3e40be1c0340d5ae42f1a7375d8304e575a5960d9765cd33520c80bc9d85ede88fd79a59acb817f65269250e26234f740bfd9038a37a95de10087ee8
readonly L1=http://127.0.0.1:18545
# of chain 901 in supersim's L1
readonly SYSTEM_CONFIG=0x3feb7f8765b9341b054eb4671cc47d3e33d1606d
readonly PORTAL=0x75ceb25776d0402972b736f6e13fd0616be98f22
readonly FACTORY=0x51095eac6e2b6da9811c6febbdd67add79135ce0
readonly INBOX=0x00289C189bEE4E70334629f04Cd5eD602B6600eB
# public test keys: never use them anywhere else
readonly MNEMONIC='test test test test test test test test test test test junk'

usage() {
  cat <<'USAGE'
usage: scripts/op-stack/devnet.sh [--dir DIR] [--keep]

  --dir DIR    where the chain's files and logs go (default: a directory that is removed)
  --keep       go on until interrupted, instead of ending when all is well
  -h, --help   this text

Brings up L1 (chain 900) and L2 (901), asks `ec-op-stack doctor`, waits until batches make the safe head go on and a dispute
game exists, and asks `ec-op-stack status`. Exit codes: 0 all is well, 1 something is not, 2 error. Needs
scripts/op-stack/tools/build, contracts/node_modules, target/debug/ec-op-stack, npm, jq, openssl, Python 3, and the ports
18545, 27300, 28503, 28545, 28548, 28551, 28560, 29003, 29545. supersim comes from npm, pinned by digest.
USAGE
}

die() {
  printf 'devnet: %s\n' "$2" >&2
  exit "$1"
}

say() {
  printf 'devnet: %s\n' "$*" >&2
}

cleanup() {
  ((${#PIDS[@]} == 0)) || kill "${PIDS[@]}" 2>/dev/null || true
  wait || true
  [[ -n $KEEP_FILES ]] || rm -rf "$DIR"
}

# start NAME COMMAND…: in the background, with a log of its own
start() {
  local name=$1
  shift
  "$@" >"$DIR/$name.log" 2>&1 &
  PIDS+=("$!")
}

# wait_for SECONDS COMMAND…
wait_for() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < end)) || return 1
    sleep 0.5
  done
}

native() {
  local found=("$ROOT"/contracts/node_modules/@foundry-rs/"$1"-*/bin/"$1")
  [[ -x ${found[0]} ]] || die 2 "$1 is missing: scripts/install-tools smoke"
  printf '%s\n' "${found[0]}"
}

supersim() {
  local cache=${XDG_CACHE_HOME:-$HOME/.cache}/every-channel/supersim-$SUPERSIM temp
  if [[ ! -f $cache/package/bin/supersim ]]; then
    temp=$(mktemp -d)
    (cd "$temp" && npm pack --silent "supersim@$SUPERSIM" >/dev/null)
    printf '%s  %s\n' "$SUPERSIM_SHA512" "$temp/supersim-$SUPERSIM.tgz" | sha512sum --check --status ||
      die 2 "supersim $SUPERSIM has another SHA-512 than pinned"
    mkdir -p "$cache"
    tar -xzf "$temp/supersim-$SUPERSIM.tgz" -C "$cache" package/bin/supersim
    rm -r "$temp"
  fi
  printf '%s\n' "$cache/package/bin/supersim"
}

key() {
  "$CAST" wallet private-key "$MNEMONIC" "m/44'/60'/2'/901/$1"
}

address() {
  "$CAST" wallet address --mnemonic "$MNEMONIC" --mnemonic-derivation-path "m/44'/60'/2'/901/$1"
}

block_hash() {
  "$CAST" block 0 --rpc-url "$1" --json | jq -er .hash
}

# rollup.json as op-deployer would write it for these contracts, zero eip1559Params included
write_rollup() {
  local scalar batcher zero
  printf -v zero '0x%064d' 0
  scalar=$("$CAST" call --rpc-url "$L1" "$SYSTEM_CONFIG" 'scalar()(uint256)' | awk '{ print $1 }')
  batcher=$("$CAST" call --rpc-url "$L1" "$SYSTEM_CONFIG" 'batcherHash()(bytes32)')
  jq -n --arg l1 "$(block_hash "$L1")" --arg l2 "$(block_hash http://127.0.0.1:28545)" --argjson time "$1" --arg zero "$zero" \
    --arg scalar "$("$CAST" to-uint256 "$scalar")" --arg batcher "0x${batcher: -40}" --arg inbox "$INBOX" \
    --arg portal "$PORTAL" --arg config "$SYSTEM_CONFIG" '{
      genesis: {l1: {hash: $l1, number: 0}, l2: {hash: $l2, number: 0}, l2_time: $time, system_config: {
        batcherAddr: $batcher, overhead: $zero, scalar: $scalar, gasLimit: 60000000, eip1559Params: "0x0000000000000000",
        operatorFeeParams: $zero, minBaseFee: 0, daFootprintGasScalar: 0}},
      block_time: 2, max_sequencer_drift: 600, seq_window_size: 3600, channel_timeout: 300, l1_chain_id: 900, l2_chain_id: 901,
      regolith_time: 0, canyon_time: 0, delta_time: 0, ecotone_time: 0, fjord_time: 0, granite_time: 0, holocene_time: 0,
      isthmus_time: 0, batch_inbox_address: $inbox, deposit_contract_address: $portal, l1_system_config_address: $config,
      chain_op_config: {eip1559Elasticity: 6, eip1559Denominator: 50, eip1559DenominatorCanyon: 250}}' >"$DIR/rollup.json"
}

# The arguments of each program, once: for the start and for the doctor.
arguments() {
  GETH=(--datadir="$DIR/geth" --networkid=901 --http --http.addr=127.0.0.1 --http.port=28545
    "--http.api=eth,net,web3,debug,txpool,miner" --authrpc.addr=127.0.0.1 --authrpc.port=28551
    --authrpc.jwtsecret="$DIR/jwt.hex" --syncmode=full --gcmode=archive --rollup.disabletxpoolgossip=true
    --port=28503 --nodiscover --maxpeers=0 --ipcdisable)
  # a bootnode by address: op-node resolves the default ones' names even with discovery off
  local enode=enode://9915308d54bad3981d3d755fe3658402b394462e4488a6aa197a83acac77920a7210b5942ea0071c4cf3cd30e7d6474ce70c21040aa5f004329cf79216b75b6f@127.0.0.1:28503
  NODE=(--l1="$L1" --l1.beacon.ignore --l1.trustrpc --l1.rpckind=standard --l2=http://127.0.0.1:28551
    --l2.jwt-secret="$DIR/jwt.hex" --l2.enginekind=geth --rollup.config="$DIR/rollup.json"
    --rollup.l1-chain-config="$DIR/l1-config.json" --sequencer.enabled --sequencer.l1-confs=0 --verifier.l1-confs=0
    --p2p.listen.ip=127.0.0.1 --p2p.listen.tcp=29003 --p2p.no-discovery --p2p.bootnodes="$enode"
    --p2p.priv.path="$DIR/p2p.key" --p2p.peerstore.path=memory --p2p.discovery.path=memory
    --rpc.addr=127.0.0.1 --rpc.port=29545 --rpc.enable-admin --safedb.path="$DIR/safedb"
    --metrics.enabled --metrics.addr=127.0.0.1 --metrics.port=27300)
  BATCHER=(--l1-eth-rpc="$L1" --l2-eth-rpc=http://127.0.0.1:28545 --rollup-rpc=http://127.0.0.1:29545
    --data-availability-type=calldata --max-channel-duration=2 --num-confirmations=1 --poll-interval=1s
    --sub-safety-margin=4 --rpc.addr=127.0.0.1 --rpc.port=28548)
  PROPOSER=(--l1-eth-rpc="$L1" --rollup-rpc=http://127.0.0.1:29545 --game-factory-address="$FACTORY" --game-type=1
    --proposal-interval=20s --poll-interval=2s --allow-non-finalized --num-confirmations=1
    --rpc.addr=127.0.0.1 --rpc.port=28560)
}

component() {
  local name=$1 version
  shift
  # `op-node version v1.16.7`; op-geth's has no v
  version=$("$BIN/$name" --version | awk '{ print $3 }')
  jq -n --arg name "$name" --arg version "$version" '{($name): {version: $version, args: $ARGS.positional}}' --args -- "$@"
}

write_stack() {
  {
    component op-geth "${GETH[@]}"
    component op-node "${NODE[@]}"
    component op-batcher "${BATCHER[@]}"
    component op-proposer "${PROPOSER[@]}"
  } | jq -s --arg dir "$DIR" --arg batcher "$(address 2)" --arg proposer "$(address 1)" '{
      role: "sequencer", files: {rollup: "\($dir)/rollup.json", genesis: "\($dir)/genesis.json"},
      accounts: {batcher: $batcher, proposer: $proposer}, components: add}' >"$DIR/stack.json"
}

bring_up() {
  local now
  now=$(date +%s)
  "$ROOT/scripts/op-stack/devnet-geneses" "$(supersim)" "$DIR" "$now"
  jq .config "$DIR/l1.json" >"$DIR/l1-config.json"
  (umask 077 && openssl rand -hex 32 >"$DIR/jwt.hex")
  arguments
  start anvil "$ANVIL" --init "$DIR/l1.json" --chain-id 900 --block-time 2 --slots-in-an-epoch 4 --hardfork prague --port 18545
  wait_for 60 "$CAST" chain-id --rpc-url "$L1" || die 1 "anvil does not answer: $(tail -n 3 "$DIR/anvil.log")"
  "$BIN/op-geth" init --datadir="$DIR/geth" --state.scheme=hash "$DIR/genesis.json" 2>"$DIR/op-geth-init.log" ||
    die 1 "op-geth refuses the genesis: $(tail -n 3 "$DIR/op-geth-init.log")"
  start op-geth "$BIN/op-geth" "${GETH[@]}"
  wait_for 60 "$CAST" chain-id --rpc-url http://127.0.0.1:28545 || die 1 "op-geth does not answer: $(tail -n 3 "$DIR/op-geth.log")"
  write_rollup "$now"
  "$EC" normalise --rollup "$DIR/rollup.json" --genesis "$DIR/genesis.json" --op-node "$("$BIN/op-node" --version | awk '{ print $3 }')"
  write_stack
  "$EC" doctor --stack "$DIR/stack.json" || die 1 'the doctor says no'
  OP_NODE_P2P_SEQUENCER_KEY=$(key 3) start op-node "$BIN/op-node" "${NODE[@]}"
  wait_for 60 curl --silent --fail http://127.0.0.1:29545/healthz || die 1 "op-node does not answer: $(tail -n 3 "$DIR/op-node.log")"
  OP_BATCHER_PRIVATE_KEY=$(key 2) start op-batcher "$BIN/op-batcher" "${BATCHER[@]}"
  OP_PROPOSER_PRIVATE_KEY=$(key 1) start op-proposer "$BIN/op-proposer" "${PROPOSER[@]}"
}

goes_on() {
  local status
  status=$("$EC" status --stack "$DIR/stack.json" --json) || true
  jq -e '.well and .status.heads.safe.number > 0 and .status.game.count > 0' <<<"$status"
}

main() {
  local keep=''
  DIR='' KEEP_FILES='' PIDS=()
  while (($# > 0)); do
    case "$1" in
      --dir)
        (($# > 1)) || die 2 '--dir needs a directory'
        DIR=$(realpath -m "$2") KEEP_FILES=1
        shift
        ;;
      --keep) keep=1 ;;
      -h | --help)
        usage
        return 0
        ;;
      *) die 2 "$1: unknown; see --help" ;;
    esac
    shift
  done
  ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
  BIN=$("$ROOT/scripts/op-stack/tools/build" --path)
  EC=${EC_OP_STACK:-${CARGO_TARGET_DIR:-$ROOT/target}/debug/ec-op-stack}
  [[ -x $BIN/op-proposer ]] || die 2 'the programs are not built: scripts/op-stack/tools/build'
  [[ -x $EC ]] || die 2 "$EC is missing: cargo build -p ec-op-stack"
  ANVIL=$(native anvil)
  CAST=$(native cast)
  if [[ -n $DIR ]]; then
    [[ ! -e $DIR ]] || die 2 "$DIR exists: a chain begins in a new directory"
    mkdir -p "$DIR"
  else
    DIR=$(mktemp -d)
  fi
  trap cleanup EXIT
  bring_up
  wait_for 180 goes_on || {
    "$EC" status --stack "$DIR/stack.json" || true
    die 1 'the chain does not go on'
  }
  "$EC" status --stack "$DIR/stack.json"
  [[ -z $keep ]] || {
    say "files are in $DIR; interrupt to end"
    wait
  }
}

main "$@"
