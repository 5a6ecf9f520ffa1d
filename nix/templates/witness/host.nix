# A witness: it records a broadcast from a relay, follows the chain by a verifier of its own, and votes. Every secret is in
# ./secrets; what is marked CHANGE is yours to say.
{
  # CHANGE: what nixos-generate-config wrote for this machine, in place of these lines
  nixpkgs.hostPlatform = "x86_64-linux";
  boot.loader.grub.enable = false;
  fileSystems."/" = {
    device = "/dev/disk/by-label/nixos";
    fsType = "ext4";
  };

  networking.hostName = "witness";
  system.stateVersion = "26.05";

  services.every-channel = {
    op-stack = {
      enable = true;
      role = "verifier";
      backend = "native";
      openFirewall = true;
      l2 = {
        # CHANGE: the chain's id, and rollup.json and genesis.json from its sequencer
        chainId = 420901;
        files = "/srv/op-stack/chain";
        # CHANGE: where transactions go
        sequencerRpc = "https://rpc.example";
      };
      # CHANGE: the sequencer's multiaddress, as its opp2p_self tells it
      components.op-node.staticPeers = [ "/ip4/192.0.2.7/tcp/28522/p2p/16Uiu2HAmExample" ];
    };

    archive.la = {
      # CHANGE: the broadcast's name at the relay
      broadcast = "la/nbc";
    };

    # its store is made once: systemctl start ec-witness-la-init
    witness.la = {
      manifests = "/var/lib/ec-archive/la/manifests";
      cas = "/var/lib/ec-archive/la/cas";
      archiveGroups = [ "ec-archive" ];
      settings.chain = {
        # CHANGE: what `ec-witness deploy --write-config` wrote
        ledger = "0x5FbDB2315678afecb367f032d93F642f64180aa3";
        deploy_block = 1;
        block_time_ms = 2000;
      };
    };
  };
}
