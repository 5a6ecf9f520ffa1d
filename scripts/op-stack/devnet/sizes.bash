#!/usr/bin/env bash
# Sourced by devnet.sh: what the chain takes of disk, memory, network and L1. Figures, not expectations.
# shellcheck disable=SC2016,SC2034 # jq's variables; PART is said with each expectation

# How long each load is measured, in seconds: many batches and proposals, at the devnet's clock
readonly MEASURED=180
# A host's clock, by nix/lib's defaults: an L2 block every 2 s, a batch every 25 L1 blocks, a proposal every 30 minutes
readonly BLOCKS_A_DAY=43200 BATCHES_A_DAY=288 PROPOSALS_A_DAY=48

# Bytes of a component's data. Files come and go meanwhile, of which find complains. Without the databases' logs: each has three
# hundred megabytes from its start, and is none that grows.
disk_of() {
  { find "$DIR/sequencer/$1" -type f ! -name '*.log' -printf '%s\n' 2>/dev/null || true; } | awk '{ bytes += $1 } END { printf "%.0f\n", bytes }'
}

# The same of op-geth, with all in it that is still in a log.
geth_disk() {
  rpc "$SEQUENCER" debug_chaindbCompact >/dev/null
  disk_of op-geth
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

# account ROLE: its address
account() {
  jq -r ".$1" "$DIR/accounts.json"
}

# measure LOAD: the figures of a while, and of a day at a host's clock, as an object
measure() {
  local l1 first last number geth safedb node seconds=$SECONDS component
  l1=$(($(rpc "$L1" eth_blockNumber | jq -r .) + 1))
  first=$(head_of "$SEQUENCER_NODE" unsafe)
  geth=$(geth_disk) safedb=$(disk_of op-node/safedb) node=$(has_read op-node)
  sleep "$MEASURED"
  last=$(head_of "$SEQUENCER_NODE" unsafe)
  geth=$(($(geth_disk) - geth)) safedb=$(($(disk_of op-node/safedb) - safedb)) node=$(($(has_read op-node) - node))
  number=$(($(rpc "$L1" eth_blockNumber | jq -r .))) seconds=$((SECONDS - seconds))
  posted "$l1" "$number" "$(account batcher)" >"$DIR/batcher.json"
  posted "$l1" "$number" "$(account proposer)" >"$DIR/proposer.json"
  for component in op-geth op-node op-batcher op-proposer; do
    jq -n --arg component "$component" --argjson bytes "$(resident "$component")" '{($component): $bytes}'
  done | jq -s add >"$DIR/memory.json"
  for ((number = first + 1; number <= last; number++)); do
    rpc "$SEQUENCER" eth_getBlockByNumber "[\"$(printf '0x%x' "$number")\",false]"
  done | jq -cs --arg load "$1" --argjson seconds "$seconds" --argjson geth "$geth" --argjson safedb "$safedb" \
    --argjson node "$node" --slurpfile memory "$DIR/memory.json" \
    --slurpfile batcher "$DIR/batcher.json" --slurpfile proposer "$DIR/proposer.json" --argjson blocks_a_day "$BLOCKS_A_DAY" \
    --argjson batches "$BATCHES_A_DAY" --argjson proposals "$PROPOSALS_A_DAY" '
      def number: ltrimstr("0x") | ascii_downcase | explode | reduce .[] as $c (0; . * 16 + (if $c > 96 then $c - 87 else $c - 48 end));
      length as $blocks
      | def a_day: . * $blocks_a_day / $blocks | round;
      {$load, $seconds, $blocks, transactions: (map(.transactions | length - 1) | add), block_bytes: (map(.size | number) | add),
       l2_gas: (map(.gasUsed | number) | add), geth_bytes: $geth, safedb_bytes: $safedb, node_read_bytes: $node, memory: $memory[0], batcher: $batcher[0],
       proposer: $proposer[0]}
      | .a_day = {transactions: (.transactions | a_day), disk_bytes: (.geth_bytes + .safedb_bytes | a_day), block_bytes: (.block_bytes | a_day),
          node_read_bytes: (.node_read_bytes | a_day), batch_bytes: (.batcher.bytes | a_day), bytes_a_batch: ((.batcher.bytes | a_day) / $batches | round),
          proposer_gas: (.proposer.gas * $proposals / .proposer.transactions | round)}'
}

# A transaction a second with as many bytes as a slot of the rail has signed ones, of random content.
start_load() {
  start load bash -c 'for ((nonce = $4; ; nonce++)); do
    "$0" send --async --rpc-url "$1" --keystore "$2/user" --password-file "$2/password" --nonce "$nonce" "$3" "0x$(openssl rand -hex 800)"
    sleep 1
  done' "$CAST" "$SEQUENCER" "$DIR/keys" "$RICH" "$("$CAST" nonce --rpc-url "$SEQUENCER" "$USER_ADDRESS")"
}

check_sizes() {
  PART=sizes
  make_user
  deposit "$USER_ADDRESS" 10 100000
  within 60 'somebody has ether' not has "$USER_ADDRESS" 0
  within 120 'a game is made' test_positive games
  measure idle
  start_load
  measure load
  stop load
}
