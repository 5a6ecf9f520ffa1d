#!/usr/bin/env bash
# Makes a datadir from a genesis file, once and whole: it is built beside and renamed when it is done.
#
# usage: initialise DATADIR GENESIS OWNER COMMAND…     DIR in COMMAND stands for the directory; OWNER may be ""
set -euo pipefail

datadir=$1 genesis=$2 owner=$3
shift 3
digest=$(sha256sum "$genesis" | cut -d ' ' -f 1)

if [[ -e $datadir/initialised ]]; then
  [[ $(<"$datadir/initialised") == "$digest" ]] && exit 0
  echo "$datadir was made from another genesis than $genesis. Move it away to begin anew, or restore the genesis." >&2
  exit 1
fi
if [[ -d $datadir ]] && [[ -n $(ls -A "$datadir") ]]; then
  echo "$datadir holds data that was not made here. Move it away, or write $digest to $datadir/initialised if it is of $genesis." >&2
  exit 1
fi

fresh=$datadir.new
rm -rf "$fresh"
mkdir -m 0700 "$fresh"
[[ -z $owner ]] || chown "$owner" "$fresh"
"${@//DIR/$fresh}"
printf '%s\n' "$digest" >"$fresh/initialised"
sync --file-system "$fresh"
mv --no-target-directory "$fresh" "$datadir"
