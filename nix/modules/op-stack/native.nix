# The components as sandboxed services.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.every-channel.op-stack;
  inherit (cfg) host;
  hardening = import ../hardening.nix { inherit lib; };
  # a script: nix/lib's command is a shell's words, and systemd would expand $ and % in them
  start =
    component:
    pkgs.writeShellApplication {
      name = "${component.name}-start";
      text = "exec ${lib.escapeShellArgs component.command}";
    };
in
{
  config = lib.mkIf (cfg.enable && host.native) {
    assertions = map (component: {
      assertion = cfg.components.${component.key}.package != null;
      message = "services.every-channel.op-stack.components.${component.key}.package: the native backend needs the package of ${component.name}. Set it, or use backend = \"oci\".";
    }) host.components;

    systemd.services = lib.listToAttrs (
      map (component: {
        inherit (component) name;
        value = {
          inherit (component) environment;
          serviceConfig =
            hardening
            // {
              Type = "exec";
              ExecStart = lib.getExe (start component);
              User = (host.userOf component.name).name;
              ReadWritePaths = component.writes;
              KillSignal = "SIGINT";
              LimitNOFILE = 65536;
            }
            // lib.optionalAttrs (component.key == "execution") {
              # it measures processor and disks for its metrics
              ProcSubset = "all";
            };
        };
      }) host.components
    );
  };
}
