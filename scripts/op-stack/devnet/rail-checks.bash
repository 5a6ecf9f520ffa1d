#!/usr/bin/env bash
# Sourced by devnet.sh: four witnesses attest a real archive on the chain.
# shellcheck disable=SC2034 # PART is said with each expectation

# the smoke's default
readonly WITNESSES=4

# fund_witnesses NUMBER: keys of the deployer and of so many witnesses, funded by deposits
fund_witnesses() {
  local keys=$DIR/keys/rail i address=''
  mkdir -p "$keys"
  for ((i = 0; i <= $1; i++)); do
    [[ ! -e $keys/key$i ]] || continue
    address=$("$EC" key create "$keys/key$i")
    deposit "$address" 1 100000
    printf '%s\n' "$address" >>"$keys/addresses"
  done
  [[ -z $address ]] || wait_for 120 has "$address" 1 || die 1 'the deposits for the witnesses do not arrive'
}

# broadcasts NUMBER TIMES: an archive of so many, each the sample's la-nbc so many times one after the other; its numbers go
# on, as a timeline's
broadcasts() {
  rm -rf "$DIR/archive"
  "$FIXTURE" broadcasts --from "$ROOT/archives/sample" --broadcast la-nbc --count "$1" --times "$2" "$DIR/archive"
}

# smoke NAME ARGUMENT…: the same smoke as on Anvil, on this L2, in $DIR/NAME
smoke() {
  local name=$1
  shift
  start "$name" "$ROOT/scripts/op-stack/anvil-reality-smoke.sh" --rpc "$SEQUENCER" --keys "$DIR/keys/rail" \
    --work "$DIR/$name" --json "$@"
}

ended() {
  not runs "$1"
}

# all_final NAME: the smoke's own totals
all_final() {
  grep '"totals"' "$DIR/log/$1.log" || {
    last_words "$1"
    return 1
  }
  grep '"totals"' "$DIR/log/$1.log" | jq -e '.totals | .ok and .slots > 0 and .final == .slots and .equal == .slots'
}

# The three heads, twice a second.
watch_heads() {
  while sleep 0.5; do
    rpc "$SEQUENCER_NODE" optimism_syncStatus |
      jq -c --arg s "$EPOCHREALTIME" '{s: ($s | tonumber), unsafe: .unsafe_l2.number, safe: .safe_l2.number, finalized: .finalized_l2.number}' || true
  done
}

# journeys NAME: for each transaction of the ledger, the seconds from the first sight of its block until that is safe and
# finalized. A head that it was not seen to pass by itself is null.
journeys() {
  jq -c --slurpfile heads "$DIR/log/heads.log" '
    def first(f): [$heads[] | select(f)][0].s;
    (.blockNumber | ltrimstr("0x") | explode | reduce .[] as $c (0; . * 16 + (if $c > 96 then $c - 87 else $c - 48 end))) as $block
    | first(.unsafe >= $block and .safe < $block) as $unsafe
    | first(.safe >= $block and .finalized < $block) as $safe
    | first(.finalized >= $block) as $finalized
    | {block: $block, safe: (if $unsafe and $safe then $safe - $unsafe else null end),
       finalized: (if $safe and $finalized then $finalized - $unsafe else null end)}' "$DIR/$1/receipts.jsonl"
}

followed() {
  journeys "$1" >"$DIR/$1/journeys.jsonl"
  cat "$DIR/$1/journeys.jsonl"
  jq -se 'length > 0 and all(.safe > 0 and .finalized > .safe)' "$DIR/$1/journeys.jsonl"
}

# Median seconds until safe and until finalized.
pace() {
  jq -rs 'def median(f): [.[] | f] | sort | .[length / 2 | floor] | floor;
    "\(length) transactions; from unsafe to safe \(median(.safe)) s, to finalized \(median(.finalized)) s"' "$DIR/$1/journeys.jsonl"
}

check_rail() {
  PART=rail
  fund_witnesses "$WITNESSES"
  runs heads || start heads watch_heads
  smoke rail
  within 400 'four witnesses come to an end' ended rail
  expect 'every slot is final on the ledger, and equal to the archive' all_final rail
  expect 'no witness stands for two things in one slot' one_vote_per_slot rail
  # The smoke ends with its slots: a vote that came after the quorum may still be on its way to finality.
  within 120 'every vote was seen unsafe, then safe, then finalized' followed rail
  stop heads
  say "$(pace rail)"
}

# votes [WITNESS]: transactions of one witness, or of all, that the sequencer has
votes() {
  local address
  sed -n "$((${1:-0} + 1))p" "$DIR/keys/rail/addresses" >"$DIR/voters"
  [[ -n ${1-} ]] || sed -n "2,$((WITNESSES + 1))p" "$DIR/keys/rail/addresses" >"$DIR/voters"
  while read -r address; do
    printf '%d\n' "$(rpc "$SEQUENCER" eth_getTransactionCount "[\"$address\",\"latest\"]" | jq -r .)"
  done <"$DIR/voters" | awk '{ sum += $1 } END { print sum }'
}

# The ledger's transactions in the newest block, as `hash block-hash`; fails where it has none.
newest_votes() {
  local last ledger
  ledger=$(jq -r '.ledger // .contracts.ledger | ascii_downcase' "$DIR/reorg/deploy.json")
  last=$(rpc "$SEQUENCER" eth_blockNumber | jq -r .)
  rpc "$SEQUENCER" eth_getBlockReceipts "[\"$last\"]" |
    jq -r --arg ledger "$ledger" '.[] | select(.to == $ledger) | "\(.transactionHash) \(.blockHash)"' >"$DIR/reorg/moved"
  [[ -s $DIR/reorg/moved ]]
}

# Each of the votes stands in another block than before.
moved() {
  local hash before now
  while read -r hash before; do
    now=$(rpc "$SEQUENCER" eth_getTransactionReceipt "[\"$hash\"]" | jq -r '.blockHash // "none"')
    echo "$hash was in $before, is in $now"
    [[ $now != none && $now != "$before" ]] || return 1
  done <"$DIR/reorg/moved"
}

gone() {
  local hash before
  while read -r hash before; do
    rpc "$SEQUENCER" eth_getBlockByHash "[\"$before\",false]" >"$DIR/out.gone"
    [[ $(block "$SEQUENCER" "$(($(jq -r '.number // 0' "$DIR/out.gone")))" hash) != "$before" ]] || return 1
  done <"$DIR/reorg/moved"
}

# The verifier has another block than the sequencer at its own head.
differ() {
  local number
  number=$(($(rpc "$VERIFIER" eth_blockNumber | jq -r .)))
  [[ $(block "$VERIFIER" "$number" hash) != "$(block "$SEQUENCER" "$number" hash)" ]]
}

# one_vote_per_slot NAME: in each store all headers that were tried in a slot have one content, and on the chain no witness
# has attested twice in a slot
one_vote_per_slot() {
  local w
  for ((w = 1; w <= WITNESSES; w++)); do
    "$EC_WITNESS" history export --store "$DIR/$1/store$w" >"$DIR/$1/history$w.json" || return 1
    jq -e '.votes | length > 0 and all(.headers | map(del(.observedUnixMs, .parentObservationHash)) | unique | length == 1)
      and ([.[].slot] | length == (unique | length))' "$DIR/$1/history$w.json" || return 1
  done
  jq -se --arg attested "$("$CAST" sig-event 'ObservationAttested(bytes32,bytes32,address)')" \
    '[.[].logs[] | select(.topics[0] == $attested) | [.topics[1], .topics[3]]] | length > 0 and length == (unique | length)' \
    "$DIR/$1/receipts.jsonl"
}

check_reorg() {
  local head
  PART=reorg
  fund_witnesses "$WITNESSES"
  runs verifier-op-node || bring_up_verifier "$(sequencer_address)"
  smoke reorg --live 4 --also-rpc "$VERIFIER"
  wait_for 60 test -s "$DIR/reorg/chain.toml" || true
  head=$(votes)
  within 240 'the witnesses vote while the archive grows' test_more "$head" votes
  # the batcher's and the proposer's transactions are not to be in the blocks that L1 loses: they trust L1 after four
  stop op-batcher
  stop op-proposer
  within 60 'a block with votes' newest_votes
  send_signal STOP verifier-op-node
  rpc "$L1" anvil_reorg '[7,[]]' >/dev/null
  within 90 'a reorg of L1 takes the blocks of votes off the L2' gone
  within 120 'the same transactions are in other blocks of it' moved
  within 90 'the verifier, which has not heard of it, has another chain' differ
  within 60 'witness 1, which reads from both, says that they disagree' grep -q 'no 2 endpoints agree' "$DIR/reorg/run1.log"
  head=$(votes 1)
  within 90 'the others go on voting' grows 15 votes
  expect 'witness 1 casts no vote' test "$(votes 1)" == "$head"
  send_signal CONT verifier-op-node
  start_component sequencer op-batcher
  start_component sequencer op-proposer
  within 120 'the verifier follows the new chain' not differ
  within 180 'witness 1 votes again' test_more "$head" votes 1
  within 400 'the witnesses come to an end' ended reorg
  expect 'every slot is final on the ledger, and equal to the archive' all_final reorg
  expect 'no witness stands for two things in one slot' one_vote_per_slot reorg
}
