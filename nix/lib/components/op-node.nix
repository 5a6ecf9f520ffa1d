{
  settings,
  release,
  own,
}:
let
  inherit (settings) paths l1;
  to = import ../endpoints.nix { inherit settings; };
  sequencer = settings.role == "sequencer";
  home = "${paths.state}/op-node";
in
{
  flags = {
    l1 = to.l1Rpc;
    "l1.beacon" = l1.beacon;
    "l1.beacon-fallbacks" = l1.beaconFallbacks;
    "l1.beacon.ignore" = if l1.beacon == null then true else null;
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
    to.l1RpcFromFile own "OP_NODE_L1_ETH_RPC"
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
    to.l1Secrets
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
