{ settings, own, ... }:
let
  to = import ../endpoints.nix { inherit settings; };
  fromL1 = to.l1FromFiles own { rpc = "OP_DISPUTE_MON_L1_ETH_RPC"; };
in
{
  flags = {
    game-factory-address = to.factory;
    honest-actors = own.honestActors;
    l1-eth-rpc = to.l1Rpc;
    rollup-rpc = to.rollupRpc;
  };

  environmentFromFiles =
    fromL1.environmentFromFiles // to.factoryFromFile "OP_DISPUTE_MON_GAME_FACTORY_ADDRESS";

  ports = to.localPorts own;
  reads = to.factoryReads;
  writes = [ ];
  secrets = fromL1.secrets;
  needs = [ "op-node" ];
  health = {
    kind = "metrics";
    url = "http://${own.address}:${toString own.ports.metrics}/metrics";
  };
}
