{
  settings,
  release,
  own,
}:
let
  to = import ../endpoints.nix { inherit settings; };
  signing = to.signing own "batcher" "OP_BATCHER_PRIVATE_KEY";
  automatic = if settings.l1.beacon == null then "calldata" else "blobs";
in
{
  flags = signing.flags // {
    data-availability-type = if own.dataAvailability == null then automatic else own.dataAvailability;
    l1-eth-rpc = to.l1Rpc;
    l2-eth-rpc = to.executionRpc;
    max-channel-duration = own.maxChannelDuration;
    num-confirmations = 4;
    poll-interval = "6s";
    rollup-rpc = to.rollupRpc;
    "rpc.enable-admin" = true;
    sub-safety-margin = 10;
    wait-node-sync = true;
  };

  environmentFromFiles = to.l1RpcFromFile own "OP_BATCHER_L1_ETH_RPC" // signing.environmentFromFiles;

  ports = to.localPorts own;
  reads = [ ];
  writes = [ ];
  secrets = to.l1Secrets // signing.secrets;
  needs = [
    release.execution
    "op-node"
  ];
  health = {
    kind = "healthz";
    url = "http://${own.address}:${toString own.ports.rpc}/healthz";
  };
}
