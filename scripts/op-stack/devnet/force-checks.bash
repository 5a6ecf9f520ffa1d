#!/usr/bin/env bash
# Sourced by devnet.sh: a witness gets its votes past a sequencer that takes none of them.
# shellcheck disable=SC2016,SC2034,SC2153 # jq's variables; PART is said with each expectation; PORT is in chain.bash

# Where the sequencer and L1 take no transaction.
readonly DEAF=http://127.0.0.1:$((PORT + 250)) DEAF_L1=http://127.0.0.1:$((PORT + 251))
# Votes that stay out, each in a transaction of its own.
readonly STUCK=3

# witness COMMAND [ARGUMENT…]: of the one witness, as it is configured
witness() {
  local command=$1
  shift
  EC_WITNESS_CONFIG=$DIR/force/chain.toml EC_WITNESS_RPC=$WITNESS_RPC \
    "$EC_WITNESS" "$command" --store "$DIR/force/store" --log info "$@"
}

# keyed COMMAND [ARGUMENT…]: the same with its key
keyed() {
  witness "$@" --key-file "$DIR/keys/rail/key1"
}

# vote [ARGUMENT…]: its daemon, which waits for nobody
vote() {
  keyed run --archive "$ROOT/archives/sample" --incomplete-delay-ms 1000 --late-ms 1000 "$@"
}

# forced NAME L1 [ARGUMENT…]: starts to force, with a log of its own
forced() {
  start "$1" keyed force --l1-rpc "$2" --json "${@:3}"
}

# is_count URL NUMBER: so many nonces of the witness are used there
is_count() {
  local count
  count=$(rpc "$1" eth_getTransactionCount "[\"$WITNESS_ADDRESS\",\"latest\"]" | jq -r .)
  echo "$((count)) used"
  ((count == $2))
}

# refused TEXT COMMAND…: it fails, and says so
refused() {
  local text=$1
  shift
  if "$@" >"$DIR/out.refused" 2>&1; then return 1; fi
  grep -- "$text" "$DIR/out.refused" || { tail -n 5 "$DIR/out.refused" && return 1; }
}

# says NAME TEXT: its log has it
says() {
  grep -q -- "$2" "$DIR/log/$1.log" || { last_words "$1" && return 1; }
}

# killed NAME WHEN TEXT: as soon as its log has it
killed() {
  within 120 "$2" says "$1" "$3"
  send_signal KILL "$1"
  within 10 'and is killed there' ended "$1"
}

# deafen NAME URL OF: what takes no transaction, and answers all else as OF does
deafen() {
  start "$1" "$ROOT/scripts/op-stack/devnet/deaf.py" "${2##*:}" "$3"
  wait_for 30 rpc "$2" eth_chainId || die 1 "$1 does not answer: $(last_words "$1")"
}

all_dropped() {
  (($(grep '^0x' "$DIR/log/deaf.log" | sort -u | wc -l) >= STUCK))
}

# Nothing is spent, and all that is out is named.
shown_only() {
  if witness force --l1-rpc "$L1" --dry-run --json >"$DIR/force/shown" 2>"$DIR/out.shown"; then return 1; fi
  jq -se --argjson number "$STUCK" 'length == $number and all(.outcome == "chosen" and .l1_gas > 21000)' "$DIR/force/shown" ||
    { cat "$DIR/force/shown" "$DIR/out.shown" && return 1; }
}

# The original of the first vote, as the sequencer was given it.
free_first() {
  local raw
  raw=$(head -n 1 "$DIR/log/deaf.log")
  rpc "$SEQUENCER" eth_sendRawTransaction "[\"$raw\"]"
}

# base_fee WEI: of L1's next block; those after it are cheaper by an eighth each
base_fee() {
  rpc "$L1" anvil_setNextBlockBaseFeePerGas "[\"$1\"]" >/dev/null
}

# outcomes JQ: what all of them came to, in order
outcomes() {
  grep -h '"outcome"' "$DIR/log/"force-*.log >"$DIR/force/outcomes"
  cat "$DIR/force/outcomes"
  jq -se --argjson first "$FIRST_NONCE" --argjson number "$STUCK" "$1" "$DIR/force/outcomes"
}

# In no slot has the witness voted for two things.
one_content_per_slot() {
  "$EC_WITNESS" history export --store "$DIR/force/store" >"$DIR/force/history.json" || return 1
  jq -e '.votes | length > 0 and all(.headers | map(del(.observedUnixMs, .parentObservationHash)) | unique | length == 1)' \
    "$DIR/force/history.json"
}

check_force() {
  local WITNESS_RPC=$DEAF WITNESS_ADDRESS FIRST_NONCE
  PART=force
  fund_witnesses 1
  WITNESS_ADDRESS=$(sed -n 2p "$DIR/keys/rail/addresses")
  FIRST_NONCE=$(($(rpc "$SEQUENCER" eth_getTransactionCount "[\"$WITNESS_ADDRESS\",\"latest\"]" | jq -r .)))
  mkdir -p "$DIR/force"
  deafen deaf "$DEAF" "$SEQUENCER"
  deafen deaf-l1 "$DEAF_L1" "$L1"
  "$EC_WITNESS" deploy --rpc "$SEQUENCER" --chain-id 901 --key-file "$DIR/keys/rail/key0" --witness "$WITNESS_ADDRESS" \
    --quorum 1 --write-config "$DIR/force/chain.toml" --json >"$DIR/force/deploy.json"
  cat "$ROOT/archives/sample.toml" >>"$DIR/force/chain.toml"
  within 30 'a witness makes its store' keyed init --archive "$ROOT/archives/sample" --from-sequence first
  start deaf-run vote --max-in-flight "$STUCK" --max-batch 1 --force-after-ms 1000
  within 60 'the sequencer drops its votes' all_dropped
  within 30 'it says what to do when they are out for too long' says deaf-run 'ec-witness force'
  stop deaf-run
  expect 'none of them is on the chain' is_count "$SEQUENCER" "$FIRST_NONCE"

  expect 'without ether on L1 nothing is forced' refused 'holds 0 wei' keyed force --l1-rpc "$L1"
  expect 'the L2 is not taken for its L1' refused 'is the L2 itself' keyed force --l1-rpc "$SEQUENCER"
  expect 'L1 gives it ether' send "$RICH" "$WITNESS_ADDRESS" --value 1ether
  expect 'above its highest fee nothing is forced' refused 'l1_max_fee_gwei' keyed force --l1-rpc "$L1" --l1-max-fee-gwei 0
  expect 'what has not been out for long is left alone' refused 'force_after_ms is' \
    keyed force --l1-rpc "$L1" --force-after-ms 86400000
  expect 'a look without its key names every vote and what it would cost' shown_only

  forced force-1 "$DEAF_L1"
  killed force-1 'the first vote is kept, and L1 does not have it yet' 'forced transaction signed'
  expect 'the witness does not vote in between' refused 'is under way' vote --once
  expect 'the sequencer takes the original after all' free_first
  within 30 'and executes it' is_count "$SEQUENCER" $((FIRST_NONCE + 1))
  base_fee 40000000000
  forced force-2 "$L1"
  within 60 'the deposit is made dearer' says force-2 'replaced by a dearer one'
  killed force-2 'it is on L1' 'came=on_l1'
  base_fee 7
  forced force-3 "$L1"
  killed force-3 'the L2 has executed it' 'came=executed'
  forced force-4 "$L1"
  within 600 'started again it comes to an end' ended force-4

  expect 'each vote that stayed out has a deposit, and all are final' outcomes 'length == $number - 1 and all(.outcome == "final")'
  expect 'the deposit of the vote that counts already used the next nonce, and did nothing' \
    outcomes '.[0].nonce == $first + 1 and .[0].reverted and all(.[1:][]; .reverted | not)'
  expect 'no nonce is missing or used twice' outcomes '[.[].nonce] == [range($first + 1; $first + $number)]'
  expect 'L1 was paid once for each' is_count "$L1" $((STUCK - 1))
  WITNESS_RPC=$SEQUENCER
  expect 'the witness goes on, and every slot is final' vote --once
  expect 'it stands for one thing in every slot' one_content_per_slot
  expect 'nothing is left to force' keyed force --l1-rpc "$L1"
  stop deaf-l1
  stop deaf
}
