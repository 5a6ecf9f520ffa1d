# A witness beside an archive and a ledger on anvil: refused without a store, then at work under systemd's watch.
{ pkgs, self }:
let
  # anvil's first account: public, for tests only
  key = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
  address = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
in
{
  name = "ec-witness";

  nodes.host =
    { config, lib, ... }:
    {
      imports = [ self.nixosModules.default ];
      environment.systemPackages = [ config.services.every-channel.witness.la.package ];
      systemd.services.anvil = {
        wantedBy = [ "multi-user.target" ];
        serviceConfig = {
          ExecStart = "${pkgs.foundry}/bin/anvil --block-time 1 --slots-in-an-epoch 1 --port 18545";
          DynamicUser = true;
        };
      };
      systemd.tmpfiles.settings.archive."/srv/archive".C.argument = "${../../../archives/sample}";
      services.every-channel.witness.la = {
        manifests = "/srv/archive/manifests";
        keyFile = "/etc/witness-key";
        fromSequence = "first";
        localChain = false;
        settings = lib.mkMerge [
          (lib.importTOML ../../../archives/sample.toml)
          {
            chain = {
              rpc = "http://127.0.0.1:18545";
              chain_id = 31337;
              # the first contracts that anvil's second account makes: registry, then ledger
              ledger = "0x8464135c8F25Da09e49BC8782676a84730C318bC";
              deploy_block = 0;
            };
          }
        ];
      };
    };

  testScript = ''
    host.succeed("umask 077 && echo ${key} >/etc/witness-key && echo 59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d >/etc/deployer-key")
    host.wait_for_open_port(18545)

    with subtest("without a store it does not start, and says what to do"):
        host.fail("systemctl restart ec-witness-la")
        host.wait_until_succeeds("journalctl -u ec-witness-la | grep 'systemctl start ec-witness-la-init'")
        host.succeed("test $(systemctl show -P ExecMainStatus ec-witness-la) = 78")

    with subtest("initialised, it is ready"):
        ledger = host.succeed("EC_WITNESS_KEY=$(cat /etc/deployer-key) ec-witness deploy --rpc http://127.0.0.1:18545 --chain-id 31337 --witness ${address} --quorum 1 --json")
        print(ledger)
        host.succeed("systemctl start ec-witness-la-init")
        host.succeed("systemctl start ec-witness-la")
        host.wait_until_succeeds("curl -sf http://127.0.0.1:9464/readyz")

    with subtest("the archive is read-only to it, and the store is its own"):
        host.fail("nsenter -t $(systemctl show -P MainPID ec-witness-la) -m touch /srv/archive/manifests/x")
        host.succeed("test $(stat -c %a /var/lib/private/ec-witness/la) = 700")

    with subtest("a hung witness is killed by the watchdog and comes back"):
        host.succeed("systemctl kill -s STOP ec-witness-la")
        host.wait_until_succeeds("journalctl -u ec-witness-la | grep -i watchdog", timeout=300)
        host.wait_until_succeeds("systemctl is-active ec-witness-la")
  '';
}
