# The release sets: which versions belong together, where their images are, and what they need from us.
#
# `flags` is the directory with one file per program: a line per flag, with the variables that stand for it. Those of the
# programs that this project builds are written by scripts/op-stack/known-flags from their `--help`. `built` is what
# scripts/op-stack/tools/build makes, of one Go module: there each program has the module's version. Images are released one
# by one instead. The digest of an image is not known here: scripts/op-stack/pin-images.sh resolves it once into
# nix/images.lock.json, or the operator sets it.
let
  registry = "us-docker.pkg.dev/oplabs-tools-artifacts/images";
  image = repository: tag: { inherit repository tag; };
  component = name: version: image "${registry}/${name}" "v${version}";
  nexus = name: version: image "${registry}/nexus/${name}" "v${version}";
in
{
  # The last generation that runs on op-geth. The end-to-end test runs what is built; the images are the releases of the same
  # months: op-challenger 1.8.0 and op-dispute-mon 1.4.2 are Upgrade 18's, the first that know --game-types.
  op-geth = {
    execution = "op-geth";
    engineKind = "geth";
    flags = ../../ec-op-stack/src/stack/known;
    flagsFromProgram = true;
    karst = false;
    endOfSupport = "2026-05-31";
    built = {
      op-geth = "v1.101608.0-rc.1";
      op-node = "v1.16.7";
      op-batcher = "v1.16.7";
      op-proposer = "v1.16.7";
      op-challenger = "v1.16.7";
      op-dispute-mon = "v1.16.7";
    };
    images = {
      # its program is called geth in the image
      op-geth = component "op-geth" "1.101608.0" // {
        program = "geth";
      };
      op-node = component "op-node" "1.16.7";
      op-batcher = component "op-batcher" "1.16.3";
      op-proposer = component "op-proposer" "1.10.2";
      op-challenger = component "op-challenger" "1.8.0";
      op-dispute-mon = component "op-dispute-mon" "1.4.2";
    };
  };

  # The generation on op-reth, as released in September 2026. Not run by this project's tests.
  op-reth = {
    execution = "op-reth";
    engineKind = "reth";
    flags = ./flags/op-reth;
    flagsFromProgram = false;
    karst = true;
    endOfSupport = null;
    built = { };
    images = {
      op-reth = component "op-reth" "2.4.3";
      op-node = nexus "op-node" "1.19.5";
      op-batcher = nexus "op-batcher" "1.16.12";
      op-proposer = component "op-proposer" "1.16.4";
      op-challenger = component "op-challenger" "1.9.5";
      op-dispute-mon = component "op-dispute-mon" "1.5.2";
    };
  };
}
