# The operator's scripts, with what they call on their PATH.
{
  lib,
  stdenvNoCC,
  makeWrapper,
  coreutils,
  curl,
  ec-op-stack,
  gnutar,
  gzip,
  jq,
  op-stack-tools,
  openssl,
  skopeo,
}:
stdenvNoCC.mkDerivation {
  pname = "op-stack-scripts";
  inherit (ec-op-stack) version;
  src = lib.fileset.toSource {
    root = ../../scripts/op-stack;
    fileset = lib.fileset.fileFilter (file: file.hasExt "sh") ../../scripts/op-stack;
  };
  nativeBuildInputs = [ makeWrapper ];
  installPhase = ''
    runHook preInstall
    mkdir -p "$out/libexec" "$out/bin"
    cp ./*.sh "$out/libexec/"
    for script in setup-rollup pin-images; do
      makeWrapper "$out/libexec/$script.sh" "$out/bin/$script" --prefix PATH : ${
        lib.makeBinPath [
          coreutils
          curl
          ec-op-stack
          gnutar
          gzip
          jq
          op-stack-tools
          openssl
          skopeo
        ]
      }
    done
    runHook postInstall
  '';
  meta = {
    description = "Sets up an OP Stack chain on an L1, and pins its images";
    license = with lib.licenses; [
      mit
      asl20
    ];
    platforms = lib.platforms.linux;
  };
}
