# The devnet's settings for nix/lib. Only what must differ from a host does: places, endpoints and keys; L1, which is
# Anvil without a beacon node; and the clock, as nobody waits half an hour for a proposal.
{
  # the devnet's directory, the programs' directory
  dir,
  bin,
  # whose directory and ports: sequencer, verifier, or standby, which is a sequencer that makes no blocks yet
  node ? "sequencer",
  # whether a sequencer starts without making blocks
  stopped ? node == "standby",
  # the multiaddress of another node to hear blocks from
  peer ? "",
  # "" where no disputes are played
  prestate ? "",
  # L1's; 255 ports from it on are used
  port ? 21000,
}:
let
  l1 = "http://127.0.0.1:${toString port}";
  role = if node == "verifier" then "verifier" else "sequencer";
  base =
    port
    + {
      sequencer = 100;
      verifier = 200;
      # up to the sequencer's
      standby = 45;
    }
    .${node};
  ports = builtins.mapAttrs (_: offset: base + offset);
  component = name: own: own // { program = "${bin}/${name}"; };
  own = "${dir}/${node}";
in
{
  inherit role;
  l1 = {
    chainId = 900;
    rpc = l1;
    beacon = null;
    trustRpc = true;
    chainConfig = "${dir}/chain/l1-config.json";
  };
  l2 = {
    chainId = 901;
    sequencerRpc = if role == "sequencer" then null else "http://127.0.0.1:${toString (port + 101)}";
  };
  paths = {
    state = own;
    chain = "${dir}/chain";
    prestate = if prestate == "" then null else prestate;
    cannon = "${bin}/cannon";
    opProgram = "${bin}/op-program";
  };
  secrets = {
    jwt = "${own}/keys/jwt";
    p2pKey = "${own}/keys/p2p";
    batcherKey = "${own}/keys/batcher";
    proposerKey = "${own}/keys/proposer";
    challengerKey = "${own}/keys/challenger";
  };
  components = {
    execution = component "op-geth" {
      ports = ports {
        http = 1;
        ws = 2;
        engine = 3;
        p2p = 4;
        metrics = 5;
        pprof = 6;
      };
      # it has no peers: blocks come by op-node
      settings = {
        nodiscover = true;
        maxpeers = 0;
      };
    };
    op-node = component "op-node" {
      ports = ports {
        rpc = 11;
        p2p = 12;
        metrics = 13;
        pprof = 14;
      };
      p2pAddress = "127.0.0.1";
      sequencerStopped = stopped;
      staticPeers = if peer == "" then [ ] else [ peer ];
      settings = {
        # it resolves the names of its default bootnodes even without discovery
        "p2p.bootnodes" =
          "enode://9915308d54bad3981d3d755fe3658402b394462e4488a6aa197a83acac77920a7210b5942ea0071c4cf3cd30e7d6474ce70c21040aa5f004329cf79216b75b6f@127.0.0.1:${toString (port + 104)}";
        "p2p.no-discovery" = true;
        # of L1's finalized head; by default as long as an epoch
        "l1.epoch-poll-interval" = "2s";
        "l1.http-poll-interval" = "1s";
      };
    };
    op-batcher = component "op-batcher" {
      ports = ports {
        rpc = 21;
        metrics = 22;
        pprof = 23;
      };
      maxChannelDuration = 2;
      settings.poll-interval = "1s";
    };
    op-proposer = component "op-proposer" {
      ports = ports {
        rpc = 31;
        metrics = 32;
        pprof = 33;
      };
      interval = "20s";
      settings.poll-interval = "2s";
    };
    op-challenger = component "op-challenger" {
      ports = ports {
        metrics = 41;
        pprof = 42;
      };
      settings = {
        # it refuses to start without one; op-program asks it for blobs, and there are none
        l1-beacon = l1;
        http-poll-interval = "2s";
      };
    };
    # never started here: its games would have to be of days
    op-dispute-mon = component "op-dispute-mon" {
      enable = false;
      ports = ports {
        metrics = 51;
        pprof = 52;
      };
    };
  };
}
