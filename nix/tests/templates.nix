# Tests of nix/templates by evaluation, with a nixpkgs: each flake's own outputs, with secrets by agenix and by sops-nix.
# `failures` must be empty.
#
# AGENIX and SOPS_NIX name checkouts of the two; without, stand-ins have the options that the templates use, so that these are
# read and their paths reach the modules, and no more.
{
  nixpkgs ? builtins.getEnv "NIXPKGS",
  agenix ? builtins.getEnv "AGENIX",
  sops ? builtins.getEnv "SOPS_NIX",
}:
let
  lib = import (nixpkgs + "/lib");
  standIns = import ./templates/stand-ins.nix { inherit lib; };
  module =
    checkout: below: standIn:
    if checkout == "" then standIn else /. + checkout + below;

  # stands in for the flake's packages: nothing is built
  packages =
    { pkgs, ... }:
    let
      program = name: pkgs.writeShellScriptBin name "";
      every =
        package:
        lib.mkOption {
          type = lib.types.attrsOf (lib.types.submodule { package = lib.mkDefault package; });
        };
    in
    {
      options.services.every-channel = lib.genAttrs [ "archive" "witness" ] (
        _: every (program "ec-witness")
      );
      config.services.every-channel.op-stack = {
        tools = program "ec-op-stack";
        components = lib.genAttrs (lib.attrNames ((import ../lib).plan { }).settings.components) (name: {
          package = program name;
        });
      };
    };

  inputs = {
    nixpkgs.lib = lib // {
      nixosSystem = args: import (nixpkgs + "/nixos/lib/eval-config.nix") ({ system = null; } // args);
    };
    every-channel.nixosModules.default.imports = [
      ../modules/ec-archive.nix
      ../modules/ec-explorer.nix
      ../modules/ec-op-stack.nix
      ../modules/ec-witness.nix
      packages
    ];
    agenix.nixosModules.default = module agenix "/modules/age.nix" standIns.agenix;
  };
  sopsModule = module sops "/modules/sops" standIns.sops;

  template =
    name:
    let
      directory = ../templates + "/${name}";
      flake = import (directory + "/flake.nix");
      outputs = flake.outputs (inputs // { self = outputs; });
      byAgenix = outputs.nixosConfigurations.${name};
      # what the flake's comments say: the other two lines in place of these
      bySops = inputs.nixpkgs.lib.nixosSystem {
        modules = [
          inputs.every-channel.nixosModules.default
          (directory + "/host.nix")
          sopsModule
          (directory + "/secrets/sops.nix")
          { sops = lib.optionalAttrs (sops != "") { validateSopsFiles = false; }; }
        ];
      };
      readers = import (directory + "/secrets/secrets.nix");
      encrypted = map (secret: "${secret}.age") (lib.attrNames byAgenix.config.age.secrets);
    in
    whole name "agenix" "/run/agenix/" byAgenix.config
    ++ whole name "sops-nix" "/run/secrets/" bySops.config
    ++ expect (byAgenix.config.age.identityPaths != [ ]) "${name}: agenix has no key to decrypt with"
    ++
      expect (encrypted == lib.attrNames readers)
        "${name}: secrets.nix lets somebody read ${toString (lib.attrNames readers)}, agenix.nix wants ${toString encrypted}";

  # the host evaluates, nothing is refused, and every credential is one of the secrets
  whole =
    name: by: directory: config:
    let
      failed = map (a: a.message) (lib.filter (a: !a.assertion) config.assertions);
      own = lib.filterAttrs (
        unit: _: lib.hasPrefix "op-" unit || lib.hasPrefix "ec-" unit
      ) config.systemd.services;
      credentials = lib.concatMap (unit: lib.toList (unit.serviceConfig.LoadCredential or [ ])) (
        lib.attrValues own
      );
      elsewhere = lib.filter (credential: !lib.hasInfix ":${directory}" credential) credentials;
      told = lib.concatMapStrings (unit: config.systemd.units."${unit}.service".text) (lib.attrNames own);
    in
    expect (failed == [ ]) "${name} with ${by}: ${builtins.toJSON failed}"
    ++ expect (
      credentials != [ ] && elsewhere == [ ]
    ) "${name} with ${by}: no secrets of ${directory}: ${toString elsewhere}"
    ++ expect (lib.hasInfix "op-node" told) "${name} with ${by}: its units do not run op-node";

  expect = ok: message: lib.optional (!ok) message;
in
{
  failures = lib.concatMap template (lib.attrNames (builtins.readDir ../templates));
}
