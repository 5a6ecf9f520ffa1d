# An OP Stack chain on one host: services.every-channel.op-stack. What is run with which arguments is nix/lib's
# decision; here it becomes units, users and directories.
{
  config,
  lib,
  ...
}:
let
  inherit (lib) mkDefault mkIf mkMerge;
  # before what oci-containers sets; an operator's mkForce comes before both
  ours = lib.mkOverride 75;
  cfg = config.services.every-channel.op-stack;
  inherit (cfg) host;
  inherit (host) components unitOf userOf;

  prefix = "services.every-channel.op-stack.";
  problems = map (problem: {
    assertion = false;
    message = "${prefix}${problem.option}: ${problem.message}";
  }) cfg.plan.problems;

  public = lib.concatMap (
    component: lib.filter (port: port.public) (lib.attrValues component.ports)
  ) components;
  open = protocol: map (port: port.port) (lib.filter (port: lib.elem protocol port.protocols) public);
in
{
  imports = [
    ./op-stack/options.nix
    ./op-stack/chain.nix
    ./op-stack/native.nix
    ./op-stack/oci.nix
    ./op-stack/tools.nix
  ];

  config = mkIf cfg.enable {
    assertions = problems ++ [
      {
        assertion = cfg.tools != null;
        message = "${prefix}tools: not set. Use the flake's module, or set it to the package of ec-op-stack.";
      }
    ];
    warnings = map (warning: "${prefix}enable: ${warning}") cfg.plan.warnings;

    # one user per component: none can read another's key or data
    users = mkMerge (
      map (
        name:
        let
          user = userOf name;
        in
        {
          users.${user.name} = {
            isSystemUser = true;
            inherit (user) uid;
            group = user.name;
          };
          groups.${user.name}.gid = user.uid;
        }
      ) ([ "chain" ] ++ map (component: component.name) components)
    );

    systemd.tmpfiles.settings.every-channel-op-stack = mkMerge (
      [
        {
          ${cfg.stateDir}.d = {
            mode = "0755";
            user = "root";
            group = "root";
          };
        }
      ]
      ++ map (directory: {
        ${directory.path}.d = {
          inherit (directory) mode;
          user = directory.owner.name;
          group = directory.owner.name;
        };
      }) host.directories
    );

    # all of the chain: one transaction, and so the right order, to stop or restart it
    systemd.targets.op-stack = {
      description = "The chain ${toString cfg.l2.chainId}";
      wantedBy = [ "multi-user.target" ];
    };

    # What both backends have in common. A service waits for what it needs instead of requiring its unit: a crash there is
    # ridden out, and a first start that failed is tried again.
    systemd.services = lib.listToAttrs (
      map (component: {
        name = unitOf component.name;
        value = {
          description = "${component.name} of the chain ${toString cfg.l2.chainId}";
          documentation = [ "https://docs.optimism.io/operators" ];
          wantedBy = [ "op-stack.target" ];
          partOf = [ "op-stack.target" ];
          # not op-stack-chain: each retry here would try the deployment again
          wants = [ "network-online.target" ] ++ lib.remove "op-stack-chain.service" (host.before component);
          after = [ "network-online.target" ] ++ host.before component;
          unitConfig = {
            RequiresMountsFor = [ cfg.stateDir ];
            StartLimitIntervalSec = 0;
          };
          serviceConfig = {
            LoadCredential = lib.mapAttrsToList (name: secret: "${name}:${secret.file}") component.secrets;
            ExecStartPre = lib.mkBefore (host.gates component);
            # longer than the gates together; podman's own start is short
            TimeoutStartSec = ours (toString (cfg.readyTimeout * 5));
            TimeoutStopSec = ours (toString (host.stopSeconds component + 30));
            Restart = ours "on-failure";
            RestartSec = mkDefault "10s";
            KillMode = "mixed";
          };
        };
      }) components
    );

    networking.firewall = mkIf cfg.openFirewall {
      allowedTCPPorts = open "tcp";
      allowedUDPPorts = open "udp";
    };
  };
}
