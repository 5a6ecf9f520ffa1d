# Settings whose plans are kept as golden files. All are without problems.
let
  secrets = {
    jwt = "/run/secrets/jwt";
    p2pKey = "/run/secrets/p2p-key";
    batcherKey = "/run/secrets/batcher-key";
    proposerKey = "/run/secrets/proposer-key";
    challengerKey = "/run/secrets/challenger-key";
  };
in
{
  sequencer = {
    role = "sequencer";
    l2.chainId = 4242;
    inherit secrets;
  };

  # no key of an account is on the host
  sequencer-signers = {
    role = "sequencer";
    l2.chainId = 4242;
    secrets = removeAttrs secrets [
      "batcherKey"
      "proposerKey"
      "challengerKey"
    ];
    signers = {
      batcher = {
        endpoint = "https://signer.example:9000";
        address = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8";
        ca = "/run/secrets/signer-ca";
        cert = "/run/secrets/signer-cert";
        key = "/run/secrets/signer-key";
      };
      proposer = {
        endpoint = "http://10.0.0.7:9000";
        address = "0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc";
      };
    };
  };

  # everything at once: the dispute path, an L1 RPC whose URL is a secret, own ports and flags, digests
  sequencer-full = {
    role = "sequencer";
    l1 = {
      rpcFile = "/run/secrets/l1-rpc";
      rpcKind = "alchemy";
      beaconFallbacks = [
        "https://archive.example"
        "https://other.example"
      ];
      beaconFile = "/run/secrets/l1-beacon";
      beaconHeaderFile = "/run/secrets/l1-header";
    };
    l2 = {
      chainId = 4242;
      disputeGameFactory = "0x51095eac6e2b6da9811c6febbdd67add79135ce0";
      forks = [ "isthmus" ];
    };
    paths = {
      state = "/srv/op";
      prestate = "/srv/op-prestate.bin.gz";
    };
    requireDigests = true;
    inherit secrets;
    components =
      builtins.mapAttrs
        (
          _: own:
          own // { digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"; }
        )
        {
          execution = {
            ports.p2p = 30400;
            settings.cache = 4096;
          };
          op-node.settings."p2p.advertise.ip" = "192.0.2.7";
          op-batcher = {
            settings = {
              target-num-frames = 3;
              poll-interval = null;
            };
            extraArgs = [ "--log.format=json" ];
          };
          op-proposer = { };
          op-challenger = { };
          op-dispute-mon.honestActors = [ "0x70997970C51812dc3A010C7d01b50e0d17dc79C8" ];
        };
  };

  verifier = {
    role = "verifier";
    l2 = {
      chainId = 4242;
      sequencerRpc = "https://rpc.example";
    };
    secrets = { inherit (secrets) jwt; };
    components.op-node.staticPeers = [
      "/dns4/sequencer.example/tcp/28522/p2p/16Uiu2HAmExampleExampleExample"
    ];
  };

  # every endpoint of L1 has a key in its URL
  verifier-keyed = {
    role = "verifier";
    l1 = {
      rpcFile = "/run/secrets/l1-rpc";
      beaconFile = "/run/secrets/l1-beacon";
      beaconFallbacksFile = "/run/secrets/l1-fallbacks";
      beaconHeaderFile = "/run/secrets/l1-header";
    };
    l2.chainId = 4242;
    secrets = { inherit (secrets) jwt; };
  };

  # a verifier that watches disputes without taking part
  verifier-monitor = {
    role = "verifier";
    l2.chainId = 4242;
    secrets = { inherit (secrets) jwt; };
    components.op-dispute-mon.enable = true;
  };

  # what scripts/op-stack/devnet.sh runs
  devnet = import ../../../scripts/op-stack/devnet/settings.nix {
    dir = "/tmp/devnet";
    bin = "/tmp/devnet/bin";
    prestate = "/tmp/devnet/prestate.bin.gz";
  };

  devnet-verifier = import ../../../scripts/op-stack/devnet/settings.nix {
    dir = "/tmp/devnet";
    bin = "/tmp/devnet/bin";
    node = "verifier";
    peer = "/ip4/127.0.0.1/tcp/21112/p2p/16Uiu2HAmExampleExampleExample";
  };

  sequencer-reth = {
    role = "sequencer";
    executionClient = "op-reth";
    l2 = {
      chainId = 4242;
      forks = [ "karst" ];
    };
    inherit secrets;
  };

  verifier-reth = {
    role = "verifier";
    executionClient = "op-reth";
    l2 = {
      chainId = 4242;
      sequencerRpc = "https://rpc.example";
    };
    secrets = { inherit (secrets) jwt; };
  };
}
