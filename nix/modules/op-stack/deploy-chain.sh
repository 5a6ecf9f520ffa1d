#!/usr/bin/env bash
# Deploys the chain by setup-rollup.sh, with the keys that the unit was given, and leaves its files in WORK/chain.
#
# From the environment: WORK, SETUP_ROLLUP, OWNER, L1_CHAIN_ID, L2_CHAIN_ID, OP_NODE_VERSION, OP_DEPLOYER, and L1_RPC_URL or
# the credential l1-rpc. What is published already is not deployed again.
set -euo pipefail

[[ ! -e $CHAIN/complete ]] || exit 0

# setup-rollup.sh makes keys where it finds none: here it finds the services' own
mkdir -p "$WORK/keys"
for key in sequencer batcher proposer challenger; do
  [[ ! -e $CREDENTIALS_DIRECTORY/$key ]] || ln -sfn "$CREDENTIALS_DIRECTORY/$key" "$WORK/keys/$key.key"
done
ln -sfn "$CREDENTIALS_DIRECTORY/jwt" "$WORK/keys/jwt.hex"
[[ ! -e $CREDENTIALS_DIRECTORY/l1-rpc ]] || L1_RPC_URL=$(<"$CREDENTIALS_DIRECTORY/l1-rpc")
export L1_RPC_URL

"$SETUP_ROLLUP" --dir "$WORK" --owner "$OWNER" --l1-chain-id "$L1_CHAIN_ID" --l2-chain-id "$L2_CHAIN_ID" \
  --op-node "$OP_NODE_VERSION" --deployer-key "$CREDENTIALS_DIRECTORY/deployer-key"
jq -er .contracts.disputeGameFactoryProxy "$WORK/summary.json" >"$WORK/chain/dispute-game-factory"
