#!/usr/bin/env bash
# Renders the example host's units with a real nixpkgs and starts them under a real systemd.
set -euo pipefail
shopt -s inherit_errexit

# as scripts/op-stack/devnet.sh
readonly SUPERSIM=0.1.0-alpha.58
readonly MNEMONIC='test test test test test test test test test test test junk'
readonly TIMEOUT=1200

usage() {
  cat <<'USAGE'
usage: nix/tests/units.sh [--keep] NIXPKGS [native | oci]

Renders the host ecp-forge with the nixpkgs in the directory NIXPKGS, for both backends or the one named, puts the units
into a Debian that systemd-nspawn boots, and goes through nix/tests/units/scenario.sh there: systemd-analyze verify and
security, bootstrap, order, gating, restart, stop, secrets, listeners, a slot that the witness finalizes, teardown. Every
program is the real one; the L1 is Anvil with the real contracts. For oci, images are made of them on the spot and pinned by
their digests. The container has no network.

  --keep       keep the container's directory, and say where it is
  -h, --help   this text

Needs root, debootstrap, systemd-container, scripts/op-stack/tools/build, contracts/node_modules (scripts/install-tools
smoke), and `cargo build`; EC_WITNESS and EC_OP_STACK name other builds. About ten minutes, the first time more.

The container has the units' scripts where nix's store is on this machine; that of scripts/get-nix is in the checkout. So
the checkout must not lie where a unit sees nothing of the container: in /tmp, /var/tmp, /var/lib, /run, /root or /home.
USAGE
}

die() {
  printf 'units: %s\n' "$*" >&2
  exit 2
}

say() {
  printf 'units: %s\n' "$*"
}

nix_eval() {
  local nix=(tools/nix/nix)
  [[ -x ${nix[0]} ]] || nix=()
  "${nix[@]}" nix-instantiate --eval --strict --json --read-write-mode "$@" 2> >(grep -v "group 'nixbld'" >&2)
}

store() {
  local nix=(tools/nix/nix)
  [[ -x ${nix[0]} ]] || nix=()
  "${nix[@]}" nix-instantiate --eval --expr builtins.storeDir 2>/dev/null | tr -d '"'
}

# hides PATH: prints the directory, if any, in which the units see nothing that the container has there. It mounts its own
# /tmp and /run, /dev, /proc and /sys; each unit has a /tmp and /var/tmp of its own (PrivateTmp) and no homes (ProtectHome),
# the witness no /var/lib but its own (TemporaryFileSystem).
hides() {
  local hidden
  for hidden in /tmp /var/tmp /var/lib /run /dev /proc /sys /root /home; do
    [[ $1/ != "$hidden"/* ]] || printf '%s\n' "$hidden"
  done
}

# A Debian with systemd and podman, made once.
base() {
  local cache=$1
  [[ ! -e $cache/complete ]] || return 0
  say 'a Debian for the container (takes minutes)'
  rm -rf "$cache"
  mkdir -p "$cache"
  local mirror
  # shellcheck disable=SC2016 # apt's own variable
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -n 1)
  debootstrap --variant=minbase \
    --include=systemd,systemd-sysv,dbus,podman,runc,netavark,ca-certificates,iproute2,procps,curl,jq,util-linux \
    bookworm "$cache" "$mirror" >"$cache.log" 2>&1 || die "debootstrap failed; see $cache.log"
  touch "$cache/complete"
}

# Every program as /opt/<package>/bin/<name>, and what plays L1 as /opt/test/bin/<name>.
programs() {
  local root=$1 built name names target=${CARGO_TARGET_DIR:-target}/debug foundry=contracts/node_modules/@foundry-rs
  built=$(scripts/op-stack/tools/build --path)
  mkdir -p "$root"/opt/{op-stack-tools,ec-op-stack,ec-witness,test}/bin
  names=$(jq -r '.[] | select(.package != null).name' ec-op-stack/data/programs.json)
  for name in $names; do
    [[ -x $built/$name ]] || die "$name is missing: scripts/op-stack/tools/build"
    cp "$built/$name" "$root/opt/op-stack-tools/bin/"
  done
  cp "${EC_OP_STACK:-$target/ec-op-stack}" "$root/opt/ec-op-stack/bin/ec-op-stack"
  cp "${EC_WITNESS:-$target/ec-witness}" "$root/opt/ec-witness/bin/ec-witness"
  cp "$foundry"/{anvil,cast}-linux-*/bin/{anvil,cast} "$root/opt/test/bin/" 2>/dev/null || true
  [[ -x $root/opt/test/bin/anvil && -x $root/opt/test/bin/cast ]] || die 'anvil and cast are missing: scripts/install-tools smoke'
}

# A key of the public test mnemonic: of the accounts that L1's contracts name.
role_key() {
  "$1/opt/test/bin/cast" wallet private-key "$MNEMONIC" "m/44'/60'/2'/901/$2"
}

# L1's genesis, whose games demand the prestate that op-program has.
genesis() {
  local root=$1 tools=$1/opt/op-stack-tools/bin prestate hash
  prestate=$(scripts/op-stack/tools/prestate)
  cp "$prestate" "$root/opt/test/right.bin.gz"
  hash=$("$tools/cannon" witness --input "$prestate" | jq -er .witnessHash)
  scripts/op-stack/devnet/geneses "$(supersim)" "$root/opt/test" 0 "$hash"
  # the same program a thousand steps later is another one
  "$tools/cannon" run --input "$prestate" --output "$root/opt/test/wrong.bin.gz" --stop-at '=1000' --meta '' >/dev/null 2>&1
}

supersim() {
  local cached=${XDG_CACHE_HOME:-$HOME/.cache}/every-channel/supersim-$SUPERSIM/package/bin/supersim
  [[ -x $cached ]] || die "supersim is missing: scripts/op-stack/devnet.sh brings it"
  printf '%s\n' "$cached"
}

# The files that agenix and the archive's writer would leave on such a host, and the scripts of the bootstrap.
surroundings() {
  local root=$1 name agenix=$1/opt/test/agenix
  mkdir -p "$root"/tank/{op-prestate,every-channel/archive} "$root/var/lib/every-channel/manifests" "$root/etc/tmpfiles.d" "$agenix"
  cp -r archives/sample/manifests/. "$root/var/lib/every-channel/manifests/"
  cp "$root/opt/test/wrong.bin.gz" "$root/tank/op-prestate/prestate.bin.gz"
  cp nix/tests/units/{rollup.json,l1.sh,op-deployer.sh,scenario.sh} scripts/op-stack/setup-rollup.sh "$root/opt/test/"
  # shellcheck disable=SC2016 # the script's own variables
  printf '#!/bin/sh\nPATH=/opt/ec-op-stack/bin:$PATH exec /opt/test/setup-rollup.sh "$@"\n' >"$root/opt/test/setup-rollup"
  chmod +x "$root/opt/test/setup-rollup"
  touch "$root/opt/test/deployment-fails"
  printf '127.0.0.1 localhost\n' >"$root/etc/hosts"

  (
    umask 077
    for name in op-jwt ec-witness-la; do openssl rand -hex 32 >"$agenix/$name"; done
    # with ether on L1, without which nothing is deployed
    "$root/opt/test/bin/cast" wallet private-key "$MNEMONIC" "m/44'/60'/0'/0/1" >"$agenix/op-deployer-key"
    role_key "$root" 1 >"$agenix/op-proposer-key"
    role_key "$root" 2 >"$agenix/op-batcher-key"
    role_key "$root" 3 >"$agenix/op-p2p-key"
    role_key "$root" 4 >"$agenix/op-challenger-key"
    # Anvil ignores the query; where it is, a provider wants the API key
    echo 'http://127.0.0.1:18545/?an-api-key' >"$agenix/l1-rpc"
  )
  # /run is made anew at boot
  printf 'C /run/agenix - - - - /opt/test/agenix\n' >"$root/etc/tmpfiles.d/agenix.conf"
}

# L1, and a unit that runs the scenario and ends the container.
scenario_units() {
  local root=$1 backend=$2
  cat >"$root/etc/systemd/system/l1.service" <<'UNIT'
[Unit]
Description=L1
# as one elsewhere is there before the host starts
Before=op-stack-chain.service
[Service]
Environment=HOME=/tmp
ExecStart=/opt/test/l1.sh /opt/test /run/l1
ExecStartPost=/usr/bin/curl --silent --output /dev/null --retry 60 --retry-delay 1 --retry-connrefused http://127.0.0.1:18545
[Install]
WantedBy=multi-user.target
UNIT
  ln -sf ../l1.service "$root/etc/systemd/system/multi-user.target.wants/l1.service"
  cat >"$root/etc/systemd/system/scenario.service" <<UNIT
[Unit]
Description=nix/tests/units/scenario.sh
[Service]
Type=exec
Environment=STORE=$(store)
# nspawn mounts a v1 hierarchy's controllers read-only; podman makes groups in them
ExecStartPre=-/bin/sh -c 'for group in /sys/fs/cgroup/*/; do mount -o remount,rw,bind \$\$group; done'
ExecStart=/bin/sh -c '/opt/test/scenario.sh $backend >/opt/test/result 2>&1; echo \$\$? >/opt/test/exit; journalctl --no-pager >/opt/test/journal; systemctl poweroff --force'
[Install]
WantedBy=multi-user.target
UNIT
  ln -sf ../scenario.service "$root/etc/systemd/system/multi-user.target.wants/scenario.service"
}

nspawn() {
  local root=$1
  shift
  SYSTEMD_NSPAWN_API_VFS_WRITABLE=1 timeout --kill-after=20 "$TIMEOUT" systemd-nspawn --quiet --register=no --keep-unit --private-network \
    --capability=all --system-call-filter='@keyring @privileged @mount bpf' --directory="$root" "$@"
}

# One image per program: it, its libraries and a shell. Prints `repository:tag` → digest as JSON.
images() {
  local root=$1
  cat >"$root/etc/containers/storage.conf" <<'CONF'
[storage]
driver = "vfs"
graphroot = "/var/lib/containers/storage"
runroot = "/run/containers/storage"
CONF
  cat >"$root/etc/containers/containers.conf" <<'CONF'
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
keyring = false
log_driver = "journald"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
CONF
  cat >"$root/opt/test/images" <<'MAKE'
#!/bin/bash
set -euo pipefail
while read -r image name program; do
  work=$(mktemp -d)
  chmod 0755 "$work"
  mkdir -p "$work"/{bin,usr/local/bin,tmp,secrets,etc}
  cp "/opt/op-stack-tools/bin/$name" "$work/usr/local/bin/$program"
  cp /bin/dash "$work/bin/sh"
  [[ $name != op-challenger ]] || cp /opt/op-stack-tools/bin/{cannon,op-program} "$work/usr/local/bin/"
  for file in /bin/dash "$work"/usr/local/bin/*; do
    # a static program has none
    for library in $(ldd "$file" 2>/dev/null | grep -oE '/[^ ]+\.so[^ ]*'); do
      mkdir -p "$work$(dirname "$library")"
      cp -L "$library" "$work$library"
    done
  done
  tar -C "$work" -c . | podman import --change 'ENV PATH=/usr/local/bin:/bin' - "$image" >/dev/null 2>&1
  rm -rf "$work"
  printf '{"%s":"%s"}\n' "$image" "$(podman image inspect --format '{{.Digest}}' "$image")"
done
MAKE
  chmod +x "$root/opt/test/images"
  jq -r '.["op-geth"].images | to_entries[] | "\(.value.repository):\(.value.tag) \(.key) \(.value.program // .key)"' \
    ec-op-stack/data/releases.json |
    nspawn "$root" --pipe /opt/test/images | jq -sc add
}

# Boots the container with one backend's units and shows what the scenario found.
try() {
  local backend=$1 base=$2 root=$3 lock='{}'
  say "=== $backend"
  rm -rf "$root"
  cp -a "$base" "$root"
  programs "$root"
  genesis "$root"
  surroundings "$root"
  if [[ $backend == oci ]]; then
    lock=$(images "$root")
    say "images made and pinned by digest: $(jq length <<<"$lock")"
  fi
  nix_eval nix/tests/units/render.nix --argstr backend "$backend" --argstr imageLock "$lock" >"$root/opt/test/rendered.json"
  jq -e '.failed == []' "$root/opt/test/rendered.json" >/dev/null || die "assertions fail: $(jq -c .failed "$root/opt/test/rendered.json")"
  say "$(nix/tests/units/materialise.py "$root" "$(store)" <"$root/opt/test/rendered.json")"
  scenario_units "$root" "$backend"

  nspawn "$root" --boot </dev/null >"$root.console" 2>&1 || true
  cat "$root/opt/test/result" || die "$backend: the scenario left no result; see $root"
  say "$backend: $(grep -c '^ok ' "$root/opt/test/result") expectations met, $(grep -c '^FAILED ' "$root/opt/test/result" || true) not"
  [[ $(cat "$root/opt/test/exit" 2>/dev/null) == 0 ]]
}

main() {
  local keep='' nixpkgs='' backends=() work result=0 backend
  while (($# > 0)); do
    case "$1" in
      --keep) keep=1 ;;
      -h | --help)
        usage
        return 0
        ;;
      native | oci) backends+=("$1") ;;
      *) nixpkgs=$(realpath "$1") ;;
    esac
    shift
  done
  [[ -n $nixpkgs ]] || {
    usage >&2
    return 2
  }
  ((${#backends[@]} > 0)) || backends=(native oci)
  ((EUID == 0)) || die 'needs root, for systemd-nspawn'
  local command
  for command in systemd-nspawn debootstrap jq openssl python3; do
    command -v "$command" >/dev/null || die "$command is missing; apt-get install systemd-container debootstrap jq openssl python3"
  done
  cd "$(dirname "${BASH_SOURCE[0]}")/../.."
  [[ -x tools/nix/nix ]] || command -v nix-instantiate >/dev/null || scripts/get-nix
  export NIXPKGS=$nixpkgs
  local store hidden
  store=$(store)
  hidden=$(hides "$store")
  [[ -z $hidden ]] || die "$store: nix's store is there, and no unit sees it in $hidden; use a checkout elsewhere, such as /srv"

  local cache=${XDG_CACHE_HOME:-$HOME/.cache}/every-channel/units-debian
  base "$cache"
  work=$(mktemp -d)
  # shellcheck disable=SC2064 # work is known now
  [[ -n $keep ]] || trap "rm -rf '$work'" EXIT
  for backend in "${backends[@]}"; do
    # in the background, where it ends at its first error
    try "$backend" "$cache" "$work/$backend" &
    wait "$!" || {
      result=1
      say "$backend: FAILED"
    }
  done
  [[ -z $keep ]] || say "kept in $work"
  return "$result"
}

main "$@"
