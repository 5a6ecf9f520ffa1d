#!/usr/bin/env bash
# From nothing to a deployed chain: keys, intent, contracts on L1, and the files that the runtime reads.
set -euo pipefail
shopt -s inherit_errexit
umask 077

readonly STEPS=(roles intent apply inspect normalise jwt summary)
readonly SERVICES=(sequencer batcher proposer challenger)
# What a deployment took: 37 transactions in all. op-deployer bids up to five times the suggested tip.
readonly DEPLOYMENT_GAS=81700000

usage() {
  cat <<'USAGE'
usage: setup-rollup.sh --dir DIR --owner ADDRESS --l2-chain-id ID --op-node VERSION [OPTION…]

  --dir DIR               all that is made goes here (mode 0700)
  --owner ADDRESS         owns the contracts and receives the fees: a multisig or hardware wallet; no key of it is needed
  --l2-chain-id ID        a number that no other chain has
  --op-node VERSION       the op-node that will run, such as v1.16.7
  --l1-chain-id ID        default 11155111, Sepolia
  --deployer-key FILE     private key that pays for the deployment; mode 0600; needed for the step apply only
  --new-salt              before apply, a new random create2Salt: the way out where an apply that was interrupted had sent
                          its contracts already ("contract address collision"); what it sent is abandoned
  --until STEP            stop after this step: roles intent apply inspect normalise jwt summary (default: all)
  --dry-run               say what each step would do; write nothing, send nothing
  -h, --help              this text

Environment: L1_RPC_URL, the L1 endpoint (step apply); OP_DEPLOYER and EC_OP_STACK, the programs, if not on PATH.

Each step looks whether its result is there already, so after a failure run the same command again. Keys are made once
and never changed; back up DIR/keys. No key is on a command line or in the output, and of the L1 endpoint's URL only the
host, in what op-deployer prints too. Exit codes: 0 done, 1 something needs
the operator (it says what), 2 error.
USAGE
}

die() {
  printf 'setup-rollup: %s\n' "$2" >&2
  exit "$1"
}

say() {
  printf '%-10s %s\n' "$STEP" "$*"
}

# Says what would happen, in a dry run; succeeds if it shall not happen.
only_says() {
  [[ -n $DRY_RUN ]] || return 1
  say "would $*"
}

ec() {
  "${EC_OP_STACK:-ec-op-stack}" "$@"
}

deployer() {
  "${OP_DEPLOYER:-op-deployer}" "$@"
}

# Copies stdin to stderr without the L1 endpoint's URL, which may hold an API key, and without that part of it.
hide() {
  local line host rest=''
  host=${L1_RPC_URL#*://}
  host=${host%%[/?]*}
  host=${host##*@}
  [[ $L1_RPC_URL != *://*/* ]] || rest=${L1_RPC_URL#*://*/}
  while IFS= read -r line || [[ -n $line ]]; do
    line=${line//"$L1_RPC_URL"/"$host"}
    ((${#rest} < 8)) || line=${line//"$rest"/…}
    printf '%s\n' "$line"
  done >&2
}

# rpc METHOD PARAMS: the result of a call to L1, as JSON text
rpc() {
  # the URL on stdin: others can read arguments
  printf 'url = "%s"\n' "$L1_RPC_URL" | curl --silent --show-error --max-time 20 --config - -H 'content-type: application/json' \
    --data "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"$1\",\"params\":$2}" 2> >(hide) |
    jq -e '.result // empty' 2>/dev/null || die 1 "the L1 endpoint does not answer $1"
}

# Looks, before the first transaction, whether the account can pay and has nothing under way.
check_funds() {
  local address=$1 balance price latest pending told
  balance=$(rpc eth_getBalance "[\"$address\",\"latest\"]")
  price=$(rpc eth_gasPrice '[]')
  latest=$(rpc eth_getTransactionCount "[\"$address\",\"latest\"]")
  pending=$(rpc eth_getTransactionCount "[\"$address\",\"pending\"]")
  [[ $latest == "$pending" ]] ||
    die 1 "transactions of $address wait on L1 (nonce $latest, with them $pending): wait until they are in a block, then run again"
  told=$(jq -nr --argjson balance "$balance" --argjson price "$price" --argjson gas "$DEPLOYMENT_GAS" '
    def number: ltrimstr("0x") | explode | reduce .[] as $c (0; . * 16 + (if $c > 96 then $c - 87 else $c - 48 end));
    ($balance | number) as $has | ($price | number) as $price | ($gas * $price) as $needs |
    "\(if $has < $needs then "too little" else "enough" end): \($has / 1e18) ETH, and \($gas / 1e6) M gas at \($price / 1e9) gwei are \($needs / 1e18) ETH"')
  say "$address has $told"
  [[ $told != 'too little'* ]] || die 1 "fund $address on L1, or wait until gas is cheaper"
}

# Which op-deployer the state is of, where that is not the one that runs.
whose_state() {
  local wrote runs
  wrote=$(jq -r '.opDeployerVersion // empty' "$DIR/deployer/state.json" 2>/dev/null) || return 0
  runs=$(deployer --version 2>/dev/null | grep -oE 'v?[0-9]+\.[0-9]+\.[0-9]+[^ ]*' | head -n 1) || return 0
  [[ -z $wrote || -z $runs || ${wrote#v} == "${runs#v}"* || ${runs#v} == "${wrote#v}"* ]] ||
    printf '; state.json is of op-deployer %s, and this is %s: use that one' "$wrote" "$runs"
}

step_roles() {
  local service address roles='{}' file
  for service in "${SERVICES[@]}"; do
    file=$DIR/keys/$service.key
    if [[ -f $file ]]; then
      address=$(ec key address "$file")
    else
      only_says "make $file" && continue
      mkdir -p "$DIR/keys"
      address=$(ec key create "$file")
    fi
    say "$service $address"
    roles=$(jq --arg name "$service" --arg address "$address" '.[$name] = $address' <<<"$roles")
  done
  only_says "write $DIR/roles.json with owner $OWNER" && return
  jq --arg owner "$OWNER" '.owner = $owner' <<<"$roles" >"$DIR/roles.json.new"
  if [[ -f $DIR/roles.json ]] && ! cmp -s "$DIR/roles.json" "$DIR/roles.json.new"; then
    rm "$DIR/roles.json.new"
    die 1 "$DIR/roles.json names other accounts than --owner and the keys: a deployment has one set of roles; use another --dir, or remove roles.json before the step apply"
  fi
  mv "$DIR/roles.json.new" "$DIR/roles.json"
}

step_intent() {
  local args=(--intent "$DIR/deployer/intent.toml" --roles "$DIR/roles.json" --l1-chain-id "$L1_CHAIN_ID" --l2-chain-id "$L2_CHAIN_ID")
  if [[ ! -f $DIR/deployer/intent.toml ]]; then
    only_says "run op-deployer init in $DIR/deployer, and fill the intent" && return
    deployer init --l1-chain-id "$L1_CHAIN_ID" --l2-chain-ids "$L2_CHAIN_ID" --workdir "$DIR/deployer" --intent-type custom >&2
  fi
  if [[ -n $DRY_RUN ]]; then
    [[ ! -f $DIR/roles.json ]] || ec intent "${args[@]}" --dry-run
    return
  fi
  if [[ -f $DIR/deployer/intent.applied.toml ]] && ! cmp -s "$DIR/deployer/intent.toml" "$DIR/deployer/intent.applied.toml"; then
    say "NOTE: intent.toml was changed after the deployment, which stays as intent.applied.toml has it: contracts and genesis do not change with the intent"
    return
  fi
  ec intent "${args[@]}" || die 1 "correct $DIR/deployer/intent.toml, then run again"
  say "$DIR/deployer/intent.toml is complete"
}

is_applied() {
  local code=0 args=(--state "$DIR/deployer/state.json" --l2-chain-id "$L2_CHAIN_ID")
  # where L1 can be asked, the contracts' code counts, and not the file alone
  if [[ -n ${L1_RPC_URL:-} ]]; then
    EC_OP_STACK_L1_RPC=$L1_RPC_URL ec state "${args[@]}" >"$TEMP/state" || code=$?
  else
    ec state "${args[@]}" >"$TEMP/state" || code=$?
  fi
  ((code < 2)) || exit 2
  return "$code"
}

step_apply() {
  if is_applied; then
    say 'the chain is deployed'
    return
  fi
  only_says 'deploy the contracts with op-deployer apply; it pays from the deployer account' && return
  [[ -n ${L1_RPC_URL:-} ]] || die 2 'L1_RPC_URL is not set'
  [[ -n $DEPLOYER_KEY ]] || die 2 'name the key that pays: --deployer-key FILE'
  local address key
  address=$(ec key address "$DEPLOYER_KEY")
  check_funds "$address"
  if [[ -n $NEW_SALT ]]; then
    jq --arg salt "0x$(openssl rand -hex 32)" '.create2Salt = $salt' "$DIR/deployer/state.json" >"$TEMP/salted"
    cp "$TEMP/salted" "$DIR/deployer/state.json"
    say 'a new create2Salt: whatever was sent before is abandoned'
  fi
  say "deploying from $address"
  key=$(tr -d '[:space:]' <"$DEPLOYER_KEY")
  # by variable, since arguments can be read by every user of the host
  if ! DEPLOYER_PRIVATE_KEY=$key L1_RPC_URL=$L1_RPC_URL deployer apply --workdir "$DIR/deployer" 2>&1 | tee "$TEMP/apply" | hide; then
    if grep -qE 'address collision|30116425' "$TEMP/apply"; then
      die 1 'the contracts are on L1 already: an apply was interrupted after it had sent them and before it wrote that down, and no later run can go on. Look for the account'"'"'s transactions; then run again with --new-salt, which deploys anew'
    fi
    die 1 "op-deployer apply failed; when the cause is gone, run again: steps that are in state.json are not repeated$(whose_state)"
  fi
  cp "$DIR/deployer/intent.toml" "$DIR/deployer/intent.applied.toml"
  is_applied || die 1 "op-deployer apply ended, but there is no complete deployment: $(tr '\n' ' ' <"$TEMP/state"): run again"
  say 'the chain is deployed'
}

# inspect_file KIND: what op-deployer generates, kept as it was
inspect_file() {
  local target=$DIR/generated/$1.json
  if [[ -f $target ]]; then
    say "$target is there"
    return
  fi
  only_says "write $target" && return
  mkdir -p "$DIR/generated"
  deployer inspect "$1" --workdir "$DIR/deployer" "$L2_CHAIN_ID" >"$target.new" ||
    die 1 "op-deployer inspect $1 failed, see above$(whose_state)"
  jq -e 'type == "object"' "$target.new" >/dev/null || die 2 "op-deployer inspect $1 gave no JSON object$(whose_state)"
  mv "$target.new" "$target"
  say "$target"
}

# The generated files must be of the deployment that the state has: one may have been made anew beside the other.
same_deployment() {
  local rollup=$DIR/generated/rollup.json field address contract
  [[ -f $rollup && -f $DIR/deployer/state.json ]] || return 0
  for field in l1_system_config_address:systemConfigProxy deposit_contract_address:optimismPortalProxy; do
    address=$(jq -r --arg field "${field%:*}" '.[$field] // "none" | ascii_downcase' "$rollup")
    contract=$(ec state --state "$DIR/deployer/state.json" --l2-chain-id "$L2_CHAIN_ID" --json |
      jq -r --arg name "${field#*:}" '.contracts[$name] // "none" | ascii_downcase') || true
    [[ $address == "$contract" ]] ||
      die 1 "$rollup is of another deployment: its ${field%:*} is $address, the state's ${field#*:} is $contract; if the state is right, remove $DIR/generated and $DIR/chain, and run again"
  done
}

step_inspect() {
  inspect_file genesis
  inspect_file rollup
  same_deployment
}

step_normalise() {
  if [[ -n $DRY_RUN && ! -f $DIR/generated/rollup.json ]]; then
    say "would fit rollup.json and genesis.json to op-node $OP_NODE"
    return
  fi
  local work=$TEMP/chain
  mkdir "$work"
  cp "$DIR/generated/rollup.json" "$DIR/generated/genesis.json" "$work"
  # stderr says why, if it cannot be
  ec normalise --rollup "$work/rollup.json" --genesis "$work/genesis.json" --op-node "$OP_NODE" |
    sed "s|$work/||" || die 1 'the generated files do not fit op-node'
  only_says "write $DIR/chain/rollup.json and genesis.json" && return
  install -d -m 0755 "$DIR/chain"
  install -m 0644 "$work/rollup.json" "$work/genesis.json" "$DIR/chain"
  say "$DIR/chain/rollup.json and genesis.json fit op-node $OP_NODE"
}

step_jwt() {
  local file=$DIR/keys/jwt.hex
  if [[ -f $file ]]; then
    say "$file is there"
    return
  fi
  only_says "make $file" && return
  openssl rand -hex 32 >"$file.new"
  mv "$file.new" "$file"
  say "$file"
}

step_summary() {
  only_says "write $DIR/summary.json" && return
  local contracts
  contracts=$(ec state --state "$DIR/deployer/state.json" --l2-chain-id "$L2_CHAIN_ID" --json)
  # jq rounds numbers above 2^53: the ids are put in as they were given
  jq -n --argjson state "$contracts" --slurpfile roles "$DIR/roles.json" --slurpfile rollup "$DIR/chain/rollup.json" \
    --arg dir "$DIR" --arg op_node "$OP_NODE" '{
      l1ChainId: "@L1@", l2ChainId: "@L2@", opNode: $op_node,
      batchInbox: $rollup[0].batch_inbox_address, roles: $roles[0], contracts: $state.contracts,
      files: {rollup: "\($dir)/chain/rollup.json", genesis: "\($dir)/chain/genesis.json",
              state: "\($dir)/deployer/state.json", keys: "\($dir)/keys"}}' |
    sed "s/\"@L1@\"/$L1_CHAIN_ID/; s/\"@L2@\"/$L2_CHAIN_ID/" >"$DIR/summary.json.new"
  mv "$DIR/summary.json.new" "$DIR/summary.json"
  say "$DIR/summary.json"
  say 'next: fund batcher, proposer and challenger on L1; back up keys/ and deployer/; configure the host; ec-op-stack doctor'
}

is_step() {
  local step
  for step in "${STEPS[@]}"; do
    [[ $step != "$1" ]] || return 0
  done
  return 1
}

parse() {
  DIR='' OWNER='' L2_CHAIN_ID='' OP_NODE='' L1_CHAIN_ID=11155111 DEPLOYER_KEY='' UNTIL=summary DRY_RUN='' NEW_SALT=''
  while (($# > 0)); do
    case "$1" in
      --dry-run) DRY_RUN=1 ;;
      --new-salt) NEW_SALT=1 ;;
      --dir | --owner | --l2-chain-id | --op-node | --l1-chain-id | --deployer-key | --until)
        (($# > 1)) || die 2 "$1 needs a value"
        case "$1" in
          --dir) DIR=$(realpath -m "$2") ;;
          --owner) OWNER=$2 ;;
          --l2-chain-id) L2_CHAIN_ID=$2 ;;
          --op-node) OP_NODE=$2 ;;
          --l1-chain-id) L1_CHAIN_ID=$2 ;;
          --deployer-key) DEPLOYER_KEY=$2 ;;
          --until) UNTIL=$2 ;;
        esac
        shift
        ;;
      *) die 2 "$1: unknown; see --help" ;;
    esac
    shift
  done
  [[ -n $DIR && -n $OP_NODE ]] || die 2 '--dir and --op-node are needed; see --help'
  [[ $OWNER =~ ^0x[0-9a-fA-F]{40}$ ]] || die 2 "--owner ${OWNER:-(none)}: not an address"
  [[ $L2_CHAIN_ID =~ ^[1-9][0-9]*$ && $L1_CHAIN_ID =~ ^[1-9][0-9]*$ ]] || die 2 'chain ids are whole numbers; --l2-chain-id is needed'
  is_step "$UNTIL" || die 2 "--until $UNTIL: no such step; the steps are ${STEPS[*]}"
}

main() {
  case "${1-}" in
    -h | --help)
      usage
      return 0
      ;;
  esac
  parse "$@"
  local program
  for program in "${EC_OP_STACK:-ec-op-stack}" "${OP_DEPLOYER:-op-deployer}" jq openssl curl; do
    command -v "$program" >/dev/null || die 2 "$program is missing"
  done
  [[ -n $DRY_RUN ]] || install -d -m 0700 "$DIR"
  TEMP=$(mktemp -d)
  trap 'rm -rf "$TEMP"' EXIT
  for STEP in "${STEPS[@]}"; do
    "step_$STEP"
    [[ $STEP != "$UNTIL" ]] || break
  done
}

main "$@"
