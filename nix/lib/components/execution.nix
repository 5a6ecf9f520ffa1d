# What op-geth and op-reth have in common; `own` as in settings.nix.
{ settings, own }:
let
  inherit (settings) paths l2;
  to = import ../endpoints.nix { inherit settings; };
  http = port: "http://${own.address}:${toString port}";
in
{
  flags = {
    "authrpc.jwtsecret" = "${own.secretsDirectory}/jwt";
    bootnodes = own.bootnodes;
    "discovery.port" = own.ports.p2p;
    # the batcher's throttling calls miner_setMaxDASize
    "http.api" = [
      "eth"
      "net"
      "web3"
      "debug"
      "txpool"
    ]
    ++ (if settings.role == "sequencer" then [ "miner" ] else [ ]);
    ipcdisable = true;
    port = own.ports.p2p;
    "ws.api" = [
      "eth"
      "net"
      "web3"
    ];
  };

  ports = to.localPorts own // {
    p2p = to.p2pPort own "0.0.0.0";
  };

  reads = [ "${paths.chain}/genesis.json" ];
  secrets.jwt = to.secret "jwt";
  needs = [ ];
  health = {
    kind = "execution";
    url = http own.ports.http;
    engine = http own.ports.engine;
    inherit (l2) chainId;
  };
}
