# The options as nix/lib's settings, and its plan.
{ cfg, lib }:
let
  library = import ../../lib;
  native = cfg.backend == "native";
  release = library.releases.${cfg.executionClient};
  nameOf = library.programs.nameOf release;
  given = lib.filterAttrs (_: v: v != null);

  # the forks of files that can be read here; the bootstrap looks at the others
  forks =
    let
      rollup = cfg.l2.files + "/rollup.json";
      scheduled = lib.importJSON rollup;
    in
    lib.optional (
      builtins.isPath cfg.l2.files && builtins.pathExists rollup && (scheduled.karst_time or null) != null
    ) "karst";

  base = key: image: release.images.${nameOf key} // image;
  locked = key: image: cfg.imageLock."${(base key image).repository}:${(base key image).tag}" or null;

  component =
    key: own:
    let
      name = nameOf key;
      image = given own.image;
    in
    removeAttrs own [ "package" ]
    // {
      inherit image;
      version = if own.version != null || native then own.version else (base key image).tag;
      digest = if own.digest != null then own.digest else locked key image;
      secretsDirectory = if native then "/run/credentials/${name}.service" else "/secrets";
      program =
        if own.program != null || !native then
          own.program
        else
          "${if own.package == null then "" else own.package}/bin/${name}";
    };
  challenger = cfg.components.op-challenger.package;
in
library.plan {
  inherit (cfg)
    role
    executionClient
    checkFlags
    reservedPorts
    accounts
    signers
    l1
    ;
  l2 = removeAttrs cfg.l2 [ "files" ] // {
    inherit forks;
  };
  secrets = removeAttrs cfg.secrets [ "deployerKey" ];
  requireDigests = cfg.pinImages && !native;
  components = lib.mapAttrs component cfg.components;
  paths = {
    state = cfg.stateDir;
    prestate = cfg.dispute.prestateFile;
  }
  // lib.optionalAttrs native {
    # `shell` stays /bin/sh, which is there on every NixOS
    cannon = "${if challenger == null then "" else challenger}/bin/cannon";
    opProgram = "${if challenger == null then "" else challenger}/bin/op-program";
  };
}
