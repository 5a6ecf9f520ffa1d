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
  keys = lib.attrNames ((import ../../lib).plan { }).settings.components;

  # what a chain without peers and names, on an L1 of two seconds, needs otherwise
  local = {
    execution.settings.nodiscover = true;
    op-node = {
      sequencerConfirmations = 0;
      verifierConfirmations = 0;
      settings = {
        # it resolves the names of its default bootnodes even without discovery
        "p2p.bootnodes" =
          "enode://9915308d54bad3981d3d755fe3658402b394462e4488a6aa197a83acac77920a7210b5942ea0071c4cf3cd30e7d6474ce70c21040aa5f004329cf79216b75b6f@127.0.0.1:28503";
        "p2p.no-discovery" = true;
        "l1.epoch-poll-interval" = "2s";
        "l1.http-poll-interval" = "1s";
      };
    };
    op-batcher = {
      maxChannelDuration = 2;
      settings = {
        num-confirmations = 1;
        poll-interval = "1s";
        sub-safety-margin = 4;
      };
    };
    op-proposer = {
      interval = "20s";
      settings = {
        num-confirmations = 1;
        poll-interval = "2s";
      };
    };
    op-challenger.settings = {
      # it wants one at the start; no game here needs a blob
      l1-beacon = "http://127.0.0.1:18545";
      http-poll-interval = "2s";
    };
  };

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
        # the real script, with the host's op-deployer (units/op-deployer.sh)
        bootstrap = {
          setupRollup = "/opt/test/setup-rollup";
          opDeployer = lib.mkForce "/opt/test/op-deployer.sh";
        };
        readyTimeout = 60;
        # the container's own L1: Anvil with the real contracts, no beacon node
        l1 = {
          chainId = 900;
          beacon = null;
          beaconFallbacks = lib.mkForce [ ];
          trustRpc = true;
          chainConfig = "/run/l1/l1-config.json";
        };
        l2.chainId = lib.mkForce 901;
        # of the test mnemonic, m/44'/60'/2'/901/{2,1,4}
        accounts = {
          batcher = "0xe6FB5f4Cc65D6BF7Fd10C394caeE2891bd4E964f";
          proposer = "0x147A0ea1b0A0c4A8917f3e448571112548159F2A";
          challenger = "0x272e54b107971e195b37d03D0bC425f3Ad5497C5";
        };
        components = lib.recursiveUpdate (lib.genAttrs keys (_: {
          package = programs "op-stack-tools";
        })) local;
      };
      services.every-channel.witness.la = {
        package = programs "ec-witness";
        watchdogSec = 10;
        fromSequence = "first";
        # what the first two transactions of Anvil's first account deploy: the registry, then the ledger
        settings.chain.ledger = "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512";
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
  stack = config.environment.etc."ec-op-stack/stack.json".text;
  directories = lib.mapAttrs (
    _: rule: rule.d
  ) config.systemd.tmpfiles.settings.every-channel-op-stack;
}
