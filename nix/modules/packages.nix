# Sets the modules' packages to the flake's own; each may be set otherwise.
packages:
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkDefault mkOption types;
  own = packages.${pkgs.stdenv.hostPlatform.system};
  # the execution client is apart: which one it is, an option says
  tools = lib.filter (program: program.package != null && program.component != "execution") (
    (import ../lib).programs.services
  );
in
{
  options.services.every-channel =
    lib.genAttrs
      [
        "archive"
        "witness"
      ]
      (
        _:
        mkOption {
          type = types.attrsOf (types.submodule { package = mkDefault own.ec-witness; });
        }
      );

  config.services.every-channel.explorer.package = mkDefault own.ec-explorer;
  config.services.every-channel.op-stack = {
    tools = mkDefault own.ec-op-stack;
    bootstrap.setupRollup = mkDefault "${own.op-stack-scripts}/bin/setup-rollup";
    components =
      lib.genAttrs (map (program: program.component) tools) (_: {
        package = mkDefault own.op-stack-tools;
      })
      // {
        # op-reth is not among them
        execution.package = lib.mkIf (config.services.every-channel.op-stack.executionClient == "op-geth") (
          mkDefault own.op-stack-tools
        );
      };
  };
}
