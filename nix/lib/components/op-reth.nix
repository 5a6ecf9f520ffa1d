{ settings, own, ... }:
let
  inherit (settings) paths l2;
  common = import ./execution.nix { inherit settings own; };
  home = "${paths.state}/op-reth";
  datadir = "${home}/data";
in
common
// {
  clap = true;
  subcommand = [ "node" ];
  flags = common.flags // {
    inherit datadir;
    chain = "${paths.chain}/genesis.json";
    color = "never";
    "log.file.max-files" = 0;
    metrics = "${own.address}:${toString own.ports.metrics}";
    "rollup.disable-tx-pool-gossip" = true;
    "rollup.sequencer" = l2.sequencerRpc;
  };
  # it has no pprof listener
  ports = removeAttrs common.ports [ "pprof" ];
  writes = [ home ];
}
