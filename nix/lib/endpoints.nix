# What components say to each other and to L1, and their ports on this host.
{ settings }:
let
  inherit (settings)
    l1
    l2
    paths
    components
    ;
  inherit (components) execution op-node;
  http = c: port: "http://${c.address}:${toString port}";
in
rec {
  executionRpc = http execution execution.ports.http;
  engine = http execution execution.ports.engine;
  rollupRpc = http op-node op-node.ports.rpc;

  # how L1 is reached: by a flag, or by a variable that is filled from a file where the value holds an API key or a token
  l1Rpc = if l1.rpcFile == null then l1.rpc else null;
  l1Beacon = if l1.beaconFile == null then l1.beacon else null;
  l1BeaconFallbacks = if l1.beaconFallbacksFile == null then l1.beaconFallbacks else [ ];
  hasBeacon = l1.beacon != null || l1.beaconFile != null;

  # What of it a component has from files, by the variables that it takes it from: { environmentFromFiles, secrets }.
  l1FromFiles =
    own: variables:
    let
      names = {
        rpc = "l1-rpc";
        beacon = "l1-beacon";
        beaconFallbacks = "l1-fallbacks";
        beaconHeader = "l1-header";
      };
      given = builtins.filter (key: l1."${key}File" != null) (builtins.attrNames variables);
      each = of: builtins.listToAttrs (map of given);
    in
    {
      environmentFromFiles = each (key: {
        name = variables.${key};
        value = "${own.secretsDirectory}/${names.${key}}";
      });
      secrets = each (key: {
        name = names.${key};
        value = {
          option = "l1.${key}File";
          file = l1."${key}File";
        };
      });
    };

  # a secret that an option of this name gives the file of
  secret = name: {
    option = "secrets.${name}";
    file = settings.secrets.${name};
  };

  # How an account signs: { flags, environmentFromFiles, secrets }, with the key that a file holds, or by a signer elsewhere.
  signing =
    own: account: variable:
    let
      given = settings.signers.${account};
      signer = {
        ca = null;
        cert = null;
        key = null;
      }
      // given;
      authenticates = signer.cert != null || signer.key != null || signer.ca != null;
      file = name: {
        option = "signers.${account}.${name}";
        file = signer.${name};
      };
    in
    if given == null then
      {
        flags = { };
        environmentFromFiles.${variable} = "${own.secretsDirectory}/key";
        secrets.key = secret "${account}Key";
      }
    else
      {
        flags = {
          "signer.endpoint" = signer.endpoint;
          "signer.address" = signer.address;
          "signer.tls.enabled" = authenticates;
        }
        // (
          if authenticates then
            {
              "signer.tls.ca" = "${own.secretsDirectory}/signer-ca";
              "signer.tls.cert" = "${own.secretsDirectory}/signer-cert";
              "signer.tls.key" = "${own.secretsDirectory}/signer-key";
            }
          else
            { }
        );
        environmentFromFiles = { };
        secrets =
          if authenticates then
            {
              signer-ca = file "ca";
              signer-cert = file "cert";
              signer-key = file "key";
            }
          else
            { };
      };

  factory = l2.disputeGameFactory;
  factoryFromFile =
    variable: if factory == null then { ${variable} = "${paths.chain}/dispute-game-factory"; } else { };
  factoryReads = if factory == null then [ "${paths.chain}/dispute-game-factory" ] else [ ];

  localPorts =
    own:
    builtins.mapAttrs (_: port: {
      inherit (own) address;
      inherit port;
      protocols = [ "tcp" ];
      public = false;
    }) (removeAttrs own.ports [ "p2p" ]);
  # the one that is open to the network
  p2pPort = own: address: {
    inherit address;
    port = own.ports.p2p;
    protocols = [
      "tcp"
      "udp"
    ];
    public = true;
  };
}
