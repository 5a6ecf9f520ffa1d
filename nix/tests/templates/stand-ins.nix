# The options of agenix and sops-nix that nix/templates uses, where the two cannot be had.
{ lib }:
let
  inherit (lib) mkOption types;
  secrets =
    directory: options:
    mkOption {
      default = { };
      type = types.attrsOf (
        types.submodule (
          { name, ... }:
          {
            options = options // {
              path = mkOption {
                type = types.str;
                default = "${directory}/${name}";
              };
            };
          }
        )
      );
    };
in
{
  agenix.options.age = {
    # has no default on a host without sshd
    identityPaths = mkOption { type = types.nonEmptyListOf types.path; };
    secrets = secrets "/run/agenix" {
      file = mkOption { type = types.path; };
    };
  };
  sops.options.sops = {
    secrets = secrets "/run/secrets" { };
    defaultSopsFile = mkOption { type = types.path; };
    age.sshKeyPaths = mkOption { type = types.listOf types.path; };
  };
}
