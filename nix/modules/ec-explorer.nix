# The explorer: services.every-channel.explorer, an API and a page over ledgers and archives, behind nginx.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib)
    literalExpression
    mkEnableOption
    mkIf
    mkOption
    types
    ;
  explorer = config.services.every-channel.explorer;
  hardening = import ./hardening.nix { inherit lib; };
  toml = pkgs.formats.toml { };
  configFile = toml.generate "ec-explorer.toml" explorer.settings;

  archives = explorer.settings.archive or [ ];
  directories = lib.concatMap (
    archive:
    lib.filter (path: path != null) [
      (archive.dir or null)
      (archive.manifests or null)
      (archive.cas or null)
    ]
  ) (lib.toList archives);
  ledgers =
    lib.optional (explorer.settings ? chain) explorer.settings.chain ++ explorer.settings.ledger or [ ];
  option = name: "services.every-channel.explorer.${name}: ";
in
{
  options.services.every-channel.explorer = {
    enable = mkEnableOption "the explorer";
    package = mkOption {
      type = types.nullOr types.package;
      default = null;
      description = "The package with ec-explorer. The flake sets it.";
      example = literalExpression "inputs.every-channel.packages.\${system}.ec-explorer";
    };
    settings = mkOption {
      inherit (toml) type;
      default = { };
      description = ''
        The configuration, as docs/explorer.md has it. It is in the nix store: an RPC whose URL holds a token belongs into
        `rpcFiles`.
      '';
      example = literalExpression ''
        {
          chain = { rpc = "http://127.0.0.1:28545"; chain_id = 420901; ledger = "0x…"; deploy_block = 1234; };
          archive = [ { name = "la"; dir = "/srv/archive"; } ];
        }
      '';
    };
    rpcFiles = mkOption {
      type = types.attrsOf types.str;
      default = { };
      description = ''
        Files with the RPC URLs of ledgers, by a name. The ledger's `rpc_file` is then
        `/run/credentials/ec-explorer.service/<name>`.
      '';
      example = {
        main = "/run/agenix/l2-rpc";
      };
    };
    listen = mkOption {
      type = types.str;
      default = "127.0.0.1:9480";
      description = "Where it listens, for nginx.";
      example = "127.0.0.1:9481";
    };
    serveMedia = mkOption {
      type = types.bool;
      default = false;
      description = "Whether the archives' media are served. Mind whose they are.";
    };
    archiveGroups = mkOption {
      type = types.listOf types.str;
      default = [ ];
      description = "Groups that may read the archives.";
      example = [ "ec-archive" ];
    };
    memoryMax = mkOption {
      type = types.str;
      default = "4G";
      description = "Memory beyond which it is ended.";
      example = "8G";
    };
    logLevel = mkOption {
      type = types.str;
      default = "info";
      description = "What is logged.";
      example = "debug";
    };
    virtualHost = mkOption {
      type = types.nullOr types.str;
      default = null;
      description = "Name under which nginx serves it. `null`: nginx is left alone.";
      example = "explorer.example";
    };
    requestsPerSecond = mkOption {
      type = types.ints.positive;
      default = 20;
      description = "Requests of one address that nginx lets through in a second, on average; three seconds' worth at once.";
      example = 50;
    };
  };

  config = mkIf explorer.enable {
    assertions = [
      {
        assertion = explorer.package != null;
        message = "${option "package"}not set. Use the flake's module, or set it to the package of ec-explorer.";
      }
      {
        assertion = ledgers != [ ];
        message = "${option "settings"}no ledger is set. Give `chain`, or `ledger`, as docs/explorer.md has them.";
      }
      {
        assertion =
          !lib.any (file: lib.hasPrefix builtins.storeDir file) (lib.attrValues explorer.rpcFiles);
        message = "${option "rpcFiles"}in the nix store, which every user can read. Give a path outside, as a string.";
      }
    ];

    systemd.services.ec-explorer = {
      description = "every.channel explorer";
      documentation = [ "https://every.channel" ];
      wantedBy = [ "multi-user.target" ];
      wants = [ "network-online.target" ];
      after = [ "network-online.target" ];
      unitConfig = {
        RequiresMountsFor = directories;
        StartLimitIntervalSec = 0;
      };
      serviceConfig = hardening // {
        Type = "notify";
        NotifyAccess = "main";
        ExecStart = lib.escapeShellArgs (
          [
            "${explorer.package}/bin/ec-explorer"
            "serve"
            "--config"
            configFile
            "--dir"
            "/var/lib/ec-explorer"
            "--listen"
            explorer.listen
            "--log"
            explorer.logLevel
          ]
          ++ lib.optional explorer.serveMedia "--serve-media"
        );
        DynamicUser = true;
        User = "ec-explorer";
        StateDirectory = "ec-explorer";
        StateDirectoryMode = "0700";
        SupplementaryGroups = explorer.archiveGroups;
        LoadCredential = lib.mapAttrsToList (name: file: "${name}:${file}") explorer.rpcFiles;
        # nothing of the other services' state, the archives read-only
        TemporaryFileSystem = "/var/lib:ro";
        BindReadOnlyPaths = directories;
        LimitNOFILE = 65536;
        MemoryMax = explorer.memoryMax;
        Nice = 5;
        TimeoutStartSec = "2min";
        TimeoutStopSec = "30s";
        KillMode = "mixed";
        Restart = "on-failure";
        RestartSec = "5s";
        Environment = "RUST_BACKTRACE=1";
      };
    };

    services.nginx = mkIf (explorer.virtualHost != null) {
      enable = true;
      recommendedProxySettings = true;
      appendHttpConfig = ''
        limit_req_zone $binary_remote_addr zone=ec_explorer:10m rate=${toString explorer.requestsPerSecond}r/s;
        limit_conn_zone $binary_remote_addr zone=ec_explorer_conn:10m;
      '';
      virtualHosts.${explorer.virtualHost} = {
        locations = {
          "/" = {
            proxyPass = "http://${explorer.listen}";
            extraConfig = ''
              limit_req zone=ec_explorer burst=${toString (3 * explorer.requestsPerSecond)} nodelay;
              limit_req_status 429;
              limit_conn ec_explorer_conn 16;
            '';
          };
          # events go on for as long as the page is open
          "= /api/v1/events" = {
            proxyPass = "http://${explorer.listen}";
            extraConfig = ''
              limit_conn ec_explorer_conn 16;
              proxy_buffering off;
              proxy_read_timeout 1h;
            '';
          };
          # for the host alone
          "= /metrics".return = "404";
        };
      };
    };
  };
}
