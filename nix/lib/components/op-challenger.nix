{
  settings,
  release,
  own,
}:
let
  inherit (settings) paths l1;
  to = import ../endpoints.nix { inherit settings; };
  fromL1 = to.l1FromFiles own {
    rpc = "OP_CHALLENGER_L1_ETH_RPC";
    beacon = "OP_CHALLENGER_L1_BEACON";
  };
  signing = to.signing own "challenger" "OP_CHALLENGER_PRIVATE_KEY";
  home = "${paths.state}/op-challenger";
  genesis = "${paths.chain}/genesis.json";
  rollup = "${paths.chain}/rollup.json";
in
{
  flags = signing.flags // {
    cannon-bin = paths.cannon;
    cannon-l1-genesis = l1.chainConfig;
    cannon-l2-genesis = genesis;
    cannon-prestate = paths.prestate;
    cannon-rollup-config = rollup;
    cannon-server = paths.opProgram;
    datadir = home;
    game-factory-address = to.factory;
    game-types = own.gameTypes;
    l1-beacon = to.l1Beacon;
    l1-eth-rpc = to.l1Rpc;
    l2-eth-rpc = to.executionRpc;
    rollup-rpc = to.rollupRpc;
  };

  environmentFromFiles =
    fromL1.environmentFromFiles
    // to.factoryFromFile "OP_CHALLENGER_GAME_FACTORY_ADDRESS"
    // signing.environmentFromFiles;

  ports = to.localPorts own;
  reads = [
    genesis
    rollup
  ]
  ++ to.factoryReads
  ++ (if paths.prestate == null then [ ] else [ paths.prestate ])
  ++ (if l1.chainConfig == null then [ ] else [ l1.chainConfig ]);
  writes = [ home ];
  secrets = fromL1.secrets // signing.secrets;
  needs = [
    release.execution
    "op-node"
  ];
  health = {
    kind = "metrics";
    url = "http://${own.address}:${toString own.ports.metrics}/metrics";
  };
}
