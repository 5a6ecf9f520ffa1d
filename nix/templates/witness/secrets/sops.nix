# The witness's secrets by sops-nix: values of ./secrets.yaml, written by `sops secrets.yaml` in this directory.
{ config, lib, ... }:
let
  file = name: config.sops.secrets.${name}.path;
  names = [
    "op-jwt"
    "l1-rpc"
    "l1-beacon"
    "relay-url"
    "ec-witness-la"
  ];
in
{
  sops = {
    defaultSopsFile = ./secrets.yaml;
    age.sshKeyPaths = [ "/etc/ssh/ssh_host_ed25519_key" ];
    secrets = lib.genAttrs names (_: { });
  };

  services.every-channel = {
    op-stack = {
      l1.rpcFile = file "l1-rpc";
      l1.beaconFile = file "l1-beacon";
      secrets.jwt = file "op-jwt";
    };
    archive.la.urlFile = file "relay-url";
    witness.la.keyFile = file "ec-witness-la";
  };
}
