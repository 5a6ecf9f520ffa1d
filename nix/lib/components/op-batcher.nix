{
  settings,
  release,
  own,
}:
let
  to = import ../endpoints.nix { inherit settings; };
  fromL1 = to.l1FromFiles own { rpc = "OP_BATCHER_L1_ETH_RPC"; };
  signing = to.signing own "batcher" "OP_BATCHER_PRIVATE_KEY";
  automatic = if !to.hasBeacon then "calldata" else "blobs";
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
    # who makes no blocks yet may stand beside the host that does, and that one posts with the same account
    stopped = if settings.components.op-node.sequencerStopped then true else null;
    "rpc.enable-admin" = true;
    sub-safety-margin = 10;
    wait-node-sync = true;
  };

  environmentFromFiles = fromL1.environmentFromFiles // signing.environmentFromFiles;

  ports = to.localPorts own;
  reads = [ ];
  writes = [ ];
  secrets = fromL1.secrets // signing.secrets;
  needs = [
    release.execution
    "op-node"
  ];
  health = {
    kind = "healthz";
    url = "http://${own.address}:${toString own.ports.rpc}/healthz";
  };
}
