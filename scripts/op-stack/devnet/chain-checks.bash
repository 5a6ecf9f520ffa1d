#!/usr/bin/env bash
# Sourced by devnet.sh: what the chain must do, each with a case in which it must not.
# shellcheck disable=SC2034 # PART is said with each expectation

readonly PASSER=0x4200000000000000000000000000000000000016
# Anvil's first account: it has ETH on L1, and Anvil signs for it
readonly RICH=0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266

# grows SECONDS COMMAND…: the number that it prints is higher in the end
grows() {
  local seconds=$1 before after
  shift
  before=$("$@") && sleep "$seconds" && after=$("$@") && ((after > before))
}

# same SECONDS COMMAND…: it prints the same twice
same() {
  local seconds=$1 before after
  shift
  before=$("$@") && sleep "$seconds" && after=$("$@") && [[ $after == "$before" ]]
}

# status_says TEXT [STACK]: status names a problem, by default the sequencer's; or none, with ''
status_says() {
  local problems
  problems=$("$EC" status --stack "${2:-$DIR/sequencer/stack.json}" --json | jq -c .problems) || true
  echo "$problems"
  if [[ -n $1 ]]; then [[ $problems == *"$1"* ]]; else [[ $problems == '[]' ]]; fi
}

send() {
  "$CAST" send --rpc-url "$L1" --unlocked --from "$@" >/dev/null
}

check_blocks() {
  local head
  PART=blocks
  within 60 'the unsafe head advances' grows 5 head_of "$SEQUENCER_NODE" unsafe
  head=$(rpc "$SEQUENCER_NODE" admin_stopSequencer)
  expect 'with the sequencer stopped it stands still' same 6 head_of "$SEQUENCER_NODE" unsafe
  expect 'and status says so' status_says 'the sequencer is stopped'
  rpc "$SEQUENCER_NODE" admin_startSequencer "[$head]" >/dev/null
  within 60 'started again it advances' grows 5 head_of "$SEQUENCER_NODE" unsafe
  stop op-node
  start_component sequencer op-node
  within 60 'so it does after a restart of op-node' grows 5 head_of "$SEQUENCER_NODE" unsafe
}

# Transactions of the batcher to the inbox among the last L1 blocks.
batches() {
  local last number
  last=$(rpc "$L1" eth_blockNumber | jq -r .) && last=$((last))
  for ((number = last; number > 0 && number > last - ${1:-15}; number--)); do
    rpc "$L1" eth_getBlockByNumber "[\"$(printf '0x%x' "$number")\",true]"
  done | jq -c --arg inbox "${INBOX,,}" --slurpfile accounts "$DIR/accounts.json" \
    '.transactions[] | select(.to == $inbox and .from == ($accounts[0].batcher | ascii_downcase))' | grep -c . || true
}

check_batches() {
  PART=batches
  within 60 'batches reach the inbox on L1' test_positive batches
  within 90 'the safe head follows' grows 10 head_of "$SEQUENCER_NODE" safe
  stop op-batcher
  within 60 'with the batcher stopped the safe head stalls' same 16 head_of "$SEQUENCER_NODE" safe
  expect 'while the unsafe head goes on' grows 5 head_of "$SEQUENCER_NODE" unsafe
  expect 'no more batches reach the inbox' test_none batches 5
  expect 'and status says so' status_says 'op-batcher does not answer'
  start_component sequencer op-batcher
  within 90 'started again the safe head follows' grows 10 head_of "$SEQUENCER_NODE" safe
}

test_positive() { (($("$@") > 0)); }
test_none() { (($("$@") == 0)); }
# test_more NUMBER COMMAND…: it prints more than that
test_more() { (($("${@:2}") > $1)); }

games() { call "$L1" "$FACTORY" 'gameCount()(uint256)'; }
# game INDEX: the contract
game() { "$CAST" call --rpc-url "$L1" "$FACTORY" 'gameAtIndex(uint256)(uint32,uint64,address)' "$1" | sed -n 3p; }
claims() { call "$L1" "$1" 'claimDataLen()(uint256)'; }
game_block() { call "$L1" "$1" 'l2BlockNumber()(uint256)'; }
output() { rpc "$SEQUENCER_NODE" optimism_outputAtBlock "[\"$(printf '0x%x' "$1")\"]" | jq -r "${2:-.outputRoot}"; }

# game_is_of GAME BLOCK: its claim is op-node's output at this block
game_is_of() {
  local claimed wanted
  claimed=$(call "$L1" "$1" 'rootClaim()(bytes32)') && wanted=$(output "$2")
  echo "claimed $claimed, output at $2 $wanted"
  [[ -n $claimed && $claimed == "$wanted" ]]
}

check_proposals() {
  local first at
  PART=proposals
  within 180 'a proposal creates a game' test_positive games
  first=$(game 0)
  at=$(game_block "$first")
  expect "its root is optimism_outputAtBlock($at)" game_is_of "$first" "$at"
  expect 'and not that of another block' not game_is_of "$first" $((at - 1))
  within 120 'the next proposal creates another' test_more 1 games
}

# attacked GAME: the challenger has countered its root claim
attacked() {
  local claimant
  (($(claims "$1") > 1)) || return 1
  claimant=$("$CAST" call --rpc-url "$L1" "$1" 'claimData(uint256)(uint32,address,address,uint128,bytes32,uint128,uint128)' 1 | sed -n 3p)
  [[ ${claimant,,} == "$(jq -r '.challenger | ascii_downcase' "$DIR/accounts.json")" ]]
}

# propose_wrongly INDEX: by the proposer's own key, which is this one of the public mnemonic: op-node takes no block with a
# transaction that Anvil impersonated, as its logs name another hash
propose_wrongly() {
  local at
  (umask 077 && printf '%s\n' "$MNEMONIC" >"$DIR/sequencer/keys/mnemonic")
  at=$(head_of "$SEQUENCER_NODE" finalized)
  "$CAST" send --rpc-url "$L1" --mnemonic "$DIR/sequencer/keys/mnemonic" --mnemonic-derivation-path "m/44'/60'/2'/901/$1" \
    "$FACTORY" 'create(uint32,bytes32,bytes)' 1 "$(printf '0x%064x' 3735928559)" "$(printf '0x%064x' "$at")" >/dev/null
}

check_challenger() {
  local honest wrong
  PART=challenger
  expect 'it is ready' ready sequencer op-challenger 10
  honest=$(game 0)
  # the wrong game needs the proposer's account: two senders would race for its nonces
  stop op-proposer
  stop op-challenger
  propose_wrongly 1
  wrong=$(game $(($(games) - 1)))
  expect 'a game with a wrong root stands' not game_is_of "$wrong" "$(game_block "$wrong")"
  expect 'with the challenger stopped nobody attacks it' same 10 claims "$wrong"
  expect 'status says that its root is another than the node has' status_says 'claims another root of block'
  start_component sequencer op-challenger
  within 120 'the challenger attacks it' attacked "$wrong"
  expect 'and leaves an honest game alone' test "$(claims "$honest")" == 1
  start_component sequencer op-proposer
}

# deposit TO ETHER GAS [CALLDATA]: sends ETH to L2
deposit() {
  send "$RICH" "$PORTAL" 'depositTransaction(address,uint256,uint64,bool,bytes)' "$1" "$("$CAST" to-wei "$2")" "$3" false "${4:-0x}" \
    --value "${2}ether"
}

# has ADDRESS ETHER: exactly this balance on L2
has() {
  [[ $("$CAST" balance --rpc-url "$SEQUENCER" "$1") == "$("$CAST" to-wei "$2")" ]]
}

# Somebody with a key of his own, and nothing else.
make_user() {
  if [[ ! -e $DIR/keys/user ]]; then
    (umask 077 && mkdir -p "$DIR/keys" && printf '\n' >"$DIR/keys/password")
    "$CAST" wallet new "$DIR/keys" user --unsafe-password '' >/dev/null
  fi
  USER_ADDRESS=$("$CAST" wallet address --keystore "$DIR/keys/user" --password-file "$DIR/keys/password")
}

check_deposit() {
  local other
  PART=deposit
  make_user
  expect 'before it the account is empty on L2' has "$USER_ADDRESS" 0
  expect 'L1 takes a deposit' deposit "$USER_ADDRESS" 10 100000
  within 60 'it arrives on L2' has "$USER_ADDRESS" 10
  other=0x00000000000000000000000000000000deadbeef
  expect 'one with too little gas is refused' not deposit "$other" 10 100
  expect 'and nothing arrives' has "$other" 0
}

# On L2: what the passer was told, as `nonce value gas data hash`.
initiate_withdrawal() {
  local receipt log data
  receipt=$("$CAST" send --rpc-url "$SEQUENCER" --keystore "$DIR/keys/user" --password-file "$DIR/keys/password" --json \
    --value 1ether "$PASSER" 'initiateWithdrawal(address,uint256,bytes)' "$RICH" 100000 0x) || return 1
  log=$(jq -c '.logs[0]' <<<"$receipt")
  data=$(jq -r .data <<<"$log")
  jq -n --arg nonce "$(jq -r '.topics[1]' <<<"$log")" --arg hash "0x${data:194:64}" \
    --argjson block "$(($(jq -r .blockNumber <<<"$receipt")))" '{$nonce, $hash, $block}' >"$DIR/withdrawal.json"
  jq -e '.hash | length == 66' "$DIR/withdrawal.json"
}

# The first game that is of the withdrawal's block or later; its index and block.
game_after() {
  local index count at
  count=$(games)
  for ((index = 0; index < count; index++)); do
    at=$(game_block "$(game "$index")")
    if ((at >= $1)) && game_is_of "$(game "$index")" "$at" >/dev/null; then
      printf '%s %s\n' "$index" "$at"
      return 0
    fi
  done
  return 1
}

# prove ETHER: that this much was withdrawn
prove() {
  local index at slot proof nodes nonce
  read -r index at < <(game_after "$(jq .block "$DIR/withdrawal.json")") || return 1
  slot=$("$CAST" keccak "$(jq -r .hash "$DIR/withdrawal.json")$(printf '%064d' 0)")
  proof=$(rpc "$SEQUENCER" eth_getProof "[\"$PASSER\",[\"$slot\"],\"$(printf '0x%x' "$at")\"]") || return 1
  nodes=$(jq -r '.storageProof[0].proof | join(",")' <<<"$proof")
  nonce=$("$CAST" to-dec "$(jq -r .nonce "$DIR/withdrawal.json")")
  send "$RICH" "$PORTAL" \
    'proveWithdrawalTransaction((uint256,address,address,uint256,uint256,bytes),uint256,(bytes32,bytes32,bytes32,bytes32),bytes[])' \
    "($nonce,$USER_ADDRESS,$RICH,$("$CAST" to-wei "$1"),100000,0x)" "$index" \
    "(0x$(printf '%064d' 0),$(output "$at" .stateRoot),$(output "$at" .withdrawalStorageRoot),$(output "$at" .blockRef.hash))" "[$nodes]"
}

finalize_withdrawal() {
  local nonce
  nonce=$("$CAST" to-dec "$(jq -r .nonce "$DIR/withdrawal.json")")
  send "$RICH" "$PORTAL" 'finalizeWithdrawalTransaction((uint256,address,address,uint256,uint256,bytes))' \
    "($nonce,$USER_ADDRESS,$RICH,$("$CAST" to-wei 1),100000,0x)"
}

proven() {
  (($("$CAST" call --rpc-url "$L1" "$PORTAL" 'numProofSubmitters(bytes32)(uint256)' "$(jq -r .hash "$DIR/withdrawal.json")") > 0))
}

too_early() {
  local said
  said=$(finalize_withdrawal 2>&1) && return 1
  echo "$said"
  # OptimismPortal_ProofNotOldEnough()
  [[ $said == *ProofNotOldEnough* || $said == *d9bc01be* ]]
}

check_withdrawal() {
  PART=withdrawal
  make_user
  expect 'one is initiated on L2' initiate_withdrawal
  within 180 'a proposal covers it' game_after "$(jq .block "$DIR/withdrawal.json")"
  expect 'a proof of another amount is refused' not prove 2
  expect 'and none is recorded' not proven
  expect 'its proof is accepted on L1' prove 1
  expect 'and recorded' proven
  expect 'finalizing waits for the clock of seven days' too_early
}

# both_have HEAD: the verifier's head, above zero, is the same block at the sequencer
both_have() {
  local number theirs ours
  number=$(head_of "$VERIFIER_NODE" "$1") && theirs=$(block "$VERIFIER" "$number" hash) && ours=$(block "$SEQUENCER" "$number" hash)
  echo "$number: $theirs, $ours"
  ((number > 0)) && [[ $theirs == "$ours" ]]
}

ahead_of_safe() {
  (($(head_of "$VERIFIER_NODE" unsafe) > $(head_of "$VERIFIER_NODE" safe)))
}

check_verifier() {
  PART=verifier
  if ! runs verifier-op-node; then
    bring_up_verifier ''
    within 120 'without a peer it derives the safe head from L1' both_have safe
    expect 'and knows no newer block' not ahead_of_safe
    expect 'status says that it has no peer' status_says 'no peers: blocks come from L1 only' "$DIR/verifier/stack.json"
    stop verifier-op-node
    plan verifier "$(sequencer_address)"
    write_stack verifier
    start_component verifier op-node
  fi
  within 60 'with a peer it has blocks that L1 has not' ahead_of_safe
  expect 'they are the same as the sequencer'"'"'s' both_have unsafe
  within 60 'it derives the same safe head from L1' both_have safe
  within 90 'and the same finalized head' both_have finalized
  expect 'it has no key but the engine'"'"'s secret' test -z "$(find "$DIR/verifier" -path '*/secrets/*' -type f ! -name jwt)"
}
