# Tests of the modules by evaluation, with a nixpkgs: what the example host becomes, and what is refused.
# `failures` must be empty.
{
  nixpkgs ? builtins.getEnv "NIXPKGS",
}:
let
  library = import ../lib;
  inherit (library) releases;
  evalConfig = import (nixpkgs + "/nixos/lib/eval-config.nix");
  lib = import (nixpkgs + "/lib");
  digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

  keys = lib.attrNames (library.plan { }).settings.components;

  # stands in for the flake's packages: nothing is built
  packages =
    { pkgs, ... }:
    let
      program = name: pkgs.writeShellScriptBin name "";
    in
    {
      services.every-channel.op-stack = {
        tools = program "ec-op-stack";
        bootstrap.setupRollup = "/run/setup-rollup";
        components = lib.genAttrs keys (name: {
          package = program name;
        });
      };
      services.every-channel.witness.la.package = program "ec-witness";
    };

  host =
    change:
    (evalConfig {
      system = "x86_64-linux";
      modules = [
        ../modules/ec-archive.nix
        ../modules/ec-explorer.nix
        ../modules/ec-op-stack.nix
        ../modules/ec-witness.nix
        ../hosts/ecp-forge.nix
        packages
        change
      ];
    }).config;
  stack =
    change: host { services.every-channel.op-stack = lib.mapAttrsRecursive (_: lib.mkForce) change; };
  native = change: stack (lib.recursiveUpdate { backend = "native"; } change);
  witness =
    change:
    host {
      services.every-channel = {
        op-stack.backend = "native";
        witness = change;
      };
    };
  signer = {
    url = "https://signer.internal:9000";
    address = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
  };
  # a witness whose key is elsewhere
  signed =
    change:
    witness {
      la.keyFile = lib.mkForce null;
      la.signer = signer // change;
    };
  archive =
    change:
    host (
      { pkgs, ... }:
      {
        services.every-channel = {
          op-stack.backend = "native";
          archive.la = change // {
            package = pkgs.writeShellScriptBin "ec-witness" "";
          };
        };
      }
    );
  explorer =
    change:
    host (
      { pkgs, ... }:
      {
        services.every-channel = {
          op-stack.backend = "native";
          explorer = {
            enable = true;
            package = pkgs.writeShellScriptBin "ec-explorer" "";
          }
          // change;
        };
      }
    );

  failed = config: map (a: a.message) (lib.filter (a: !a.assertion) config.assertions);
  units =
    config:
    lib.filter (name: lib.hasInfix "op-" name || lib.hasPrefix "ec-" name) (
      lib.attrNames config.systemd.services
    );
  text = config: name: config.systemd.units."${name}.service".text;
  stackFile =
    config: builtins.unsafeDiscardStringContext config.environment.etc."ec-op-stack/stack.json".text;
  expect = ok: message: lib.optional (!ok) message;

  # exactly one failed assertion, of this option and with this text
  refused =
    name: config: option: part:
    let
      messages = failed config;
    in
    expect (
      lib.length messages == 1
      && lib.hasPrefix "services.every-channel.${option}" (lib.head messages)
      && lib.hasInfix part (lib.head messages)
    ) "refused ${name}: expected ${option} \"${part}\", got ${builtins.toJSON messages}";

  oci = stack { };
  pinned = stack {
    components = lib.genAttrs keys (_: {
      inherit digest;
    });
  };
  asPackages = native { };
  noPrestate = native { dispute.prestateFile = null; };
  verifier = native {
    role = "verifier";
    l2 = {
      chainId = 420901;
      files = "/etc/chain";
      sequencerRpc = "https://rpc.example";
    };
    dispute.prestateFile = null;
    components.op-node.staticPeers = [ peer ];
  };
  peer = "/ip4/192.0.2.7/tcp/28522/p2p/16Uiu2HAmExample";
in
{
  failures = lib.concatLists [
    # the example host
    (refused "the example host, until its images are pinned" oci "op-stack.components.op-batcher.digest"
      "scripts/op-stack/pin-images.sh"
    )
    (expect (failed pinned == [ ]) "with digests: ${builtins.toJSON (failed pinned)}")
    (expect (failed asPackages == [ ]) "with packages: ${builtins.toJSON (failed asPackages)}")
    (
      let
        images = stack {
          imageLock = lib.mapAttrs' (
            _: image: lib.nameValuePair "${image.repository}:${image.tag}" digest
          ) releases.op-geth.images;
        };
      in
      expect (failed images == [ ]) "with an image lock: ${builtins.toJSON (failed images)}"
      ++ expect (
        images.virtualisation.oci-containers.containers.op-node.image
        == "us-docker.pkg.dev/oplabs-tools-artifacts/images/op-node@${digest}"
      ) "the lock's digest is not used"
    )
    (expect (lib.any (lib.hasInfix "2026-05-31") oci.warnings) "op-geth's end of support is not told")
    (expect (
      oci.networking.firewall.allowedTCPPorts == [
        28503
        28522
      ]
      &&
        oci.networking.firewall.allowedUDPPorts == [
          28503
          28522
        ]
    ) "the firewall opens other ports than P2P")
    (expect (
      (stack { openFirewall = false; }).networking.firewall.allowedTCPPorts == [ ]
    ) "the firewall is opened unasked")

    # the dispute path
    (expect (lib.elem "op-challenger" (units asPackages)) "no challenger with a prestate")
    (expect (
      !lib.any (lib.hasInfix "challenger") (units noPrestate)
      && !lib.any (lib.hasInfix "dispute") (units noPrestate)
      && lib.elem "op-proposer" (units noPrestate)
    ) "dispute units without a prestate: ${builtins.toJSON (units noPrestate)}")
    (expect (failed verifier == [ ] && !lib.elem "op-batcher" (units verifier))
      "a verifier: ${builtins.toJSON (failed verifier ++ units verifier)}"
    )
    (
      let
        inherit (builtins.fromJSON (stackFile verifier)) components;
      in
      expect (
        lib.elem "--p2p.static=${peer}" components.op-node.args
        && lib.elem "--rollup.sequencerhttp=https://rpc.example" components.op-geth.args
      ) "a verifier does not know its peer, or where transactions go"
      ++ expect (
        components.op-node.environment == { }
      ) "a verifier's op-node wants ${builtins.toJSON components.op-node.environment}"
    )

    # units
    (lib.concatMap
      (
        config:
        lib.concatMap (
          name:
          let
            service = config.systemd.services.${name}.serviceConfig;
          in
          expect (
            service ? KillMode && service ? Restart && service ? TimeoutStartSec
          ) "${name}: KillMode, Restart or TimeoutStartSec is not set"
          ++ expect (
            builtins.match ".*(PRIVATE_KEY|SEQUENCER_KEY)=.*" (text config name) == null
          ) "${name}: a key in the unit"
        ) (units config)
      )
      [
        oci
        asPackages
      ]
    )
    (expect (lib.hasInfix "op-geth.service" (toString asPackages.systemd.services.op-node.after)) "op-node is not ordered after op-geth")
    (expect (lib.elem "podman-op-node.service" oci.systemd.services.ec-witness-la.after) "the witness is not ordered after op-node")
    (expect (
      asPackages.services.every-channel.witness.la.settings.chain.rpc == "http://127.0.0.1:28545"
    ) "the witness does not use the local chain")

    # what doctor and status read: paths of the host, cannon as it can be run there
    (lib.concatMap
      (
        config:
        let
          file = stackFile config;
          inherit (builtins.fromJSON file) components role;
          args = name: components.${name}.args;
        in
        expect (role == "sequencer") "the stack file has no role"
        ++ expect (lib.elem "--l2.jwt-secret=/run/agenix/op-jwt" (args "op-node")) "the stack file has no JWT secret of the host"
        ++ expect (
          components.op-node.environment_files.OP_NODE_L1_ETH_RPC == "/run/agenix/l1-rpc"
        ) "the stack file does not name the L1 URL's file"
        ++ expect (lib.any (lib.hasPrefix "--cannon-bin=${builtins.storeDir}") (args "op-challenger")) "the stack file's cannon is not on the host"
        ++ expect (!lib.hasInfix "op-batcher-key" file) "the stack file names a key"
        ++ expect (lib.elem "op-stack.target" config.systemd.services.op-stack-doctor.wantedBy) "nobody asks the doctor"
      )
      [
        pinned
        asPackages
      ]
    )
    (expect (
      (builtins.fromJSON (stackFile pinned)).components.op-batcher.version
      == releases.op-geth.images.op-batcher.tag
      &&
        (builtins.fromJSON (stackFile asPackages)).components.op-batcher.version
        == releases.op-geth.built.op-batcher
    ) "the stack file's versions are not those of the image and of the package")

    # what the modules refuse beyond nix/lib
    (refused "a verifier without files" (native {
      role = "verifier";
      dispute.prestateFile = null;
    }) "op-stack.l2.files" "a verifier needs")
    (refused "no deployer key" (native {
      secrets.deployerKey = null;
    }) "op-stack.secrets.deployerKey" "funded key")
    (refused "no owner" (native { bootstrap.owner = null; }) "op-stack.bootstrap.owner" "need an owner")
    (refused "no op-deployer" (native {
      bootstrap.opDeployer = null;
    }) "op-stack.bootstrap.opDeployer" "download-op-deployer.sh")
    (refused "deployer with the batcher's key" (native {
      secrets.deployerKey = "/run/agenix/op-batcher-key";
    }) "op-stack.secrets.deployerKey" "key of its own")
    (refused "one key for two services" (native {
      secrets.batcherKey = "/run/agenix/op-proposer-key";
    }) "op-stack.secrets.batcherKey" "is also secrets.proposerKey")
    (refused "a secret in the store" (native {
      secrets.batcherKey = "${builtins.storeDir}/00000000000000000000000000000000-key";
    }) "op-stack.secrets.batcherKey" "nix store")
    (refused "sequencer without batcher" (native {
      components.op-batcher.enable = false;
    }) "op-stack.components.op-batcher.enable" "without a batcher")
    (refused "RPC on the network" (native {
      components.op-node.address = "0.0.0.0";
    }) "op-stack.components.op-node.address" "loopback")
    (refused "port of the host's Ethereum node" (native {
      components.execution.ports.p2p = 30303;
    }) "op-stack.components.execution.ports.p2p" "reservedPorts")
    (refused "Karst on op-geth" (native {
      l2 = {
        chainId = 420901;
        files = ./nixos/karst;
      };
    }) "op-stack.executionClient" "Karst")
    (refused "no package" (native {
      components.op-node.package = null;
    }) "op-stack.components.op-node.package" "native backend")
    (refused "a misspelt flag" (native {
      components.op-node.settings."sequencer.l1-conf" = 3;
    }) "op-stack.components.op-node.settings" "has no flag")

    (refused "a witness without a key" (witness {
      la.keyFile = lib.mkForce null;
    }) "witness.la.keyFile" "a key of its own")
    (refused "a witness with the batcher's key" (witness {
      la.keyFile = lib.mkForce "/run/agenix/op-batcher-key";
    }) "witness.la.keyFile" "also a key of")
    (refused "a witness's key in the store" (witness {
      la.keyFile = lib.mkForce "${builtins.storeDir}/00000000000000000000000000000000-key";
    }) "witness.la.keyFile" "nix store")
    (refused "a witness with a key and a signer" (witness {
      la = { inherit signer; };
    }) "witness.la.signer" "a key is set as well")
    (refused "a signer's certificate without its key" (signed {
      certFile = "/run/agenix/signer-cert";
    }) "witness.la.signer" "needs its key")
    (refused "a signer's password in the store" (signed {
      url = "https://user:password@signer.internal";
    }) "witness.la.signer.url" "client certificate")
    (
      let
        limits =
          change:
          let
            service = (witness { la = change; }).systemd.services.ec-witness-la.serviceConfig;
          in
          [
            service.LimitNOFILE
            service.MemoryHigh
            service.MemoryMax
          ];
        named = count: {
          settings.stream = lib.mkForce (
            lib.genList (n: {
              broadcast = "tv-${toString n}";
              tracks = [
                "0.m4s"
                "1.m4s"
                "2.m4s"
              ];
            }) count
          );
        };
        slow = (witness { la.catchUpPercent = 25; }).services.every-channel.witness.la.settings;
      in
      expect (
        limits { } == [
          12096
          "2024M"
          "4048M"
        ]
      ) "a witness has not room for a thousand streams: ${builtins.toJSON (limits { })}"
      ++ expect (
        limits (named 400) == limits { streams = 1200; }
      ) "a witness has not room for the streams that it names"
      ++ expect (slow.run.catch_up_percent == 25) "catchUpPercent does not reach the configuration"
    )
    (
      let
        config = signed {
          method = "account_signTransaction";
          certFile = "/run/agenix/signer-cert";
          keyFile = "/run/agenix/signer-key";
        };
        inherit (config.services.every-channel.witness.la.settings) key;
        service = config.systemd.services.ec-witness-la.serviceConfig;
      in
      expect (failed config == [ ]) "a witness with a signer: ${builtins.toJSON (failed config)}"
      ++ expect (
        key == {
          signer = "https://signer.internal:9000";
          signer_address = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
          signer_method = "account_signTransaction";
          signer_cert = "/run/credentials/ec-witness-la.service/signer-cert";
          signer_key = "/run/credentials/ec-witness-la.service/signer-key";
        }
      ) "a witness with a signer has the keys ${builtins.toJSON key}"
      ++ expect (
        service.LoadCredential == [
          "signer-cert:/run/agenix/signer-cert"
          "signer-key:/run/agenix/signer-key"
        ]
      ) "a signer's certificate is not handed over"
    )
    (
      let
        config = archive {
          urlFile = "/run/agenix/relay-url";
          broadcast = "la/nbc";
          tracks = [ "0.m4s" ];
          limits.max-group-bytes = 1000000;
        };
        service = config.systemd.services.ec-archive-la.serviceConfig;
        start = lib.concatStringsSep " " [
          "archive subscribe --url-file /run/credentials/ec-archive-la.service/url --name la/nbc"
          "--archive /var/lib/ec-archive/la --track 0.m4s --max-group-bytes 1000000"
        ];
      in
      expect (failed config == [ ]) "an archive: ${builtins.toJSON (failed config)}"
      ++ expect (lib.hasSuffix start service.ExecStart) "an archive is recorded by ${service.ExecStart}"
      ++ expect (
        service.LoadCredential == [ "url:/run/agenix/relay-url" ]
        && service.ReadWritePaths == [ "/var/lib/ec-archive/la" ]
      ) "an archive's recorder may do more than it needs"
    )
    (refused "an archive without a relay" (archive { }) "archive.la.url" "exactly one of")
    (refused "a token in the store" (archive {
      url = "https://relay.example/?jwt=x";
    }) "archive.la.url" "urlFile")
    (refused "an archive with an unknown limit" (archive {
      url = "https://relay.example/";
      limits.max-tracks = 3;
    }) "archive.la.limits" "max-tracks")

    (
      let
        config = explorer {
          virtualHost = "explorer.example";
          requestsPerSecond = 50;
          rpcFiles.main = "/run/agenix/l2-rpc";
          settings = {
            chain.rpc_file = "/run/credentials/ec-explorer.service/main";
            archive = [
              {
                name = "la";
                dir = "/srv/archive";
              }
            ];
          };
        };
        service = config.systemd.services.ec-explorer.serviceConfig;
        inherit (config.services.nginx.virtualHosts."explorer.example") locations;
      in
      expect (failed config == [ ]) "an explorer: ${builtins.toJSON (failed config)}"
      ++ expect (lib.hasInfix "--listen 127.0.0.1:9480" service.ExecStart) "an explorer is started by ${service.ExecStart}"
      ++ expect (
        service.LoadCredential == [ "main:/run/agenix/l2-rpc" ]
        && service.BindReadOnlyPaths == [ "/srv/archive" ]
      ) "an explorer may do more than it needs"
      ++ expect (
        lib.hasInfix "burst=150" locations."/".extraConfig && locations."= /metrics".return == "404"
      ) "nginx does not hold the explorer's visitors to their rate"
    )
    (refused "an explorer without a ledger" (explorer { }) "explorer.settings" "no ledger is set")
    (refused "an explorer's RPC in the store" (explorer {
      settings.chain.chain_id = 1;
      rpcFiles.main = "${builtins.storeDir}/x";
    }) "explorer.rpcFiles" "nix store")

    (refused "a witness without a ledger" (witness {
      la.settings.chain = lib.mkForce { rpc = "http://127.0.0.1:1"; };
    }) "witness.la.settings.chain" "deploy --write-config")
  ];
}
