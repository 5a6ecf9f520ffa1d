#!/usr/bin/env bash
# Sourced by devnet.sh: how fast observations become final on the L2, and what each costs.
# shellcheck disable=SC2016,SC2034 # jq's variables; PART is said with each expectation

# witnesses, quorum, streams, times that the sample's ten epochs are repeated
readonly LOADS=('4 3 2 1' '4 3 2 10' '8 5 2 10' '4 3 20 1' '4 3 20 5')

# Bytes of the ledger's transactions of a smoke, as they are signed.
signed_bytes() {
  local hash
  while read -r hash; do
    rpc "$SEQUENCER" eth_getRawTransactionByHash "[\"$hash\"]"
  done < <(jq -r .transactionHash "$DIR/$1/receipts.jsonl") | jq -s 'map(length / 2 - 2) | add'
}

# figures NAME WITNESSES STREAMS: of the smoke's transactions. The L1 data fee follows l1GasUsed, which is 16 for each byte
# that the transaction is expected to have once the batch is compressed (Fjord).
figures() {
  jq -sc --argjson totals "$(grep '"totals"' "$DIR/log/$1.log" | jq .totals)" --argjson bytes "$(signed_bytes "$1")" \
    --argjson witnesses "$2" --argjson streams "$3" '
    def hex: ltrimstr("0x") | explode | reduce .[] as $c (0; . * 16 + (if $c > 96 then $c - 87 else $c - 48 end));
    (map(.blockNumber | hex) | max - min + 1) as $blocks
    | $totals.slots as $slots
    | {$witnesses, $streams, $slots, transactions: length, seconds: (2 * $blocks), slots_per_s: ($slots / (2 * $blocks)),
       gas_per_slot: (map(.gasUsed | hex) | add / $slots | round), most_gas: (map(.gasUsed | hex) | max),
       bytes_per_slot: ($bytes / $slots | round), compressed_bytes_per_slot: (map(.l1GasUsed | hex) | add / 16 / $slots | round)}
    ' "$DIR/$1/receipts.jsonl"
}

check_load() {
  local load witnesses quorum streams times name
  PART=load
  fund_witnesses 8
  for load in "${LOADS[@]}"; do
    read -r witnesses quorum streams times <<<"$load"
    name=load-${load// /-}
    broadcasts "$streams" "$times"
    EC_WITNESS_NUMBERING=timeline smoke "$name" --archive "$DIR/archive" --witnesses "$witnesses" --quorum "$quorum" --votes-only
    within 1200 "$witnesses witnesses, $streams streams, $times times: they come to an end" ended "$name"
    expect 'every slot is final' all_final "$name"
    figures "$name" "$witnesses" "$streams" | tee -a "$DIR/figures.jsonl"
  done
}
