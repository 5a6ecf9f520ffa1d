# The witness's secrets by agenix: each is ./NAME.age, written by `agenix -e NAME.age` in this directory.
{ config, lib, ... }:
let
  file = name: config.age.secrets.${name}.path;
  names = [
    "op-jwt"
    "l1-rpc"
    "l1-beacon"
    "relay-url"
    "ec-witness-la"
  ];
in
{
  age = {
    identityPaths = [ "/etc/ssh/ssh_host_ed25519_key" ];
    secrets = lib.genAttrs names (name: {
      file = ./. + "/${name}.age";
    });
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
