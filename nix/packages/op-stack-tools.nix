# The OP Stack's programs from the Go modules that scripts/op-stack/tools pins, as that directory's `build` makes them.
#
# Not yet built by nix: the hash was computed with `nix hash path` over a module cache that `go mod download` filled, and
# the build was tried outside of nix only. If nix names another hash, that one is right.
{ lib, buildGoModule }:
let
  optimism = "github.com/ethereum-optimism/optimism";
  geth = "github.com/ethereum/go-ethereum";
  programs = {
    op-geth = "${geth}/cmd/geth";
    op-node = "${optimism}/op-node/cmd";
    op-batcher = "${optimism}/op-batcher/cmd";
    op-proposer = "${optimism}/op-proposer/cmd";
    op-challenger = "${optimism}/op-challenger/cmd";
    op-dispute-mon = "${optimism}/op-dispute-mon/cmd";
    op-deployer = "${optimism}/op-deployer/cmd/op-deployer";
    cannon = "${optimism}/cannon";
    op-program = "${optimism}/op-program/host/cmd";
  };
  release = (import ../lib).releases.op-geth;
in
buildGoModule {
  pname = "op-stack-tools";
  version = lib.removePrefix "v" release.images.op-node.tag;
  src = lib.fileset.toSource {
    root = ../../scripts/op-stack/tools;
    fileset = lib.fileset.unions [
      ../../scripts/op-stack/tools/go.mod
      ../../scripts/op-stack/tools/go.sum
    ];
  };

  # `go mod vendor` leaves out C headers that op-geth includes
  proxyVendor = true;
  vendorHash = "sha256-wkRVMWNUT8iW/sa5Wk0xT43Zsit8LNS9svV7QJ7wP3E=";

  # five of the packages are called cmd: each gets its name by -o
  buildPhase = ''
    runHook preBuild
    ${lib.concatStringsSep "\n" (
      lib.mapAttrsToList (name: package: ''
        go build -o "$GOPATH/bin/${name}" ${package}
      '') programs
    )}
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
