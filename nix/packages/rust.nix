# One of the workspace's programs.
{
  lib,
  rustPlatform,
  program,
}:
let
  inherit (lib.importTOML ../../Cargo.toml) workspace;
in
rustPlatform.buildRustPackage {
  pname = program;
  inherit (workspace.package) version;
  src = lib.fileset.toSource {
    root = ../..;
    # What cargo reads to compile a program: all manifests, and the targets that they name, tests and benches among them. So a
    # test that changes rebuilds both programs; docs, scripts, nix and the contracts' sources do not.
    fileset = lib.fileset.unions [
      ../../Cargo.toml
      ../../Cargo.lock
      ../../contracts/artifacts
      ../../contracts-build
      ../../crates
      ../../ec-op-stack
      ../../ec-witness
      (lib.fileset.maybeMissing ../../crates)
    ];
  };
  cargoLock.lockFile = ../../Cargo.lock;
  buildAndTestSubdir = program;
  # the tests need anvil and the sample archive: scripts/check runs them
  doCheck = false;

  meta = {
    description =
      {
        ec-witness = "Lets witnesses agree, on a chain, on what was broadcast";
        ec-op-stack = "What the operator of an OP Stack chain needs around op-deployer and the runtime";
      }
      .${program};
    license = with lib.licenses; [
      mit
      asl20
    ];
    mainProgram = program;
    platforms = lib.platforms.linux;
  };
}
