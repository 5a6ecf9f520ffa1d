# The operator's tools on the host: what runs, as a file for `ec-op-stack doctor` and `status`, and the doctor at each start.
{
  config,
  lib,
  ...
}:
let
  cfg = config.services.every-channel.op-stack;
  inherit (cfg) host;
  hardening = import ../hardening.nix { inherit lib; };
  # cannon as this host can run it
  onHost =
    lib.replaceStrings
      [ "--cannon-bin=${cfg.plan.settings.paths.cannon}" ]
      [
        "--cannon-bin=${host.cannon}"
      ];
  components = lib.mapAttrs (
    name: component:
    if name == "op-challenger" then component // { args = map onHost component.args; } else component
  ) stack.components;
  stack = (import ../../lib).stack cfg.plan;
  file = "ec-op-stack/stack.json";
in
{
  config = lib.mkIf (cfg.enable && cfg.tools != null) {
    environment.systemPackages = [ cfg.tools ];
    environment.etc.${file}.text = builtins.toJSON (stack // { inherit components; });

    # It says what it finds, and fails where something must be mended; it does not keep a chain from starting that ran
    # before, as an account without funds would on every boot.
    systemd.services.op-stack-chain.serviceConfig.ExecStartPost =
      "+${config.systemd.package}/bin/systemctl start --no-block op-stack-doctor.service";
    systemd.services.op-stack-doctor = {
      description = "What would go wrong with the chain ${toString cfg.l2.chainId}";
      wantedBy = [ "op-stack.target" ];
      wants = [ "network-online.target" ];
      after = [
        "network-online.target"
        "op-stack-chain.service"
      ];
      path = lib.optional (!host.native) config.virtualisation.podman.package;
      restartTriggers = [ config.environment.etc.${file}.source ];
      serviceConfig = {
        Type = "oneshot";
        ExecStart = "${cfg.tools}/bin/ec-op-stack doctor --stack /etc/${file}";
        TimeoutStartSec = "5min";
        KillMode = "mixed";
        Restart = "no";
      }
      # root without any capability: it reads root's files, the secrets among them
      // lib.optionalAttrs host.native hardening;
    };
  };
}
