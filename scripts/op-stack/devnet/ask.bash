#!/usr/bin/env bash
# Sourced by devnet.sh: questions to the chains, and expectations about the answers.

# rpc URL METHOD [PARAMS]: the result as JSON; fails on an error, with it on stderr
rpc() {
  local reply
  reply=$(curl --silent --show-error --max-time 20 --header 'content-type: application/json' \
    --data "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"$2\",\"params\":${3:-[]}}" "$1") || return 1
  jq -c 'if .error then .error | halt_error(1) else .result end' <<<"$reply"
}

# block URL NUMBER|TAG FIELD
block() {
  local at=$2
  [[ ! $at =~ ^[0-9]+$ ]] || printf -v at '0x%x' "$at"
  rpc "$1" eth_getBlockByNumber "[\"$at\",false]" | jq -er ".$3"
}

# head NODE unsafe|safe|finalized [FIELD]: of op-node, by default the number
head_of() {
  rpc "$1" optimism_syncStatus | jq -er ".$2_l2.${3:-number}"
}

# A number of a call's answer, without cast's `[1e18]`.
call() {
  "$CAST" call --rpc-url "$@" | awk '{ print $1 }'
}

# expect WHAT COMMAND…: a line about what must be so
expect() {
  within 0 "$@"
}

# within SECONDS WHAT COMMAND…: the same, of what may take a while
within() {
  local end=$((SECONDS + $1)) what=$2 ok=true
  shift 2
  until "$@" >"$DIR/out" 2>&1; do
    if ((SECONDS >= end)); then
      ok=false
      FAILED=$((FAILED + 1))
      break
    fi
    sleep 0.5
  done
  EXPECTED=$((EXPECTED + 1))
  tell "$what" "$ok"
}

tell() {
  if [[ -n $JSON ]]; then
    jq -cn --arg part "$PART" --arg what "$1" --argjson ok "$2" --rawfile output "$DIR/out" \
      '{$part, $what, $ok} + if $ok then {} else {output: $output[-500:]} end'
  else
    printf '%-6s  %-10s %s\n' "$([[ $2 == true ]] && echo ok || echo FAILED)" "$PART" "$1"
    [[ $2 == true ]] || tail -n 5 "$DIR/out" | sed 's/^/        /'
  fi
}

not() {
  ! "$@"
}
