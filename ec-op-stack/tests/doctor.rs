//! `doctor`: each of the ten failures that can be found before a start, from a stack in which all is well.

#![allow(clippy::unwrap_used)] // Test code: a panic is its report.

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{Read, Write},
    net::TcpListener,
    path::PathBuf,
    thread,
};

use alloy::primitives::{Address, B256, U256, address, b256};
use common::{copies, endpoint, expect_json, inputs, keyed};
use ec_op_stack::{
    doctor::{
        AccountFacts, ChainText, ChallengedGame, Check, Facts, Finding, GameFacts, L1Facts, SecretFacts, Severity,
        examine,
    },
    games::GameRules,
    normalise::{ChainFiles, normalise},
    stack::{Accounts, Component, Stack},
};
use ec_testing::proxy::Fault;
use serde_json::json;

/// As inputs/stack.json names it.
const PROPOSER: Address = Address::repeat_byte(0x44);
const PRESTATE: B256 = b256!("038512e02c4c3f7bdaec27d00edf55b7155e0905301e1a88083e4e0a6764d54c");

/// A sequencer in which all is well: the arguments that the local chain runs with, on Sepolia's terms.
fn well() -> (Stack, Facts) {
    let stack: Stack = serde_json::from_str(&fs::read_to_string(inputs().join("stack.json")).unwrap()).unwrap();
    let factory = address!("51095eac6e2b6da9811c6febbdd67add79135ce0");
    let file = |name: &str| serde_json::from_slice(&fs::read(inputs().join(name)).unwrap()).unwrap();
    let mut files = ChainFiles { rollup: file("rollup.json"), genesis: file("genesis.json") };
    normalise(&mut files, &stack.components["op-node"].version.parse().unwrap());
    let l1 = L1Facts {
        host: "l1.example".to_owned(),
        users: vec!["op-node"],
        chain_id: Some(11_155_111),
        latencies_ms: vec![40; 8],
        heads: vec![100; 8],
        ..L1Facts::default()
    };
    let implementation = address!("c77c081d3245be490949e4c2e5dd8b522a194927");
    let proposer = Some(PROPOSER);
    let rules = GameRules { implementation, init_bond: U256::ZERO, prestate: Some(PRESTATE), proposer };
    let challenged = ChallengedGame {
        name: "permissioned",
        flag: "cannon-prestate",
        rules: Ok(rules.clone()),
        held: Some(Ok(PRESTATE)),
    };
    let signers =
        (address!("2222222222222222222222222222222222222222"), address!("3333333333333333333333333333333333333333"));
    let secret = |path: &str| SecretFacts { path: PathBuf::from(path), secret: Ok("ab".repeat(32)), mode: 0o600 };
    let rich = AccountFacts { balance: Some(U256::from(10).pow(U256::from(18))) };
    let facts = Facts {
        chain: ChainText { rollup: Ok(files.rollup), genesis: Ok(files.genesis) },
        l1: vec![l1],
        l1_origin: Some(Ok(Some(b256!("1fd2ba1b6dc77de2f0cd4dbbd8a7fbdcb4e2f1ebba5dc6cf8d4b6e94b3b2b1a0")))),
        l1_config: None,
        beacon: Some(Ok("lighthouse".to_owned())),
        blobs: Some(Ok(())),
        beacon_fallbacks: vec![Ok("archiver".to_owned())],
        proofs: None,
        games: Some(GameFacts {
            factory: Some(factory),
            rules: Ok(rules),
            signers: Some(signers),
            challenged: vec![challenged],
        }),
        accounts: ["batcher", "proposer", "challenger"].map(|role| (role, rich.clone())).into(),
        jwt: vec![("authrpc.jwtsecret", secret("/a")), ("l2.jwt-secret", secret("/b"))],
        deployer: None,
        missing: BTreeSet::new(),
        elsewhere: BTreeSet::new(),
    };
    (stack, facts)
}

fn bad(stack: &Stack, facts: &Facts) -> Vec<Finding> {
    examine(stack, facts).into_iter().filter(|finding| finding.verdict != Severity::Good).collect()
}

/// Replaces an argument that begins with `from`; an empty `to` removes it.
fn argument(stack: &mut Stack, component: &str, from: &str, to: &str) {
    let args = &mut stack.components.get_mut(component).unwrap().args;
    let place =
        args.iter().position(|arg| arg.starts_with(from)).unwrap_or_else(|| panic!("{component} has no {from}"));
    if to.is_empty() { drop(args.remove(place)) } else { args[place] = to.to_owned() }
}

#[test]
fn where_all_is_well_nothing_is_said_but_op_geths_end() {
    let (stack, facts) = well();
    let said = bad(&stack, &facts);
    assert_eq!(said.len(), 1, "{said:#?}");
    assert_eq!((said[0].check, said[0].verdict), (Check::Versions, Severity::Warning));
    assert!(said[0].found.contains("2026-05-31"));
}

type Break = fn(&mut Stack, &mut Facts);

fn challenged(facts: &mut Facts) -> &mut ChallengedGame {
    &mut facts.games.as_mut().unwrap().challenged[0]
}

fn add(stack: &mut Stack, component: &str, args: &[&str]) {
    stack.components.get_mut(component).unwrap().args.extend(args.iter().map(|arg| (*arg).to_owned()));
}

fn rollup(facts: &mut Facts, field: &[&str], value: &impl serde::Serialize) {
    assert!(facts.chain.rollup.as_mut().unwrap().set(field, value));
}

fn genesis(facts: &mut Facts, field: &[&str], value: &impl serde::Serialize) {
    assert!(facts.chain.genesis.as_mut().unwrap().set(field, value));
}

/// The execution client becomes an op-reth with these arguments beside what both have.
fn reth(stack: &mut Stack, args: &[&str]) {
    let mut client = stack.components.remove("op-geth").unwrap();
    client.version = "v2.4.3".to_owned();
    client.args.retain(|arg| arg.starts_with("--http") || arg.starts_with("--authrpc"));
    client.args.insert(0, "node".to_owned());
    client.args.extend(args.iter().map(|arg| (*arg).to_owned()));
    stack.components.insert("op-reth".to_owned(), client);
    argument(stack, "op-node", "--l2.enginekind", "--l2.enginekind=reth");
}

const PROOFS: [&str; 2] = ["--proofs-history", "--proofs-history.storage-path=/p"];

/// What goes wrong, the check that finds it, how bad it is, and a part of what it says.
const FAILURES: &[(Break, Check, Severity, &str)] = &[
    // 1: the default type is 0, a fresh chain has only 1
    (
        |stack, facts| {
            argument(stack, "op-proposer", "--game-type", "");
            facts.games.as_mut().unwrap().rules.as_mut().unwrap().implementation =
                B256::ZERO.0[..20].try_into().unwrap();
        },
        Check::GameType,
        Severity::Failure,
        "no game of type 0",
    ),
    (
        |_, facts| facts.games.as_mut().unwrap().rules.as_mut().unwrap().init_bond = U256::from(1),
        Check::GameType,
        Severity::Warning,
        "bond",
    ),
    (
        |stack, _| {
            argument(
                stack,
                "op-proposer",
                "--game-factory",
                "--game-factory-address=0x75ceb25776d0402972b736f6e13fd0616be98f22",
            );
        },
        Check::GameType,
        Severity::Failure,
        "SystemConfig names",
    ),
    // 2
    (|_, facts| challenged(facts).held = Some(Ok(B256::ZERO)), Check::Prestate, Severity::Failure, "the chain demands"),
    (|_, facts| challenged(facts).held = None, Check::Prestate, Severity::Warning, "no prestate file"),
    // any text is taken at the start: it is no reason not to
    (
        |_, facts| challenged(facts).held = Some(Err("any: No such file".to_owned())),
        Check::Prestate,
        Severity::Warning,
        "cannot play",
    ),
    (
        |_, facts| challenged(facts).rules.as_mut().unwrap().implementation = Address::ZERO,
        Check::Prestate,
        Severity::Warning,
        "the factory has none",
    ),
    // 3
    (
        |stack, _| version(stack, "op-geth", "v1.101603.4"),
        Check::Versions,
        Severity::Failure,
        "belongs to op-geth v1.101702.2",
    ),
    (|stack, _| version(stack, "op-geth", "latest"), Check::Versions, Severity::Failure, "no version"),
    (
        |stack, _| argument(stack, "op-node", "--l2.enginekind", "--l2.enginekind=reth"),
        Check::Versions,
        Severity::Failure,
        "enginekind",
    ),
    (
        |_, facts| assert!(facts.chain.rollup.as_mut().unwrap().set(&["karst_time"], &1_800_000_000)),
        Check::Versions,
        Severity::Failure,
        "Karst",
    ),
    // 4
    (|_, facts| facts.l1[0].rate_limited = 3, Check::L1, Severity::Failure, "429"),
    (|_, facts| facts.l1[0].latencies_ms = vec![700; 8], Check::L1, Severity::Warning, "700 ms"),
    (|_, facts| facts.l1[0].heads = vec![100, 101, 99], Check::L1, Severity::Failure, "disagree"),
    (|_, facts| facts.l1[0].unknown_blocks = 1, Check::L1, Severity::Failure, "disagree"),
    (|_, facts| facts.l1[0].chain_id = Some(1), Check::L1, Severity::Failure, "chain id 1"),
    // 5
    (|stack, _| argument(stack, "op-node", "--l1.beacon-fallbacks", ""), Check::Beacon, Severity::Warning, "18 days"),
    (|_, facts| facts.beacon = None, Check::Beacon, Severity::Failure, "no beacon"),
    (
        |stack, _| argument(stack, "op-node", "--l1.beacon-fallbacks", "--l1.beacon.ignore"),
        Check::Beacon,
        Severity::Failure,
        "blobs",
    ),
    // 6
    (|stack, _| argument(stack, "op-geth", "--gcmode", ""), Check::History, Severity::Failure, "prunes"),
    (
        |stack, _| argument(stack, "op-geth", "--syncmode", "--state.scheme=path"),
        Check::History,
        Severity::Failure,
        "path scheme",
    ),
    (|stack, _| argument(stack, "op-node", "--safedb.path", ""), Check::History, Severity::Failure, "safe heads"),
    // 7
    (|_, facts| facts.jwt[1].1.secret = Ok("cd".repeat(32)), Check::Jwt, Severity::Failure, "differ"),
    (|_, facts| facts.jwt[0].1.mode = 0o644, Check::Jwt, Severity::Failure, "0644"),
    (|_, facts| facts.jwt[0].1.secret = Err("not 64 hex digits".to_owned()), Check::Jwt, Severity::Failure, "64 hex"),
    // 8
    (
        |_, facts| facts.accounts.get_mut("batcher").unwrap().balance = Some(U256::ZERO),
        Check::Accounts,
        Severity::Failure,
        "empty",
    ),
    (
        |stack, _| stack.accounts.proposer = stack.accounts.challenger,
        Check::Accounts,
        Severity::Failure,
        "share the account",
    ),
    (
        |_, facts| {
            facts.games.as_mut().unwrap().signers =
                Some((B256::ZERO.0[..20].try_into().unwrap(), B256::ZERO.0[..20].try_into().unwrap()));
        },
        Check::Accounts,
        Severity::Failure,
        "reads batches of",
    ),
    (
        |_, facts| facts.games.as_mut().unwrap().rules.as_mut().unwrap().proposer = Some(Address::ZERO),
        Check::Accounts,
        Severity::Failure,
        "games of type 1 take proposals of",
    ),
    // 9
    (
        |stack, _| {
            drop(
                stack
                    .components
                    .get_mut("op-batcher")
                    .unwrap()
                    .environment
                    .insert("OP_BATCHER_L1_RPC_URL".to_owned(), None),
            );
        },
        Check::Settings,
        Severity::Failure,
        "ignored",
    ),
    // 10
    (|stack, _| argument(stack, "op-batcher", "--max-channel", ""), Check::Batcher, Severity::Failure, "12 h window"),
    (
        |stack, _| argument(stack, "op-geth", "--http.api", "--http.api=eth,net,web3"),
        Check::Batcher,
        Severity::Failure,
        "miner API",
    ),
    // what two of them hide behind
    (|stack, _| argument(stack, "op-proposer", "--rpc.port", ""), Check::Listeners, Severity::Failure, "are all 8545"),
    (
        |stack, _| {
            stack
                .components
                .get_mut("op-geth")
                .unwrap()
                .args
                .extend(["--metrics".into(), "--metrics.addr=0.0.0.0".into()]);
        },
        Check::Listeners,
        Severity::Warning,
        "op-geth: --metrics.addr is 0.0.0.0",
    ),
    // versions of which nothing is on record are not good
    (|stack, _| version(stack, "op-node", "v1.16.0"), Check::Versions, Severity::Warning, "no pairing is on record"),
    (|stack, _| version(stack, "op-node", "v1.25.0"), Check::Files, Severity::Warning, "newer than every release"),
    (|stack, _| version(stack, "op-node", "v1.10.0"), Check::Files, Severity::Failure, "older than every release"),
    (|stack, _| version(stack, "op-batcher", "v1.30.0"), Check::Settings, Severity::Warning, "not on record"),
    // the files, as the programs read them
    (
        |_, facts| rollup(facts, &["da_challenge_contract_address"], &Address::ZERO),
        Check::Files,
        Severity::Failure,
        "da_challenge_contract_address: op-node v1.18.1 has no such field",
    ),
    (|_, facts| rollup(facts, &["block_time"], &0), Check::Files, Severity::Failure, "block_time is 0"),
    (
        |_, facts| {
            rollup(facts, &["granite_time"], &json!(null));
            genesis(facts, &["config", "graniteTime"], &json!(null));
        },
        Check::Files,
        Severity::Failure,
        "granite_time, the fork before, is missing",
    ),
    (
        |_, facts| genesis(facts, &["config", "pragueTime"], &json!(null)),
        Check::Files,
        Severity::Failure,
        "config.pragueTime is missing, config.isthmusTime 0",
    ),
    (|_, facts| genesis(facts, &["gasLimit"], &"0x1"), Check::Files, Severity::Failure, "genesis.json makes the block"),
    (
        |_, facts| facts.l1_origin = Some(Ok(Some(B256::ZERO))),
        Check::Files,
        Severity::Failure,
        "genesis.l1.hash is 0x1fd2",
    ),
    (|_, facts| facts.l1_origin = Some(Ok(None)), Check::Files, Severity::Warning, "does not have block 9170000"),
    (
        |_, facts| {
            rollup(facts, &["l1_chain_id"], &900);
            facts.l1[0].chain_id = Some(900);
        },
        Check::Files,
        Severity::Failure,
        "no chain config of L1 900",
    ),
    // what reaches the program
    (
        |stack, _| {
            argument(stack, "op-node", "--l1=", "--l1=");
            add(stack, "op-node", &["http://l1.example"]);
        },
        Check::Settings,
        Severity::Failure,
        "\"http://l1.example\" is no flag",
    ),
    (
        |stack, _| add(stack, "op-batcher", &["--target-num-frames=12"]),
        Check::Settings,
        Severity::Failure,
        "at most 9 blobs",
    ),
    (|stack, _| add(stack, "op-batcher", &["--poll-interval=6"]), Check::Settings, Severity::Failure, "not a duration"),
    (|stack, _| add(stack, "op-node", &["--safedb.pth=x"]), Check::Settings, Severity::Failure, "no such flag"),
    (
        |stack, _| argument(stack, "op-proposer", "--proposal-interval", ""),
        Check::Settings,
        Severity::Failure,
        "--proposal-interval is missing",
    ),
    (
        |stack, _| argument(stack, "op-challenger", "--game-types", "--game-types=permissioned,cannon-kona"),
        Check::Settings,
        Severity::Failure,
        "games of type cannon-kona want --cannon-kona-rollup-config",
    ),
    (
        |_, facts| assert!(facts.missing.insert("cannon".into())),
        Check::Settings,
        Severity::Failure,
        "--cannon-bin: there is no cannon",
    ),
    (
        |stack, _| add(stack, "op-node", &["--override.isthmus=5"]),
        Check::Settings,
        Severity::Failure,
        "not the same on op-node and op-geth",
    ),
    (
        |stack, _| add(stack, "op-node", &["--l1.beacon-header=Authorization: Bearer x"]),
        Check::Settings,
        Severity::Failure,
        "a secret among the arguments",
    ),
    // the endpoints, each by itself
    (
        |_, facts| facts.l1[0].unasked = Some("only http:// and https:// are asked here".to_owned()),
        Check::L1,
        Severity::Warning,
        "not judged",
    ),
    (|_, facts| facts.blobs = Some(Err("HTTP 404".to_owned())), Check::Beacon, Severity::Failure, "gives no blobs"),
    (
        |stack, _| argument(stack, "op-node", "--l1.beacon=", "--l1.beacon=http://b.example/?key=k"),
        Check::Beacon,
        Severity::Failure,
        "drops what stands behind ?",
    ),
    (
        |_, facts| facts.beacon_fallbacks = vec![Err("a.example: HTTP 500".to_owned())],
        Check::Beacon,
        Severity::Warning,
        "a fallback for blobs",
    ),
    // op-reth, by the same rules
    (|stack, _| reth(stack, &PROOFS[..0]), Check::History, Severity::Failure, "op-reth keeps no old proofs"),
    (
        |stack, _| reth(stack, &PROOFS[1..]),
        Check::History,
        Severity::Failure,
        "--proofs-history is not: no proofs are kept",
    ),
    (|stack, _| reth(stack, &PROOFS[..1]), Check::History, Severity::Failure, "without --proofs-history.storage-path"),
    (
        |stack, _| reth(stack, &[&PROOFS[..], &["--proofs-history.window=43200"]].concat()),
        Check::History,
        Severity::Warning,
        "43200 blocks, 1 days",
    ),
    (
        |stack, facts| {
            reth(stack, &PROOFS);
            facts.proofs = Some(Err("its store is empty".to_owned()));
        },
        Check::History,
        Severity::Warning,
        "its store is empty",
    ),
    (
        |stack, _| {
            reth(stack, &PROOFS);
            argument(stack, "op-reth", "--http.api", "--http.api=eth,net,web3,debug");
        },
        Check::Batcher,
        Severity::Failure,
        "which op-reth does not offer",
    ),
    (
        |stack, _| reth(stack, &[&PROOFS[..], &["--rollup.sequencr=x"]].concat()),
        Check::Settings,
        Severity::Warning,
        "--rollup.sequencr: there is no such flag",
    ),
    (
        |stack, _| reth(stack, &[&PROOFS[..], &["--metrics=0.0.0.0:9001"]].concat()),
        Check::Listeners,
        Severity::Warning,
        "op-reth: --metrics is 0.0.0.0",
    ),
    (
        |stack, _| reth(stack, &[&PROOFS[..], &["--metrics=127.0.0.1:29545"]].concat()),
        Check::Listeners,
        Severity::Failure,
        "are all 29545",
    ),
    // super roots
    (
        |stack, _| {
            argument(stack, "op-proposer", "--game-type", "--game-type=5");
            let monitor = Component {
                version: "v1.5.2".to_owned(),
                args: vec!["--l1-eth-rpc=http://l1.example".to_owned()],
                ..Component::default()
            };
            stack.components.insert("op-dispute-mon".to_owned(), monitor);
        },
        Check::Versions,
        Severity::Failure,
        "does not take super roots",
    ),
    (
        |stack, _| {
            argument(stack, "op-challenger", "--datadir", "--datadir=/c");
            argument(stack, "op-node", "--safedb.path", "");
        },
        Check::History,
        Severity::Failure,
        "super roots are asked from",
    ),
];

/// What a program takes is no fault of the operator.
const TAKEN: &[(Break, &str)] = &[
    (
        |stack, _| {
            argument(stack, "op-node", "--sequencer.enabled", "");
            let environment = &mut stack.components.get_mut("op-node").unwrap().environment;
            environment.insert("OP_NODE_SEQUENCER_ENABLED".to_owned(), Some("True".to_owned()));
        },
        "a switch in any writing of Go's",
    ),
    (|stack, _| argument(stack, "op-geth", "--gcmode", "-gcmode=archive"), "one dash"),
    (
        |stack, _| {
            argument(stack, "op-geth", "--gcmode", "--gcmode");
            let args = &mut stack.components.get_mut("op-geth").unwrap().args;
            let place = args.iter().position(|arg| arg == "--gcmode").unwrap();
            args.insert(place + 1, "archive".to_owned());
        },
        "a value in a word of its own",
    ),
    (
        |stack, _| {
            argument(stack, "op-batcher", "--max-channel-duration", "");
            let environment = &mut stack.components.get_mut("op-batcher").unwrap().environment;
            environment.insert("OP_BATCHER_MAX_CHANNEL_DURATION".to_owned(), Some("0x19".to_owned()));
        },
        "a number in hex, by its variable",
    ),
    (
        |stack, facts| {
            facts.missing.insert("cannon".into());
            facts.elsewhere.insert("cannon".into());
            stack.components.get_mut("op-challenger").unwrap().contained = true;
        },
        "programs of the container",
    ),
    (
        |stack, facts| {
            let games = "--game-types=cannon-kona";
            argument(stack, "op-challenger", "--game-types", games);
            add(
                stack,
                "op-challenger",
                &[
                    "--cannon-kona-server=kona",
                    "--cannon-kona-prestate=k",
                    "--cannon-kona-rollup-config=r",
                    "--cannon-kona-l2-genesis=g",
                ],
            );
            let game = challenged(facts);
            (game.name, game.flag) = ("cannon-kona", "cannon-kona-prestate");
        },
        "kona, with the prestate of kona",
    ),
];

#[test]
fn what_a_program_takes_is_no_fault() {
    for (change, what) in TAKEN {
        let (mut stack, mut facts) = well();
        change(&mut stack, &mut facts);
        let said = bad(&stack, &facts);
        assert_eq!(said.len(), 1, "{what}: {said:#?}");
    }
}

fn version(stack: &mut Stack, component: &str, version: &str) {
    stack.components.get_mut(component).unwrap().version = version.to_owned();
}

#[test]
fn each_failure_is_found_by_its_check_with_a_fix() {
    for &(spoil, check, severity, part) in FAILURES {
        let (mut stack, mut facts) = well();
        spoil(&mut stack, &mut facts);
        let said = bad(&stack, &facts);
        let found = said.iter().find(|finding| finding.check == check && finding.found.contains(part));
        let found = found.unwrap_or_else(|| panic!("{check:?}: nobody says {part:?}: {said:#?}"));
        assert_eq!(found.verdict, severity, "{found:?}");
        assert!(!found.fix.is_empty(), "{found:?}");
    }
}

#[test]
fn a_listener_is_judged_where_it_is() {
    let says = |component: &str, args: &[&str]| {
        let (mut stack, facts) = well();
        stack.components.retain(|name, _| name == "op-node");
        let mut added = stack.components["op-node"].clone();
        added.args = args.iter().map(|arg| (*arg).to_owned()).collect();
        stack.components.insert(component.to_owned(), added);
        let said = bad(&stack, &facts).into_iter().filter(|finding| finding.check == Check::Listeners);
        said.map(|finding| finding.found).collect::<Vec<_>>()
    };
    // every address of 127.0.0.0/8 is loopback
    assert_eq!(says("op-dispute-mon", &["--metrics.enabled", "--metrics.addr=127.0.0.2"]), Vec::<String>::new());
    // op-geth's metrics are off unless an address is named, although their port would be pprof's
    assert_eq!(says("op-geth", &["--metrics", "--pprof"]), Vec::<String>::new());
    assert_eq!(
        says("op-geth", &["--metrics", "--metrics.addr=::1", "--pprof"]),
        ["op-geth --metrics.port, op-geth --pprof.port are all 6060"]
    );
    // op-reth's own default is loopback
    assert_eq!(says("op-reth", &["--http", "--ws"]), Vec::<String>::new());
    let open = says("op-reth", &["--http", "--http.addr=0.0.0.0"]);
    assert!(open[0].starts_with("op-reth: --http.addr is 0.0.0.0"), "{open:?}");
}

#[test]
fn a_verifier_is_not_asked_for_what_it_does_not_run() {
    let (mut stack, mut facts) = well();
    stack.components = ["op-geth", "op-node"].map(|name| (name.to_owned(), stack.components[name].clone())).into();
    stack.accounts = Accounts::default();
    stack.role = ec_op_stack::stack::Role::Verifier;
    (facts.games, facts.accounts) = (None, BTreeMap::new());
    assert_eq!(bad(&stack, &facts).len(), 1, "{:#?}", bad(&stack, &facts));
}

#[test]
fn without_l1_and_with_raw_files_the_answer_is_no() {
    let dir = copies(&["stack.json", "rollup.json", "genesis.json"]);
    let line = expect_json(dir.path(), 1, &["doctor", "--stack", "stack.json"]);
    let failed = |check: &str| {
        let findings = line["findings"].as_array().unwrap();
        findings.iter().any(|finding| finding["check"] == check && finding["verdict"] == "failure")
    };
    for check in ["l1", "jwt", "beacon", "game-type", "files"] {
        assert!(failed(check), "{check}: {line}");
    }
    assert_eq!(line["ready"], json!(false));
}

#[test]
fn a_limited_and_a_broken_endpoint_are_told_apart_and_no_api_key_is_shown() {
    for (fault, part) in [(Fault::RateLimited(None), "rate limited"), (Fault::BadGateway, "HTTP 502")] {
        let endpoint = endpoint(fault);
        let dir = copies(&["stack.json", "rollup.json", "genesis.json"]);
        common::edit(dir.path(), "stack.json", "http://127.0.0.1:1", &keyed(&endpoint));
        let (out, err) = common::expect(dir.path(), 1, &["doctor", "--stack", "stack.json"]);
        assert!(out.contains(part), "{out}");
        assert!(!out.contains("sEcReT") && !err.contains("sEcReT"), "{out}{err}");
        let (out, err) = common::expect(dir.path(), 1, &["status", "--stack", "stack.json"]);
        assert!(!out.contains("sEcReT") && !err.contains("sEcReT"), "{out}{err}");
    }
}

#[test]
fn a_beacon_endpoint_whose_answer_breaks_off_is_told_without_its_api_key() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let beacon = format!("--l1.beacon=http://{}/sEcReT", listener.local_addr().unwrap());
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nhalf");
    });
    let dir = copies(&["stack.json", "rollup.json", "genesis.json"]);
    common::edit(dir.path(), "stack.json", "--l1.beacon=http://127.0.0.1:1", &beacon);
    let (out, err) = common::expect(dir.path(), 1, &["doctor", "--stack", "stack.json"]);
    assert!(out.contains("beacon     127.0.0.1: /eth/v1/node/version: error decoding response body"), "{out}");
    assert!(!out.contains("sEcReT") && !err.contains("sEcReT"), "{out}{err}");
}

#[test]
fn a_variable_from_a_file_counts_and_a_file_that_is_missing_is_told() {
    let dir = copies(&["stack.json", "rollup.json", "genesis.json"]);
    common::edit(dir.path(), "stack.json", "\"--l1=http://127.0.0.1:1\",", "");
    let from_file = "\"environment_files\": {\"OP_NODE_L1_ETH_RPC\": \"l1-rpc\"}, \"version\": \"v1.18.1\",\n      \"args\": [\n        \n        \"--l1.beacon";
    common::edit(
        dir.path(),
        "stack.json",
        "\"version\": \"v1.18.1\",\n      \"args\": [\n        \n        \"--l1.beacon",
        from_file,
    );
    let (out, _) = common::expect(dir.path(), 1, &["doctor", "--stack", "stack.json"]);
    assert!(out.contains("OP_NODE_L1_ETH_RPC comes from l1-rpc, which is missing"), "{out}");

    let limited = endpoint(Fault::RateLimited(None));
    fs::write(dir.path().join("l1-rpc"), keyed(&limited)).unwrap();
    let (out, err) = common::expect(dir.path(), 1, &["doctor", "--stack", "stack.json"]);
    assert!(out.contains("rate limited") && !out.contains("comes from"), "{out}");
    assert!(!out.contains("sEcReT") && !err.contains("sEcReT"), "{out}{err}");
}

#[test]
fn the_module_describes_the_host_where_the_tools_look() {
    let module = fs::read_to_string(inputs().join("../../../nix/modules/op-stack/tools.nix")).unwrap();
    let (_, place) = module.split_once("  file = \"").unwrap();
    let place = format!("/etc/{}", place.split('"').next().unwrap());
    for command in ["doctor", "status"] {
        let (help, _) = common::expect(&inputs(), 0, &[command, "--help"]);
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(help.contains(&format!("[default: {place}]")), "{command}: {help}");
    }
}

#[test]
fn a_stack_with_an_unknown_key_is_an_error() {
    let dir = copies(&["stack.json"]);
    common::edit(dir.path(), "stack.json", "\"accounts\"", "\"acounts\"");
    let (_, err) = common::expect(dir.path(), 2, &["doctor", "--stack", "stack.json"]);
    assert!(err.contains("stack.json") && err.contains("acounts"), "{err}");
}
