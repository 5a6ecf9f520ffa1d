# Every rule that a plan must keep. Returns { problems, warnings }; a problem is { option, message }, where `option` is
# named as in the NixOS module and the message says what to do.
{
  settings,
  release,
  components,
}:
let
  inherit (builtins)
    any
    attrNames
    attrValues
    concatLists
    concatMap
    concatStringsSep
    elem
    filter
    head
    isList
    length
    listToAttrs
    match
    pathExists
    readFile
    split
    ;
  inherit (settings)
    role
    l1
    l2
    paths
    ;

  inherit (import ./endpoints.nix { inherit settings; }) hasBeacon;

  problem =
    condition: option: message:
    if condition then [ { inherit option message; } ] else [ ];
  each = concatMap;
  list = attrValues components;
  on = component: field: "components.${component.key}.${field}";
  unique =
    xs:
    attrNames (
      listToAttrs (
        map (name: {
          inherit name;
          value = null;
        }) xs
      )
    );
  # two components may want the same file: said once
  distinct =
    problems:
    builtins.foldl' (
      seen: p:
      if elem p.option (map (s: s.option) seen) && elem p.message (map (s: s.message) seen) then
        seen
      else
        seen ++ [ p ]
    ) [ ] problems;
  lines = text: filter (line: !isList line && line != "") (split "\n" text);
  count = x: xs: length (filter (y: y == x) xs);

  # --name=value → { name, value }; anything else that starts with a dash keeps its name
  parsed =
    component:
    let
      parse =
        argument:
        let
          parts = match "--?([^=]+)(=(.*))?" argument;
        in
        if parts == null then
          [ ]
        else
          [
            {
              name = head parts;
              value = builtins.elemAt parts 2;
            }
          ];
    in
    concatMap parse component.args;

  # --- flags

  # { flags, variables } that the release's program knows; null where that is not to be checked
  known =
    component:
    let
      file = release.flags + "/${component.name}.txt";
      words = map (line: filter builtins.isString (split " " line)) (lines (readFile file));
    in
    if settings.checkFlags && pathExists file then
      {
        flags = map head words;
        # name, kind, variables
        variables = concatMap (line: builtins.tail (builtins.tail line)) words;
      }
    else
      null;

  unknownFlags = each (
    component:
    let
      knows = known component;
      unknown = filter (flag: !elem flag.name knows.flags) (parsed component);
      # other variables are the runtime's business
      misspelt = filter (name: match "(OP|GETH)_.*" name != null && !elem name knows.variables) (
        attrNames component.environment
      );
      told = "Correct the name, or set checkFlags = false for an image of another release.";
    in
    if knows == null then
      [ ]
    else
      each (
        flag:
        problem true (on component "settings")
          "${component.name} of the release ${settings.executionClient} has no flag --${flag.name}. ${told}"
      ) unknown
      ++ each (
        name:
        problem true (on component "environment")
          "${component.name} of the release ${settings.executionClient} does not know the variable ${name}, and would ignore it. ${told}"
      ) misspelt
  ) list;

  repeatedFlags = each (
    component:
    let
      names = map (flag: flag.name) (parsed component);
    in
    each (
      name:
      problem (count name names > 1) (on component "extraArgs")
        "--${name} is given twice. Use settings.\"${name}\" to replace the module's value."
    ) (unique names)
  ) list;

  # flags that say where something is; other parts of the plan rely on them
  reserved = "(.*[.])?(addr|port)|p2p[.]listen[.](ip|tcp|udp)|datadir|metrics|rollup[.]config|.*jwt-?secret|l2[.]enginekind|cannon-prestates?(-url)?";
  reservedFlags = each (
    component:
    let
      own = settings.components.${component.key};
    in
    each
      (
        name:
        problem (match reserved name != null) (on component "settings")
          "--${name} follows from an option of its own (address, ports, secrets, executionClient, dispute.prestateFile). Set that instead."
      )
      (
        attrNames own.settings
        ++ map (flag: flag.name) (parsed {
          args = own.extraArgs;
        })
      )
  ) list;

  # --- secrets

  secretFlag = "(.*[.-])?(private-key|signer[.]header|mnemonic|hd-path|password|nodekeyhex|p2p-secret-key-hex)|p2p[.]sequencer[.]key|p2p[.]priv[.]raw|rpc[.]jwtsecret|l1[.]beacon-header";
  secretVariable = ".*(PRIVATE_KEY|MNEMONIC|PASSWORD|SEQUENCER_KEY|PRIV_RAW|SECRET)";
  secretValue = "(0x)?[0-9a-fA-F]{64}";
  exposedSecrets = each (
    component:
    each (
      flag:
      problem
        (match secretFlag flag.name != null || (flag.value != null && match secretValue flag.value != null))
        (on component "settings")
        "--${flag.name} would put a secret into an argument, which every process of the host can read. The files in `secrets` are for that."
    ) (parsed component)
    ++ each (
      name:
      problem
        (match secretVariable name != null || match secretValue component.environment.${name} != null)
        (on component "environment")
        "The variable ${name} would put a secret into the unit. The files in `secrets` are for that."
    ) (attrNames component.environment)
  ) list;

  # An API key in a URL: a user or password, a query, or a part of the path that is long enough to be one.
  keyed =
    url:
    url != null && match "[a-z]+://([^/]*@.*|[^/]*/(.*/)?[0-9A-Za-z_-]{20,}.*|[^?]*[?].*)" url != null;
  exposedUrls =
    each
      (
        name:
        problem
          (l1."${name}File" == null && any keyed (if isList l1.${name} then l1.${name} else [ l1.${name} ]))
          "l1.${name}"
          "The URL holds what looks like an API key, which the nix store, the unit and the stack file would show. Put the URL into a file, and set l1.${name}File."
      )
      [
        "rpc"
        "beacon"
        "beaconFallbacks"
      ];

  # what each component wants: { component, name, option, file }
  wanted = concatMap (
    component:
    map (name: component.secrets.${name} // { inherit component name; }) (attrNames component.secrets)
  ) list;
  missing = filter (secret: secret.file == null) wanted;
  missingSecrets = map (option: {
    inherit option;
    message = "${
      concatStringsSep " and " (
        map (secret: secret.component.name) (filter (secret: secret.option == option) missing)
      )
    } cannot start without this file. Give its path on the host, as a string, such as \"/run/agenix/${
      builtins.replaceStrings [ "secrets." ] [ "" ] option
    }\".";
  }) (unique (map (secret: secret.option) missing));
  storedSecrets = each (
    secret:
    problem (secret.file != null && match "${builtins.storeDir}/.*" (toString secret.file) != null)
      secret.option
      "${secret.file} is in the nix store, which every user can read. Give a path outside, as a string: agenix and sops-nix make such files."
  ) wanted;
  keys = filter (
    secret:
    secret.file != null
    && elem secret.name [
      "key"
      "p2p-key"
    ]
  ) wanted;
  sharedKeys = each (
    file:
    let
      users = filter (secret: secret.file == file) keys;
    in
    problem (length users > 1) (head users).option
      "${file} is also ${
        concatStringsSep ", " (map (secret: secret.option) (builtins.tail users))
      }. Two services with one key race for its nonces: give each a key of its own."
  ) (unique (map (secret: builtins.unsafeDiscardStringContext secret.file) keys));

  signing = filter (account: settings.signers.${account} != null) (attrNames settings.signers);
  exposedSigners = each (
    account:
    problem (match ".*@.*" settings.signers.${account}.endpoint != null) "signers.${account}.endpoint"
      "A user or password would be in an argument, which every process of the host can read. Let the signer know the account by a client certificate."
  ) signing;
  sharedSigners = each (
    address:
    let
      users = filter (account: settings.signers.${account}.address == address) signing;
    in
    problem (length users > 1) "signers.${head users}.address"
      "${address} is also ${
        concatStringsSep ", " (map (account: "signers.${account}.address") (builtins.tail users))
      }. Two services with one account race for its nonces: give each one of its own."
  ) (unique (map (account: settings.signers.${account}.address) signing));

  # --- listeners

  loopback =
    address:
    elem address [
      "::1"
      "localhost"
    ]
    || match "127[.][0-9]+[.][0-9]+[.][0-9]+" address != null;
  exposedListeners = each (
    component:
    let
      exposed = filter (port: !port.public && !loopback port.address) (attrValues component.ports);
    in
    problem (exposed != [ ]) (on component "address")
      "${(head exposed).address} is not a loopback address: RPC, engine, metrics and pprof would be open to the network. Use 127.0.0.1 and a reverse proxy or a tunnel."
  ) list;

  sockets = concatMap (
    component:
    concatMap (
      name:
      map (protocol: {
        option = on component "ports.${name}";
        inherit protocol;
        inherit (component.ports.${name}) port;
        id = "${protocol} ${toString component.ports.${name}.port}";
      }) component.ports.${name}.protocols
    ) (attrNames component.ports)
  ) list;
  collisions = each (
    id:
    let
      same = filter (socket: socket.id == id) sockets;
    in
    problem (length same > 1) (head same).option
      "${id} is also ${
        concatStringsSep ", " (map (socket: socket.option) (builtins.tail same))
      }. Give each a port of its own."
  ) (unique (map (socket: socket.id) sockets));
  taken = each (
    socket:
    problem (elem socket.port settings.reservedPorts) socket.option
      "${toString socket.port} is in reservedPorts: a port of the host's own Ethereum node. Choose another, or take it off that list if nothing listens there."
  ) sockets;

  # --- roles and clients

  has = name: components ? ${name};
  roles =
    problem (l2.chainId == null) "l2.chainId" "The chain id of the L2 is not set."
    ++ problem (
      l2.chainId != null && l2.chainId == l1.chainId
    ) "l2.chainId" "It equals l1.chainId; the L2 needs an id of its own."
    ++
      problem (role == "sequencer" && !has "op-batcher") "components.op-batcher.enable"
        "A sequencer without a batcher never makes a block safe, and halts in the end. Enable it, or set role = \"verifier\"."
    ++
      problem (role == "verifier" && has "op-batcher") "components.op-batcher.enable"
        "Only the sequencer posts batches. Disable it, or set role = \"sequencer\"."
    ++
      problem (role == "verifier" && has "op-proposer") "components.op-proposer.enable"
        "A verifier proposes nothing. Disable it, or set role = \"sequencer\"."
    ++ problem (
      role == "sequencer" && l2.sequencerRpc != null
    ) "l2.sequencerRpc" "This host is the sequencer. Unset it."
    ++ problem (
      !has release.execution
    ) "components.execution.enable" "op-node needs its execution client. Enable it."
    ++ problem (
      !has "op-node"
    ) "components.op-node.enable" "Without op-node the chain does not move. Enable it."
    ++
      problem (!release.karst && elem "karst" l2.forks) "executionClient"
        "The chain schedules the Karst hardfork, which op-geth does not know. Set executionClient = \"op-reth\"."
    ++
      problem (has "op-challenger" && paths.prestate == null) "dispute.prestateFile"
        "op-challenger needs the absolute prestate whose hash is on chain. Name the file, or disable components.op-challenger."
    ++ problem (
      has "op-challenger" && !hasBeacon && !(components.op-challenger.flags.l1-beacon or null != null)
    ) "l1.beacon" "op-challenger needs a beacon endpoint. Set it, or l1.beaconFile."
    ++
      problem
        (has "op-batcher" && !hasBeacon && components.op-batcher.flags.data-availability-type != "calldata")
        "components.op-batcher.dataAvailability"
        "Blobs cannot be read back without l1.beacon or l1.beaconFile. Set one, or dataAvailability = \"calldata\".";

  # --- images

  unpinned = filter (component: component.image.digest == null) list;
  wrongDigests = filter (
    component:
    component.image.digest != null && match "sha256:[0-9a-f]{64}" component.image.digest == null
  ) list;
  images =
    problem (settings.requireDigests && unpinned != [ ]) "components.${(head unpinned).key}.digest"
      "Images without a digest: ${
        concatStringsSep ", " (map (c: c.image.reference) unpinned)
      }. Run scripts/op-stack/pin-images.sh, which writes nix/images.lock.json, or set each component's digest."
    ++ each (
      component:
      problem true (on component "digest")
        "\"${component.image.digest}\" is no digest: it is sha256: and 64 hex digits."
    ) wrongDigests;

  public =
    url: url != null && match ".*(publicnode[.]com|drpc[.]org|rpc[.]sepolia[.]org).*" url != null;
in
{
  problems = distinct (concatLists [
    roles
    images
    unknownFlags
    repeatedFlags
    reservedFlags
    exposedSecrets
    exposedUrls
    missingSecrets
    storedSecrets
    sharedKeys
    exposedSigners
    sharedSigners
    exposedListeners
    collisions
    taken
  ]);

  warnings =
    (
      if release.endOfSupport != null then
        [
          "${release.execution} has been without support since ${release.endOfSupport}: no security fixes, and no Karst hardfork. Plan the move to executionClient = \"op-reth\"."
        ]
      else
        [ ]
    )
    ++ (
      if release.flagsFromProgram then
        [ ]
      else
        [
          "The release set ${settings.executionClient} was not run by this project's tests; the flags of ${release.execution} are checked against its documentation, those of the other programs not at all."
        ]
    )
    ++ (
      if (l1.rpcFile == null && public l1.rpc) || (l1.beaconFile == null && public l1.beacon) then
        [
          "l1.rpc or l1.beacon is a public endpoint: rate limits there stop derivation and proposals. Use an own node or a paid endpoint."
        ]
      else
        [ ]
    );
}
