# Tests in virtual machines, without a network. They evaluate here; running them takes a nix that can build.
{ pkgs, self }:
let
  test = file: pkgs.testers.runNixOSTest (import file { inherit pkgs self; });
in
{
  chain = test ./chain.nix;
  witness = test ./witness.nix;
}
