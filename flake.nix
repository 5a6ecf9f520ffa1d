{
  description = "every.channel: witnesses agree on a chain on what was broadcast, and the OP Stack chain they use";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";

  outputs =
    { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;
      system = "x86_64-linux";
      pkgs = nixpkgs.legacyPackages.${system};
      packages = self.packages.${system};
      rust = program: pkgs.callPackage ./nix/packages/rust.nix { inherit program; };
    in
    {
      packages.${system} = {
        default = packages.ec-witness;
        ec-witness = rust "ec-witness";
        ec-explorer = rust "ec-explorer";
        ec-op-stack = rust "ec-op-stack";
        op-stack-tools = pkgs.callPackage ./nix/packages/op-stack-tools.nix { };
        # setup-rollup.sh and what it calls
        op-stack-scripts = pkgs.callPackage ./nix/packages/scripts.nix {
          inherit (packages) ec-op-stack op-stack-tools;
        };
        options =
          pkgs.writeText "options.md"
            (import ./nix/packages/options.nix {
              inherit pkgs;
              modules = [
                ./nix/modules/ec-archive.nix
                ./nix/modules/ec-explorer.nix
                ./nix/modules/ec-op-stack.nix
                ./nix/modules/ec-witness.nix
              ];
            }).text;
      };

      # nix flake init -t every-channel#operator
      templates = {
        operator = {
          path = ./nix/templates/operator;
          description = "A host that makes an OP Stack chain";
          welcomeText = ''
            Change what `CHANGE` marks in host.nix and secrets/secrets.nix, and write the secrets. docs/operating.md has the steps.
          '';
        };
        witness = {
          path = ./nix/templates/witness;
          description = "A host that records a broadcast and witnesses it, with a verifier of the chain";
          welcomeText = ''
            Change what `CHANGE` marks in host.nix and secrets/secrets.nix, and write the secrets. docs/operating-a-witness.md has
            the steps.
          '';
        };
      };

      nixosModules = {
        default = {
          imports = [
            ./nix/modules/ec-archive.nix
            ./nix/modules/ec-explorer.nix
            ./nix/modules/ec-op-stack.nix
            ./nix/modules/ec-witness.nix
            (import ./nix/modules/packages.nix self.packages)
          ];
        };
      };

      nixosConfigurations =
        let
          host =
            module:
            lib.nixosSystem {
              inherit system;
              modules = [
                self.nixosModules.default
                ./nix/hosts/ecp-forge.nix
                module
              ];
            };
        in
        {
          # Images that are not pinned are refused. Until scripts/op-stack/pin-images.sh has written their digests, this
          # host runs the packages instead.
          ecp-forge = host (
            lib.mkIf (!builtins.pathExists ./nix/images.lock.json) {
              services.every-channel.op-stack.backend = "native";
              warnings = [
                "nix/images.lock.json is not there: ecp-forge runs the flake's packages, not images. scripts/op-stack/pin-images.sh pins them."
              ];
            }
          );
        };

      checks.${system} =
        import ./nix/tests/nixos {
          inherit pkgs self;
        }
        // {
          inherit (packages) ec-explorer ec-witness ec-op-stack;
        };

      devShells.${system}.default = pkgs.mkShell {
        inputsFrom = [ packages.ec-witness ];
        packages = with pkgs; [
          clippy
          util-linux
          deadnix
          go
          jq
          nixfmt
          nodejs
          perl
          python3
          rustfmt
          shellcheck
          shfmt
        ];
      };

      formatter.${system} = pkgs.nixfmt;
    };
}
