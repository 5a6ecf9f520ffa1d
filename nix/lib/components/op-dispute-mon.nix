{ settings, own, ... }:
let
  to = import ../endpoints.nix { inherit settings; };
in
{
  flags = {
    game-factory-address = to.factory;
    honest-actors = own.honestActors;
    l1-eth-rpc = to.l1Rpc;
    rollup-rpc = to.rollupRpc;
  };

  environmentFromFiles =
    to.l1RpcFromFile own "OP_DISPUTE_MON_L1_ETH_RPC"
    // to.factoryFromFile "OP_DISPUTE_MON_GAME_FACTORY_ADDRESS";

  ports = to.localPorts own;
  reads = to.factoryReads;
  writes = [ ];
  secrets = to.l1Secrets;
  needs = [ "op-node" ];
  health = {
    kind = "metrics";
    url = "http://${own.address}:${toString own.ports.metrics}/metrics";
  };
}
