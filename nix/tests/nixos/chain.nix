# A verifier whose L1 does not answer: what can be seen without one. The files come first, then the datadir, then the
# engine, then op-node; and what must be refused is.
{ pkgs, self }:
let
  chainId = 420901;
  genesis = ../units/genesis.json;
  rollup = pkgs.writeText "rollup.json" (
    builtins.toJSON {
      l1_chain_id = 11155111;
      l2_chain_id = chainId;
    }
  );
in
{
  name = "op-stack-chain";

  nodes.verifier = {
    imports = [ self.nixosModules.default ];
    virtualisation.memorySize = 2048;
    environment.systemPackages = [
      pkgs.curl
      pkgs.jq
    ];
    services.every-channel.op-stack = {
      enable = true;
      role = "verifier";
      backend = "native";
      openFirewall = true;
      readyTimeout = 20;
      l1.rpc = "http://127.0.0.1:1";
      l1.beacon = "http://127.0.0.1:1";
      l2 = {
        inherit chainId;
        files = "/etc/chain";
      };
      secrets.jwt = "/etc/jwt";
    };
  };

  testScript = ''
    rpc = "curl -sf -H 'content-type: application/json' -d '{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_chainId\",\"params\":[]}' http://127.0.0.1:28545"

    verifier.wait_for_unit("multi-user.target")

    with subtest("without its files nothing of the chain runs"):
        verifier.wait_until_succeeds("systemctl is-failed op-stack-chain")
        verifier.fail("systemctl is-active op-geth op-node")
        verifier.fail("ss -ltn | grep -E ':(28545|28551|29545) '")

    with subtest("files of another chain are refused"):
        verifier.succeed("mkdir /etc/chain && umask 077 && head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \\n' >/etc/jwt")
        verifier.succeed("jq '.config.chainId = 7' ${genesis} >/etc/chain/genesis.json && cp ${rollup} /etc/chain/rollup.json")
        verifier.fail("systemctl restart op-stack-chain")
        verifier.succeed("journalctl -u op-stack-chain | grep 'is not of chain ${toString chainId}'")
        verifier.fail("test -e /var/lib/every-channel/op-stack/chain/complete")

    with subtest("with them the engine comes up, on loopback only"):
        verifier.succeed("cp ${genesis} /etc/chain/genesis.json")
        verifier.succeed("systemctl restart op-stack-chain")
        verifier.wait_for_unit("op-geth-init.service")
        verifier.wait_for_unit("op-geth.service")
        verifier.wait_until_succeeds(rpc + " | grep 0x66c25")
        verifier.fail("ss -ltnH | awk '{print $4}' | grep -vE '^(127|\\[::1\\])' | grep -E ':(28545|28546|28551|27300)$'")

    with subtest("publishing again changes nothing"):
        before = verifier.succeed("stat -c %Y /var/lib/every-channel/op-stack/chain/*")
        verifier.succeed("systemctl restart op-stack-chain")
        assert before == verifier.succeed("stat -c %Y /var/lib/every-channel/op-stack/chain/*")

    with subtest("another genesis under a chain that runs is refused"):
        verifier.succeed("jq '.timestamp = \"0x2\"' ${genesis} >/etc/chain/genesis.json")
        verifier.fail("systemctl restart op-stack-chain")
        verifier.succeed("journalctl -u op-stack-chain | grep \"files never change\"")
        verifier.succeed("cp ${genesis} /etc/chain/genesis.json && systemctl restart op-stack-chain")

    with subtest("a killed engine comes back with its data"):
        verifier.succeed("systemctl kill -s KILL op-geth")
        verifier.wait_until_succeeds("systemctl is-active op-geth && " + rpc)
        verifier.succeed("systemctl stop op-node op-geth && systemctl start op-geth")
        verifier.wait_until_succeeds(rpc)

    with subtest("no key, no dispute path, no batcher"):
        verifier.fail("systemctl cat op-batcher op-proposer op-challenger op-dispute-mon")

    with subtest("without its secret the engine does not start"):
        verifier.succeed("systemctl stop op-geth && rm /etc/jwt")
        verifier.fail("systemctl start op-geth")
  '';
}
