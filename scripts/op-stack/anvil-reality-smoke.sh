#!/usr/bin/env bash
# Real-archive smoke: several witnesses, each with its own copy of an archive, agree on a ledger on Anvil or another chain.
# The program is crates/ec-testing/src/bin/smoke; this brings what it needs, builds it and becomes it.
set -euo pipefail

die() {
  echo "smoke: $*" >&2
  exit 2
}

main() {
  local root
  root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
  if [[ ${1-} == --help ]]; then
    cat "$root/crates/ec-testing/src/bin/smoke/help.txt"
    return
  fi
  "$root/scripts/install-tools" smoke >&2 || die 'scripts/install-tools smoke failed'
  # set by scripts/check, whose programs are built
  if [[ -z ${EC_BUILT-} ]]; then
    echo 'building ec-witness and the smoke' >&2
    (cd "$root" && cargo build --quiet --package ec-witness --package ec-testing --bin ec-witness --bin smoke) >&2 ||
      die 'the build failed'
  fi
  # in its place, so that signals reach it
  exec "${CARGO_TARGET_DIR:-$root/target}/debug/smoke" "$@"
}

main "$@"
