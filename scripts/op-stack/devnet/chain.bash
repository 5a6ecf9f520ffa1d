#!/usr/bin/env bash
# Sourced by devnet.sh: L1 with the real contracts, and the components as nix/lib starts them.
# shellcheck disable=SC2016,SC2034 # jq's variables; names that the other parts use

readonly SUPERSIM=0.1.0-alpha.58
readonly SUPERSIM_SHA512=f181e8de3e40be1c0340d5ae42f1a7375d8304e575a5960d9765cd33520c80bc9d85ede88fd79a59acb817f65269250e26234f740bfd9038a37a95de10087ee8
readonly PORT=${DEVNET_PORT:-21000}
# as devnet/settings.nix places them
readonly L1=http://127.0.0.1:$PORT
readonly SEQUENCER=http://127.0.0.1:$((PORT + 101)) SEQUENCER_NODE=http://127.0.0.1:$((PORT + 111))
readonly STANDBY=http://127.0.0.1:$((PORT + 46)) STANDBY_NODE=http://127.0.0.1:$((PORT + 56))
readonly VERIFIER=http://127.0.0.1:$((PORT + 201)) VERIFIER_NODE=http://127.0.0.1:$((PORT + 211))
# where it places nothing
readonly STATUS_METRICS=127.0.0.1:$((PORT + 251)) PROMETHEUS=127.0.0.1:$((PORT + 252))
# of chain 901 in supersim's L1
readonly SYSTEM_CONFIG=0x3feb7f8765b9341b054eb4671cc47d3e33d1606d
readonly PORTAL=0x75ceb25776d0402972b736f6e13fd0616be98f22
readonly FACTORY=0x51095eac6e2b6da9811c6febbdd67add79135ce0
readonly INBOX=0x00289C189bEE4E70334629f04Cd5eD602B6600eB
# public test keys: never use them anywhere else
readonly MNEMONIC='test test test test test test test test test test test junk'
readonly PROGRAMS=(op-geth op-node op-batcher op-proposer) DISPUTES=(op-challenger cannon op-program)

native() {
  local found=("$ROOT"/contracts/node_modules/@foundry-rs/"$1"-*/bin/"$1")
  [[ -x ${found[0]} ]] || die 2 "$1 is missing: scripts/install-tools smoke"
  printf '%s\n' "${found[0]}"
}

supersim() {
  local cache=${XDG_CACHE_HOME:-$HOME/.cache}/every-channel/supersim-$SUPERSIM temp
  if [[ ! -f $cache/package/bin/supersim ]]; then
    temp=$(mktemp -d)
    (cd "$temp" && npm pack --silent "supersim@$SUPERSIM" >/dev/null) || die 2 "npm has no supersim $SUPERSIM"
    printf '%s  %s\n' "$SUPERSIM_SHA512" "$temp/supersim-$SUPERSIM.tgz" | sha512sum --check --status ||
      die 2 "supersim $SUPERSIM has another SHA-512 than pinned"
    mkdir -p "$cache"
    tar -xzf "$temp/supersim-$SUPERSIM.tgz" -C "$cache" package/bin/supersim
    rm -r "$temp"
  fi
  printf '%s\n' "$cache/package/bin/supersim"
}

# collect_programs NAME…: in one directory, each from OP_NODE_BIN (and so on) or PATH, else built from the pinned modules
collect_programs() {
  local name variable found built missing=()
  mkdir -p "$DIR/bin"
  built=$("$ROOT/scripts/op-stack/tools/build" --path)
  for name in "$@"; do
    variable=${name^^}_BIN
    variable=${variable//-/_}
    # cannon and op-program have variables that begin alike
    [[ $variable == OP_* ]] || variable=OP_$variable
    found=${!variable:-$(command -v "$name" || true)}
    [[ -n $found ]] || found=$built/$name
    [[ -x $found ]] || missing+=("$name")
    ln -sfn "$found" "$DIR/bin/$name"
  done
  ((${#missing[@]} == 0)) && return 0
  say "building ${missing[*]}"
  "$ROOT/scripts/op-stack/tools/build" "${missing[@]}" >&2 ||
    die 2 "these programs cannot be had: ${missing[*]}. Set OP_NODE_BIN and so on, or let Go reach its module proxy"
}

# key FILE INDEX: a role's key of the public mnemonic, and its address to stdout
key() {
  local path="m/44'/60'/2'/901/$2"
  (umask 077 && "$CAST" wallet private-key "$MNEMONIC" "$path" >"$1")
  "$CAST" wallet address --mnemonic "$MNEMONIC" --mnemonic-derivation-path "$path"
}

# Keys that only this role needs; a verifier has none but the engine's secret.
make_keys() {
  local keys=$DIR/$1/keys
  (umask 077 && mkdir -p "$keys" && openssl rand -hex 32 >"$keys/jwt")
  [[ $1 == sequencer ]] || return 0
  key "$keys/p2p" 3 >/dev/null
  jq -n --arg proposer "$(key "$keys/proposer" 1)" --arg batcher "$(key "$keys/batcher" 2)" \
    --arg challenger "$(key "$keys/challenger" 4)" '{$batcher, $proposer, $challenger}' >"$DIR/accounts.json"
}

nix_eval() {
  local nix=("$ROOT/tools/nix/nix")
  [[ -x ${nix[0]} ]] || nix=()
  [[ -n ${nix[*]} ]] || command -v nix-instantiate >/dev/null || {
    "$ROOT/scripts/get-nix" >&2 || die 2 'there is no nix, which the arguments come from'
    nix=("$ROOT/tools/nix/nix")
  }
  "${nix[@]}" nix-instantiate --eval --strict --json --readonly-mode "$@" 2> >(grep -v "group 'nixbld'" >&2 || true)
}

# plan NODE [PEER [STOPPED]]: what is started, from nix/lib; with `true`, a sequencer that makes no blocks yet
plan() {
  local prestate=''
  [[ $1 != sequencer || ! -e $DIR/prestate.bin.gz ]] || prestate=$DIR/prestate.bin.gz
  nix_eval "$ROOT/scripts/op-stack/devnet/plan.nix" --argstr dir "$DIR" --argstr bin "$DIR/bin" --argstr node "$1" \
    --argstr port "$PORT" --argstr peer "${2-}" --argstr stopped "${3-}" --argstr prestate "$prestate" >"$DIR/$1/plan.json"
  jq -e '.problems == []' "$DIR/$1/plan.json" >/dev/null || die 1 "nix/lib refuses: $(jq -c .problems "$DIR/$1/plan.json")"
}

# planned ROLE JQ…
planned() {
  jq "${@:2}" "$DIR/$1/plan.json"
}

# The plan's stack file, with the accounts that send transactions and the versions that really run.
write_stack() {
  local name versions accounts='{}'
  [[ $1 == verifier ]] || accounts=$(<"$DIR/accounts.json")
  # `op-node version v1.16.7`; op-geth's has no v
  versions=$(for name in $(planned "$1" -r '.components | keys[]'); do
    jq -n --arg name "$name" --arg version "$("$DIR/bin/$name" --version | awk '{ print $3 }')" '{($name): {$version}}'
  done | jq -s add)
  [[ $1 == sequencer && -e $DIR/prestate.bin.gz ]] || accounts=$(jq 'del(.challenger)' <<<"$accounts")
  planned "$1" --argjson versions "$versions" --argjson accounts "$accounts" \
    '.stack | .accounts = $accounts | .components *= $versions' >"$DIR/$1/stack.json"
}

# Secrets where the components look for them, as the host hands them over.
hand_over() {
  local from to
  while IFS=$'\t' read -r from to; do
    (umask 077 && mkdir -p "$(dirname "$to")" && cp "$from" "$to")
  done < <(planned "$1" -r '.components[].secrets[] | [.from, .to] | @tsv')
}

# ready ROLE COMPONENT SECONDS
ready() {
  local health await=("$ROOT/nix/modules/op-stack/await.sh" "$3") kind
  health=$(planned "$1" -c --arg name "$2" '.components[$name].health')
  field() { jq -r ".$1" <<<"$health"; }
  kind=$(field kind)
  case $kind in
    execution) "${await[@]}" execution "$(field url)" "$(field engine)" "$(field chainId)" ;;
    rollup) "${await[@]}" rollup "$(field url)" ;;
    *) wait_for "$3" curl --silent --fail "$(field url)" ;;
  esac
}

# process_name ROLE COMPONENT
process_name() {
  if [[ $1 == sequencer ]]; then printf '%s\n' "$2"; else printf '%s-%s\n' "$1" "$2"; fi
}

# start_component ROLE COMPONENT: with the plan's very command, and waits until it is ready
start_component() {
  local role=$1 component=$2 name command environment end
  name=$(process_name "$role" "$component")
  mapfile -t environment < <(planned "$role" -r --arg name "$component" '.components[$name].environment | to_entries[] | "\(.key)=\(.value)"')
  # arguments may hold newlines
  mapfile -d '' command < <(planned "$role" -j --arg name "$component" '.components[$name].command[] | ., "\u0000"')
  planned "$role" -r --arg name "$component" '.components[$name].writes[]' | xargs -r mkdir -p
  start "$name" env "${environment[@]}" "${command[@]}"
  end=$((SECONDS + 180))
  until ready "$role" "$component" 1 2>"$DIR/out"; do
    runs "$name" || die 1 "$name has ended: $(last_words "$name")"
    ((SECONDS < end)) || die 1 "$name is not ready: $(tail -n 1 "$DIR/out"); $(last_words "$name")"
  done
}

# Makes the execution client's datadir, as the host's unit does.
initialise() {
  local role=$1 command
  planned "$role" -r '.components["op-geth"].writes[]' | xargs -r mkdir -p
  mapfile -t command < <(planned "$role" -r '.components["op-geth"] | .init.datadir, .init.genesis, "", .command[0], .init.args[]')
  "$ROOT/nix/modules/op-stack/initialise.sh" "${command[@]}" >"$DIR/log/$(process_name "$role" op-geth-init).log" 2>&1 ||
    die 1 "op-geth refuses the genesis: $(last_words "$(process_name "$role" op-geth-init)")"
}

# rollup.json as op-deployer would write it for these contracts, zero eip1559Params included
write_rollup() {
  local scalar batcher zero
  printf -v zero '0x%064d' 0
  scalar=$("$CAST" call --rpc-url "$L1" "$SYSTEM_CONFIG" 'scalar()(uint256)' | awk '{ print $1 }')
  batcher=$("$CAST" call --rpc-url "$L1" "$SYSTEM_CONFIG" 'batcherHash()(bytes32)')
  jq -n --arg l1 "$(block "$L1" 0 hash)" --arg l2 "$(block "$SEQUENCER" 0 hash)" --argjson time "$1" --arg zero "$zero" \
    --arg scalar "$("$CAST" to-uint256 "$scalar")" --arg batcher "0x${batcher: -40}" --arg inbox "$INBOX" \
    --arg portal "$PORTAL" --arg config "$SYSTEM_CONFIG" '{
      genesis: {l1: {hash: $l1, number: 0}, l2: {hash: $l2, number: 0}, l2_time: $time, system_config: {
        batcherAddr: $batcher, overhead: $zero, scalar: $scalar, gasLimit: 60000000, eip1559Params: "0x0000000000000000",
        operatorFeeParams: $zero, minBaseFee: 0, daFootprintGasScalar: 0}},
      block_time: 2, max_sequencer_drift: 600, seq_window_size: 3600, channel_timeout: 300, l1_chain_id: 900, l2_chain_id: 901,
      regolith_time: 0, canyon_time: 0, delta_time: 0, ecotone_time: 0, fjord_time: 0, granite_time: 0, holocene_time: 0,
      isthmus_time: 0, batch_inbox_address: $inbox, deposit_contract_address: $portal, l1_system_config_address: $config,
      chain_op_config: {eip1559Elasticity: 6, eip1559Denominator: 50, eip1559DenominatorCanyon: 250}}' >"$DIR/chain/rollup.json"
}

start_l1() {
  local now=$1 prestate=()
  [[ ! -e $DIR/prestate.bin.gz ]] || prestate=("$("$EC" prestate --prestate "$DIR/prestate.bin.gz" --cannon "$DIR/bin/cannon")")
  "$ROOT/scripts/op-stack/devnet/geneses" "$(supersim)" "$DIR/chain" "$now" "${prestate[@]}"
  jq .config "$DIR/chain/l1.json" >"$DIR/chain/l1-config.json"
  printf '%s\n' "$FACTORY" >"$DIR/chain/dispute-game-factory"
  start anvil "$ANVIL" --init "$DIR/chain/l1.json" --chain-id 900 --block-time 2 --slots-in-an-epoch 4 --hardfork prague --port "$PORT"
  wait_for 60 rpc "$L1" eth_chainId || die 1 "anvil does not answer: $(last_words anvil)"
}

bring_up_sequencer() {
  local now component prestate
  mkdir -p "$DIR"/{chain,log,run,sequencer}
  collect_programs "${PROGRAMS[@]}"
  if [[ -z $SHORT ]]; then
    collect_programs "${DISPUTES[@]}"
    prestate=$("$ROOT/scripts/op-stack/tools/prestate") || die 2 'the prestate cannot be built'
    ln -s "$prestate" "$DIR/prestate.bin.gz"
  fi
  now=$(date +%s)
  make_keys sequencer
  start_l1 "$now"
  plan sequencer
  hand_over sequencer
  initialise sequencer
  start_component sequencer op-geth
  write_rollup "$now"
  "$EC" normalise --rollup "$DIR/chain/rollup.json" --genesis "$DIR/chain/genesis.json" \
    --op-node "$("$DIR/bin/op-node" --version | awk '{ print $3 }')" >&2
  write_stack sequencer
  "$EC" doctor --stack "$DIR/sequencer/stack.json" >"$DIR/out" || die 1 "the doctor says no: $(grep -A1 FAIL "$DIR/out")"
  for component in op-node op-batcher op-proposer op-challenger; do
    [[ $(planned sequencer --arg name "$component" '.components | has($name)') == false ]] || start_component sequencer "$component"
  done
}

# A second node without any key, that hears of blocks from the sequencer, or with PEER '' from L1 only.
bring_up_verifier() {
  local peer=$1
  mkdir -p "$DIR/verifier"
  [[ -e $DIR/verifier/keys ]] || make_keys verifier
  plan verifier "$peer"
  hand_over verifier
  initialise verifier
  write_stack verifier
  start_component verifier op-geth
  start_component verifier op-node
}

sequencer_address() {
  rpc "$SEQUENCER_NODE" opp2p_self | jq -r '.addresses[0]'
}
