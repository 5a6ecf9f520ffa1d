# The chain's secrets by agenix: each is ./NAME.age, written by `agenix -e NAME.age` in this directory.
{ config, lib, ... }:
let
  file = name: config.age.secrets.${name}.path;
  names = [
    "op-jwt"
    "op-p2p-key"
    "op-batcher-key"
    "op-proposer-key"
    "l1-rpc"
    "l1-beacon"
  ];
in
{
  age = {
    identityPaths = [ "/etc/ssh/ssh_host_ed25519_key" ];
    secrets = lib.genAttrs names (name: {
      file = ./. + "/${name}.age";
    });
  };

  services.every-channel.op-stack = {
    l1.rpcFile = file "l1-rpc";
    l1.beaconFile = file "l1-beacon";
    secrets = {
      jwt = file "op-jwt";
      p2pKey = file "op-p2p-key";
      batcherKey = file "op-batcher-key";
      proposerKey = file "op-proposer-key";
    };
  };
}
