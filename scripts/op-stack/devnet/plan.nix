# What devnet.sh starts: the plan of its settings, as a host would start it.
{
  dir,
  bin,
  node ? "sequencer",
  peer ? "",
  prestate ? "",
  port ? "21000",
  stopped ? "",
}:
let
  lib = import ../../../nix/lib;
  plan = lib.plan (
    import ./settings.nix (
      {
        inherit
          dir
          bin
          node
          peer
          prestate
          ;
        port = builtins.fromJSON port;
      }
      // (if stopped == "" then { } else { stopped = builtins.fromJSON stopped; })
    )
  );
  component =
    planned:
    let
      inherit (plan.settings.components.${planned.key}) secretsDirectory;
    in
    {
      inherit (planned)
        name
        command
        needs
        health
        init
        environment
        writes
        ;
      # file → where the component looks for it
      secrets = map (name: {
        from = planned.secrets.${name}.file;
        to = "${secretsDirectory}/${name}";
      }) (builtins.attrNames planned.secrets);
    };
in
{
  inherit (plan) problems;
  components = builtins.mapAttrs (_: component) plan.components;
  stack = lib.stack plan;
}
