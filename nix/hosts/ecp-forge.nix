# An example host: the sequencer of a chain on Sepolia, its challenger, and a witness on the archive beside it. The paths
# below /run/agenix are what agenix (or sops-nix, with /run/secrets) provides.
{ lib, ... }:
{
  # in place of this host's own hardware
  boot.loader.grub.enable = false;
  fileSystems."/" = {
    device = "/dev/disk/by-label/nixos";
    fsType = "ext4";
  };
  networking.hostName = "ecp-forge";
  system.stateVersion = "26.05";

  services.every-channel.op-stack = {
    enable = true;
    role = "sequencer";
    openFirewall = true;
    stateDir = "/tank/op-stack";

    l1 = {
      # with an API key in it
      rpcFile = "/run/agenix/l1-rpc";
      beaconFallbacks = [ "https://blobs.example" ];
    };
    l2.chainId = 420901;

    secrets = {
      jwt = "/run/agenix/op-jwt";
      p2pKey = "/run/agenix/op-p2p-key";
      batcherKey = "/run/agenix/op-batcher-key";
      proposerKey = "/run/agenix/op-proposer-key";
      challengerKey = "/run/agenix/op-challenger-key";
      deployerKey = "/run/agenix/op-deployer-key";
    };

    bootstrap = {
      owner = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
      # brought by scripts/op-stack/download-op-deployer.sh
      opDeployer = "/tank/op-deployer";
    };
    dispute.prestateFile = "/tank/op-prestate/prestate.bin.gz";
    components.op-node.settings."p2p.advertise.ip" = "192.0.2.7";
  };

  services.every-channel.witness.la = {
    manifests = "/var/lib/every-channel/manifests";
    cas = "/tank/every-channel/archive";
    archiveGroups = [ "every-channel" ];
    keyFile = "/run/agenix/ec-witness-la";
    settings = {
      chain = {
        # `ec-witness deploy --write-config` prints the two
        ledger = lib.mkDefault "0x5FbDB2315678afecb367f032d93F642f64180aa3";
        deploy_block = lib.mkDefault 1;
        block_time_ms = 2000;
      };
      stream = [
        {
          # its audio comes in fragments, 46.9 a second: an epoch of a minute
          broadcast = "la-abc";
          stream_id = "ec/stream/v1/us/los-angeles/abc";
          track_groups_per_epoch."audio0.m4s" = 2814;
        }
        {
          # not what a relay hands on: its numbers are the broadcast's timeline
          broadcast = "la-nbc";
          stream_id = "ec/stream/v1/us/los-angeles/nbc";
          numbering = "timeline";
          time = "timeline";
          chunk_duration_ms = 2000;
        }
      ];
    };
  };
  users.groups.every-channel = { };
}
