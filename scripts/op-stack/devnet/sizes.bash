#!/usr/bin/env bash
# Sourced by devnet.sh: what the chain takes of disk, memory, network and ether. Figures, not expectations.
# shellcheck disable=SC2016,SC2034 # jq's variables; PART is said with each expectation

# How long each load is measured, in seconds: many batches and proposals, at the devnet's clock
readonly MEASURED=180

# Bytes on the disk of a component's data.
disk_of() {
  du --summarize --block-size=1 "$DIR/sequencer/$1" 2>/dev/null | cut -f 1
}

# Bytes of memory that a component holds.
resident() {
  local pid
  read -r pid _ <"$DIR/run/$1"
  awk '/^VmRSS/ { print $2 * 1024 }' "/proc/$pid/status"
}

# Bytes that a component has read so far, from sockets and files.
has_read() {
  local pid
  read -r pid _ <"$DIR/run/$1"
  awk '/^rchar/ { print $2 }' "/proc/$pid/io"
}

# posted FROM TO ACCOUNT: of its transactions in these L1 blocks: how many, their gas, the bytes of their calldata
posted() {
  local number hash bytes
  for ((number = $1; number <= $2; number++)); do
    rpc "$L1" eth_getBlockByNumber "[\"$(printf '0x%x' "$number")\",true]"
  done | jq -r --arg from "${3,,}" '.transactions[] | select(.from == $from) | [.hash, (.input | length - 2) / 2] | @tsv' |
    while IFS=$'\t' read -r hash bytes; do
      printf '%d %d\n' "$(rpc "$L1" eth_getTransactionReceipt "[\"$hash\"]" | jq -r .gasUsed)" "$bytes"
    done | awk '{ gas += $1; bytes += $2 } END { printf "{\"transactions\":%d,\"gas\":%d,\"bytes\":%d}\n", NR, gas, bytes }'
}

# measure LOAD: the figures of a while, as an object
measure() {
  local l1 l2 geth safedb node from to blocks seconds=$SECONDS account
  l1=$(($(rpc "$L1" eth_blockNumber | jq -r .) + 1))
  from=$(head_of "$SEQUENCER_NODE" unsafe)
  geth=$(disk_of op-geth) safedb=$(disk_of op-node/safedb) node=$(has_read op-node)
  sleep "$MEASURED"
  to=$(head_of "$SEQUENCER_NODE" unsafe)
  l2=$(for ((blocks = from + 1; blocks <= to; blocks++)); do
    rpc "$SEQUENCER" eth_getBlockByNumber "[\"$(printf '0x%x' "$blocks")\",false]"
  done | jq -s '{blocks: length, transactions: ([.[].transactions | length - 1] | add), sizes: [.[].size], gas: [.[].gasUsed]}')
  jq -cn --arg load "$1" --argjson seconds $((SECONDS - seconds)) --argjson geth $(($(disk_of op-geth) - geth)) \
    --argjson safedb $(($(disk_of op-node/safedb) - safedb)) --argjson read $(($(has_read op-node) - node)) \
    --argjson memory "$(for account in op-geth op-node op-batcher op-proposer; do resident "$account"; done | jq -s .)" \
    --argjson batcher "$(posted "$l1" "$(($(rpc "$L1" eth_blockNumber | jq -r .)))" "$(jq -r .batcher "$DIR/accounts.json")")" \
    --argjson proposer "$(posted "$l1" "$(($(rpc "$L1" eth_blockNumber | jq -r .)))" "$(jq -r .proposer "$DIR/accounts.json")")" \
    --argjson l2 "$l2" '
      def number: ltrimstr("0x") | ascii_downcase | explode | reduce .[] as $c (0; . * 16 + (if $c > 96 then $c - 87 else $c - 48 end));
      {$load, $seconds, blocks: $l2.blocks, transactions: $l2.transactions, block_bytes: ([$l2.sizes[] | number] | add),
       l2_gas: ([$l2.gas[] | number] | add), geth_bytes: $geth, safedb_bytes: $safedb, node_read_bytes: $read,
       memory: ([["op-geth", "op-node", "op-batcher", "op-proposer"], $memory] | transpose | map({(.[0]): .[1]}) | add), $batcher, $proposer}'
}

# A transaction a second with as many bytes as a slot of the rail has signed ones, of random content.
start_load() {
  start load bash -c 'while true; do
    "$0" send --async --rpc-url "$1" --keystore "$2/user" --password-file "$2/password" "$3" "0x$(openssl rand -hex 800)"
    sleep 1
  done' "$CAST" "$SEQUENCER" "$DIR/keys" "$RICH"
}

check_sizes() {
  PART=sizes
  make_user
  deposit "$USER_ADDRESS" 10 100000
  within 60 'somebody has ether' has "$USER_ADDRESS" 10
  measure idle
  start_load
  measure load
  stop load
}
