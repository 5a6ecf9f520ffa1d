#!/usr/bin/env bash
# A whole OP Stack chain on this machine: an Anvil L1 with the real contracts, and the real programs, started as a host
# starts them.
set -Eeuo pipefail
shopt -s inherit_errexit

readonly PARTS='blocks deposit batches proposals metrics verifier withdrawal challenger rail force reorg doctor deployer recovery'
# Only by name: they take 35, 20 and 8 minutes.
readonly MORE_PARTS='soak load sizes'

usage() {
  cat <<'USAGE'
usage: scripts/op-stack/devnet.sh up|check|down [OPTION…]

  up             bring up L1 (chain 900) and L2 (901) and leave them running in the background
  check          check what the chain must do, each with a case in which it must not; brings the chain up, and down in the
                 end, where it does not run
  down           end every process, and remove the directory

  --role ROLE    up: sequencer (default), or verifier: a second node beside a sequencer that runs
  --only PART,…  check: only these of blocks, deposit, batches, proposals, verifier, withdrawal, challenger (the chain);
                 rail, force, reorg (witnesses on it); metrics, doctor, deployer, recovery (ec-op-stack on it). Default: all.
                 By name only: soak, load and sizes, which take 35, 20 and 8 minutes
  --short        without disputes, as a host without a prestate: four programs fewer to build; check: only blocks,
                 deposit, batches, proposals, metrics, rail, force
  --dir DIR      where files and logs are (default: ~/.local/state/every-channel/devnet)
  --keep         check: leave the chain running; down: leave the directory; up: leave what failed
  --json         facts as JSON, one object a line
  -h, --help     this text

The components' arguments come from nix/lib, with the settings in devnet/settings.nix. Programs come from OP_GETH_BIN,
OP_NODE_BIN and so on, or PATH, or are built from the pinned Go modules (ten minutes, once). Needs contracts/node_modules
(scripts/install-tools smoke), target/debug/ec-op-stack and ec-witness, for soak and load target/debug/fixture too, for
metrics prometheus and promtool, jq, curl, openssl, Python 3, npm once for supersim, and the ports 21000 to 21255 on loopback,
or from DEVNET_PORT on. The keys are the public test mnemonic's.

When something fails, the processes are ended and the logs stay in DIR/log. Exit codes: 0 all is well, 1 something is
not, 2 error.
USAGE
}

die() {
  printf 'devnet: %s\n' "$2" >&2
  exit "$1"
}

say() {
  printf 'devnet: %s\n' "$*" >&2
}

# What must be there, found once.
find_tools() {
  ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
  local target
  target=$(realpath -m "${CARGO_TARGET_DIR:-$ROOT/target}")/debug
  EC=${EC_OP_STACK:-$target/ec-op-stack}
  EC_WITNESS=${EC_WITNESS:-$target/ec-witness}
  FIXTURE=$target/fixture
  # shellcheck source=scripts/op-stack/devnet/processes.bash
  source "$ROOT/scripts/op-stack/devnet/processes.bash"
  # shellcheck source=scripts/op-stack/devnet/ask.bash
  source "$ROOT/scripts/op-stack/devnet/ask.bash"
  # shellcheck source=scripts/op-stack/devnet/chain.bash
  source "$ROOT/scripts/op-stack/devnet/chain.bash"
  # shellcheck source=scripts/op-stack/devnet/chain-checks.bash
  source "$ROOT/scripts/op-stack/devnet/chain-checks.bash"
  # shellcheck source=scripts/op-stack/devnet/metrics-checks.bash
  source "$ROOT/scripts/op-stack/devnet/metrics-checks.bash"
  # shellcheck source=scripts/op-stack/devnet/doctor-checks.bash
  source "$ROOT/scripts/op-stack/devnet/doctor-checks.bash"
  # shellcheck source=scripts/op-stack/devnet/recovery-checks.bash
  source "$ROOT/scripts/op-stack/devnet/recovery-checks.bash"
  # shellcheck source=scripts/op-stack/devnet/soak.bash
  source "$ROOT/scripts/op-stack/devnet/soak.bash"
  # shellcheck source=scripts/op-stack/devnet/sizes.bash
  source "$ROOT/scripts/op-stack/devnet/sizes.bash"
  # shellcheck source=scripts/op-stack/devnet/load.bash
  source "$ROOT/scripts/op-stack/devnet/load.bash"
  # shellcheck source=scripts/op-stack/devnet/rail-checks.bash
  source "$ROOT/scripts/op-stack/devnet/rail-checks.bash"
  # shellcheck source=scripts/op-stack/devnet/force-checks.bash
  source "$ROOT/scripts/op-stack/devnet/force-checks.bash"
  [[ -x $EC && -x $EC_WITNESS ]] || die 2 "$EC or $EC_WITNESS is missing: cargo build -p ec-op-stack -p ec-witness"
  [[ ! $ONLY =~ (soak|load) || -x $FIXTURE ]] || die 2 "$FIXTURE is missing: cargo build -p ec-testing"
  ANVIL=$(native anvil)
  CAST=$(native cast)
}

# Whatever happens, no process stays that nobody asked for.
end() {
  local code=$?
  trap - EXIT INT TERM
  if [[ -n $ENDING ]]; then
    if [[ -n $KEEP ]]; then
      say "kept running; logs in $DIR/log, end it by: $0 down --dir $DIR"
    else
      stop_all
      if ((code == 0)); then rm -rf "$DIR"; else say "logs are in $DIR/log"; fi
    fi
  fi
  exit "$code"
}

up() {
  if [[ $ROLE == verifier ]]; then
    runs op-node || die 2 "no sequencer runs in $DIR: devnet.sh up"
    bring_up_verifier "$(sequencer_address)"
  else
    ! runs anvil || die 2 "it runs already, in $DIR"
    [[ ! -e $DIR ]] || die 2 "$DIR exists: a chain begins in a new directory; devnet.sh down removes it"
    ENDING=1
    bring_up_sequencer
  fi
  ENDING=''
  if [[ -n $JSON ]]; then
    jq -cn --arg l1 "$L1" --arg rpc "$SEQUENCER" --arg node "$SEQUENCER_NODE" --arg dir "$DIR" '{$dir, $l1, $rpc, $node, chain_id: 901}'
  else
    "$EC" status --stack "$DIR/$ROLE/stack.json" || true
    say "it runs, in $DIR; end it by: $0 down --dir $DIR"
  fi
}

check() {
  local part
  if ! runs anvil; then
    [[ ! -e $DIR ]] || die 2 "$DIR exists: a chain begins in a new directory; devnet.sh down removes it"
    ENDING=1
    bring_up_sequencer
  fi
  for part in ${ONLY//,/ }; do
    "check_$part"
  done
  say "$EXPECTED expectations, $FAILED not met, $SECONDS seconds"
  ((FAILED == 0))
}

down() {
  stop_all
  [[ -n $KEEP ]] || rm -rf "$DIR"
}

main() {
  local verb=''
  DIR=${XDG_STATE_HOME:-$HOME/.local/state}/every-channel/devnet
  ROLE=sequencer KEEP='' JSON='' SHORT='' ONLY='' ENDING='' FAILED=0 EXPECTED=0 PART=''
  while (($# > 0)); do
    case "$1" in
      up | check | down) verb=$1 ;;
      --role | --dir | --only)
        (($# > 1)) || die 2 "$1 needs a value"
        case "$1" in
          --role) ROLE=$2 ;;
          --dir) DIR=$(realpath -m "$2") ;;
          --only) ONLY=$2 ;;
        esac
        shift
        ;;
      --keep) KEEP=1 ;;
      --json) JSON=1 ;;
      --short) SHORT=1 ;;
      -h | --help)
        usage
        return 0
        ;;
      *) die 2 "$1: unknown; see --help" ;;
    esac
    shift
  done
  [[ -n $verb ]] || die 2 'up, check or down? see --help'
  [[ $ROLE == sequencer || $ROLE == verifier ]] || die 2 "--role $ROLE: sequencer or verifier"
  [[ -z $SHORT ]] || ONLY=${ONLY:-blocks,deposit,batches,proposals,metrics,rail,force}
  ONLY=${ONLY:-${PARTS// /,}}
  [[ $ONLY =~ ^((${PARTS// /|}|${MORE_PARTS// /|})(,|$))+$ ]] || die 2 "--only $ONLY: of ${PARTS// /, }, ${MORE_PARTS// /, }"
  find_tools
  trap end EXIT
  trap 'say "${BASH_SOURCE[0]##*/}:$LINENO: $BASH_COMMAND"' ERR
  trap 'exit 130' INT
  trap 'exit 143' TERM
  "$verb"
}

main "$@"
