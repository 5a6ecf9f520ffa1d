# Witnesses: services.every-channel.witness.<name>, one key and one vote store each.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib)
    literalExpression
    mkDefault
    mkEnableOption
    mkIf
    mkOption
    types
    ;
  witnesses = lib.filterAttrs (_: witness: witness.enable) config.services.every-channel.witness;
  chain = config.services.every-channel.op-stack;
  hardening = import ./hardening.nix { inherit lib; };
  toml = pkgs.formats.toml { };

  # where the packaged unit listens, and Prometheus looks
  metricsListen = lib.head (
    builtins.match ".*EC_WITNESS_METRICS_LISTEN=([^\n]*)\n.*" (
      builtins.readFile ../../ec-witness/packaging/ec-witness.service
    )
  );

  unit = name: "ec-witness-${name}";
  credentials = name: "/run/credentials/${unit name}.service";
  state = name: "ec-witness/${name}";
  store = name: "/var/lib/${state name}/store";

  # what is handed over as credentials, by their names
  secrets =
    witness:
    lib.filterAttrs (_: file: file != null) (
      {
        key = witness.keyFile;
        password = witness.passwordFile;
      }
      // lib.optionalAttrs (witness.signer != null) {
        signer-cert = witness.signer.certFile;
        signer-key = witness.signer.keyFile;
        signer-ca = witness.signer.caFile;
      }
    );

  # where a witness signs, as the configuration's table `key` has it
  keySettings =
    name: witness:
    let
      credential = file: "${credentials name}/${file}";
      inherit (witness) signer;
    in
    if signer != null then
      {
        signer = signer.url;
        signer_address = signer.address;
        signer_method = signer.method;
      }
      // lib.optionalAttrs (signer.certFile != null) { signer_cert = credential "signer-cert"; }
      // lib.optionalAttrs (signer.keyFile != null) { signer_key = credential "signer-key"; }
      // lib.optionalAttrs (signer.caFile != null) { signer_ca = credential "signer-ca"; }
    else if witness.passwordFile == null then
      { key_file = credential "key"; }
    else
      {
        keystore = credential "key";
        password_file = credential "password";
      };

  signerOptions.options = {
    url = mkOption {
      type = types.str;
      description = "The signer, asked by JSON-RPC. It is in the nix store: whoever may sign is known by the client certificate.";
      example = "https://signer.internal:9000";
    };
    address = mkOption {
      type = types.str;
      description = "The account that signs: the witness's.";
      example = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
    };
    method = mkOption {
      type = types.enum [
        "eth_signTransaction"
        "account_signTransaction"
      ];
      default = "eth_signTransaction";
      description = "What it is asked for: the first one by web3signer, the second one by clef.";
    };
    certFile = mkOption {
      type = types.nullOr types.str;
      default = null;
      description = "File with the client certificate, PEM.";
      example = "/run/agenix/signer-cert";
    };
    keyFile = mkOption {
      type = types.nullOr types.str;
      default = null;
      description = "File with the client certificate's key, PEM.";
      example = "/run/agenix/signer-key";
    };
    caFile = mkOption {
      type = types.nullOr types.str;
      default = null;
      description = "File with the certificate of the authority that vouches for the signer, PEM.";
      example = "/etc/ssl/signer-ca.pem";
    };
  };

  # tracks of the broadcasts that a configuration names; a broadcast without a list of them has a picture and a sound
  configuredStreams =
    settings:
    let
      tracks =
        stream:
        lib.length (
          stream.tracks or settings.archive.tracks or [
            "video"
            "audio"
          ]
        );
    in
    lib.foldl' (sum: stream: sum + tracks stream) 0 (settings.stream or [ ]);

  # docs/operating-a-witness.md, limits, says where the numbers are from; the packaged unit has those of 5000 streams
  limits = streams: {
    LimitNOFILE = 4096 + 8 * streams;
    MemoryHigh = "${toString (1024 + streams)}M";
    MemoryMax = "${toString (2 * (1024 + streams))}M";
  };

  instance =
    { name, config, ... }:
    {
      options = {
        enable = mkEnableOption "this witness" // {
          default = true;
        };
        package = mkOption {
          type = types.nullOr types.package;
          default = null;
          description = "The package with ec-witness. The flake sets it.";
          example = literalExpression "inputs.every-channel.packages.\${system}.ec-witness";
        };
        manifests = mkOption {
          type = types.str;
          description = "Directory of the archive's index. Read only.";
          example = "/var/lib/every-channel/manifests";
        };
        cas = mkOption {
          type = types.nullOr types.str;
          default = null;
          description = "Directory that holds the archive's `objects/`. Not needed to vote. Read only.";
          example = "/tank/every-channel/archive";
        };
        archiveGroups = mkOption {
          type = types.listOf types.str;
          default = [ ];
          description = "Groups that may read the archive; the witness has no user of its own beforehand.";
          example = [ "every-channel" ];
        };
        keyFile = mkOption {
          type = types.nullOr types.str;
          default = null;
          description = "File with the key as 64 hex digits, or with an encrypted keystore when `passwordFile` is set.";
          example = "/run/agenix/ec-witness-key";
        };
        passwordFile = mkOption {
          type = types.nullOr types.str;
          default = null;
          description = "File with the keystore's password.";
          example = "/run/agenix/ec-witness-password";
        };
        signer = mkOption {
          type = types.nullOr (types.submodule signerOptions);
          default = null;
          description = "A signer elsewhere that holds the key, instead of `keyFile`.";
          example = literalExpression ''
            {
              url = "https://signer.internal:9000";
              address = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
              certFile = "/run/agenix/signer-cert";
              keyFile = "/run/agenix/signer-key";
            }
          '';
        };
        metricsListen = mkOption {
          type = types.nullOr types.str;
          default = metricsListen;
          description = "Where `/metrics`, `/healthz` and `/readyz` are served; loopback only. `null`: nowhere.";
          example = "127.0.0.1:9466";
        };
        localChain = mkOption {
          type = types.bool;
          default = chain.enable;
          defaultText = literalExpression "config.services.every-channel.op-stack.enable";
          description = "The chain's RPC is this host's op-stack: it is the default RPC, and the witness starts after op-node.";
          example = false;
        };
        fromSequence = mkOption {
          type = types.either types.ints.unsigned (
            types.enum [
              "newest"
              "first"
            ]
          );
          default = "newest";
          description = "The first epoch that is judged, fixed when the store is created.";
          example = "first";
        };
        logLevel = mkOption {
          type = types.str;
          default = "info";
          description = "What is logged.";
          example = "info,ec_witness=debug";
        };
        watchdogSec = mkOption {
          type = types.ints.positive;
          default = 120;
          description = "Seconds without a sign of life after which systemd restarts the witness.";
          example = 300;
        };
        streams = mkOption {
          type = types.ints.positive;
          default = lib.max 1000 (configuredStreams config.settings);
          defaultText = literalExpression "1000, or the tracks of all broadcasts of settings.stream where those are more";
          description = "For how many streams there is to be room; a track is one of its own unless numbers are a timeline's. Limits of memory and open files follow from it.";
          example = 5000;
        };
        catchUpPercent = mkOption {
          type = types.ints.between 0 100;
          default = 50;
          description = "Of the gas that blocks take without getting dearer, how much goes into votes on old epochs, of all witnesses together, percent. 0: as fast as it goes.";
          example = 25;
        };
        settings = mkOption {
          type = types.submodule { freeformType = toml.type; };
          default = { };
          description = ''
            The configuration file; README.md lists its settings. `archive`, `store`, `key` and `monitor` follow from the
            options here. It is in the nix store: secrets have files of their own.
          '';
          example = literalExpression ''
            {
              chain = {
                rpc = "http://127.0.0.1:28545";
                chain_id = 901;
                ledger = "0x5FbDB2315678afecb367f032d93F642f64180aa3";
                deploy_block = 1234;
              };
              stream = [
                { broadcast = "la-abc"; track_groups_per_epoch."audio0.m4s" = 2814; }
                { broadcast = "la-nbc"; numbering = "timeline"; time = "timeline"; chunk_duration_ms = 2000; }
              ];
            }
          '';
        };
      };

      config.settings = {
        archive = {
          manifests = config.manifests;
        }
        // lib.optionalAttrs (config.cas != null) { inherit (config) cas; };
        store.dir = store name;
        key = keySettings name config;
        chain = mkIf config.localChain {
          rpc = mkDefault chain.plan.components.${chain.executionClient}.health.url;
          chain_id = mkDefault chain.l2.chainId;
        };
        run.catch_up_percent = mkDefault config.catchUpPercent;
        monitor = mkIf (config.metricsListen != null) { metrics_listen = config.metricsListen; };
      };
    };

  configFile = name: witness: toml.generate "${unit name}.toml" witness.settings;

  # what the daemon, its init and an operator's commands run with
  sandbox =
    name: witness:
    hardening
    // limits witness.streams
    // {
      DynamicUser = true;
      User = unit name;
      StateDirectory = state name;
      StateDirectoryMode = "0700";
      SupplementaryGroups = witness.archiveGroups;
      LoadCredential = lib.mapAttrsToList (credential: file: "${credential}:${file}") (secrets witness);
      # its own view of the file system: nothing of the other services' state, the archive read-only
      TemporaryFileSystem = "/var/lib:ro";
      BindReadOnlyPaths = [ witness.manifests ] ++ lib.optional (witness.cas != null) witness.cas;
      Environment = "RUST_BACKTRACE=1";
    };
  program = witness: "${witness.package}/bin/ec-witness";

  start =
    name: witness:
    pkgs.writeShellApplication {
      name = "${unit name}-start";
      text = ''
        if [[ ! -e ${store name}/votes.sqlite ]]; then
          echo "no vote store in ${store name}. For a new witness: systemctl start ${unit name}-init. If there was one, read 'A lost store' in docs/operating-a-witness.md first." >&2
          exit 78
        fi
        exec ${program witness} run --config ${configFile name witness} --log ${lib.escapeShellArg witness.logLevel}
      '';
    };

  daemon = name: witness: {
    description = "every.channel witness ${name}";
    documentation = [ "https://every.channel" ];
    wantedBy = [ "multi-user.target" ];
    wants = [ "network-online.target" ];
    after = [ "network-online.target" ] ++ opNode witness;
    unitConfig = {
      RequiresMountsFor = [ witness.manifests ] ++ lib.optional (witness.cas != null) witness.cas;
      StartLimitIntervalSec = 0;
    };
    serviceConfig = sandbox name witness // {
      Type = "notify";
      NotifyAccess = "main";
      ExecStart = lib.getExe (start name witness);
      # a large archive is read once before the first turn
      TimeoutStartSec = "15min";
      # it drains within 10 seconds
      TimeoutStopSec = "30s";
      WatchdogSec = "${toString witness.watchdogSec}s";
      KillMode = "mixed";
      Restart = "on-failure";
      RestartSec = "30s";
      # without a store a restart changes nothing
      RestartPreventExitStatus = 78;
    };
  };

  initialiser = name: witness: {
    description = "Vote store of the every.channel witness ${name}; started by hand, once";
    after = [ "network-online.target" ] ++ opNode witness;
    wants = [ "network-online.target" ];
    conflicts = [ "${unit name}.service" ];
    serviceConfig = sandbox name witness // {
      Type = "oneshot";
      ExecStart = "${program witness} init --config ${initConfig name witness} --from-sequence ${toString witness.fromSequence}";
      TimeoutStartSec = "15min";
      KillMode = "mixed";
      Restart = "no";
    };
  };
  # its credentials are in another directory
  initConfig =
    name: witness:
    configFile "${name}-init" (
      witness
      // {
        settings = witness.settings // {
          key = lib.mapAttrs (
            _: lib.replaceStrings [ (credentials name) ] [ "/run/credentials/${unit name}-init.service" ]
          ) witness.settings.key;
        };
      }
    );

  opNode =
    witness:
    lib.optional witness.localChain (
      if chain.backend == "native" then "op-node.service" else "podman-op-node.service"
    );

  assertionsOf =
    name: witness:
    let
      option = o: "services.every-channel.witness.${name}.${o}: ";
      account = w: if w.signer == null then w.keyFile else lib.toLower w.signer.address;
      others = lib.filterAttrs (other: w: other != name && account w == account witness) witnesses;
      inherit (witness) signer;
      chainKeys = lib.filter (file: file != null) (lib.attrValues chain.secrets);
      inStore = file: file != null && lib.hasPrefix builtins.storeDir file;
    in
    [
      {
        assertion = witness.package != null;
        message = "${option "package"}not set. Use the flake's module, or set it to the package of ec-witness.";
      }
      {
        assertion = witness.keyFile != null || signer != null;
        message = "${option "keyFile"}a witness needs a key of its own. Give the file's path as a string, or a signer.";
      }
      {
        assertion = signer == null || (witness.keyFile == null && witness.passwordFile == null);
        message = "${option "signer"}a key is set as well. Leave one of them.";
      }
      {
        assertion = signer == null || (signer.certFile == null) == (signer.keyFile == null);
        message = "${option "signer"}a client certificate needs its key: set certFile and keyFile, or neither.";
      }
      {
        assertion = signer == null || !lib.hasInfix "@" signer.url;
        message = "${option "signer.url"}a user or password would be in the nix store. Use a client certificate.";
      }
      {
        assertion = !lib.any inStore (lib.attrValues (removeAttrs (secrets witness) [ "signer-ca" ]));
        message = "${option "keyFile"}the key or its password is in the nix store, which every user can read. Give a path outside, as a string.";
      }
      {
        assertion = account witness == null || others == { };
        message = "${option "keyFile"}also the key of ${lib.concatStringsSep ", " (lib.attrNames others)}. Two witnesses with one key contradict each other: give each its own.";
      }
      {
        assertion = witness.keyFile == null || !(chain.enable && lib.elem witness.keyFile chainKeys);
        message = "${option "keyFile"}also a key of services.every-channel.op-stack. Other transactions of the account stop the witness: give it a key of its own.";
      }
      {
        assertion = witness.localChain -> chain.enable;
        message = "${option "localChain"}this host runs no chain. Set it to false, and settings.chain.rpc.";
      }
      {
        assertion = witness.settings ? chain.ledger && witness.settings ? chain.deploy_block;
        message = "${option "settings.chain"}`ledger` and `deploy_block` are not set. `ec-witness deploy --write-config` writes them.";
      }
    ];

  listeners = lib.filter (listen: listen != null) (
    lib.mapAttrsToList (_: witness: witness.metricsListen) witnesses
  );
in
{
  imports = [ ./op-stack/options.nix ];

  options.services.every-channel.witness = mkOption {
    type = types.attrsOf (types.submodule instance);
    default = { };
    description = "Witnesses of this host. Each derives observations from an archive and votes for them, with a key of its own.";
    example = literalExpression ''
      {
        la = {
          manifests = "/var/lib/every-channel/manifests";
          keyFile = "/run/agenix/ec-witness-la";
          settings.chain = { ledger = "0x…"; deploy_block = 1234; };
        };
      }
    '';
  };

  config = mkIf (witnesses != { }) {
    assertions = lib.concatLists (lib.mapAttrsToList assertionsOf witnesses) ++ [
      {
        assertion = lib.allUnique listeners;
        message = "services.every-channel.witness.<name>.metricsListen: two witnesses share an address. Give each a port of its own.";
      }
    ];

    # Where every command looks that is told nothing else. Of several witnesses `--unit` says which is meant.
    environment.etc =
      let
        file = name: { source = configFile name witnesses.${name}; };
        names = lib.attrNames witnesses;
      in
      lib.listToAttrs (map (name: lib.nameValuePair "ec-witness/${name}.toml" (file name)) names)
      // lib.optionalAttrs (lib.length names == 1) {
        "ec-witness/ec-witness.toml" = file (lib.head names);
      };

    systemd.services = lib.mkMerge (
      lib.mapAttrsToList (name: witness: {
        ${unit name} = daemon name witness;
        "${unit name}-init" = initialiser name witness;
      }) witnesses
    );
  };
}
