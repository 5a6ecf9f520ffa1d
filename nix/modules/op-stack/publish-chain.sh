#!/usr/bin/env bash
# Publishes the chain's files for the services: genesis.json, rollup.json, dispute-game-factory, and last `complete`,
# their digests. Nothing starts without that one. Safe to run again: what is complete stays as it is.
#
# From the environment: CHAIN where to, L2_CHAIN_ID, L1_CHAIN_ID, KARST (true when the execution client knows it), and
# SOURCE, a directory with the first two files, and the third or FACTORY.
set -euo pipefail

die() {
  echo "$*" >&2
  exit 1
}

cd "$CHAIN"
if [[ -e complete ]]; then
  sha256sum --check --quiet complete || die "$CHAIN differs from what was published. Restore it, or remove $CHAIN/complete to publish anew."
  for file in genesis.json rollup.json; do
    [[ ! -e $SOURCE/$file ]] || cmp --quiet "$file" "$SOURCE/$file" ||
      die "$SOURCE/$file is not what was published to $CHAIN. A chain's files never change: restore it; or, if an upgrade fitted it to another op-node, remove $CHAIN/complete."
  done
  exit 0
fi

jq -e --argjson id "$L2_CHAIN_ID" '.config.chainId == $id' "$SOURCE/genesis.json" >/dev/null ||
  die "$SOURCE/genesis.json is not of chain $L2_CHAIN_ID"
jq -e --argjson l1 "$L1_CHAIN_ID" --argjson l2 "$L2_CHAIN_ID" '.l1_chain_id == $l1 and .l2_chain_id == $l2' "$SOURCE/rollup.json" >/dev/null ||
  die "$SOURCE/rollup.json is not of chain $L2_CHAIN_ID on $L1_CHAIN_ID"
"$KARST" || jq -e '.karst_time == null' "$SOURCE/rollup.json" >/dev/null ||
  die "$SOURCE/rollup.json schedules Karst, which op-geth does not know: set executionClient = \"op-reth\""

rm -rf new
mkdir new
cp "$SOURCE/genesis.json" "$SOURCE/rollup.json" new/
if [[ -n ${FACTORY-} ]]; then
  printf '%s\n' "$FACTORY" >new/dispute-game-factory
elif [[ -e $SOURCE/dispute-game-factory ]]; then
  cp "$SOURCE/dispute-game-factory" new/
fi
chmod 0444 new/*
(cd new && sha256sum -- *) >complete.new
chmod 0444 complete.new
sync --file-system .
mv new/* .
rmdir new
mv complete.new complete
