# One of the workspace's programs.
{
  lib,
  installShellFiles,
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
    # test that changes rebuilds all programs; docs, scripts, nix and the contracts' sources do not.
    fileset = lib.fileset.unions [
      ../../Cargo.toml
      ../../Cargo.lock
      ../../contracts/artifacts
      ../../contracts-build
      ../../crates
      ../../ec-explorer
      ../../ec-op-stack
      ../../ec-witness
      (lib.fileset.maybeMissing ../../crates)
    ];
  };
  cargoLock.lockFile = ../../Cargo.lock;
  buildAndTestSubdir = program;
  nativeBuildInputs = [ installShellFiles ];
  # made by the program itself from its arguments
  postInstall = ''
    $out/bin/${program} man man1
    installManPage man1/*
    for shell in bash zsh fish; do
      $out/bin/${program} completions $shell > ${program}.$shell
    done
    installShellCompletion --cmd ${program} \
      --bash ${program}.bash --zsh ${program}.zsh --fish ${program}.fish
  '';
  # the tests need anvil and the sample archive: scripts/check runs them
  doCheck = false;

  meta = {
    description =
      {
        ec-explorer = "Shows what was broadcast, who says so and how anyone can check it";
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
