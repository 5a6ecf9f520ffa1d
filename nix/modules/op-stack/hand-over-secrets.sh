#!/usr/bin/env bash
# Copies a unit's credentials to where its container, which runs as OWNER, may read them: on a tmpfs, for it alone.
#
# usage: hand-over-secrets OWNER DIRECTORY
set -euo pipefail

rm -rf "$2"
install --directory --mode=0500 --owner="${1%:*}" --group="${1#*:}" "$2"
for credential in "$CREDENTIALS_DIRECTORY"/*; do
  install --mode=0400 --owner="${1%:*}" --group="${1#*:}" "$credential" "$2/"
done
