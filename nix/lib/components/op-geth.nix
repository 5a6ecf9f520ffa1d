{ settings, own, ... }:
let
  inherit (settings) paths l2;
  common = import ./execution.nix { inherit settings own; };
  home = "${paths.state}/op-geth";
  datadir = "${home}/data";
  hosts = [
    "localhost"
    own.address
  ];
in
common
// {
  flags = common.flags // {
    inherit datadir;
    "authrpc.vhosts" = hosts;
    # proofs of any age are needed by the proposer and the challenger
    gcmode = "archive";
    "http.vhosts" = hosts;
    "rollup.disabletxpoolgossip" = true;
    "rollup.sequencerhttp" = l2.sequencerRpc;
    "state.scheme" = "hash";
    syncmode = "full";
  };
  writes = [ home ];
  init = {
    inherit datadir;
    genesis = "${paths.chain}/genesis.json";
    # DIR stands for a fresh directory, which becomes the datadir when this has succeeded
    args = [
      "--datadir=DIR"
      "--state.scheme=hash"
      "init"
      "${paths.chain}/genesis.json"
    ];
  };
}
