# The components as podman containers of pinned images, on the host's network.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.every-channel.op-stack;
  inherit (cfg) host;
  handOver = lib.getExe (host.script "hand-over-secrets" [ pkgs.coreutils ]);

  # a tmpfs of the unit: podman-* has the runtime directory /run/<name>
  secretsOf = component: "/run/${component.name}/secrets";
  mount = suffix: path: "${path}:${path}${suffix}";
in
{
  config = lib.mkIf (cfg.enable && !host.native) {
    virtualisation.oci-containers.backend = "podman";

    virtualisation.oci-containers.containers = lib.listToAttrs (
      map (component: {
        inherit (component) name;
        value = {
          image = component.image.reference;
          # by op-stack.target
          autoStart = false;
          entrypoint = lib.head component.command;
          cmd = lib.tail component.command;
          user = host.ownerOf component.name;
          environment = {
            HOME = "/tmp";
          }
          // component.environment;
          volumes =
            map (mount ":ro") component.reads
            ++ map (mount "") component.writes
            ++ lib.optional (component.secrets != { }) "${secretsOf component}:/secrets:ro";
          extraOptions = [
            "--network=host"
            "--read-only"
            "--tmpfs=/tmp"
            "--cap-drop=all"
            "--security-opt=no-new-privileges"
            "--stop-signal=SIGINT"
            "--stop-timeout=${toString (host.stopSeconds component)}"
          ];
        };
      }) host.components
    );

    systemd.services = lib.listToAttrs (
      map (component: {
        name = host.unitOf component.name;
        value.serviceConfig = {
          Delegate = lib.mkOverride 75 true;
          ExecStartPre = lib.mkAfter (
            lib.optional (component.secrets != { }) (
              host.execLine [
                handOver
                (host.ownerOf component.name)
                (secretsOf component)
              ]
            )
          );
        };
      }) host.components
    );
  };
}
