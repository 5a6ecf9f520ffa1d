# Archives: services.every-channel.archive.<name>, each a broadcast recorded from a MoQ relay.
{
  config,
  lib,
  ...
}:
let
  inherit (lib)
    concatMap
    escapeShellArgs
    literalExpression
    mkEnableOption
    mkIf
    mkOption
    optional
    optionals
    types
    ;
  archives = lib.filterAttrs (_: archive: archive.enable) config.services.every-channel.archive;
  hardening = import ./hardening.nix { inherit lib; };

  unit = name: "ec-archive-${name}";
  user = "ec-archive";

  instance =
    { name, ... }:
    {
      options = {
        enable = mkEnableOption "this archive" // {
          default = true;
        };
        package = mkOption {
          type = types.nullOr types.package;
          default = null;
          description = "The package with ec-witness. The flake sets it.";
          example = literalExpression "inputs.every-channel.packages.\${system}.ec-witness";
        };
        url = mkOption {
          type = types.nullOr types.str;
          default = null;
          description = "URL of the relay, with its path. It is in the nix store: one with a token belongs into `urlFile`.";
          example = "https://relay.example/anon";
        };
        urlFile = mkOption {
          type = types.nullOr types.str;
          default = null;
          description = "File with the relay's URL, where that holds a token (`?jwt=…`).";
          example = "/run/agenix/relay-url";
        };
        broadcast = mkOption {
          type = types.str;
          default = name;
          defaultText = literalExpression "the archive's name";
          description = "Name of the broadcast, as the relay announces it.";
          example = "la/nbc";
        };
        tracks = mkOption {
          type = types.listOf types.str;
          default = [ ];
          description = "Tracks to record; none: the catalog, and every media track that it names, as they appear.";
          example = [
            "0.m4s"
            "1.m4s"
          ];
        };
        directory = mkOption {
          type = types.path;
          default = "/var/lib/ec-archive/${name}";
          defaultText = literalExpression ''"/var/lib/ec-archive/<name>"'';
          description = ''
            Directory that gets `manifests/` and `cas/`. Members of the group `ec-archive` may read it: a witness with
            `archiveGroups = [ "ec-archive" ]`.
          '';
          example = "/tank/every-channel/la";
        };
        tls.roots = mkOption {
          type = types.listOf types.path;
          default = [ ];
          description = "Files with root certificates (PEM) that the relay's is to come from, instead of the system's.";
          example = [ "/etc/every-channel/relay-root.pem" ];
        };
        tls.fingerprints = mkOption {
          type = types.listOf (types.strMatching "[0-9a-fA-F]{64}");
          default = [ ];
          description = "SHA-256 of the relay's certificate, any of them; no root is asked then.";
          example = [ "3f0a4f1d7c0d6c5b8f2a9e4d1c3b5a7f9e8d7c6b5a493827161504f3e2d1c0b9" ];
        };
        limits = mkOption {
          type = types.attrsOf types.ints.positive;
          default = { };
          description = "Limits by the name of their flag: `max-age-ms`, `max-group-bytes`, `max-buffered-bytes`, `max-open-groups`.";
          example = {
            max-group-bytes = 16777216;
          };
        };
        metricsListen = mkOption {
          type = types.nullOr types.str;
          default = null;
          description = "Where `/metrics`, `/healthz` and `/readyz` are served; loopback only. `null`: nowhere.";
          example = "127.0.0.1:9475";
        };
        logLevel = mkOption {
          type = types.nullOr types.str;
          default = null;
          description = "What is logged. `null`: what happens to the broadcast.";
          example = "debug";
        };
        watchdogSec = mkOption {
          type = types.ints.positive;
          default = 120;
          description = "Seconds without a sign of life after which systemd restarts the recorder.";
          example = 300;
        };
      };
    };

  arguments =
    name: archive:
    [
      "archive"
      "subscribe"
    ]
    ++ (
      if archive.urlFile == null then
        [ archive.url ]
      else
        [
          "--url-file"
          "/run/credentials/${unit name}.service/url"
        ]
    )
    ++ [
      "--name"
      archive.broadcast
      "--archive"
      archive.directory
    ]
    ++ concatMap (track: [
      "--track"
      track
    ]) archive.tracks
    ++ concatMap (root: [
      "--tls-root"
      root
    ]) archive.tls.roots
    ++ concatMap (fingerprint: [
      "--tls-fingerprint"
      fingerprint
    ]) archive.tls.fingerprints
    ++ lib.concatLists (
      lib.mapAttrsToList (limit: value: [
        "--${limit}"
        (toString value)
      ]) archive.limits
    )
    ++ optionals (archive.metricsListen != null) [
      "--metrics-listen"
      archive.metricsListen
    ]
    ++ optionals (archive.logLevel != null) [
      "--log"
      archive.logLevel
    ];

  recorder = name: archive: {
    description = "every.channel archive ${name}";
    documentation = [ "https://every.channel" ];
    wantedBy = [ "multi-user.target" ];
    wants = [ "network-online.target" ];
    after = [ "network-online.target" ];
    unitConfig = {
      RequiresMountsFor = [ archive.directory ];
      StartLimitIntervalSec = 0;
    };
    serviceConfig = hardening // {
      Type = "notify";
      NotifyAccess = "main";
      ExecStart = "${archive.package}/bin/ec-witness ${escapeShellArgs (arguments name archive)}";
      User = user;
      Group = user;
      # its readers are of the group
      UMask = "0027";
      LoadCredential = optional (archive.urlFile != null) "url:${archive.urlFile}";
      ReadWritePaths = [ archive.directory ];
      # the index is read once before the start
      TimeoutStartSec = "5min";
      TimeoutStopSec = "30s";
      WatchdogSec = "${toString archive.watchdogSec}s";
      KillMode = "mixed";
      Restart = "on-failure";
      RestartSec = "5s";
      Environment = "RUST_BACKTRACE=1";
    };
  };

  limitFlags = [
    "max-age-ms"
    "max-buffered-bytes"
    "max-group-bytes"
    "max-open-groups"
  ];

  assertionsOf =
    name: archive:
    let
      option = o: "services.every-channel.archive.${name}.${o}: ";
      unknown = lib.subtractLists limitFlags (lib.attrNames archive.limits);
    in
    [
      {
        assertion = archive.package != null;
        message = "${option "package"}not set. Use the flake's module, or set it to the package of ec-witness.";
      }
      {
        assertion = (archive.url == null) != (archive.urlFile == null);
        message = "${option "url"}give exactly one of url and urlFile.";
      }
      {
        assertion = archive.url == null || !lib.hasInfix "jwt=" archive.url;
        message = "${option "url"}holds a token, which every user could read in the nix store. Give it in urlFile.";
      }
      {
        assertion = archive.urlFile == null || !lib.hasPrefix builtins.storeDir archive.urlFile;
        message = "${option "urlFile"}in the nix store, which every user can read. Give a path outside, as a string.";
      }
      {
        assertion = archive.tls.roots == [ ] || archive.tls.fingerprints == [ ];
        message = "${option "tls"}roots are not asked where fingerprints are given. Give one of them.";
      }
      {
        assertion = unknown == [ ];
        message = "${option "limits"}there is no limit ${lib.concatStringsSep ", " unknown}. There are ${lib.concatStringsSep ", " limitFlags}.";
      }
    ];

  shared =
    what: lib.filter (value: value != null) (lib.mapAttrsToList (_: archive: what archive) archives);
in
{
  options.services.every-channel.archive = mkOption {
    type = types.attrsOf (types.submodule instance);
    default = { };
    description = "Archives of this host. Each records one broadcast from a MoQ relay, group by group, for a witness to read.";
    example = literalExpression ''
      {
        la-nbc = {
          url = "https://relay.example/anon";
          broadcast = "la/nbc";
        };
      }
    '';
  };

  config = mkIf (archives != { }) {
    assertions = lib.concatLists (lib.mapAttrsToList assertionsOf archives) ++ [
      {
        assertion = lib.allUnique (shared (archive: archive.metricsListen));
        message = "services.every-channel.archive.<name>.metricsListen: two archives share an address. Give each a port of its own.";
      }
      {
        assertion = lib.allUnique (shared (archive: "${toString archive.directory} ${archive.broadcast}"));
        message = "services.every-channel.archive.<name>.directory: two archives record one broadcast into one directory. Give each its own.";
      }
    ];

    users.users.${user} = {
      isSystemUser = true;
      group = user;
      description = "Recorder of every.channel archives";
    };
    users.groups.${user} = { };

    systemd.tmpfiles.settings.ec-archive = lib.mapAttrs' (
      _: archive:
      lib.nameValuePair (toString archive.directory) {
        d = {
          inherit user;
          group = user;
          mode = "0750";
        };
      }
    ) archives;

    systemd.services = lib.mapAttrs' (
      name: archive: lib.nameValuePair (unit name) (recorder name archive)
    ) archives;
  };
}
