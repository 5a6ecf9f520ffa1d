# The OP Stack's programs from the Go modules that scripts/op-stack/tools pins, as that directory's `build` makes them.
#
# Not yet built by nix: the hash was computed with `nix hash path` over a module cache that `go mod download` filled, and
# the build was tried outside of nix only. If nix names another hash, that one is right.
{ lib, buildGoModule }:
let
  inherit (import ../lib) programs releases;
in
buildGoModule {
  pname = "op-stack-tools";
  version = lib.removePrefix "v" releases.op-geth.built.op-node;
  src = lib.fileset.toSource {
    root = ../../scripts/op-stack/tools;
    fileset = lib.fileset.unions [
      ../../scripts/op-stack/tools/go.mod
      ../../scripts/op-stack/tools/go.sum
    ];
  };

  # `go mod vendor` leaves out C headers that op-geth includes
  proxyVendor = true;
  vendorHash = "sha256-hGkXtDOw0wMD6SuNjfk8aIYQCPqWkJqmm3hBntm/V1k=";

  # five of the packages are called cmd: each gets its name by -o
  buildPhase = ''
    runHook preBuild
    ${lib.concatMapStringsSep "\n" (program: ''
      go build -o "$GOPATH/bin/${program.name}" ${program.package}
    '') programs.built}
    runHook postBuild
  '';
  ldflags = [
    "-s"
    "-w"
  ];
  doCheck = false;

  meta = {
    description = "Programs of an OP Stack chain: op-geth, op-node, op-batcher, op-proposer, op-challenger and more";
    homepage = "https://docs.optimism.io";
    license = with lib.licenses; [
      mit
      gpl3Only
      lgpl3Only
    ];
    platforms = lib.platforms.linux;
  };
}
