# Tests of nix/lib on builtins alone. scripts/check-nix evaluates `failures`, which must be empty, and compares `golden`.
let
  inherit (builtins)
    all
    attrNames
    attrValues
    concatMap
    concatStringsSep
    elem
    filter
    hasContext
    head
    length
    mapAttrs
    match
    stringLength
    toJSON
    ;
  lib = import ../../lib;
  plans = mapAttrs (_: lib.plan) (import ./cases.nix);
  refused = import ./refused.nix;
  contains =
    text: part:
    match ".*${builtins.replaceStrings [ "." "(" ")" ] [ "[.]" "[(]" "[)]" ] part}.*" text != null;

  expect = ok: message: if ok then [ ] else [ message ];
  eachPlan = test: concatMap (name: map (m: "${name}: ${m}") (test plans.${name})) (attrNames plans);
  eachComponent =
    test:
    eachPlan (
      plan: concatMap (c: map (m: "${c.name}: ${m}") (test plan c)) (attrValues plan.components)
    );

  argument =
    component: name:
    let
      found = filter (
        a: match "--${builtins.replaceStrings [ "." ] [ "[.]" ] name}=.*" a != null
      ) component.args;
    in
    if found == [ ] then null else builtins.substring (stringLength name + 3) (-1) (head found);

  # every listener that the program has, by the flags that place it
  listeners =
    component: map (listener: listener.name) lib.programs.byName.${component.name}.listeners;

  # a list without repetitions, in the order of an attribute set's names
  set =
    names:
    attrNames (
      builtins.listToAttrs (
        map (name: {
          inherit name;
          value = null;
        }) names
      )
    );
  given = field: filter (value: value != null) (map (program: program.${field}) programs);
  programs = attrValues lib.programs.byName;
  goMod = builtins.readFile ../../../scripts/op-stack/tools/go.mod;

  refusal =
    name:
    let
      case = refused.${name};
      inherit (lib.plan case.settings) problems;
      right = filter (p: p.option == case.option && contains p.message case.text) problems;
    in
    expect (
      length right == 1 && length problems == 1
    ) "refused ${name}: expected only ${case.option} \"${case.text}\", got ${toJSON problems}";

  # what the devnet may have otherwise than a host
  elsewhere = concatStringsSep "|" [
    "(.*[.-])?(port|path|jwt-?secret|bin|server|rpc|prestate|genesis)"
    "datadir|l1|l2|(cannon-)?rollup[.-]config|p2p[.]listen[.].*"
  ];
  otherwise = [
    # an L1 without a beacon node, which nobody knows
    "data-availability-type"
    "l1-beacon"
    "l1.beacon"
    "l1.beacon.ignore"
    "l1.trustrpc"
    "rollup.l1-chain-config"
    # no peers but the one that is named
    "maxpeers"
    "nodiscover"
    "p2p.bootnodes"
    "p2p.no-discovery"
    # the clock
    "http-poll-interval"
    "l1.epoch-poll-interval"
    "l1.http-poll-interval"
    "max-channel-duration"
    "poll-interval"
    "proposal-interval"
  ];
  host = lib.plan (
    plans.sequencer.settings
    // {
      paths = plans.sequencer.settings.paths // {
        prestate = "/prestate.bin.gz";
      };
      components = mapAttrs (
        name: c: c // { enable = name != "op-dispute-mon"; }
      ) plans.sequencer.settings.components;
    }
  );
  differing =
    name:
    let
      ours = plans.devnet.components.${name}.flags;
      theirs = host.components.${name}.flags;
    in
    filter (flag: (ours.${flag} or null) != (theirs.${flag} or null)) (attrNames (ours // theirs));

  failures = concatMap (x: x) [
    (expect (
      attrNames plans.devnet.components == attrNames host.components
    ) "the devnet runs other components than a host")
    (concatMap (
      name:
      concatMap (
        flag:
        expect (
          elem flag otherwise || match elsewhere flag != null
        ) "devnet: ${name}: --${flag} differs from a host's"
      ) (differing name)
    ) (attrNames plans.devnet.components))

    (eachPlan (plan: expect (plan.problems == [ ]) "problems: ${toJSON plan.problems}"))
    (concatMap refusal (attrNames refused))

    (eachComponent (
      _: c:
      concatMap (
        listener:
        expect (argument c "${listener}.addr" == "127.0.0.1") "--${listener}.addr is not set to loopback"
        ++ expect (argument c "${listener}.port" != null) "--${listener}.port is not set"
      ) (listeners c)
    ))
    (eachComponent (
      _: c:
      expect (all (
        port:
        elem (toString port.port) (concatMap (a: filter builtins.isString (builtins.split "[=:]" a)) c.args)
      ) (attrValues c.ports)) "a port of the plan is in no argument"
    ))
    (eachPlan (
      plan:
      let
        ports = concatMap (c: map (p: toString p.port) (attrValues c.ports)) (attrValues plan.components);
      in
      expect (length ports == length (set ports)) "ports are not distinct: ${toJSON ports}"
    ))

    (eachPlan (
      plan:
      expect (
        argument plan.components.op-node "l2.enginekind" == plan.release.engineKind
        && plan.components ? ${plan.release.execution}
      ) "the engine kind is not the client's"
    ))
    (eachPlan (
      plan:
      let
        signing = filter (c: c.name != "op-challenger" && (c.secrets ? key || c.secrets ? p2p-key)) (
          attrValues plan.components
        );
        sequencing = argument plan.components.op-node "sequencer.l1-confs" != null;
      in
      expect (
        plan.settings.role == "sequencer" || (signing == [ ] && !sequencing)
      ) "a verifier has a signing key: ${toJSON (map (c: c.name) signing)}"
    ))
    # a verifier: the peers that blocks come from, where transactions go, no key, and nothing that makes or posts blocks
    (
      let
        inherit (plans.verifier) components settings;
        secrets = concatMap (c: attrNames c.secrets) (attrValues components);
      in
      expect (
        attrNames components == [
          "op-geth"
          "op-node"
        ]
      ) "a verifier runs ${toJSON (attrNames components)}"
      ++ expect (
        argument components.op-node "p2p.static"
        == concatStringsSep "," settings.components.op-node.staticPeers
      ) "a verifier does not know its peers"
      ++ expect (
        argument plans.verifier-keyed.components.op-node "p2p.static" == null
      ) "a verifier without peers names some"
      ++ expect (
        argument components.op-geth "rollup.sequencerhttp" == settings.l2.sequencerRpc
      ) "a verifier sends transactions elsewhere"
      ++ expect (set secrets == [ "jwt" ]) "a verifier wants ${toJSON (set secrets)}"
      ++ expect (
        filter (a: match "--(sequencer[.]|rpc[.]enable-admin).*" a != null) components.op-node.args == [ ]
      ) "a verifier makes blocks"
    )
    (eachPlan (
      plan:
      expect (
        (plan.components ? op-challenger) == (plan.settings.paths.prestate != null)
      ) "the challenger does not follow the prestate"
    ))

    # a secret is named by file only; its variable is filled at the start
    (eachComponent (
      plan: c:
      concatMap (
        variable:
        expect (
          !(c.environment ? ${variable}) && match "/.*" c.environmentFromFiles.${variable} != null
        ) "${variable} is not read from a file"
      ) (attrNames c.environmentFromFiles)
      ++ expect (all (secret: !elem secret.file c.command || secret.file == null) (
        attrValues c.secrets
      )) "a secret's file on the host is in the command"
      ++ expect (
        plan.settings.l1.rpcFile == null || !contains (concatStringsSep " " c.args) "l1-eth-rpc"
      ) "the L1 URL is an argument although it is a secret"
      ++ expect (
        plan.settings.l1.beaconFile == null || !contains (concatStringsSep " " c.args) "beacon="
      ) "the beacon's URL is an argument although it is a secret"
    ))
    (eachComponent (_: c: expect (!hasContext (toJSON c)) "a plan refers to the nix store"))

    # what doctor and status read: no key, and files where the host has them
    (eachComponent (
      plan: c:
      let
        described = (lib.stack plan).components.${c.name};
        inherit (plan.settings.components.${c.key}) secretsDirectory;
        keys = filter (name: match ".*(PRIVATE_KEY|SEQUENCER_KEY)" name != null) (
          attrNames c.environmentFromFiles
        );
      in
      expect (all (
        name: described.environment.${name} == null && !(described.environment_files ? ${name})
      ) keys) "the stack file names a key"
      ++ expect (
        !contains (toJSON described) secretsDirectory
      ) "the stack file has paths of the component's own view"
    ))
    # what is built is what the Go module pins
    (
      let
        pinned = module: head (match ".*${module} (v[^ \n]+).*" goMod);
        tools = head (match ".*\ntool [(]\n([^)]*)[)].*" goMod);
        inherit (lib.releases.op-geth) built;
        # no chain runs it
        testsSigner = "github.com/ethereum/go-ethereum/cmd/clef";
      in
      expect (
        built.op-geth == pinned "=> github.com/ethereum-optimism/op-geth"
        && all (name: name == "op-geth" || built.${name} == pinned "ethereum-optimism/optimism") (
          attrNames built
        )
      ) "releases.json and go.mod name different versions of what is built"
      ++ expect (
        set (filter (word: builtins.isString word && word != "") (builtins.split "[\t\n]+" tools))
        == set (given "package" ++ [ testsSigner ])
      ) "programs.json and go.mod name different packages of what is built"
      ++ expect (all (name: lib.programs.byName.${name}.package != null) (
        attrNames built
      )) "releases.json has a version of what is not built"
    )

    # the other tables are of the same programs
    (expect (
      attrNames plans.verifier.settings.components == set (given "component")
    ) "the settings have other components than programs.json")
    (expect (
      attrNames plans.verifier.settings.accounts == set (given "account")
    ) "the settings have other accounts than programs.json")
    (concatMap (
      program:
      let
        inherit (plans.verifier.settings.components.${program.component}) ports;
        listens = map (listener: listener.option) program.listeners;
      in
      expect (all (option: ports ? ${option}) listens) "${program.name} has a listener without a port"
      ++ expect (
        (program.variables != null)
        == builtins.pathExists (lib.releases.op-geth.flags + "/${program.name}.txt")
      ) "${program.name} has variables, or a table of them, but not both"
    ) lib.programs.services)
    (concatMap (
      client:
      let
        release = lib.releases.${client};
        services = filter (
          program: program.component != "execution" || program.name == client
        ) lib.programs.services;
      in
      expect (
        attrNames release.images == set (map (program: program.name) services)
      ) "the release set ${client} has images of other programs than run"
    ) (attrNames lib.releases))

    # what is changed comes through, what is nulled is gone
    (
      let
        batcher = plans.sequencer-full.components.op-batcher;
      in
      expect (argument batcher "target-num-frames" == "3") "a flag of the operator is missing"
      ++ expect (argument batcher "poll-interval" == null) "a flag set to null is still there"
      ++ expect (elem "--log.format=json" batcher.args) "extraArgs are missing"
      ++ expect (
        plans.sequencer-full.components.op-node.image.reference
        == "us-docker.pkg.dev/oplabs-tools-artifacts/images/op-node@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
      ) "an image with a digest is not referred to by it"
    )
    (expect (
      match ".*2026-05-31.*" (toJSON plans.verifier.warnings) != null
      && match ".*2026-05-31.*" (toJSON plans.verifier-reth.warnings) == null
    ) "op-geth's end of support is not told, or told of op-reth")
  ];
in
{
  inherit failures;
  golden = mapAttrs (_: plan: {
    inherit (plan) problems warnings;
    components = mapAttrs (_: c: removeAttrs c [ "flags" ]) plan.components;
    stack = lib.stack plan;
  }) plans;
  counts = {
    plans = length (attrNames plans);
    refusals = length (attrNames refused);
  };
}
