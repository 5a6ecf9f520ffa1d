# The oneshot units before the services: the chain's files are published, and the execution client's datadir is made.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkIf;
  cfg = config.services.every-channel.op-stack;
  inherit (cfg) host;
  inherit (cfg.plan) settings release;
  hardening = import ../hardening.nix { inherit lib; };

  deploys = cfg.role == "sequencer" && cfg.l2.files == null;
  work = "${cfg.stateDir}/bootstrap";
  # what the deployment may read, by name in the unit's credentials; accounts and owners of the chain follow from the keys
  credentials = lib.filterAttrs (_: file: file != null) {
    inherit (cfg.secrets) jwt;
    sequencer = cfg.secrets.p2pKey;
    batcher = cfg.secrets.batcherKey;
    proposer = cfg.secrets.proposerKey;
    challenger = cfg.secrets.challengerKey;
    deployer-key = cfg.secrets.deployerKey;
    l1-rpc = cfg.l1.rpcFile;
  };

  publish = lib.getExe (
    host.script "publish-chain" [
      pkgs.coreutils
      pkgs.diffutils
      pkgs.jq
    ]
  );
  deploy = lib.getExe (
    host.script "deploy-chain" [
      pkgs.coreutils
      pkgs.jq
    ]
  );

  initialise =
    component:
    let
      inherit (component) init;
      home = lib.head component.writes;
      container = [
        "podman"
        "run"
        "--rm"
        "--name=${component.name}-init"
        "--network=none"
        "--read-only"
        "--cap-drop=all"
        "--security-opt=no-new-privileges"
        "--user=${host.ownerOf component.name}"
        "--volume=${home}:${home}"
        "--volume=${init.genesis}:${init.genesis}:ro"
        "--tmpfs=/tmp"
        "--env=HOME=/tmp"
        "--entrypoint=${component.program}"
        component.image.reference
      ];
      arguments = [
        init.datadir
        init.genesis
        (if host.native then "" else host.ownerOf component.name)
      ]
      ++ (if host.native then [ component.program ] else container)
      ++ init.args;
    in
    {
      description = "Datadir of ${component.name}";
      after = [ "op-stack-chain.service" ];
      path = lib.optional (!host.native) config.virtualisation.podman.package;
      unitConfig = {
        RequiresMountsFor = [ cfg.stateDir ];
        StartLimitIntervalSec = 0;
      };
      serviceConfig = {
        Type = "oneshot";
        RemainAfterExit = true;
        ExecStartPre = [
          (host.gate [
            "chain"
            settings.paths.chain
          ])
        ];
        ExecStart = host.execLine (
          [ (lib.getExe (host.script "initialise" [ pkgs.coreutils ])) ] ++ arguments
        );
        TimeoutStartSec = toString (cfg.readyTimeout * 2);
        Restart = "on-failure";
        RestartSec = "10s";
        KillMode = "mixed";
      }
      // lib.optionalAttrs host.native (
        hardening
        // {
          User = (host.userOf component.name).name;
          ReadWritePaths = [ home ];
        }
      );
    };
  initialised = lib.filter (component: component.init != null) host.components;
in
{
  config = mkIf cfg.enable {
    assertions = [
      {
        assertion = cfg.role == "verifier" -> cfg.l2.files != null;
        message = "services.every-channel.op-stack.l2.files: a verifier needs the chain's genesis.json and rollup.json. Name the directory that holds them.";
      }
      {
        assertion = deploys -> cfg.bootstrap.owner != null;
        message = "services.every-channel.op-stack.bootstrap.owner: the chain's contracts need an owner. Give an address of which no key is on this host. Or name a deployed chain's files by l2.files.";
      }
      {
        assertion = deploys -> cfg.bootstrap.opDeployer != null;
        message = "services.every-channel.op-stack.bootstrap.opDeployer: deploying the chain needs op-deployer. Bring it by scripts/op-stack/download-op-deployer.sh and give its path. Or name a deployed chain's files by l2.files.";
      }
      {
        assertion = deploys -> cfg.bootstrap.setupRollup != null;
        message = "services.every-channel.op-stack.bootstrap.setupRollup: nothing here deploys the chain. Use the flake's module. Or name a deployed chain's files by l2.files.";
      }
      {
        assertion = deploys -> cfg.secrets.deployerKey != null;
        message = "services.every-channel.op-stack.secrets.deployerKey: deploying the chain needs a funded key. Give the file's path as a string, or name a deployed chain's files by l2.files.";
      }
      {
        assertion = deploys -> lib.all (signer: signer == null) (lib.attrValues cfg.signers);
        message = "services.every-channel.op-stack.signers: the chain that is deployed here takes its accounts from their keys. Deploy it elsewhere and name its files by l2.files.";
      }
      {
        assertion =
          cfg.secrets.deployerKey == null
          || !lib.elem cfg.secrets.deployerKey [
            cfg.secrets.batcherKey
            cfg.secrets.proposerKey
            cfg.secrets.challengerKey
          ];
        message = "services.every-channel.op-stack.secrets.deployerKey: it is also the key of a service. Give the deployer a key of its own.";
      }
      {
        assertion =
          cfg.secrets.deployerKey == null || !lib.hasPrefix builtins.storeDir cfg.secrets.deployerKey;
        message = "services.every-channel.op-stack.secrets.deployerKey: it is in the nix store, which every user can read. Give a path outside, as a string.";
      }
    ];

    systemd.services = {
      op-stack-chain = {
        description = "Files of the chain ${toString cfg.l2.chainId}";
        wantedBy = [ "multi-user.target" ];
        wants = lib.optional deploys "network-online.target";
        after = lib.optional deploys "network-online.target";
        environment = {
          CHAIN = settings.paths.chain;
          SOURCE = if deploys then "${work}/chain" else "${cfg.l2.files}";
          L1_CHAIN_ID = toString settings.l1.chainId;
          L2_CHAIN_ID = toString settings.l2.chainId;
          KARST = lib.boolToString release.karst;
        }
        // lib.optionalAttrs (settings.l2.disputeGameFactory != null) {
          FACTORY = settings.l2.disputeGameFactory;
        }
        // lib.optionalAttrs deploys (
          {
            WORK = work;
            HOME = work;
            OWNER = toString cfg.bootstrap.owner;
            OP_DEPLOYER = toString cfg.bootstrap.opDeployer;
            SETUP_ROLLUP = toString cfg.bootstrap.setupRollup;
            OP_NODE_VERSION = cfg.plan.components.op-node.version;
          }
          // lib.optionalAttrs (cfg.l1.rpcFile == null) { L1_RPC_URL = cfg.l1.rpc; }
        );
        unitConfig.RequiresMountsFor = [ cfg.stateDir ];
        serviceConfig = hardening // {
          Type = "oneshot";
          RemainAfterExit = true;
          ExecStartPre = lib.optional deploys deploy;
          ExecStart = publish;
          User = (host.userOf "chain").name;
          LoadCredential = lib.optionals deploys (
            lib.mapAttrsToList (name: file: "${name}:${file}") credentials
          );
          ReadWritePaths = [
            settings.paths.chain
            work
          ];
          # a deployment costs money and is looked at by a person before it is tried again
          Restart = "no";
          TimeoutStartSec = "1h";
          KillMode = "mixed";
        };
      };
    }
    // lib.listToAttrs (
      map (component: {
        name = "${component.name}-init";
        value = initialise component;
      }) initialised
    );
  };
}
