{
  settings,
  release,
  own,
}:
let
  inherit (settings) paths l1;
  to = import ../endpoints.nix { inherit settings; };
  sequencer = settings.role == "sequencer";
  fromL1 = to.l1FromFiles own {
    rpc = "OP_NODE_L1_ETH_RPC";
    beacon = "OP_NODE_L1_BEACON";
    beaconFallbacks = "OP_NODE_L1_BEACON_FALLBACKS";
    beaconHeader = "OP_NODE_L1_BEACON_HEADER";
  };
  home = "${paths.state}/op-node";
in
{
  flags = {
    l1 = to.l1Rpc;
    "l1.beacon" = to.l1Beacon;
    "l1.beacon-fallbacks" = to.l1BeaconFallbacks;
    "l1.beacon.ignore" = if to.hasBeacon then null else true;
    "l1.rpckind" = l1.rpcKind;
    "l1.trustrpc" = if l1.trustRpc then true else null;
    l2 = to.engine;
    "l2.enginekind" = release.engineKind;
    "l2.jwt-secret" = "${own.secretsDirectory}/jwt";
    "p2p.discovery.path" = "${home}/discovery";
    "p2p.listen.ip" = own.p2pAddress;
    "p2p.listen.tcp" = own.ports.p2p;
    "p2p.listen.udp" = own.ports.p2p;
    "p2p.peerstore.path" = "${home}/peerstore";
    "p2p.priv.path" = "${home}/p2p-key";
    "p2p.static" = own.staticPeers;
    "rollup.config" = "${paths.chain}/rollup.json";
    "rollup.l1-chain-config" = l1.chainConfig;
    # the challenger asks for safe heads of the past
    "safedb.path" = "${home}/safedb";
    "verifier.l1-confs" = own.verifierConfirmations;
  }
  // (
    if sequencer then
      {
        # without rpc.admin-state: op-node stops the sequencer as it ends, would find that there, and come up stopped
        "rpc.enable-admin" = true;
        "sequencer.enabled" = true;
        "sequencer.l1-confs" = own.sequencerConfirmations;
        "sequencer.stopped" = if own.sequencerStopped then true else null;
      }
    else
      { }
  );

  environmentFromFiles =
    fromL1.environmentFromFiles
    // (if sequencer then { OP_NODE_P2P_SEQUENCER_KEY = "${own.secretsDirectory}/p2p-key"; } else { });

  ports = to.localPorts own // {
    p2p = to.p2pPort own own.p2pAddress;
  };

  reads = [
    "${paths.chain}/rollup.json"
  ]
  ++ (if l1.chainConfig == null then [ ] else [ l1.chainConfig ]);
  writes = [ home ];
  secrets =
    fromL1.secrets
    // {
      jwt = to.secret "jwt";
    }
    // (if sequencer then { p2p-key = to.secret "p2pKey"; } else { });
  needs = [ release.execution ];
  health = {
    kind = "rollup";
    url = to.rollupRpc;
  };
}
