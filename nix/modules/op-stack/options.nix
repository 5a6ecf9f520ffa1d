# The options of services.every-channel.op-stack. The defaults of what nix/lib knows are nix/lib's own.
{
  config,
  lib,
  pkgs,
  utils,
  ...
}:
let
  inherit (lib)
    literalExpression
    mkEnableOption
    mkOption
    types
    ;
  cfg = config.services.every-channel.op-stack;
  library = import ../../lib;
  defaults = (library.plan { }).settings;

  # an option whose default is nix/lib's
  option =
    type: default: description: example:
    mkOption {
      inherit type default description;
    }
    // lib.optionalAttrs (example != null) { inherit example; };

  # a file that holds a secret: never copied to the store
  secret =
    description:
    mkOption {
      type = types.nullOr types.str;
      default = null;
      inherit description;
      example = "/run/agenix/op-stack-key";
    };

  # of an account whose key is elsewhere
  signer =
    account:
    mkOption {
      type = types.nullOr (
        types.submodule {
          options = {
            endpoint = mkOption {
              type = types.str;
              description = "The signer, asked by JSON-RPC (`eth_signTransaction`).";
              example = "https://signer.internal:9000";
            };
            address = mkOption {
              type = types.strMatching "0x[0-9a-fA-F]{40}";
              description = "The account that signs.";
              example = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
            };
            ca = secret "File with the certificate of the authority that vouches for the signer, PEM.";
            cert = secret "File with the client certificate, PEM.";
            key = secret "File with the client certificate's key, PEM.";
          };
        }
      );
      default = null;
      description = "A signer elsewhere that holds the ${account}'s key, instead of `secrets.${account}Key`. Its three files are all given, or none.";
      example = literalExpression ''
        {
          endpoint = "https://signer.internal:9000";
          address = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
          ca = "/run/agenix/signer-ca";
          cert = "/run/agenix/signer-cert";
          key = "/run/agenix/signer-key";
        }
      '';
    };

  # of an account whose key is among the secrets
  address =
    what:
    mkOption {
      type = types.nullOr (types.strMatching "0x[0-9a-fA-F]{40}");
      default = null;
      description = "${what}, as `ec-op-stack key address FILE` tells it. `ec-op-stack doctor` and `status` watch its funds.";
      example = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
    };

  value =
    with types;
    nullOr (oneOf [
      bool
      int
      str
      (listOf (oneOf [
        int
        str
      ]))
    ]);

  component =
    key: title: own:
    let
      known = defaults.components.${key};
      port =
        name: number:
        mkOption {
          type = types.port;
          default = number;
          description = "The ${name} port of ${title}.";
        };
    in
    mkOption {
      default = { };
      description = "How ${title} is run.";
      type = types.submodule {
        options = {
          enable = mkOption {
            type = types.nullOr types.bool;
            default = if key == "execution" || key == "op-node" then true else null;
            description = "Whether ${title} runs. `null`: as the role and `dispute.prestateFile` ask for.";
            example = true;
          };
          address =
            option types.str known.address
              "The address of all its listeners but P2P. Anything but loopback is refused."
              null;
          ports = lib.mapAttrs port known.ports;
          settings = mkOption {
            type = types.attrsOf value;
            default = { };
            description = ''
              Flags of ${title}, by name without the dashes. They come before the module's own; `null` takes one away,
              a list is joined by commas. A flag that the pinned release does not have is refused.
            '';
            example = literalExpression ''{ "log.level" = "debug"; }'';
          };
          extraArgs =
            option (types.listOf types.str) known.extraArgs "Arguments that come last, as they are."
              [ "--log.format=json" ];
          environment =
            option (types.attrsOf types.str) known.environment "Variables of its process. Secrets are refused."
              { GOMEMLIMIT = "2GiB"; };
          image = {
            repository = mkOption {
              type = types.nullOr types.str;
              default = null;
              description = "The image without tag and digest. `null`: the release set's.";
              example = "registry.example/op-stack/${key}";
            };
            tag = mkOption {
              type = types.nullOr types.str;
              default = null;
              description = "The image's tag, where it is not pinned by digest. `null`: the release set's.";
              example = "v1.16.7";
            };
          };
          digest = mkOption {
            type = types.nullOr types.str;
            default = null;
            description = ''
              The image's digest, by which it is pinned. `null`: what `imageLock` says of this repository and tag;
              `scripts/op-stack/pin-images.sh` resolves tags once into that file.
            '';
            example = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
          };
          program = mkOption {
            type = types.nullOr types.str;
            default = null;
            description = "The program in the image or the package. `null`: by the component's name.";
            example = "geth";
          };
          version = mkOption {
            type = types.nullOr types.str;
            default = null;
            description = "The program's release, for `ec-op-stack doctor`. `null`: the image's tag, or that of the flake's package.";
            example = "v1.16.7";
          };
          package = mkOption {
            type = types.nullOr types.package;
            default = null;
            description = "Where the program comes from with `backend = \"native\"`. The flake sets it.";
            example = literalExpression "pkgs.op-geth";
          };
        }
        // own known;
      };
    };
in
{
  options.services.every-channel.op-stack = {
    enable = mkEnableOption "an OP Stack chain that is anchored on another one";

    role =
      option
        (types.enum [
          "sequencer"
          "verifier"
        ])
        defaults.role
        "Whether this host makes the chain's blocks, or follows and checks them."
        "sequencer";

    backend = mkOption {
      type = types.enum [
        "oci"
        "native"
      ];
      default = "oci";
      description = "Run pinned images with podman on the host's network, or packages as sandboxed services.";
      example = "native";
    };

    executionClient = option (types.enum (lib.attrNames library.releases)) defaults.executionClient ''
      The execution client, and with it the release set of all components. op-geth's support ended on ${library.releases.op-geth.endOfSupport};
      it cannot follow a chain past the Karst hardfork.
    '' "op-reth";

    stateDir = mkOption {
      type = types.str;
      default = defaults.paths.state;
      description = "Where everything is kept: a directory per component, and `chain` with the chain's own files.";
      example = "/tank/op-stack";
    };

    openFirewall = mkOption {
      type = types.bool;
      default = false;
      description = "Open the P2P ports of op-node and the execution client. No other port is ever opened.";
      example = true;
    };

    checkFlags =
      option types.bool defaults.checkFlags
        "Refuse flags that the release set's programs do not list. Turn off for an image of another release."
        false;

    pinImages = mkOption {
      type = types.bool;
      default = true;
      description = "Refuse images without a digest.";
    };

    imageLock = mkOption {
      type = types.attrsOf types.str;
      default =
        if builtins.pathExists ../../images.lock.json then lib.importJSON ../../images.lock.json else { };
      defaultText = literalExpression "lib.importJSON ./nix/images.lock.json";
      description = "`repository:tag` → digest, as `scripts/op-stack/pin-images.sh` writes it.";
      example = {
        "us-docker.pkg.dev/oplabs-tools-artifacts/images/op-node:v1.16.7" = "sha256:0123…";
      };
    };

    reservedPorts =
      option (types.listOf types.port) defaults.reservedPorts
        "Ports of other programs of this host that no component may use; by default those of an Ethereum node."
        [ 30303 ];

    readyTimeout = mkOption {
      type = types.ints.positive;
      default = 600;
      description = "Seconds that a service waits for what it needs to be ready, before it fails and tries again.";
      example = 3600;
    };

    firstUid = mkOption {
      type = types.ints.between 1000 60000;
      default = 28500;
      description = ''
        User id of the first of eight system users, one per component. They are fixed because containers know users by
        number only.
      '';
      example = 41000;
    };

    tools = mkOption {
      type = types.nullOr types.package;
      default = null;
      description = "The package with ec-op-stack. The flake sets it.";
      example = literalExpression "inputs.every-channel.packages.\${system}.ec-op-stack";
    };

    l1 = {
      chainId =
        option types.ints.positive defaults.l1.chainId "Chain id of the L1; by default Sepolia's."
          1;
      rpc = option types.str defaults.l1.rpc "JSON-RPC endpoint of the L1." "http://127.0.0.1:8545";
      rpcFile = secret "A file with that endpoint's URL, where it contains an API key. Comes before `l1.rpc`.";
      rpcKind = option (types.enum [
        "alchemy"
        "quicknode"
        "infura"
        "parity"
        "nethermind"
        "debug_geth"
        "erigon"
        "basic"
        "any"
        "standard"
      ]) defaults.l1.rpcKind "How op-node fetches receipts from it." "debug_geth";
      beacon = option (types.nullOr types.str) defaults.l1.beacon ''
        Beacon API endpoint of the L1, from which blobs are read. `null` on devnets without one; then batches are
        calldata.
      '' "http://127.0.0.1:5052";
      beaconFallbacks =
        option (types.listOf types.str) defaults.l1.beaconFallbacks
          "Blob archivers for blobs older than what a beacon node keeps, about 18 days."
          [ "https://blobs.example" ];
      beaconFile = secret "A file with the beacon endpoint's URL, where it contains an API key. Comes before `l1.beacon`.";
      beaconFallbacksFile = secret "A file with the blob archivers' URLs, separated by commas, where one contains an API key. Comes before `l1.beaconFallbacks`.";
      beaconHeaderFile = secret "A file with a header that the beacon endpoint asks for, as `Authorization: Bearer TOKEN`.";
      trustRpc =
        option types.bool defaults.l1.trustRpc "Do not verify what the endpoint returns. For devnets only."
          null;
      chainConfig =
        option (types.nullOr types.str) defaults.l1.chainConfig
          "The L1's chain config; needed where that is not mainnet, Sepolia, Holesky or Hoodi."
          "/etc/op-stack/l1.json";
    };

    l2 = {
      chainId =
        option (types.nullOr types.ints.positive) defaults.l2.chainId "Chain id of the L2. Has no default."
          901;
      sequencerRpc =
        option (types.nullOr types.str) defaults.l2.sequencerRpc
          "Where a verifier sends the transactions that it is given."
          "https://rpc.example";
      disputeGameFactory =
        option (types.nullOr types.str) defaults.l2.disputeGameFactory
          "Address of the DisputeGameFactory on L1. `null`: what the bootstrap found."
          "0x51095eac6e2b6da9811c6febbdd67add79135ce0";
      files = mkOption {
        type = types.nullOr (types.either types.path types.str);
        default = null;
        description = ''
          A directory with the chain's `genesis.json` and `rollup.json`, and maybe `dispute-game-factory`. Needed by a
          verifier; a sequencer without it deploys the chain, see `bootstrap`.
        '';
        example = literalExpression "./chain";
      };
    };

    secrets = {
      jwt = secret "The token that op-node and the execution client share: 32 bytes as hex.";
      p2pKey = secret "The key with which the sequencer signs the blocks that it gossips.";
      batcherKey = secret "Key of the batcher's account on L1.";
      proposerKey = secret "Key of the proposer's account on L1.";
      challengerKey = secret "Key of the challenger's account on L1.";
      deployerKey = secret "Key of the account that deploys the chain's contracts, used once by the bootstrap.";
    };

    signers = lib.genAttrs [ "batcher" "proposer" "challenger" ] signer;

    accounts = {
      batcher = address "Address of the batcher's account on L1";
      proposer = address "Address of the proposer's account on L1";
      challenger = address "Address of the challenger's account on L1";
    };

    bootstrap = {
      owner = mkOption {
        type = types.nullOr types.str;
        default = null;
        description = "Address that owns the chain's contracts and receives its fees: a multisig or a hardware wallet.";
        example = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
      };
      opDeployer = mkOption {
        type = types.nullOr types.str;
        default = null;
        description = ''
          The program op-deployer, which deploys the contracts. `scripts/op-stack/download-op-deployer.sh` brings the
          released one; the flake's package lacks the contracts' artifacts.
        '';
        example = "/tank/op-deployer";
      };
      setupRollup = mkOption {
        type = types.nullOr types.str;
        default = null;
        description = "The program that deploys the chain on a sequencer without `l2.files`. The flake sets it to `scripts/op-stack/setup-rollup.sh`.";
        example = "/srv/every-channel/scripts/op-stack/setup-rollup.sh";
      };
    };

    dispute.prestateFile = mkOption {
      type = types.nullOr types.str;
      default = null;
      description = ''
        The Cannon prestate whose hash the dispute games name on chain. Without it the core rollup runs and the units of
        op-challenger and op-dispute-mon do not exist.
      '';
      example = "/var/lib/every-channel/prestate.bin.gz";
    };

    components = {
      execution = component "execution" "the execution client" (known: {
        bootnodes = option (types.listOf types.str) known.bootnodes "Peers to begin with." [
          "enode://0123@192.0.2.7:28503"
        ];
      });
      op-node = component "op-node" "op-node" (known: {
        staticPeers = option (types.listOf types.str) known.staticPeers "Peers to stay connected to." [
          "/dns4/sequencer.example/tcp/28522/p2p/16Uiu2HAm0123"
        ];
        p2pAddress = option types.str known.p2pAddress "The address that P2P listens on." "192.0.2.7";
        sequencerConfirmations =
          option types.ints.unsigned known.sequencerConfirmations
            "L1 blocks that the sequencer stays behind the L1 head."
            null;
        verifierConfirmations =
          option types.ints.unsigned known.verifierConfirmations
            "L1 blocks that derivation stays behind the L1 head."
            null;
        sequencerStopped =
          option types.bool known.sequencerStopped
            "Start without making blocks, and the batcher without posting; `admin_startSequencer` and `admin_startBatcher` begin. For a hand-over."
            true;
      });
      op-batcher = component "op-batcher" "op-batcher" (known: {
        dataAvailability =
          option
            (types.nullOr (
              types.enum [
                "calldata"
                "blobs"
                "auto"
              ]
            ))
            known.dataAvailability
            "How batches are posted. `null`: blobs with a beacon endpoint, else calldata."
            "auto";
        maxChannelDuration = option types.ints.unsigned known.maxChannelDuration ''
          L1 blocks after which a channel is posted though it is not full. 0 waits until it is full or nearly 12 hours
          old.
        '' 5;
      });
      op-proposer = component "op-proposer" "op-proposer" (known: {
        gameType =
          option types.ints.unsigned known.gameType
            "The dispute game of the proposals; a fresh chain has 1 only, permissioned."
            0;
        interval = option types.str known.interval "Time between proposals." "1h";
      });
      op-challenger = component "op-challenger" "op-challenger" (known: {
        gameTypes = option (types.listOf types.str) known.gameTypes "The games it takes part in." [
          "permissioned"
          "cannon"
        ];
      });
      op-dispute-mon = component "op-dispute-mon" "op-dispute-mon" (known: {
        honestActors =
          option (types.listOf types.str) known.honestActors "Addresses that are held to be honest."
            [
              "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
            ];
      });
    };

    plan = mkOption {
      type = types.attrs;
      internal = true;
      readOnly = true;
      description = "What nix/lib made of these options.";
    };

    host = mkOption {
      type = types.raw;
      internal = true;
      readOnly = true;
      description = "Names, users, directories and gates that the backends share.";
    };
  };

  config.services.every-channel.op-stack = {
    plan = import ./plan.nix { inherit cfg lib; };
    host = import ./host.nix {
      inherit
        cfg
        lib
        pkgs
        utils
        ;
    };
  };
}
