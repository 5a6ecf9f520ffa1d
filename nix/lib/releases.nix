# The release sets: ec-op-stack/data/releases.json, which the doctor and the scripts read too, by execution client.
#
# `flags` is the set's directory with one file per program.
builtins.mapAttrs (
  execution: release:
  release
  // {
    inherit execution;
    flags = ../../ec-op-stack/data/flags + "/${execution}";
  }
) (builtins.fromJSON (builtins.readFile ../../ec-op-stack/data/releases.json))
