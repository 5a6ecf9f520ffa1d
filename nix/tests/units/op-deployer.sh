#!/usr/bin/env bash
# op-deployer where the contracts are deployed already: `init` is the real program's, `apply` and `inspect` tell what is on
# the L1 of nix/tests/units.sh. The real `apply` needs artifacts that its Go module does not have.
set -euo pipefail
shopt -s inherit_errexit

readonly FILES=/run/l1

workdir() {
  while [[ $1 != --workdir ]]; do shift; done
  printf '%s\n' "$2"
}

block_hash() {
  curl --silent --fail --retry 30 --retry-delay 1 --retry-all-errors --header 'content-type: application/json' \
    --data '{"jsonrpc":"2.0","id":1,"method":"eth_getBlockByNumber","params":["0x0",false]}' "$1" | jq -er .result.hash
}

apply() {
  local dir=$1 at=0x3feb7f8765b9341b054eb4671cc47d3e33d1606d
  [[ -n $DEPLOYER_PRIVATE_KEY && $L1_RPC_URL == "http://127.0.0.1:18545/?an-api-key" ]]
  echo applied >>"$dir/applied"
  [[ ! -e /opt/test/deployment-fails ]] || {
    echo 'the deployment fails, as the test wants' >&2
    exit 1
  }
  jq --arg config "$at" '.appliedIntent = {} | .opChainDeployments = [{id: 901, SystemConfigProxy: $config,
    OptimismPortalProxy: "0x75ceb25776d0402972b736f6e13fd0616be98f22",
    DisputeGameFactoryProxy: "0x51095eac6e2b6da9811c6febbdd67add79135ce0",
    L1StandardBridgeProxy: "0x52af4dff31d13449b70993e21eb599c615a66541", allocs: "H4sI", startBlock: {}}]' \
    "$dir/state.json" >"$dir/state.json.new"
  mv "$dir/state.json.new" "$dir/state.json"
}

# the L2's first block, as op-geth makes it of the genesis
l2_hash() {
  local dir hash pid geth=/opt/op-stack-tools/bin/op-geth
  dir=$(mktemp -d)
  "$geth" init --datadir="$dir" --state.scheme=hash "$FILES/genesis.json" 2>"$dir/log"
  "$geth" --datadir="$dir" --syncmode=full --http --http.port=18546 --authrpc.port=18547 --port=0 --nodiscover --ipcdisable 2>>"$dir/log" &
  pid=$!
  hash=$(block_hash http://127.0.0.1:18546) || {
    tail -n 5 "$dir/log" >&2
    exit 1
  }
  kill "$pid"
  wait "$pid" || true
  rm -rf "$dir"
  printf '%s\n' "$hash"
}

inspect_rollup() {
  local l1 l2
  l1=$(block_hash http://127.0.0.1:18545)
  l2=$(l2_hash)
  jq --arg l1 "$l1" --arg l2 "$l2" --argjson time "$(($(jq -r .timestamp "$FILES/genesis.json")))" \
    '.genesis.l1.hash = $l1 | .genesis.l2.hash = $l2 | .genesis.l2_time = $time' /opt/test/rollup.json
}

case $1 in
  init) exec /opt/op-stack-tools/bin/op-deployer "$@" ;;
  apply) apply "$(workdir "$@")" ;;
  inspect)
    if [[ $2 == genesis ]]; then cat "$FILES/genesis.json"; else inspect_rollup; fi
    ;;
esac
