# Names, users, directories and gates that the backends share.
{
  cfg,
  lib,
  pkgs,
  utils,
}:
let
  inherit (cfg) plan;
  native = cfg.backend == "native";
  components = lib.attrValues plan.components;

  # of the users' numbers
  order = [ "chain" ] ++ map (program: program.name) (import ../../lib).programs.services;

  # a script from beside this file, with what it calls
  script =
    name: runtimeInputs:
    pkgs.writeShellApplication {
      inherit name runtimeInputs;
      text = builtins.readFile (./. + "/${name}.sh");
    };
  await = lib.getExe (
    script "await" [
      pkgs.coreutils
      pkgs.curl
      pkgs.jq
    ]
  );
  # lines for systemd, not for a shell
  execLine = utils.escapeSystemdExecArgs;
  gate =
    arguments:
    execLine (
      [
        await
        cfg.readyTimeout
      ]
      ++ arguments
    );
in
rec {
  inherit
    components
    execLine
    gate
    native
    script
    ;

  unitOf = name: if native then name else "podman-${name}";

  userOf = name: {
    name = if name == "chain" then "ec-op-chain" else "ec-${name}";
    uid = cfg.firstUid + lib.lists.findFirstIndex (n: n == name) 0 order;
  };
  ownerOf =
    name:
    let
      uid = toString (userOf name).uid;
    in
    "${uid}:${uid}";

  directories = [
    {
      path = plan.settings.paths.chain;
      mode = "0755";
      owner = userOf "chain";
    }
    {
      path = "${cfg.stateDir}/bootstrap";
      mode = "0700";
      owner = userOf "chain";
    }
  ]
  ++ lib.concatMap (
    component:
    map (path: {
      inherit path;
      mode = "0700";
      owner = userOf component.name;
    }) component.writes
  ) components;

  # the units that a component is started after, and therefore stopped before
  before =
    component:
    [ "op-stack-chain.service" ]
    ++ lib.optional (component.init != null) "${component.name}-init.service"
    ++ map (name: "${unitOf name}.service") component.needs;

  # ExecStartPre lines, each of which waits for one thing
  gates =
    component:
    [
      (gate [
        "chain"
        plan.settings.paths.chain
      ])
    ]
    ++ map (
      name:
      let
        inherit (plan.components.${name}) health;
      in
      gate (
        if health.kind == "execution" then
          [
            "execution"
            health.url
            health.engine
            (toString health.chainId)
          ]
        else
          [
            "rollup"
            health.url
          ]
      )
    ) component.needs
    ++ lib.optional (component.init != null) (gate [
      "datadir"
      component.init.datadir
    ])
    ++ lib.optional (component.name == "op-challenger") (prestateGate component);

  # cannon for the tools of this host: with containers, out of the challenger's image
  cannon =
    let
      inherit (plan.settings) paths;
    in
    if native then
      paths.cannon
    else
      lib.getExe (
        pkgs.writeShellApplication {
          name = "cannon";
          text = ''
            exec podman run --rm --network=none --read-only --cap-drop=all --security-opt=no-new-privileges \
              --volume=${lib.escapeShellArg "${paths.prestate}:${paths.prestate}:ro"} \
              --entrypoint=${paths.cannon} ${plan.components.op-challenger.image.reference} "$@"
          '';
        }
      );

  # the prestate's hash must be the one that the chain's games name; cannon hashes it
  prestateGate =
    component:
    let
      inherit (plan.settings) paths l1 l2;
    in
    lib.getExe (
      pkgs.writeShellApplication {
        name = "check-prestate";
        runtimeInputs = [ cfg.tools ];
        # the URL may hold an API key: by the environment, not as an argument
        text = ''
          EC_OP_STACK_L1_RPC=${
            if component.secrets ? l1-rpc then
              ''$(<"$CREDENTIALS_DIRECTORY/l1-rpc")''
            else
              lib.escapeShellArg l1.rpc
          }
          EC_OP_STACK_CANNON=${cannon}
          export EC_OP_STACK_L1_RPC EC_OP_STACK_CANNON
          exec ec-op-stack prestate --prestate ${lib.escapeShellArg paths.prestate} \
            --factory ${
              if l2.disputeGameFactory == null then
                ''"$(<${paths.chain}/dispute-game-factory)"''
              else
                l2.disputeGameFactory
            } --game-type ${toString plan.settings.components.op-proposer.gameType}
        '';
      }
    );

  # how long a component may take to write its state down
  stopSeconds = component: if component.key == "execution" then 300 else 60;
}
