# The one attribute set from which everything is computed, with its defaults. Plain data: no path is read.
#
# Paths are as the program sees them; in containers they are mounted where they are on the host.
let
  # sets are merged, everything else is replaced
  merge =
    a: b:
    if builtins.isAttrs a && builtins.isAttrs b then
      a // builtins.mapAttrs (name: v: if a ? ${name} then merge a.${name} v else v) b
    else
      b;

  loopback = "127.0.0.1";

  # what an operator may change of every component
  common = {
    address = loopback;
    settings = { };
    extraArgs = [ ];
    environment = { };
    image = { };
    digest = null;
    program = null;
    # The program's release, where it is neither the image's nor, of a program by its path, what this project builds.
    version = null;
    # The directory in which this component finds its secrets by name.
    secretsDirectory = null;
  };

  defaults = {
    role = "verifier";
    executionClient = "op-geth";
    # Refuse flags that the pinned release does not list. For an image of another release.
    checkFlags = true;
    # Refuse images that are not pinned by digest. Of no meaning where programs come from packages.
    requireDigests = false;
    # Ports that other programs of the host have; by default those of an Ethereum node.
    reservedPorts = [
      5052
      6060
      8545
      8546
      8551
      9000
      9001
      12000
      13000
      30303
      30304
    ];
    # Files on the host. The caller puts each where the component that wants it looks: `secretsDirectory`.
    secrets = {
      jwt = null;
      p2pKey = null;
      batcherKey = null;
      proposerKey = null;
      challengerKey = null;
    };
    # Who signs for an account that has no key here: null, or { endpoint, address, ca, cert, key }. The last three are files on
    # the host, all of them or none: the authority that vouches for the signer, and what it is shown.
    signers = {
      batcher = null;
      proposer = null;
      challenger = null;
    };
    # Addresses of the accounts that send transactions on L1; they follow from the keys, which are not read here.
    accounts = {
      batcher = null;
      proposer = null;
      challenger = null;
    };

    l1 = {
      chainId = 11155111;
      rpc = "https://ethereum-sepolia-rpc.publicnode.com";
      # A file that holds the URL, where it contains an API key; then `rpc` is not used.
      rpcFile = null;
      rpcKind = "standard";
      # null: no beacon node, as on devnets; then data availability is calldata.
      beacon = "https://ethereum-sepolia-beacon-api.publicnode.com";
      beaconFallbacks = [ ];
      # Files with these where they hold an API key, then the values above are not used; and with a header for the beacon
      # endpoint, as `Authorization: Bearer TOKEN`.
      beaconFile = null;
      beaconFallbacksFile = null;
      beaconHeaderFile = null;
      trustRpc = false;
      # The L1's chain config, needed where it is neither mainnet, Sepolia, Holesky nor Hoodi.
      chainConfig = null;
    };

    l2 = {
      chainId = null;
      # Where a verifier sends transactions that it is given: the sequencer's execution RPC.
      sequencerRpc = null;
      # null: the file `dispute-game-factory` beside rollup.json, which the bootstrap writes.
      disputeGameFactory = null;
      # The forks that rollup.json schedules; known to the caller or empty.
      forks = [ ];
    };

    paths = rec {
      state = "/var/lib/every-channel/op-stack";
      # What the bootstrap publishes: genesis.json, rollup.json, dispute-game-factory; last `complete`, their digests.
      chain = "${state}/chain";
      prestate = null;
      # The shell that reads secrets into the environment of a program that takes them from nowhere else.
      shell = "/bin/sh";
      cannon = "/usr/local/bin/cannon";
      opProgram = "/usr/local/bin/op-program";
    };

    components = {
      execution = common // {
        enable = true;
        ports = {
          http = 28545;
          ws = 28546;
          engine = 28551;
          p2p = 28503;
          metrics = 27300;
          pprof = 26060;
        };
        bootnodes = [ ];
      };
      op-node = common // {
        enable = true;
        ports = {
          rpc = 29545;
          p2p = 28522;
          metrics = 27301;
          pprof = 26061;
        };
        staticPeers = [ ];
        p2pAddress = "0.0.0.0";
        sequencerConfirmations = 4;
        verifierConfirmations = 4;
        # A sequencer that starts without sequencing, for a controlled hand-over.
        sequencerStopped = false;
      };
      op-batcher = common // {
        enable = null;
        ports = {
          rpc = 28548;
          metrics = 27302;
          pprof = 26062;
        };
        dataAvailability = null;
        # L1 blocks; 25 is five minutes. 0 posts only when a channel is full or near its end of 12 hours.
        maxChannelDuration = 25;
      };
      op-proposer = common // {
        enable = null;
        ports = {
          rpc = 28560;
          metrics = 27303;
          pprof = 26063;
        };
        # 1: permissioned, the only one that a fresh chain has.
        gameType = 1;
        interval = "30m";
      };
      op-challenger = common // {
        enable = null;
        ports = {
          metrics = 27304;
          pprof = 26064;
        };
        gameTypes = [ "permissioned" ];
      };
      op-dispute-mon = common // {
        enable = null;
        ports = {
          metrics = 27305;
          pprof = 26065;
        };
        honestActors = [ ];
      };
    };
  };

  # what depends on other settings
  derive =
    s:
    let
      sequencer = s.role == "sequencer";
      dispute = s.paths.prestate != null;
      enabledBy = {
        op-batcher = sequencer;
        op-proposer = sequencer;
        op-challenger = dispute;
        op-dispute-mon = dispute;
      };
      component =
        name: c:
        c
        // {
          enable = if c.enable == null then enabledBy.${name} else c.enable;
          secretsDirectory =
            if c.secretsDirectory == null then "${s.paths.state}/secrets/${name}" else c.secretsDirectory;
        };
    in
    s
    // {
      components = builtins.mapAttrs component s.components;
      accounts = builtins.mapAttrs (
        name: address:
        if address == null && s.signers.${name} != null then s.signers.${name}.address else address
      ) s.accounts;
    };
in
given:
let
  # paths below `state` follow it
  state = given.paths.state or defaults.paths.state;
  base = merge defaults {
    paths = {
      inherit state;
      chain = "${state}/chain";
    };
  };
in
derive (merge base given)
