# The example host's units, for nix/tests/units.sh: which programs and images they get is decided there.
{
  backend,
  # `repository:tag` → digest, as JSON
  imageLock ? "{}",
  nixpkgs ? builtins.getEnv "NIXPKGS",
}:
let
  lib = import (nixpkgs + "/lib");
  inherit
    (import (nixpkgs + "/nixos/lib/eval-config.nix") {
      system = "x86_64-linux";
      modules = [
        ../../modules/ec-op-stack.nix
        ../../modules/ec-witness.nix
        ../../hosts/ecp-forge.nix
        here
      ];
    })
    config
    ;
  keys = [
    "execution"
    "op-node"
    "op-batcher"
    "op-proposer"
    "op-challenger"
    "op-dispute-mon"
  ];

  here =
    { pkgs, ... }:
    let
      # store paths that units.sh puts programs at
      programs = name: pkgs.runCommand name { } "";
    in
    {
      services.every-channel.op-stack = {
        inherit backend;
        imageLock = lib.mkForce (builtins.fromJSON imageLock);
        tools = programs "ec-op-stack";
        # a chain that was deployed before, published by a script in setup-rollup.sh's place
        bootstrap.setupRollup = "/opt/test/setup-rollup";
        readyTimeout = 20;
        # the components may not leave the container's loopback
        l1.rpcFile = lib.mkForce "/run/agenix/l1-rpc";
        components = lib.genAttrs keys (_: {
          package = programs "op-stack-tools";
          environment.STAND_IN_CHAIN_ID = "0x${lib.toLower (lib.toHexString 420901)}";
        });
      };
      services.every-channel.witness.la = {
        package = programs "ec-witness";
        watchdogSec = 10;
      };
    };

  wanted =
    name:
    name == "op-stack.target"
    ||
      lib.hasSuffix ".service" name
      && lib.any (part: lib.hasPrefix part name) [
        "op-"
        "podman-op-"
        "ec-"
      ];

  units = lib.filterAttrs (name: _: wanted name) config.systemd.units;
in
{
  units = lib.mapAttrs (_: unit: unit.text) units;
  wantedBy = lib.mapAttrs (_: unit: unit.wantedBy) units;
  failed = map (a: a.message) (lib.filter (a: !a.assertion) config.assertions);
  users = lib.mapAttrs (_: user: { inherit (user) uid group; }) (
    lib.filterAttrs (name: _: lib.hasPrefix "ec-" name) config.users.users
  );
  directories = lib.mapAttrs (
    _: rule: rule.d
  ) config.systemd.tmpfiles.settings.every-channel-op-stack;
}
