#!/usr/bin/env bash
# Resolves image tags to digests, once, so that hosts run what was looked at.
set -euo pipefail
shopt -s inherit_errexit

usage() {
  cat <<'USAGE'
usage: pin-images.sh [--lock FILE] [--update] [--release NAME | IMAGE…]

  IMAGE            repository:tag, such as us-docker.pkg.dev/…/op-node:v1.16.7
  --release NAME   the images of a release set in ec-op-stack/data/releases.json (default: op-geth)
  --lock FILE      what is written: {"repository:tag": "sha256:…"} (default: nix/images.lock.json)
  --update         also resolve tags that are pinned already; a digest that changed is reported
  -h, --help       this text

Needs skopeo and the network. A tag that is pinned stays as it is, so running it again changes nothing. All images are
resolved or the file is not written. Exit codes: 0 done, 1 a pinned tag has another digest now (with --update; the file is
written), 2 error.
USAGE
}

die() {
  printf 'pin-images: %s\n' "$*" >&2
  exit 2
}

release_images() {
  local table=ec-op-stack/data/releases.json
  [[ -f $table ]] || die 'run it from the repository, or name the images'
  jq -er --arg name "$1" '.[$name].images // empty | .[] | "\(.repository):\(.tag)"' "$table" ||
    die "--release $1: no such set in $table"
}

resolve() {
  local digest
  digest=$(skopeo inspect --format '{{.Digest}}' "docker://$1") || die "$1: skopeo cannot resolve it"
  [[ $digest =~ ^sha256:[0-9a-f]{64}$ ]] || die "$1: skopeo gave no digest but: $digest"
  printf '%s\n' "$digest"
}

main() {
  local lock=nix/images.lock.json update='' release='' images=() image old digest changed=0
  while (($# > 0)); do
    case "$1" in
      --lock | --release)
        (($# > 1)) || die "$1 needs a value"
        if [[ $1 == --lock ]]; then lock=$2; else release=$2; fi
        shift
        ;;
      --update) update=1 ;;
      -h | --help)
        usage
        return 0
        ;;
      -*) die "$1: unknown; see --help" ;;
      *)
        [[ $1 =~ ^[^@[:space:]]+/[^@:[:space:]]+:[^@/:[:space:]]+$ ]] || die "$1: not repository:tag"
        images+=("$1")
        ;;
    esac
    shift
  done
  [[ -z $release || ${#images[@]} -eq 0 ]] || die 'either --release or images'
  command -v skopeo >/dev/null || die 'skopeo is missing: nix shell nixpkgs#skopeo, or apt install skopeo'
  if ((${#images[@]} == 0)); then
    local listed
    listed=$(release_images "${release:-op-geth}")
    mapfile -t images <<<"$listed"
  fi

  TEMP=$(mktemp -d)
  trap 'rm -rf "$TEMP"' EXIT
  if [[ -f $lock ]]; then
    jq -e 'type == "object"' "$lock" >"$TEMP/checked" || die "$lock: not a JSON object"
    cp "$lock" "$TEMP/lock"
  else
    printf '{}\n' >"$TEMP/lock"
  fi
  for image in "${images[@]}"; do
    old=$(jq -r --arg image "$image" '.[$image] // ""' "$TEMP/lock")
    [[ -z $old || -n $update ]] || continue
    digest=$(resolve "$image")
    if [[ -n $old && $old != "$digest" ]]; then
      printf 'pin-images: %s was %s and is %s now: its tag was moved\n' "$image" "$old" "$digest" >&2
      changed=1
    fi
    jq --sort-keys --arg image "$image" --arg digest "$digest" '.[$image] = $digest' "$TEMP/lock" >"$TEMP/next"
    mv "$TEMP/next" "$TEMP/lock"
    printf '%s %s\n' "$image" "$digest"
  done
  cmp -s "$TEMP/lock" "$lock" || install -D -m 0644 "$TEMP/lock" "$lock"
  return "$changed"
}

main "$@"
