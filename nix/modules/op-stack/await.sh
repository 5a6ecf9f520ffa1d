#!/usr/bin/env bash
# Waits until what a service needs is ready, not only started; fails with the reason when that takes too long.
#
# usage: await SECONDS chain DIR | datadir DIR | execution RPC ENGINE CHAIN_ID | rollup RPC
set -euo pipefail
shopt -s extglob

ask() {
  curl --silent --show-error --max-time 5 --header 'content-type: application/json' \
    --data "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"$2\",\"params\":[]}" "$1" 2>&1
}

# the bootstrap has finished, and what it published is unchanged
chain() {
  [[ -e $1/complete ]] || {
    echo "$1/complete is not there: the chain's files are not published; see op-stack-chain.service"
    return 1
  }
  (cd "$1" && sha256sum --check --quiet complete) 2>&1 || {
    echo "$1 differs from what was published"
    return 1
  }
}

# the execution client's datadir was made
datadir() {
  [[ -e $1/initialised ]] || {
    echo "$1 is not initialised; see the -init.service"
    return 1
  }
}

# the right chain on the RPC, and somebody behind the engine's port; without a token that one answers 401
execution() {
  local reply id
  reply=$(ask "$1" eth_chainId) || {
    echo "$1: $reply"
    return 1
  }
  id=$(jq -r '.result // empty' <<<"$reply" 2>/dev/null) || id=''
  [[ -n $id && $((id)) -eq $3 ]] || {
    echo "$1 is not of chain $3: $reply"
    return 1
  }
  curl --silent --output /dev/null --max-time 5 "$2" || {
    echo "the engine at $2 does not answer"
    return 1
  }
}

# op-node follows L1: at most LAG blocks behind the L1 head it knows
rollup() {
  local reply
  reply=$(ask "$1" optimism_syncStatus) || {
    echo "$1: $reply"
    return 1
  }
  jq -e --argjson lag "${LAG:-30}" \
    '.result | .head_l1.number > 0 and .current_l1.number + $lag >= .head_l1.number' <<<"$reply" >/dev/null 2>&1 || {
    echo "$1 has not caught up with L1: $(jq -c '.result | {current_l1: .current_l1.number, head_l1: .head_l1.number}' <<<"$reply" 2>/dev/null || echo "$reply")"
    return 1
  }
}

deadline=$((SECONDS + $1))
shift
told=''
until reason=$("$@"); do
  if ((SECONDS >= deadline)); then
    echo "gave up: $reason" >&2
    exit 1
  fi
  # curl tells how long it tried
  reason=${reason/ after +([0-9]) ms/}
  [[ $reason == "$told" ]] || echo "waiting: $reason" >&2
  told=$reason
  sleep 1
done
