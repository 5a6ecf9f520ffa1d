#!/usr/bin/env bash
# The L1 of nix/tests/units.sh, inside of the container: Anvil on the real contracts' genesis, from now on.
#
# usage: l1.sh FILES OUT      FILES holds l1.json and genesis.json; OUT gets them with the present time, and l1-config.json
set -euo pipefail

mkdir -p "$2"
printf -v now '0x%x' "$(date +%s)"
for file in l1 genesis; do
  jq -c --arg now "$now" '.timestamp = $now' "$1/$file.json" >"$2/$file.json"
done
jq -c .config "$2/l1.json" >"$2/l1-config.json"
chmod -R a+rX "$2"
exec /opt/test/bin/anvil --init "$2/l1.json" --chain-id 900 --block-time 2 --slots-in-an-epoch 4 --hardfork prague \
  --port 18545 --quiet
