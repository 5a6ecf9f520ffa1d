#!/usr/bin/env bash
# Real-archive smoke: several witnesses, each with its own copy of an archive, agree on a ledger on Anvil or another chain.
set -euo pipefail

usage() {
  cat <<'USAGE'
anvil-reality-smoke.sh [--archive DIR] [--witnesses N] [--quorum K] [--live SPEED] [--tamper] [--keep] [--json]

Derives observations from an archive, lets N witnesses (N processes, each with its own key, vote store and copy of the
archive) attest to them on a ledger on a fresh Anvil, and then checks every slot a second way: `ec-witness verify`
derives the archive again, and every slot is settled on the rail and its pointer compared.

  --archive DIR   archive directory holding manifests/ and cas/   [default: archives/sample]
  --witnesses N   how many witnesses                              [default: 4]
  --quorum K      votes that finalize                             [default: 3]
  --live SPEED    replay the archive growing, SPEED times as fast as it was received, under `run` instead of
                  `run --once`
  --rpc URL       use this chain instead of a fresh Anvil
  --keys DIR      with --rpc: DIR/key0 (the deployer) to DIR/keyN, and their addresses in DIR/addresses, funded
  --also-rpc URL  witness 1 reads from this endpoint too, and both must agree
  --work DIR      the working directory; it is kept
  --votes-only    do not settle the slots on the rail, which takes a transaction each
  --tamper        give one witness an archive with one flipped record, and show that it is found
  --keep          keep the working directory and say where it is
  --json          print one JSON object per slot and one of totals instead of the table
  --help          this text

Copies differ as hosts do: receive times are off by up to 500 ms, some lines stand in another order or twice, and,
where the quorum does not need it, the last witness lacks one record.

Exit codes: 0 all slots are final and equal to the archive, 1 they are not, 2 the smoke could not run.
USAGE
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
lines=$root/scripts/op-stack/archive-lines.pl
archive=$root/archives/sample
witnesses=4
quorum=3
live=
tamper=false
keep=false
json=false
votes_only=false
work=
rpc=
keys=
also_rpc=
pids=()

# Delays that are shorter than the protocol's, so that a demonstration takes seconds.
stagger_ms=2000
late_ms=3000
incomplete_delay_ms=600000
disputed_after_ms=900000
grace_ms=1500
poll_ms=250

die() {
  echo "smoke: $*" >&2
  exit 2
}

say() {
  echo "$*" >&2
}

# shellcheck disable=SC2317 # the trap calls it
cleanup() {
  local status=$?
  trap - EXIT INT TERM
  ((${#pids[@]} == 0)) || kill "${pids[@]}" 2>/dev/null || true
  wait 2>/dev/null || true
  if [[ -n $work ]]; then
    if $keep; then
      say "kept: $work"
    else
      rm -rf "$work"
    fi
  fi
  exit "$status"
}

parse_args() {
  while (($#)); do
    case $1 in
      --archive | --witnesses | --quorum | --live | --rpc | --keys | --also-rpc | --work)
        (($# >= 2)) || die "$1 needs a value"
        local name=${1#--}
        printf -v "${name//-/_}" '%s' "$2"
        shift 2
        ;;
      --tamper | --keep | --json | --votes-only)
        local name=${1#--}
        printf -v "${name//-/_}" true
        shift
        ;;
      --help)
        usage
        exit 0
        ;;
      *) die "unknown argument $1; see --help" ;;
    esac
  done
  [[ -d $archive/manifests ]] || die "--archive $archive: there is no manifests/ in it"
  [[ $witnesses =~ ^[1-9][0-9]*$ ]] || die "--witnesses $witnesses: must be a number above 0"
  [[ $quorum =~ ^[1-9][0-9]*$ ]] || die "--quorum $quorum: must be a number above 0"
  ((quorum <= witnesses && 2 * quorum > witnesses)) ||
    die "--quorum $quorum of --witnesses $witnesses: must be more than half of them and not more than all"
  [[ -z $live || $live =~ ^[1-9][0-9]*$ ]] || die "--live $live: must be a whole number above 0"
  if $tamper && ((quorum == witnesses)); then
    die "--tamper: with --quorum $quorum of $witnesses no witness may differ; give one more --witnesses"
  fi
  [[ -z $rpc || -s $keys/addresses ]] || die "--rpc needs --keys with a file \`addresses\`"
  archive=$(cd "$archive" && pwd)
}

prepare_tools() {
  "$root/scripts/install-tools" smoke >&2
  PATH=$root/contracts/node_modules/.bin:$PATH
  say "building ec-witness"
  (cd "$root" && cargo build --quiet --package ec-witness) >&2
  witness_bin=${CARGO_TARGET_DIR:-$root/target}/debug/ec-witness
}

# A fresh Anvil with its development accounts as keys.
start_anvil() {
  anvil --port 0 --block-time 1 --slots-in-an-epoch 1 --accounts $((witnesses + 1)) --config-out "$work/anvil.json" \
    >"$work/anvil.log" 2>&1 &
  pids+=($!)
  local waited=0
  until grep -q '^Listening on' "$work/anvil.log" && [[ -s $work/anvil.json ]]; do
    kill -0 "${pids[0]}" 2>/dev/null || die "anvil ended: $(tail -n 3 "$work/anvil.log")"
    ((waited++ < 100)) || die "anvil does not start: $(tail -n 3 "$work/anvil.log")"
    sleep 0.1
  done
  rpc=http://$(sed -n 's/^Listening on //p' "$work/anvil.log")
  keys=$work
  # the keys are Anvil's public development keys; they still go by file, as everywhere
  local i
  (
    umask 077
    for ((i = 0; i <= witnesses; i++)); do
      jq -r ".private_keys[$i]" "$work/anvil.json" >"$work/key$i"
    done
  )
  jq -r '.available_accounts[]' "$work/anvil.json" >"$work/addresses"
}

use_chain() {
  [[ -n $rpc ]] || start_anvil
  export EC_WITNESS_RPC=$rpc EC_WITNESS_CHAIN_ID
  EC_WITNESS_CHAIN_ID=$(cast chain-id --rpc-url "$rpc")
  first_block=$(cast block-number --rpc-url "$rpc")
}

deploy() {
  local addresses
  addresses=$(sed -n "2,$((witnesses + 1))p" "$keys/addresses" | paste -sd ,)
  "$witness_bin" deploy --key-file "$keys/key0" --witness "$addresses" --quorum "$quorum" \
    --write-config "$work/chain.toml" --json >"$work/deploy.json"
  cat >>"$work/chain.toml" <<TOML

[archive]
grace_ms = $grace_ms

[agreement]
propose_stagger_ms = $stagger_ms
late_ms = $late_ms
incomplete_delay_ms = $incomplete_delay_ms
disputed_after_ms = $disputed_after_ms
TOML
  export EC_WITNESS_CONFIG=$work/chain.toml
}

# What the archive says by itself: the reference for all comparisons.
derive_reference() {
  "$witness_bin" derive --archive "$archive" --json >"$work/derived.jsonl" || die "the archive has nothing to derive"
  jq -c 'select(.header != null)' "$work/derived.jsonl" >"$work/expected.jsonl"
  expected=$(wc -l <"$work/expected.jsonl")
  ((expected > 0)) || die "the archive has no closed epoch without conflicts"
}

# copy_archive W: witness W's own copy of the index. Objects are shared; derivation never reads them.
copy_archive() {
  local w=$1 file name
  mkdir -p "$work/archive$w"
  ln -s "$archive/cas" "$work/archive$w/cas"
  while IFS= read -r -d '' file; do
    name=${file#"$archive/manifests/"}
    mkdir -p "$work/archive$w/manifests/$(dirname "$name")"
    "$lines" vary "$w" <"$file" >"$work/archive$w/manifests/$name"
  done < <(find -L "$archive/manifests" -mindepth 2 -name '*.jsonl' -print0)
}

# middle_record N: a record in the middle of the N-th expected epoch, as "FILE GROUP".
middle_record() {
  local stream sequence
  read -r stream sequence < <(jq -rs --argjson n "$1" '.[$n] | "\(.stream_id) \(.header.sequence)"' "$work/expected.jsonl")
  "$witness_bin" derive --archive "$archive" --stream "$stream" --records "$sequence" |
    jq -r '.records[.records | length / 2 | floor] | "\(.track).jsonl \(.group_sequence)"' |
    sed "s|^|$stream/|"
}

# change FILE COMMAND…: one file of an index, changed in its place.
change() {
  "$lines" "${@:2}" <"$1" >"$1.new"
  mv "$1.new" "$1"
}

make_copies() {
  local w file group
  for ((w = 1; w <= witnesses; w++)); do
    copy_archive "$w"
  done
  lacking='' tampered=''
  if $tamper; then
    tampered=$witnesses
    read -r file group < <(middle_record 0)
    tampered_group=$group
    change "$work/archive$tampered/manifests/$file" flip "$group"
    say "witness $tampered: the hash of $file group $group is flipped"
  fi
  # a record may be lacking where enough others agree: elsewhere than the flipped one
  if ((witnesses > quorum && expected > 1)); then
    lacking=$((witnesses - ($($tamper && echo 1 || echo 0)) % witnesses))
    read -r file group < <(middle_record $((expected - 1)))
    change "$work/archive$lacking/manifests/$file" drop "$group"
    say "witness $lacking: $file group $group is lacking"
  fi
}

init_witness() {
  "$witness_bin" init --archive "$work/archive$1" --key-file "$keys/key$1" --store "$work/store$1" \
    --from-sequence first >"$work/init$1.log"
}

# run_witness W ARGS…: becomes the witness, so that a signal to this process reaches it.
run_witness() {
  local w=$1
  shift
  if [[ -n $also_rpc && $w == 1 ]]; then
    export EC_WITNESS_RPC=$rpc,$also_rpc EC_WITNESS_RPC_AGREE=2
  fi
  exec "$witness_bin" run --archive "$work/archive$w" --key-file "$keys/key$w" --store "$work/store$w" \
    --poll-ms "$poll_ms" --log info "$@"
}

# Every witness settles what its archive holds, all at the same time.
run_once() {
  local w status running=()
  for ((w = 1; w <= witnesses; w++)); do
    init_witness "$w"
  done
  for ((w = 1; w <= witnesses; w++)); do
    run_witness "$w" --once --until finalized --json >"$work/run$w.jsonl" 2>"$work/run$w.log" &
    running[w]=$!
    pids+=($!)
  done
  for ((w = 1; w <= witnesses; w++)); do
    status=0
    wait "${running[w]}" || status=$?
    say "witness $w: exit $status$(differs "$w")"
    if ((status > 1)); then
      tail -n 5 "$work/run$w.log" >&2
      failed=1
    elif ((status == 1)) && [[ -z $(differs "$w") ]]; then
      failed=1
    fi
  done
}

differs() {
  if [[ $1 == "${tampered:-}" ]]; then
    echo ", its archive is tampered with"
  elif [[ $1 == "${lacking:-}" ]]; then
    echo ", its archive lacks a record"
  fi
}

# watch_over W: the witness, which is started again when it was killed; its process is in pid$W
watch_over() {
  local child status
  trap 'kill -TERM "$child"' TERM
  while :; do
    run_witness "$1" 2>>"$work/run$1.log" &
    child=$!
    echo "$child" >"$work/pid$1"
    status=0
    wait "$child" || status=$?
    # a signal to this shell ends its wait before the witness has ended
    if kill -0 "$child" 2>/dev/null; then
      status=0
      wait "$child" || status=$?
    fi
    ((status == 128 + 9)) || exit "$status"
    say "witness $1: killed; it is started again"
  done
}

# The archives grow from nothing while the witnesses run.
run_live() {
  local w status running=() feeders=() start
  for ((w = 1; w <= witnesses; w++)); do
    mv "$work/archive$w/manifests" "$work/source$w"
    schedule "$work/source$w" >"$work/schedule$w"
    mkdir "$work/archive$w/manifests"
  done
  # not by head: a signal would tell sort that nobody reads the rest
  start=$(cut -f1 "$work"/schedule* | sort -n | sed -n 1p)
  for ((w = 1; w <= witnesses; w++)); do
    feed "$w" "$start" &
    feeders[w]=$!
    pids+=($!)
  done
  sleep 2
  for ((w = 1; w <= witnesses; w++)); do
    init_witness "$w"
    watch_over "$w" &
    running[w]=$!
    pids+=($!)
  done
  wait "${feeders[@]}"
  say "the archives are whole; waiting for the last slots"
  await_final
  for ((w = 1; w <= witnesses; w++)); do
    kill -TERM "${running[w]}"
  done
  for ((w = 1; w <= witnesses; w++)); do
    status=0
    wait "${running[w]}" || status=$?
    say "witness $w: exit $status"
    ((status == 0)) || failed=1
  done
}

# Lines as "MS <tab> FILE <tab> LINE", by time. All broadcasts begin together, each at its own first record.
schedule() {
  local directory
  while IFS= read -r -d '' directory; do
    (
      cd "$1"
      find "${directory#"$1/"}" -maxdepth 1 -name '*.jsonl' -print0 | xargs -0 -r "$lines" times | sort -s -n -k1,1 |
        awk -F'\t' -v OFS='\t' 'NR == 1 { first = $1 } { $1 -= first; print }'
    )
  done < <(find "$1" -mindepth 1 -type d -print0) | sort -s -n -k1,1
}

feed() {
  local w=$1 start=$2 begun=${EPOCHREALTIME/./} ms file line due
  while IFS=$'\t' read -r ms file line; do
    due=$((begun + (ms - start) * 1000 / live))
    while ((${EPOCHREALTIME/./} < due)); do
      sleep 0.05
    done
    mkdir -p "$work/archive$w/manifests/$(dirname "$file")"
    printf '%s\n' "$line" >>"$work/archive$w/manifests/$file"
  done <"$work/schedule$w"
}

await_final() {
  local waited=0
  until "$witness_bin" verify --archive "$archive" --require-final >"$work/await.log" 2>&1; do
    ((waited++ < 300)) || {
      say "the slots are not all final after five minutes: $(tail -n 1 "$work/await.log")"
      return
    }
    sleep 1
  done
}

# Settles every slot on the rail and asks for each pointer.
settle() {
  local slot pointer
  "$witness_bin" rail settle --key-file "$keys/key0" --json >"$work/settle.jsonl" || failed=1
  while read -r slot; do
    pointer=$("$witness_bin" rail show --slot "$slot" --json) || true
    jq -c --arg slot "$slot" '. + {slot: $slot}' <<<"${pointer:-{\}}" >>"$work/pointers.jsonl"
  done < <(jq -r .slot "$work/expected.jsonl")
}

# The second way: derive the archive again and compare with the ledger, then with the settled pointers.
check() {
  "$witness_bin" verify --archive "$archive" --require-final --json >"$work/verify.jsonl" || failed=1
  : >"$work/pointers.jsonl"
  $votes_only || settle
  "$witness_bin" status --archive "$archive" --store "$work/store1" --last 0 --json >"$work/status.jsonl"
  local want
  want=$(jq -rs 'map({key: .slot, value: .header.dataRoot}) | from_entries' "$work/expected.jsonl")
  slots=$(jq -c --argjson want "$want" --slurpfile pointers "$work/pointers.jsonl" '
    . as $s | ([$pointers[] | select(.slot == $s.slot)][0]) as $p | select($want[.slot] != null) | . + {
      settled: ($p.settled == true and $p.manifest_hash == .finalized_hash and $p.data_root == $want[.slot])}' \
    "$work/status.jsonl")
  final=$(jq -s 'map(select(.finalized_hash != null and (.settled or $votes_only))) | length' \
    --argjson votes_only "$votes_only" <<<"$slots")
  equal=$(jq -s 'map(select(.verdict == "equal")) | length' "$work/verify.jsonl")
  ((final == expected && equal == expected)) || failed=1
}

totals() {
  local last block
  last=$(cast block-number --rpc-url "$EC_WITNESS_RPC")
  for ((block = first_block; block <= last; block++)); do
    cast rpc --rpc-url "$EC_WITNESS_RPC" eth_getBlockReceipts "$(printf '"0x%x"' "$block")"
  done | jq -c --arg ledger "$(jq -r '.ledger // .contracts.ledger' "$work/deploy.json" | tr '[:upper:]' '[:lower:]')" \
    '.[] | select(.to == $ledger)' >"$work/receipts.jsonl"
  jq -r .gasUsed "$work/receipts.jsonl" >"$work/gas"
  transactions=$(wc -l <"$work/gas")
  gas=0
  while read -r used; do
    gas=$((gas + used))
  done <"$work/gas"
}

report() {
  local seconds=$(($(date +%s) - started))
  if $json; then
    printf '%s\n' "$slots"
    jq -cn --argjson slots "$expected" --argjson final "$final" --argjson equal "$equal" --argjson tx "$transactions" \
      --argjson gas "$gas" --argjson s "$seconds" --argjson ok "$( ((failed)) && echo false || echo true)" \
      '{totals: {slots: $slots, final: $final, equal: $equal, transactions: $tx, gas: $gas, seconds: $s, ok: $ok}}'
    return
  fi
  {
    printf 'STREAM\tEPOCH\tSLOT\tOBSERVATION\tVOTES\tSTATE\tPOINTER\n'
    jq -r '[.stream_id, .sequence, .slot[0:12], (.finalized_hash // "-")[0:12], "\(.votes) of \(.witness_count)",
      .state, (if .settled then "settled" else "-" end)] | @tsv' <<<"$slots"
  } | column -t -s $'\t'
  printf '%s slots, %s final, %s equal; %s transactions, %s gas (%s per slot); %s seconds\n' \
    "$expected" "$final" "$equal" "$transactions" "$gas" $((gas / expected)) "$seconds"
}

report_tampered() {
  local state named
  echo "witness $tampered disagrees:"
  if [[ -z $live ]]; then
    state=$(jq -r 'select(.state == "mismatch") | "  \(.stream_id) epoch \(.sequence): \(.state)"' "$work/run$tampered.jsonl")
    [[ -n $state ]] || failed=1
    echo "$state"
  fi
  named=$("$witness_bin" diff --archive "$archive" --other "$work/archive$tampered") && failed=1
  echo "$named"
  grep -q "group $tampered_group," <<<"$named" || failed=1
}

main() {
  parse_args "$@"
  prepare_tools
  if [[ -n $work ]]; then
    mkdir "$work" || die "--work $work: it must be a new directory"
    work=$(cd "$work" && pwd)
    keep=true
  else
    work=$(mktemp -d)
  fi
  trap cleanup EXIT INT TERM
  started=$(date +%s)
  failed=0
  say "shortened for the demonstration: propose_stagger_ms=$stagger_ms late_ms=$late_ms grace_ms=$grace_ms poll_ms=$poll_ms"
  use_chain
  derive_reference
  deploy
  make_copies
  say "$expected slots, $witnesses witnesses, quorum $quorum"
  if [[ -n $live ]]; then
    run_live
  else
    run_once
  fi
  check
  totals
  report
  if $tamper; then
    if $json; then report_tampered >&2; else report_tampered; fi
  fi
  ((failed == 0)) || say "the smoke failed; run it with --keep to look at the logs"
  exit "$failed"
}

main "$@"
