# The oneshot units before the services: the chain's files are published, and the execution client's datadir is made.
{
  config,
  lib,
  pkgs,
  utils,
  ...
}:
let
  inherit (lib) mkIf;
  cfg = config.services.every-channel.op-stack;
  host = import ./host.nix {
    inherit
      cfg
      lib
      pkgs
      utils
      ;
  };
  inherit (cfg.plan) settings release;
  hardening = import ../hardening.nix { inherit lib; };

  deploys = cfg.role == "sequencer" && cfg.l2.files == null;
  work = "${cfg.stateDir}/bootstrap";
  # the secrets of the deployment, under these names in the unit's credentials
  credentials = lib.filterAttrs (_: file: file != null) {
    deployer-key = cfg.secrets.deployerKey;
    l1-rpc = cfg.l1.rpcFile;
  };

  bootstrap = pkgs.writeShellApplication {
    name = "op-stack-chain";
    runtimeInputs = [
      (host.script "publish-chain" [
        pkgs.coreutils
        pkgs.diffutils
        pkgs.jq
      ])
    ];
    text = ''
      ${lib.optionalString (deploys && cfg.bootstrap.command != null) ''
        # a chain that is published is never deployed again
        [[ -e $CHAIN/complete ]] || ${lib.escapeShellArgs cfg.bootstrap.command}
      ''}
      exec publish-chain
    '';
  };

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
      wants = [ "op-stack-chain.service" ];
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
        assertion = deploys -> cfg.bootstrap.command != null;
        message = "services.every-channel.op-stack.bootstrap.command: nothing here deploys the chain. Use the flake's module, or name a deployed chain's files by l2.files.";
      }
      {
        assertion = deploys -> cfg.secrets.deployerKey != null;
        message = "services.every-channel.op-stack.secrets.deployerKey: deploying the chain needs a funded key. Give the file's path as a string, or name a deployed chain's files by l2.files.";
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
          SOURCE = if deploys then "${work}/out" else "${cfg.l2.files}";
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
          }
          // lib.optionalAttrs (cfg.l1.rpcFile == null) { L1_RPC_URL = cfg.l1.rpc; }
          // cfg.bootstrap.environment
        );
        unitConfig.RequiresMountsFor = [ cfg.stateDir ];
        serviceConfig = hardening // {
          Type = "oneshot";
          RemainAfterExit = true;
          ExecStart = lib.getExe bootstrap;
          User = (host.userOf "chain").name;
          LoadCredential = lib.mapAttrsToList (name: file: "${name}:${file}") credentials;
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
