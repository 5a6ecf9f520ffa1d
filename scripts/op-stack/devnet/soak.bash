#!/usr/bin/env bash
# Sourced by devnet.sh: half an hour in which the archive grows as fast as it was recorded, and every process is ended and
# started again, in turn.
# shellcheck disable=SC2034 # PART is said with each expectation

# restart KILL|TERM PROCESS
restart() {
  local role=sequencer component=$2
  if [[ $2 == verifier-* ]]; then role=verifier component=${2#verifier-}; fi
  send_signal "$1" "$2"
  stop "$2"
  start_component "$role" "$component"
}

# disturb ROUND PROCESS: gently in even rounds, hard in odd ones
disturb() {
  local signal=TERM
  (($1 % 2 == 0)) || signal=KILL
  case $2 in
    # it would forget its chain: it only falls silent
    anvil)
      signal=STOP
      send_signal STOP anvil
      sleep 15
      send_signal CONT anvil
      ;;
    witness*)
      signal=KILL
      kill -KILL "$(<"$DIR/soak/pid${2#witness}")"
      ;;
    *) restart "$signal" "$2" ;;
  esac
  jq -cn --arg s "$EPOCHSECONDS" --arg process "$2" --arg signal "$signal" '{s: ($s | tonumber), $process, $signal}' >>"$DIR/soak/disturbances.jsonl"
}

check_soak() {
  local round=0 process
  PART=soak
  local processes=(op-batcher witness1 op-node op-proposer witness2 op-geth op-challenger witness3 verifier-op-node anvil witness4 verifier-op-geth)
  fund_witnesses "$WITNESSES"
  runs verifier-op-node || bring_up_verifier "$(sequencer_address)"
  broadcasts 2 3
  local begun=$SECONDS
  EC_WITNESS_NUMBERING=timeline smoke soak --archive "$DIR/archive" --live 1 --also-rpc "$VERIFIER"
  wait_for 120 test -s "$DIR/soak/pid$WITNESSES" || die 1 "the witnesses do not start: $(last_words soak)"
  # the last ones are left in peace, so that the end is the archive's
  while ((SECONDS - begun < 1800)) && runs soak; do
    for process in "${processes[@]}"; do
      ((SECONDS - begun < 1800)) || break
      sleep 25
      disturb "$round" "$process"
    done
    round=$((round + 1))
  done
  within 900 'the witnesses come to an end' ended soak
  expect 'it took half an hour' test $((SECONDS - begun)) -ge 1800
  expect 'every slot is final on the ledger, and equal to the archive' all_final soak
  expect 'no witness stands for two things in one slot' one_vote_per_slot soak
  expect 'every process was disturbed' test "$(jq -r .process "$DIR/soak/disturbances.jsonl" | sort -u | wc -l)" == "${#processes[@]}"
  jq -s --argjson totals "$(grep '"totals"' "$DIR/log/soak.log" | jq .totals)" --argjson seconds $((SECONDS - begun)) \
    '{seconds: $seconds, disturbances: (group_by(.process) | map({key: .[0].process, value: length}) | from_entries), $totals}' \
    "$DIR/soak/disturbances.jsonl"
}
