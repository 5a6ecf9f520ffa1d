//! An owner that announces what it does.

use alloy::{
    primitives::{Address, B256, Bytes, U256},
    providers::ext::AnvilApi,
    sol_types::SolCall,
};
use ec_ledger::contracts::{EveryChannelTimelock, EveryChannelWitnessRegistry};
use serde_json::Value;

use super::*;

/// How long it announces, seconds.
const DELAY_S: u64 = 3600;

/// A chain whose registry and rail are owned by a timelock; account 5 proposes.
struct Owned {
    net: Devnet,
    deployed: Value,
}

impl Owned {
    fn deploy() -> Self {
        let net = Devnet::start();
        let (witnesses, proposer) = (format!("{},{}", net.account(1), net.account(2)), net.account(5));
        let timelock = format!("--timelock-delay {DELAY_S} --timelock-proposer {proposer}");
        let deploy = format!("deploy --json --witness {witnesses} --quorum 2 {timelock}");
        let outcome = run(&mut net.as_account(0, &deploy));
        assert_eq!(outcome.code, 0, "{outcome:?}");
        Self { net, deployed: outcome.json() }
    }

    fn address(&self, of: &str) -> Address {
        serde_json::from_value(self.deployed[of].clone()).unwrap()
    }

    fn act(&self, account: usize, command: &str) -> common::Outcome {
        let on = format!("--registry {} --rail {}", self.address("registry"), self.address("rail"));
        run(&mut self.net.as_account(account, &format!("{command} --json {on}")))
    }

    fn registry(&self) -> Value {
        run(&mut self.net.ec_witness(&format!("registry show --json --registry {}", self.address("registry")))).json()
    }

    fn wait(&self, seconds: u64) {
        block_on(async {
            self.net.provider().anvil_increase_time(seconds).await.unwrap();
            self.net.provider().anvil_mine(Some(1), None).await.unwrap();
        });
    }
}

#[test]
fn the_set_changes_only_after_the_delay() {
    let owned = Owned::deploy();
    let timelock = json!({"kind": "timelock", "min_delay_s": DELAY_S});
    assert_eq!((&owned.deployed["owner_is"], owned.deployed["transactions"].as_array().unwrap().len()), (&timelock, 4));
    let shown = owned.registry();
    assert_eq!((&shown["owner"], &shown["owner_is"]), (&owned.deployed["owner"], &timelock));

    let update = format!("registry update --add {} --quorum 2", owned.net.account(4));
    for account in [0, 5] {
        owned.act(account, &update).assert_error(&["OwnableUnauthorizedAccount"]);
    }
    let (schedule, execute) = (format!("{update} --timelock schedule"), format!("{update} --timelock execute"));
    owned.act(8, &execute).assert_error(&["it is not announced", "--timelock schedule"]);
    owned.act(0, &schedule).assert_error(&["is no proposer of timelock"]);
    let announced = owned.act(5, &schedule);
    assert_eq!(announced.code, 0, "{announced:?}");
    assert!(announced.json()["ready_unix_s"].as_u64().unwrap() > DELAY_S, "{announced:?}");
    owned.act(5, &schedule).assert_error(&["it is announced already"]);
    owned.act(8, &execute).assert_error(&["it waits for", "s more, until"]);

    // not only this program waits
    let data = EveryChannelWitnessRegistry::updateSetCall {
        add: vec![owned.net.account(4)],
        remove: Vec::new(),
        newQuorum: 2,
    };
    let contract = EveryChannelTimelock::new(owned.address("owner"), owned.net.provider());
    let data = Bytes::from(data.abi_encode());
    let early = contract.execute(owned.address("registry"), U256::ZERO, data, B256::ZERO, B256::ZERO);
    owned.wait(DELAY_S - 60);
    assert!(block_on(async { early.call().await }).is_err());
    assert_eq!(owned.registry()["witness_count"], 2);

    owned.wait(60);
    assert!(block_on(async { early.call().await }).is_ok());
    let made = owned.act(8, &execute);
    assert_eq!((made.code, owned.registry()["witness_count"].as_u64()), (0, Some(3)), "{made:?}");
    owned.act(8, &execute).assert_error(&["it was made before", "--timelock-salt"]);
    let again = format!("{schedule} --timelock-salt {}", B256::repeat_byte(1));
    let again = owned.act(5, &again);
    assert!(again.code == 0 && again.stderr.contains("it would be refused when it is made"), "{again:?}");
}

#[test]
fn the_rail_has_the_same_owner_who_may_hand_it_over() {
    let owned = Owned::deploy();
    let (publisher, next) = (owned.net.account(6), owned.net.account(7));
    let commands = [format!("rail add-publisher {publisher}"), format!("registry transfer-ownership {next}")];
    for command in &commands {
        assert_eq!(owned.act(5, &format!("{command} --timelock schedule")).code, 0);
    }
    owned.wait(DELAY_S);
    for command in &commands {
        assert_eq!(owned.act(9, &format!("{command} --timelock execute")).code, 0);
    }
    owned
        .act(5, &format!("{} --timelock schedule --timelock-salt {}", commands[0], B256::ZERO))
        .assert_error(&["made before"]);
    assert_eq!(owned.act(7, "registry accept-ownership").code, 0);
    assert_eq!(owned.registry()["owner_is"], json!({"kind": "account"}));
    owned.act(7, "registry set-quorum 2 --timelock schedule").assert_error(&["is no timelock", "leave --timelock out"]);

    // and back
    assert_eq!(owned.act(7, &format!("registry transfer-ownership {}", owned.address("owner"))).code, 0);
    assert_eq!(owned.act(5, "registry accept-ownership --timelock schedule").code, 0);
    owned.wait(DELAY_S);
    assert_eq!(owned.act(5, "registry accept-ownership --timelock execute").code, 0);
    assert_eq!(owned.registry()["owner"], owned.deployed["owner"]);
}

#[test]
fn what_the_owner_is_is_said() {
    let owned = Owned::deploy();
    let kind = |owner: Address| {
        let deploy = format!("deploy --json --owner {owner}");
        let line = run(&mut owned.net.as_account(0, &deploy)).json();
        let show = format!("registry show --json --registry {}", line["registry"].as_str().unwrap());
        let shown = run(&mut owned.net.ec_witness(&show)).json()["owner_is"].clone();
        assert_eq!(line["owner_is"], shown);
        shown
    };
    assert_eq!(kind(owned.address("owner")), json!({"kind": "timelock", "min_delay_s": DELAY_S}));
    assert_eq!(kind(owned.address("ledger")), json!({"kind": "contract"}));
    assert_eq!(kind(owned.net.account(3)), json!({"kind": "account"}));
    let text = run(&mut owned.net.ec_witness(&format!("registry show --registry {}", owned.address("registry"))));
    assert!(text.stdout.contains("a timelock: what it does is announced 3600 s before"), "{text:?}");
}

#[test]
fn a_timelock_needs_a_delay_and_a_proposer_and_is_the_owner() {
    let net = Devnet::start();
    let account = net.account(5);
    for (flags, part) in [
        ("--timelock-delay 60".to_owned(), "--timelock-proposer"),
        (format!("--timelock-proposer {account}"), "--timelock-delay"),
        (format!("--timelock-delay 0 --timelock-proposer {account}"), "1.."),
        (format!("--timelock-delay 60 --timelock-proposer {account} --owner {account}"), "cannot be used with"),
    ] {
        run(&mut net.as_account(0, &format!("deploy {flags}"))).assert_error(&[part]);
    }
    let dry = format!("deploy --dry-run --json --timelock-delay 60 --timelock-proposer {account}");
    let dry = run(&mut net.as_account(0, &dry));
    assert_eq!((dry.code, &dry.json()["owner_is"]["kind"]), (0, &json!("timelock")), "{dry:?}");
    assert_eq!(block_on(net.provider().get_block_number()).unwrap(), 0);
}
