{
  description = "A host that records a broadcast and witnesses it: docs/operating-a-witness.md of every.channel has the steps";

  inputs = {
    # a clone of the project on this machine, or wherever it is published
    every-channel.url = "git+file:///srv/every-channel";
    nixpkgs.follows = "every-channel/nixpkgs";

    # one of the two, as ./secrets/agenix.nix or ./secrets/sops.nix needs it
    agenix.url = "github:ryantm/agenix";
    agenix.inputs.nixpkgs.follows = "nixpkgs";
    # sops-nix.url = "github:Mic92/sops-nix";
    # sops-nix.inputs.nixpkgs.follows = "nixpkgs";
  };

  outputs =
    {
      nixpkgs,
      every-channel,
      agenix,
      ...
    }:
    {
      nixosConfigurations.witness = nixpkgs.lib.nixosSystem {
        modules = [
          every-channel.nixosModules.default
          ./host.nix
          agenix.nixosModules.default
          ./secrets/agenix.nix
          # sops-nix.nixosModules.sops
          # ./secrets/sops.nix
        ];
      };
    };
}
