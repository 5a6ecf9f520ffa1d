# What `ec-op-stack doctor` and `status` read, from a plan: the components with the very arguments and variables that they
# are started with. It holds no secret: a variable that is filled from a file is null.
plan:
let
  inherit (plan) settings components;
  described = component: {
    version = component.image.tag;
    inherit (component) args;
    environment =
      component.environment // builtins.mapAttrs (_: _: null) component.environmentFromFiles;
  };
in
{
  inherit (settings) role;
  files = {
    rollup = "${settings.paths.chain}/rollup.json";
    genesis = "${settings.paths.chain}/genesis.json";
  };
  components = builtins.mapAttrs (_: described) components;
}
