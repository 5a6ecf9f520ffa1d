# From one attribute set to what each component of the chain is started with. Builtins only: the NixOS module, the
# local devnet and the tests all use it.
#
#   (import ./nix/lib).plan { role = "sequencer"; l2.chainId = 901; … }
#
# stack.nix makes of a plan what `ec-op-stack` reads. settings.nix lists every setting with its default. A plan is
#
#   { components = { <name> = component; }; problems = [ { option, message } ]; warnings = [ … ]; settings; release; }
#
# and a component is
#
#   name                  op-geth, op-reth, op-node, …
#   image                 { repository, tag, digest, reference }; reference has the digest once it is known
#   version               its release
#   program, args         what is run
#   environment           plain variables
#   environmentFromFiles  variable → file whose first line it gets at the start; so no key is in an argument or a unit
#   command               program and args, with a shell before them where a file has to be read
#   ports                 name → { address, port, protocols, public }
#   reads, writes         files and directories
#   secrets               name → { option, file }: the files it wants under these names in its directory of secrets
#   needs                 components that must be ready first
#   health                how readiness is asked for
#   init                  null, or { args, datadir, genesis }: run once with the same program before the first start
#
# (import ./nix/lib).stack turns a plan into what `ec-op-stack doctor` and `status` read.
let
  programs = import ./programs.nix;
  releases = import ./releases.nix;
  normalise = import ./settings.nix;
  image = import ./image.nix;
  command = import ./command.nix;
  rules = import ./rules.nix;

  plan =
    given:
    let
      settings = normalise given;
      release = releases.${settings.executionClient};
      build =
        name: own:
        let
          described = import (./components + "/${name}.nix") { inherit settings release own; };
          flags = programs.listenerFlags name own // described.flags // own.settings;
          clap = described.clap or false;
          base = {
            inherit name;
            environment = own.environment;
            environmentFromFiles = { };
            init = null;
            subcommand = [ ];
            secrets = { };
          }
          // removeAttrs described [ "clap" ];
        in
        base
        // {
          inherit flags;
          key = programs.byName.${name}.component;
          image = image release.images.${name} own;
          program = if own.program == null then release.images.${name}.program or name else own.program;
          version = version name own;
          args = base.subcommand ++ import ./arguments.nix { inherit clap; } flags ++ own.extraArgs;
        };
      byPath = own: own.program != null && builtins.substring 0 1 own.program == "/";
      version =
        name: own:
        if own.version != null then
          own.version
        else if byPath own && release.built ? ${name} then
          release.built.${name}
        else
          (image release.images.${name} own).tag;
      withCommand = component: component // { command = command settings component; };
      enabled = builtins.filter (key: settings.components.${key}.enable) (
        builtins.attrNames settings.components
      );
      components = builtins.listToAttrs (
        map (
          key:
          let
            name = programs.nameOf release key;
          in
          {
            inherit name;
            value = withCommand (build name settings.components.${key});
          }
        ) enabled
      );
    in
    {
      inherit settings release components;
    }
    // rules { inherit settings release components; };
in
{
  inherit plan programs releases;
  stack = import ./stack.nix;
}
