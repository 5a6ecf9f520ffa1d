{ settings, own, ... }:
let
  to = import ../endpoints.nix { inherit settings; };
  fromL1 = to.l1FromFiles own { rpc = "OP_PROPOSER_L1_ETH_RPC"; };
  signing = to.signing own "proposer" "OP_PROPOSER_PRIVATE_KEY";
in
{
  flags = signing.flags // {
    allow-non-finalized = null;
    game-factory-address = to.factory;
    game-type = own.gameType;
    l1-eth-rpc = to.l1Rpc;
    num-confirmations = 4;
    poll-interval = "12s";
    proposal-interval = own.interval;
    rollup-rpc = to.rollupRpc;
    wait-node-sync = true;
  };

  environmentFromFiles =
    fromL1.environmentFromFiles
    // to.factoryFromFile "OP_PROPOSER_GAME_FACTORY_ADDRESS"
    // signing.environmentFromFiles;

  ports = to.localPorts own;
  reads = to.factoryReads;
  writes = [ ];
  secrets = fromL1.secrets // signing.secrets;
  needs = [ "op-node" ];
  health = {
    kind = "healthz";
    url = "http://${own.address}:${toString own.ports.rpc}/healthz";
  };
}
