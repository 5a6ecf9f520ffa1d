#!/usr/bin/env bash
# Sourced by devnet.sh: does `ec-op-stack` find what is wrong with the chain that runs here?
# shellcheck disable=SC2016,SC2034 # jq's variables; PART is said with each expectation

# finds CHECK TEXT JQ: with the stack file changed so, the doctor says this under that check
finds() {
  local findings
  jq "$3" "$DIR/sequencer/stack.json" >"$DIR/ill.json"
  not cmp --silent <(jq -S . "$DIR/ill.json") <(jq -S . "$DIR/sequencer/stack.json") || [[ $3 == . ]] || return 1
  findings=$("$EC" doctor --stack "$DIR/ill.json" --json) || true
  jq -c '.findings[] | select(.verdict != "good")' <<<"$findings"
  jq -e --arg check "$1" --arg text "$2" 'any(.findings[]; .verdict != "good" and .check == $check and (.found | contains($text)))' <<<"$findings"
}

# instead COMPONENT FLAG VALUE: the change to a stack file that gives a flag another value
instead() {
  printf '.components["%s"].args |= map(if startswith("--%s=") then "--%s=%s" else . end)' "$1" "$2" "$2" "$3"
}

set_balance() {
  rpc "$L1" anvil_setBalance "[\"$1\",\"$2\"]" >/dev/null
}

check_doctor() {
  local batcher
  PART=doctor
  batcher=$(jq -r .batcher "$DIR/accounts.json")
  expect 'it says yes to the chain that runs' "$EC" doctor --stack "$DIR/sequencer/stack.json"
  within 180 'status finds no problem' status_says ''
  expect 'a wrong game type' finds game-type 'has no game of type 2' "$(instead op-proposer game-type 2)"
  printf '{"pre": "0x%064d"}\n' 1 >"$DIR/other-prestate.json"
  expect 'another prestate than the chain'"'"'s' finds prestate 'the chain demands' "$(instead op-challenger cannon-prestate "$DIR/other-prestate.json")"
  expect 'no miner API' finds batcher 'miner API' "$(instead op-geth http.api eth,net,web3,debug,txpool)"
  (umask 077 && openssl rand -hex 32 >"$DIR/other-jwt")
  expect 'another JWT secret on one side' finds jwt 'differ' "$(instead op-node l2.jwt-secret "$DIR/other-jwt")"
  expect 'a listener that is open to all' finds listeners 'anyone who reaches the host' "$(instead op-node rpc.addr 0.0.0.0)"

  set_balance "$batcher" 0x0
  expect 'an empty batcher account' finds accounts 'batcher: the account is empty' .
  expect 'status says so too' status_says 'send ETH to'
  set_balance "$batcher" 0x84595161401484a000000

  jq "$(instead op-node l1 "$SEQUENCER")" "$DIR/sequencer/stack.json" >"$DIR/ill.json"
  expect 'another chain for L1: status' status_says "L1 does not know the unsafe head's origin" "$DIR/ill.json"

  stop op-batcher
  expect 'a stopped batcher: status' status_says 'op-batcher does not answer'
  start_component sequencer op-batcher

  rpc "$L1" evm_setIntervalMining '[0]' >/dev/null
  within 120 'an L1 that stands still: status' status_says 'L1 stands still at block'
  rpc "$L1" evm_setIntervalMining '[2]' >/dev/null
  within 180 'when it goes on, status finds no problem' status_says ''
}

# What the real op-deployer writes goes through `intent` and `state`; `normalise` had these contracts' rollup.json at the start.
check_deployer() {
  PART=deployer
  collect_programs op-deployer
  local setup=("$ROOT/scripts/op-stack/setup-rollup.sh" --dir "$DIR/setup" --owner "$RICH" --l2-chain-id 901 --l1-chain-id 900
    --op-node "$("$DIR/bin/op-node" --version | awk '{ print $3 }')" --until intent)
  rm -rf "$DIR/setup"
  expect 'setup-rollup.sh makes an intent with it' env "OP_DEPLOYER=$DIR/bin/op-deployer" "EC_OP_STACK=$EC" "${setup[@]}"
  expect 'its state is not taken for a deployed chain' not "$EC" state --state "$DIR/setup/deployer/state.json"
  expect 'what normalise has changed it does not change again' "$EC" normalise --rollup "$DIR/chain/rollup.json" \
    --genesis "$DIR/chain/genesis.json" --op-node v1.18.1 --dry-run
}
