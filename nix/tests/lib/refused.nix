# Each rule broken once: base settings that are in order, one change, and the one problem it must bring.
let
  cases = import ./cases.nix;
  merge =
    a: b:
    if builtins.isAttrs a && builtins.isAttrs b then
      a // builtins.mapAttrs (name: v: if a ? ${name} then merge a.${name} v else v) b
    else
      b;
  from = base: option: text: change: {
    inherit option text;
    settings = merge cases.${base} change;
  };
  sequencer = from "sequencer";
  full = from "sequencer-full";
  signers = from "sequencer-signers";
  verifier = from "verifier";
  component = name: own: { components.${name} = own; };
in
{
  chain-id-missing = verifier "l2.chainId" "not set" { l2.chainId = null; };
  chain-id-of-l1 = verifier "l2.chainId" "equals l1.chainId" { l2.chainId = 11155111; };

  sequencer-without-batcher = sequencer "components.op-batcher.enable" "without a batcher" (
    component "op-batcher" { enable = false; }
  );
  verifier-with-batcher = verifier "components.op-batcher.enable" "Only the sequencer" {
    components.op-batcher.enable = true;
    secrets.batcherKey = "/run/secrets/batcher-key";
  };
  verifier-with-proposer = verifier "components.op-proposer.enable" "proposes nothing" {
    components.op-proposer.enable = true;
    secrets.proposerKey = "/run/secrets/proposer-key";
  };
  sequencer-with-sequencer = sequencer "l2.sequencerRpc" "is the sequencer" {
    l2.sequencerRpc = "https://rpc.example";
  };
  no-execution = verifier "components.execution.enable" "needs its execution client" (
    component "execution" { enable = false; }
  );
  no-op-node = verifier "components.op-node.enable" "does not move" (
    component "op-node" { enable = false; }
  );

  geth-with-karst = sequencer "executionClient" "Karst" { l2.forks = [ "karst" ]; };
  challenger-without-prestate = full "dispute.prestateFile" "absolute prestate" {
    paths.prestate = null;
    components.op-challenger.enable = true;
    components.op-dispute-mon.enable = true;
  };
  challenger-without-beacon = full "l1.beacon" "beacon endpoint" {
    l1 = {
      beacon = null;
      beaconFile = null;
    };
  };
  blobs-without-beacon = sequencer "components.op-batcher.dataAvailability" "Blobs" {
    l1.beacon = null;
    components.op-batcher.dataAvailability = "blobs";
  };

  image-without-digest = full "components.op-node.digest" "pin-images.sh" (
    component "op-node" { digest = null; }
  );
  digest-that-is-none = full "components.op-node.digest" "is no digest" (
    component "op-node" { digest = "sha256:123"; }
  );

  unknown-flag = sequencer "components.op-batcher.settings" "has no flag --max-chanel-duration" (
    component "op-batcher" { settings.max-chanel-duration = 1; }
  );
  unknown-extra-flag = sequencer "components.execution.settings" "has no flag --cahce" (
    component "execution" { extraArgs = [ "--cahce=1" ]; }
  );
  unknown-reth-flag = from "verifier-reth" "components.execution.settings" "has no flag --gcmode" (
    component "execution" { settings.gcmode = "archive"; }
  );
  unknown-variable =
    sequencer "components.op-batcher.environment" "does not know the variable OP_BATCHER_INBOX_ADDRESS"
      (component "op-batcher" { environment.OP_BATCHER_INBOX_ADDRESS = "0x00"; });
  flag-given-twice = sequencer "components.op-batcher.extraArgs" "given twice" (
    component "op-batcher" { extraArgs = [ "--poll-interval=1s" ]; }
  );
  engine-kind-of-another-client = sequencer "components.op-node.settings" "--l2.enginekind follows" (
    component "op-node" { settings."l2.enginekind" = "reth"; }
  );
  listener-by-flag = sequencer "components.op-batcher.settings" "--rpc.addr follows" (
    component "op-batcher" { settings."rpc.addr" = "0.0.0.0"; }
  );
  datadir-by-flag = sequencer "components.execution.settings" "--datadir follows" (
    component "execution" { settings.datadir = "/tmp"; }
  );

  key-in-argument = sequencer "components.op-batcher.settings" "--private-key would put a secret" (
    component "op-batcher" { settings.private-key = "abc"; }
  );
  p2p-key-in-argument =
    sequencer "components.op-node.settings" "--p2p.sequencer.key would put a secret"
      (component "op-node" { extraArgs = [ "--p2p.sequencer.key=abc" ]; });
  signer-with-a-password = signers "signers.proposer.endpoint" "client certificate" {
    signers.proposer.endpoint = "https://user:password@signer.example";
  };
  signer-with-half-of-its-files = signers "signers.batcher.key" "cannot start without this file" {
    signers.batcher.key = null;
  };
  one-account-at-two-signers = signers "signers.batcher.address" "race for its nonces" {
    signers.batcher.address = "0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc";
  };
  token-in-argument =
    sequencer "components.op-batcher.settings" "--signer.header would put a secret"
      (component "op-batcher" { settings."signer.header" = "Authorization=abc"; });
  key-shaped-argument =
    sequencer "components.op-batcher.settings" "--signer.endpoint would put a secret"
      (
        component "op-batcher" {
          settings."signer.endpoint" = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
        }
      );
  key-in-environment =
    sequencer "components.op-batcher.environment" "OP_BATCHER_PRIVATE_KEY would put a secret"
      (component "op-batcher" { environment.OP_BATCHER_PRIVATE_KEY = "abc"; });
  mnemonic-in-environment =
    sequencer "components.op-proposer.environment" "OP_PROPOSER_MNEMONIC would put a secret"
      (component "op-proposer" { environment.OP_PROPOSER_MNEMONIC = "test test"; });

  secret-missing = sequencer "secrets.batcherKey" "op-batcher cannot start without" {
    secrets.batcherKey = null;
  };
  jwt-missing = verifier "secrets.jwt" "op-geth and op-node cannot start without" {
    secrets.jwt = null;
  };
  secret-in-store = sequencer "secrets.proposerKey" "is in the nix store" {
    secrets.proposerKey = "${builtins.storeDir}/00000000000000000000000000000000-key";
  };
  l1-url-in-store = full "l1.rpcFile" "is in the nix store" {
    l1.rpcFile = "${builtins.storeDir}/00000000000000000000000000000000-url";
  };
  beacon-url-in-store = full "l1.beaconFile" "is in the nix store" {
    l1.beaconFile = "${builtins.storeDir}/00000000000000000000000000000000-url";
  };
  l1-url-with-a-key = sequencer "l1.rpc" "set l1.rpcFile" {
    l1.rpc = "https://mainnet.example/v3/0123456789abcdef0123456789abcdef";
  };
  l1-url-with-a-password = sequencer "l1.rpc" "set l1.rpcFile" {
    l1.rpc = "https://user:password@mainnet.example";
  };
  beacon-url-with-a-key = sequencer "l1.beacon" "set l1.beaconFile" {
    l1.beacon = "https://beacon.example/?apikey=x";
  };
  archiver-url-with-a-key = sequencer "l1.beaconFallbacks" "set l1.beaconFallbacksFile" {
    l1.beaconFallbacks = [
      "https://archive.example"
      "https://archive.example/0123456789abcdef0123"
    ];
  };
  beacon-header = sequencer "components.op-node.settings" "l1.beacon-header would put a secret" (
    component "op-node" { settings."l1.beacon-header" = "Authorization: Bearer x"; }
  );
  shared-key = sequencer "secrets.batcherKey" "is also secrets.proposerKey" {
    secrets.batcherKey = "/run/secrets/proposer-key";
  };
  shared-p2p-key = sequencer "secrets.batcherKey" "is also secrets.p2pKey" {
    secrets.batcherKey = "/run/secrets/p2p-key";
  };

  rpc-on-all-addresses = sequencer "components.op-node.address" "not a loopback address" (
    component "op-node" { address = "0.0.0.0"; }
  );
  engine-on-lan = verifier "components.execution.address" "not a loopback address" (
    component "execution" { address = "192.168.1.2"; }
  );
  port-twice =
    sequencer "components.op-batcher.ports.rpc" "is also components.op-proposer.ports.rpc"
      (component "op-proposer" { ports.rpc = 28548; });
  metrics-port-twice =
    sequencer "components.op-batcher.ports.metrics" "is also components.op-proposer.ports.metrics"
      (component "op-proposer" { ports.metrics = 27302; });
  p2p-port-of-ethereum = sequencer "components.execution.ports.p2p" "30303 is in reservedPorts" (
    component "execution" { ports.p2p = 30303; }
  );
  rpc-port-of-ethereum = sequencer "components.execution.ports.http" "8545 is in reservedPorts" (
    component "execution" { ports.http = 8545; }
  );
}
