#!/usr/bin/env bash
# Brings op-deployer, pinned by version and digest.
set -euo pipefail
shopt -s inherit_errexit

usage() {
  cat <<'USAGE'
usage: download-op-deployer.sh [--pin] [--from FILE] [--lock FILE] --out FILE

  --out FILE    where the program goes
  --lock FILE   version, URL and SHA-256 per platform (default: op-deployer.lock.json beside this script)
  --from FILE   take this release archive (.tar.gz) instead of downloading, for hosts without internet
  --pin         record the archive's digest for this platform in the lock file; the one way to do so. A digest that is
                recorded already is never changed: remove it from the lock file first
  -h, --help    this text

Without a recorded digest, or with another one, nothing is unpacked. Before --pin, compare the digest that it prints with
what you trust: a second download from elsewhere, or a colleague's. Exit codes: 0 done, 1 the digest is missing or
another, 2 error.
USAGE
}

die() {
  printf 'download-op-deployer: %s\n' "$2" >&2
  exit "$1"
}

platform() {
  local machine
  machine=$(uname -m)
  case "$machine" in
    x86_64) printf 'linux-amd64\n' ;;
    aarch64) printf 'linux-arm64\n' ;;
    *) die 2 "$machine: op-deployer is released for x86_64 and aarch64" ;;
  esac
}

fetch() {
  local url
  url=$(jq -er --arg platform "$PLATFORM" '.version as $v | .url | gsub("\\{version\\}"; $v) | gsub("\\{platform\\}"; $platform)' "$LOCK")
  printf 'download-op-deployer: %s\n' "$url" >&2
  curl --fail --location --silent --show-error --proto '=https' --tlsv1.2 --output "$1" "$url" ||
    die 2 "$url: cannot be downloaded; with a copy from elsewhere use --from FILE"
}

# Writes the digest into the lock file, in one step.
record() {
  local new
  new=$(mktemp "$LOCK.XXXXXX")
  jq --arg platform "$PLATFORM" --arg digest "$1" '.sha256[$platform] = $digest' "$LOCK" >"$new"
  chmod --reference="$LOCK" "$new"
  mv "$new" "$LOCK"
  printf 'download-op-deployer: pinned %s for %s in %s\n' "$1" "$PLATFORM" "$LOCK" >&2
}

# Succeeds if the archive has the recorded digest; with --pin and none recorded, PIN is the one to record.
check_digest() {
  local archive=$1 pin=$2 wanted digest
  digest=$(sha256sum "$archive" | cut -d' ' -f1)
  wanted=$(jq -r --arg platform "$PLATFORM" '.sha256[$platform] // ""' "$LOCK")
  [[ -z $wanted || $wanted =~ ^[0-9a-f]{64}$ ]] || die 2 "$LOCK: sha256.$PLATFORM is no SHA-256: $wanted"
  if [[ -z $wanted && -n $pin ]]; then
    # what is pinned must be a release: an error page has a digest too
    PIN=$digest
    return
  fi
  [[ -n $wanted ]] || die 1 "$LOCK has no SHA-256 for $PLATFORM; the archive's is $digest: verify it, then run again with --pin"
  [[ $digest == "$wanted" ]] || die 1 "the archive's SHA-256 is $digest, $LOCK says $wanted: do not use it"
}

main() {
  local out='' from='' pin=''
  LOCK=$(dirname "${BASH_SOURCE[0]}")/op-deployer.lock.json
  while (($# > 0)); do
    case "$1" in
      --out | --from | --lock)
        (($# > 1)) || die 2 "$1 needs a file"
        case "$1" in
          --out) out=$2 ;;
          --from) from=$2 ;;
          --lock) LOCK=$2 ;;
        esac
        shift
        ;;
      --pin) pin=1 ;;
      -h | --help)
        usage
        return 0
        ;;
      *) die 2 "$1: unknown; see --help" ;;
    esac
    shift
  done
  [[ -n $out ]] || die 2 'name the target: --out FILE'
  jq -e '(.version | type == "string") and (.url | type == "string") and (.sha256 | type == "object")' "$LOCK" >/dev/null ||
    die 2 "$LOCK: needs version, url and sha256"

  PLATFORM=$(platform)
  TEMP=$(mktemp -d)
  trap 'rm -rf "$TEMP"' EXIT
  if [[ -n $from ]]; then
    cp -- "$from" "$TEMP/archive"
  else
    fetch "$TEMP/archive"
  fi
  PIN=''
  check_digest "$TEMP/archive" "$pin"

  mkdir "$TEMP/unpacked"
  tar -xzf "$TEMP/archive" -C "$TEMP/unpacked" --no-same-owner 2>"$TEMP/tar" ||
    die 2 "what came is no release archive (it begins with: $(head -c 40 "$TEMP/archive" | tr -c '[:print:]' '.')); nothing is pinned"
  local found
  found=$(find "$TEMP/unpacked" -type f -name op-deployer)
  [[ -n $found && $found != *$'\n'* ]] || die 2 'the archive does not hold exactly one op-deployer; nothing is pinned'
  # a program, for this or another machine: an ELF file, or a script
  case "$(head -c 4 "$found" | tr -d '\0')" in
    $'\x7fELF' | '#!'*) ;;
    *) die 2 'op-deployer in the archive is no program; nothing is pinned' ;;
  esac
  [[ -z $PIN ]] || record "$PIN"
  install -D -m 0755 "$found" "$out"
  printf '%s\n' "$out"
}

main "$@"
