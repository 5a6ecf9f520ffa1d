#!/usr/bin/env bash
# Renders the example host's units with a real nixpkgs and starts them under a real systemd.
set -euo pipefail
shopt -s inherit_errexit

# The programs that are real where scripts/op-stack/tools/build has made them. All others, and these where they are
# missing, are stand-ins (units/stand-in.go). The one switch.
readonly REAL=(op-geth)

readonly PROGRAMS=(op-geth op-node op-batcher op-proposer op-challenger op-dispute-mon cannon op-program)
readonly TIMEOUT=600

usage() {
  cat <<'USAGE'
usage: nix/tests/units.sh [--keep] NIXPKGS [native | oci]

Renders the host ecp-forge with the nixpkgs in the directory NIXPKGS, for both backends or the one named, puts the units
into a Debian that systemd-nspawn boots, and goes through nix/tests/units/scenario.sh there: systemd-analyze verify and
security, order, gating, restart, stop, secrets, listeners, the witness under its watchdog. For oci, images are made on the
spot and pinned by their digests. The container has no network.

  --keep       keep the container's directory, and say where it is
  -h, --help   this text

Needs root, Go, debootstrap and systemd-container. About five minutes, the first time ten.
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

# Every program as /opt/<package>/bin/<name>, real or standing in, and says which.
programs() {
  local root=$1 built name stand_in=()
  built=$(scripts/op-stack/tools/build --path)
  mkdir -p "$root"/opt/{op-stack-tools,ec-op-stack,ec-witness}/bin
  CGO_ENABLED=0 go build -o "$root/opt/stand-in" nix/tests/units/stand-in.go
  for name in "${PROGRAMS[@]}"; do
    if [[ " ${REAL[*]} " == *" $name "* && -x $built/$name ]]; then
      cp "$built/$name" "$root/opt/op-stack-tools/bin/$name"
      say "real: $name ($("$built/$name" --version | head -n 1))"
    else
      cp "$root/opt/stand-in" "$root/opt/op-stack-tools/bin/$name"
      stand_in+=("$name")
    fi
  done
  for name in ec-op-stack ec-witness; do
    cp "$root/opt/stand-in" "$root/opt/$name/bin/$name"
    stand_in+=("$name")
  done
  say "STAND-INS, not the real programs: ${stand_in[*]}"
}

# The files that agenix, the deployment and the archive's writer would leave on such a host.
surroundings() {
  local root=$1 name
  mkdir -p "$root"/opt/test/out "$root"/tank/{op-prestate,every-channel/archive} "$root/var/lib/every-channel/manifests/la-nbc" "$root/etc/tmpfiles.d"
  cp nix/tests/units/genesis.json "$root/opt/test/out/"
  printf '{"l1_chain_id":11155111,"l2_chain_id":420901}\n' >"$root/opt/test/out/rollup.json"
  printf 'prestate\n' >"$root/tank/op-prestate/prestate.bin.gz"
  touch "$root/opt/test/deployment-fails"
  cat >"$root/opt/test/setup-rollup" <<'DEPLOY'
#!/bin/sh
set -eu
echo deployed >>"$WORK/deployments"
[ ! -e /opt/test/deployment-fails ] || { echo 'the deployment fails, as the test wants' >&2; exit 1; }
while [ $# -gt 0 ]; do
  case "$1" in
    --dir) dir=$2 ;;
    --deployer-key) test -s "$2" ;;
  esac
  shift 2
done
for key in sequencer.key batcher.key proposer.key challenger.key jwt.hex; do
  test -s "$dir/keys/$key"
done
test "$L1_RPC_URL" = http://127.0.0.1:1/an-api-key
mkdir -p "$dir/chain"
cp /opt/test/out/* "$dir/chain/"
printf '{"contracts":{"disputeGameFactoryProxy":"0x51095eac6e2b6da9811c6febbdd67add79135ce0"}}\n' >"$dir/summary.json"
DEPLOY
  chmod +x "$root/opt/test/setup-rollup"
  cp nix/tests/units/scenario.sh "$root/opt/test/"

  mkdir -p "$root/opt/test/agenix"
  for name in op-jwt op-p2p-key op-batcher-key op-proposer-key op-challenger-key op-deployer-key ec-witness-la; do
    (umask 077 && openssl rand -hex 32 >"$root/opt/test/agenix/$name")
  done
  (umask 077 && echo 'http://127.0.0.1:1/an-api-key' >"$root/opt/test/agenix/l1-rpc")
  # /run is made anew at boot
  printf 'C /run/agenix - - - - /opt/test/agenix\n' >"$root/etc/tmpfiles.d/agenix.conf"
}

# A unit that runs the scenario and ends the container.
scenario_unit() {
  local root=$1 backend=$2
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
  for file in /bin/dash "/opt/op-stack-tools/bin/$name"; do
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
  nix_eval --expr '(import ./nix/lib).releases.op-geth.images' |
    jq -r 'to_entries[] | "\(.value.repository):\(.value.tag) \(.key) \(.value.program // .key)"' |
    nspawn "$root" --pipe /opt/test/images | jq -sc add
}

# Boots the container with one backend's units and shows what the scenario found.
try() {
  local backend=$1 base=$2 root=$3 lock='{}'
  say "=== $backend"
  rm -rf "$root"
  cp -a "$base" "$root"
  programs "$root"
  surroundings "$root"
  if [[ $backend == oci ]]; then
    lock=$(images "$root")
    say "images made and pinned by digest: $(jq length <<<"$lock")"
  fi
  nix_eval nix/tests/units/render.nix --argstr backend "$backend" --argstr imageLock "$lock" >"$root/opt/test/rendered.json"
  jq -e '.failed == []' "$root/opt/test/rendered.json" >/dev/null || die "assertions fail: $(jq -c .failed "$root/opt/test/rendered.json")"
  say "$(nix/tests/units/materialise.py "$root" "$(store)" <"$root/opt/test/rendered.json")"
  scenario_unit "$root" "$backend"

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
  for command in systemd-nspawn debootstrap go jq openssl python3; do
    command -v "$command" >/dev/null || die "$command is missing; apt-get install systemd-container debootstrap golang jq openssl python3"
  done
  cd "$(dirname "${BASH_SOURCE[0]}")/../.."
  [[ -x tools/nix/nix ]] || command -v nix-instantiate >/dev/null || scripts/get-nix
  export NIXPKGS=$nixpkgs

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
