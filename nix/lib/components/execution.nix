# What op-geth and op-reth have in common; `own` as in settings.nix.
{ settings, own }:
let
  inherit (settings) paths l2;
  to = import ../endpoints.nix { inherit settings; };
  http = port: "http://${own.address}:${toString port}";
  local = port: {
    inherit (own) address;
    inherit port;
    protocols = [ "tcp" ];
    public = false;
  };
in
{
  flags = {
    "authrpc.addr" = own.address;
    "authrpc.jwtsecret" = "${own.secretsDirectory}/jwt";
    "authrpc.port" = own.ports.engine;
    bootnodes = own.bootnodes;
    "discovery.port" = own.ports.p2p;
    http = true;
    "http.addr" = own.address;
    # the batcher's throttling calls miner_setMaxDASize
    "http.api" = [
      "eth"
      "net"
      "web3"
      "debug"
      "txpool"
    ]
    ++ (if settings.role == "sequencer" then [ "miner" ] else [ ]);
    "http.port" = own.ports.http;
    ipcdisable = true;
    port = own.ports.p2p;
    ws = true;
    "ws.addr" = own.address;
    "ws.api" = [
      "eth"
      "net"
      "web3"
    ];
    "ws.port" = own.ports.ws;
  };

  ports = builtins.mapAttrs (_: local) (removeAttrs own.ports [ "p2p" ]) // {
    p2p = {
      address = "0.0.0.0";
      port = own.ports.p2p;
      protocols = [
        "tcp"
        "udp"
      ];
      public = true;
    };
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
