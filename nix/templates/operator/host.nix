# The sequencer of a chain on Sepolia. Every secret is in ./secrets; what is marked CHANGE is yours to say.
{
  # CHANGE: what nixos-generate-config wrote for this machine, in place of these lines
  nixpkgs.hostPlatform = "x86_64-linux";
  boot.loader.grub.enable = false;
  fileSystems."/" = {
    device = "/dev/disk/by-label/nixos";
    fsType = "ext4";
  };

  networking.hostName = "operator";
  system.stateVersion = "26.05";

  services.every-channel.op-stack = {
    enable = true;
    role = "sequencer";
    # the flake's own packages. "oci" runs the released images: scripts/op-stack/pin-images.sh --lock images.lock.json pins them,
    # and imageLock = builtins.fromJSON (builtins.readFile ./images.lock.json) reads that
    backend = "native";
    # of P2P, nothing else
    openFirewall = true;
    # CHANGE: where there is room; docs/operating.md says how much
    stateDir = "/var/lib/every-channel/op-stack";

    # CHANGE: the chain's id
    l2.chainId = 420901;
    # what scripts/op-stack/setup-rollup.sh made; without it the host deploys the chain by itself, see bootstrap in docs/options.md
    l2.files = "/srv/op-stack/chain";
    # CHANGE: of your accounts, from roles.json, so that their funds are watched
    accounts = {
      batcher = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
      proposer = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC";
    };
    # CHANGE: the address by which verifiers find this host
    components.op-node.settings."p2p.advertise.ip" = "192.0.2.7";
  };
}
