//! What the OP Stack's own code accepts, this crate accepts, and what it refuses is refused: on good inputs and thousands of
//! mutations of them. `scripts/op-stack/conformance` builds the judge and runs this.

#![allow(clippy::unwrap_used)] // Test code: a panic is its report.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use ec_op_stack::{
    object::Object,
    programs::{
        arguments::{self, Host},
        genesis, intent, rollup,
    },
    reads::flags::Kind,
    stack::{Component, Known, Running},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const VERSION: &str = "v1.18.1";
/// How many differences are shown whole.
const SHOWN: usize = 12;

/// What is judged, as the judge reads it.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Case {
    Rollup { text: String },
    Genesis { text: String },
    Intent { text: String },
    Args { program: &'static str, args: Vec<String>, env: BTreeMap<String, String> },
}

/// What was said of it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
struct Verdict {
    accept: bool,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    hash: String,
}

/// Splitmix64: enough to choose by, and the same everywhere.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

// --- inputs

fn input(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/inputs").join(name)).unwrap()
}

const ADDRESS: &str = "0x75ceb25776d0402972b736f6e13fd0616be98f22";

/// JSON texts that stand for a value; some are no numbers that serde_json would write.
const VALUES: [&str; 34] = [
    "null",
    "0",
    "1",
    "2",
    "3",
    "-1",
    "-0",
    "1.0",
    "1.5",
    "1e3",
    "255",
    "65535",
    "65536",
    "4294967296",
    "9007199254740993",
    "18446744073709551615",
    "18446744073709551616",
    "115792089237316195423570985008687907853269984665640564039457584007913129639936",
    "true",
    "false",
    "\"\"",
    "\"0x\"",
    "\"0x0\"",
    "\"0x1\"",
    "\"0x01\"",
    "\"1\"",
    "\"KeccakCommitment\"",
    "\"GenericCommitment\"",
    "[]",
    "{}",
    "[1]",
    "\"0x0000000000000000000000000000000000000000000000000000000000000000\"",
    "\"0x0000000000000000000000000000000000000000\"",
    "\"75ceb25776d0402972b736f6e13fd0616be98f22\"",
];

/// What is not JSON's is carried through serde_json as text with these marks.
fn raw(text: &str) -> Value {
    json!(format!("\u{1}{text}\u{2}"))
}

fn written(value: &Value) -> String {
    let text = serde_json::to_string(value).unwrap();
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some((before, behind)) = rest.split_once("\"\\u0001") {
        let (marked, after) = behind.split_once("\\u0002\"").unwrap();
        out.push_str(before);
        out.push_str(&marked.replace("\\\"", "\""));
        rest = after;
    }
    out + rest
}

/// The paths to all values, as JSON pointers.
fn pointers(value: &Value, path: &str, into: &mut Vec<String>) {
    if let Value::Object(map) = value {
        for (key, inner) in map {
            let full = format!("{path}/{key}");
            into.push(full.clone());
            pointers(inner, &full, into);
        }
    }
}

fn mutated_json(base: &Value, chance: &mut Chance) -> String {
    let mut value = base.clone();
    for _ in 0..=chance.below(2) {
        let mut all = Vec::new();
        pointers(&value, "", &mut all);
        let Some(pointer) = (!all.is_empty()).then(|| chance.one(&all).clone()) else { break };
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let old = value.pointer(&pointer).cloned().unwrap();
        // what is raw already cannot be cut
        let text = old.as_str().filter(|text| !text.starts_with('\u{1}')).map(str::to_owned);
        let other = value.pointer(chance.one(&all).as_str()).cloned().unwrap_or(Value::Null);
        let choice = chance.below(12);
        let new_value = raw(chance.one::<&str>(&VALUES));
        let number = chance.next() % 5;
        let Some(map) = value.pointer_mut(parent).and_then(Value::as_object_mut) else { break };
        match choice {
            0 => drop(map.remove(key)),
            1 => drop(map.insert(format!("{key}x"), old)),
            2 => {
                map.remove(key);
                map.insert(key.to_uppercase(), old);
            }
            3 => drop(map.insert(key.to_uppercase(), new_value)),
            4 => drop(map.insert(key.to_owned(), other)),
            5 => drop(map.insert(key.to_owned(), json!(number))),
            6 => {
                let text = text.map(|text| text.to_uppercase().replace("0X", if number < 2 { "0X" } else { "0x" }));
                map.insert(key.to_owned(), text.map_or(old, |text| json!(text)));
            }
            7 => {
                let text = text.map(|text| text[..text.len() - text.len().min(1 + number as usize)].to_owned());
                map.insert(key.to_owned(), text.map_or(json!("0x12"), |text| json!(text)));
            }
            _ => drop(map.insert(key.to_owned(), new_value)),
        }
    }
    written(&value)
}

/// TOML values that stand for any.
const TOML: [&str; 25] = [
    "0",
    "1",
    "-1",
    "250",
    "1.5",
    "true",
    "false",
    "\"\"",
    "\"custom\"",
    "\"standard-overrides\"",
    "\"embedded\"",
    "\"tag://op-contracts/v3.0.0\"",
    "\"https://example.org/a.tar.gz\"",
    "\"file:///tmp/a\"",
    "\"901\"",
    "901",
    "\"0x385\"",
    "[]",
    "{}",
    "70000",
    "5000000000",
    "\"0x0\"",
    "\"0x1f\"",
    "\"0x0000000000000000000000000000000000000000\"",
    "\"75ceb25776d0402972b736f6e13fd0616be98f22\"",
];

/// Lines that op-deployer knows and the inputs do not have.
const MORE: [(&str, &str); 10] = [
    ("useRevenueShare", "true"),
    ("chainFeesRecipient", "\"0x75ceb25776d0402972b736f6e13fd0616be98f22\""),
    ("dangerousAltDAConfig", "{ useAltDA = true, daCommitmentType = \"GenericCommitment\" }"),
    ("dangerousAltDAConfig", "{ useAltDA = true, daCommitmentType = \"KeccakCommitment\", daChallengeWindow = 5 }"),
    ("customGasToken", "{ name = \"Token\", symbol = \"T\" }"),
    ("customGasToken", "{ name = \"Token\" }"),
    ("l1StartBlockHash", "\"0x038512e02c4c3f7bdaec27d00edf55b7155e0905301e1a88083e4e0a6764d54c\""),
    ("deployOverrides", "{ faultGameMaxDepth = 73 }"),
    ("l2DevGenesisParams", "{ }"),
    ("unknownKey", "1"),
];

fn mutated_toml(base: &str, chance: &mut Chance) -> String {
    let mut lines = base.lines().map(str::to_owned).collect::<Vec<_>>();
    for _ in 0..=chance.below(2) {
        let settings =
            lines.iter().enumerate().filter(|(_, line)| line.contains(" = ")).map(|(i, _)| i).collect::<Vec<_>>();
        let place = *chance.one(&settings);
        let (key, value) =
            lines[place].split_once(" = ").map(|(key, value)| (key.to_owned(), value.to_owned())).unwrap();
        match chance.below(10) {
            0 => drop(lines.remove(place)),
            1 => lines[place] = format!("{} = {value}", key.to_uppercase()),
            2 => lines[place] = format!("{key}x = {value}"),
            3 => {
                let (key, value) = chance.one(&MORE);
                lines.insert(place, format!("{key} = {value}"));
            }
            4 => lines.insert(0, format!("opcmAddress = \"{ADDRESS}\"")),
            5 => {
                let tables = lines
                    .iter()
                    .enumerate()
                    .filter(|(_, line)| line.trim_start().starts_with('['))
                    .map(|(i, _)| i)
                    .collect::<Vec<_>>();
                let place = *chance.one(&tables);
                lines.remove(place);
            }
            _ => lines[place] = format!("{key} = {}", chance.one(&TOML)),
        }
    }
    lines.join("\n")
}

/// Good command lines of the services; `DIR` is where their files are.
fn command_lines(dir: &Path) -> Vec<(&'static str, Vec<String>)> {
    let node = [
        "--l1=http://127.0.0.1:1",
        "--l1.beacon=http://127.0.0.1:1",
        "--l2=http://127.0.0.1:1",
        "--l2.jwt-secret=DIR/jwt.hex",
        "--l2.enginekind=geth",
        "--rollup.config=DIR/rollup.json",
        "--sequencer.enabled",
        "--verifier.l1-confs=4",
        "--rpc.port=9545",
    ]
    .map(str::to_owned);
    let batcher = [
        "--l1-eth-rpc=http://127.0.0.1:1",
        "--l2-eth-rpc=http://127.0.0.1:1",
        "--rollup-rpc=http://127.0.0.1:1",
        "--data-availability-type=blobs",
        "--target-num-frames=5",
        "--max-channel-duration=25",
        "--num-confirmations=4",
        "--poll-interval=6s",
        "--rpc.port=8548",
        "--metrics.enabled",
    ]
    .map(str::to_owned);
    let proposer = [
        "--l1-eth-rpc=http://127.0.0.1:1",
        "--rollup-rpc=http://127.0.0.1:1",
        "--game-factory-address=0x51095eac6e2b6da9811c6febbdd67add79135ce0",
        "--game-type=1",
        "--proposal-interval=1h",
        "--rpc.port=8560",
    ]
    .map(str::to_owned);
    let challenger = [
        "--l1-eth-rpc=http://127.0.0.1:1",
        "--l1-beacon=http://127.0.0.1:1",
        "--l2-eth-rpc=http://127.0.0.1:1",
        "--rollup-rpc=http://127.0.0.1:1",
        "--game-factory-address=0x51095eac6e2b6da9811c6febbdd67add79135ce0",
        "--datadir=DIR/challenger",
        "--game-types=permissioned,cannon-kona",
        "--cannon-bin=/bin/sh",
        "--cannon-server=/bin/sh",
        "--cannon-kona-server=/bin/sh",
        "--cannon-prestate=any",
        "--cannon-kona-prestate=any",
        "--rollup-config=DIR/rollup.json",
        "--l2-genesis=DIR/genesis.json",
    ]
    .map(str::to_owned);
    let monitor = [
        "--l1-eth-rpc=http://127.0.0.1:1",
        "--rollup-rpc=http://127.0.0.1:1",
        "--game-factory-address=0x51095eac6e2b6da9811c6febbdd67add79135ce0",
        "--honest-actors=0x51095eac6e2b6da9811c6febbdd67add79135ce0",
        "--metrics.enabled",
        "--metrics.port=7305",
    ]
    .map(str::to_owned);
    let lines: Vec<(&str, Vec<String>)> = vec![
        ("op-node", node.into()),
        ("op-batcher", batcher.into()),
        ("op-proposer", proposer.into()),
        ("op-challenger", challenger.into()),
        ("op-dispute-mon", monitor.into()),
    ];
    let place = |args: Vec<String>| args.into_iter().map(|arg| arg.replace("DIR", dir.to_str().unwrap())).collect();
    lines.into_iter().map(|(name, args)| (name, place(args))).collect()
}

/// op-node's peer-to-peer side resolves names and opens databases: it is off, by a variable, which nothing on the command line
/// takes away.
fn variables(program: &str) -> BTreeMap<String, String> {
    let off = (program == "op-node").then(|| ("OP_NODE_P2P_DISABLE".to_owned(), "true".to_owned()));
    off.into_iter().collect()
}

/// Values of flags, of every kind.
const WORDS: [&str; 40] = [
    "",
    "0",
    "1",
    "2",
    "5",
    "12",
    "129",
    "65536",
    "-1",
    "+3",
    "0x10",
    "010",
    "1_000",
    "1.5",
    "0.3",
    "1e3",
    "inf",
    "true",
    "false",
    "T",
    "yes",
    "1h30m",
    "0s",
    "10",
    "1d",
    "-5s",
    "x",
    "a,b",
    "http://127.0.0.1:1",
    "http://127.0.0.1:1,http://127.0.0.1:2",
    "geth",
    "blobs",
    "calldata",
    "shadow",
    "permissioned",
    "cannon",
    "super-cannon-kona",
    "info",
    "0x51095eac6e2b6da9811c6febbdd67add79135ce0",
    "/bin/sh",
];

/// Flags that reach out of the process, or whose values are no part of what is compared: p2p, files, remote signers of op-node,
/// forks that are moved against `rollup.json`.
fn is_left_out(program: &str, flag: &str) -> bool {
    let of_node = flag.starts_with("p2p.")
        || flag.starts_with("override.")
        || flag.starts_with("signer.")
        || ["interop.dependency-set", "rollup.l1-chain-config", "rpc.admin-state", "l2.jwt-secret", "rollup.config"]
            .contains(&flag);
    (program == "op-node" && of_node) || flag == "network" || flag == "pprof.path"
}

fn mutated_args(program: &'static str, base: &[String], chance: &mut Chance) -> Case {
    let known = Known::of(program).unwrap();
    let mut args = base.to_vec();
    let mut env = variables(program);
    for _ in 0..=chance.below(3) {
        let place = chance.below(args.len().max(1)).min(args.len().saturating_sub(1));
        let word = (*chance.one(&WORDS)).to_owned();
        let definition = loop {
            let definition = chance.one(known.definitions);
            if !is_left_out(program, definition.name) {
                break definition;
            }
        };
        let given = args.get(place).cloned().unwrap_or_default();
        let touched = given.trim_start_matches('-').split('=').next().unwrap_or_default().to_owned();
        match chance.below(14) {
            0 if !args.is_empty() => drop(args.remove(place)),
            1 => args.insert(place, given),
            2 if given.contains('=') => {
                let (flag, value) = given.split_once('=').unwrap();
                args.splice(place..=place, [flag.to_owned(), value.to_owned()]);
            }
            3 if given.starts_with("--") => args[place] = given[1..].to_owned(),
            4 => args.insert(place, word),
            5 => args.insert(place, format!("--{}x={word}", definition.name)),
            6 => {
                if let Some(variable) = definition.variables.first() {
                    env.insert((*variable).to_owned(), word);
                }
            }
            7 if given.contains('=') => {
                let flag = known.definitions.iter().find(|definition| definition.name == touched);
                if let Some(variable) = flag.and_then(|flag| flag.variables.first()) {
                    env.insert((*variable).to_owned(), given.split_once('=').unwrap().1.to_owned());
                    args.remove(place);
                }
            }
            8 if given.contains('=') && !is_left_out(program, &touched) => args[place] = format!("--{touched}={word}"),
            9 => args.insert(place, format!("--{}", definition.name)),
            10 if definition.kind == Kind::Bool => args.insert(place, format!("--{}={word}", definition.name)),
            _ => args.insert(place, format!("--{}={word}", definition.name)),
        }
    }
    Case::Args { program, args, env }
}

fn corpus(mutations: usize, dir: &Path, chance: &mut Chance) -> Vec<Case> {
    let mut cases = Vec::new();
    let parse = |name: &str| serde_json::from_str::<Value>(&input(name)).unwrap();
    let (mut rollups, geneses) =
        (["rollup.json", "rollup-jovian.json"].map(parse), ["genesis.json", "genesis-jovian.json"].map(parse));
    // as op-deployer wrote them, for an op-node that knew more
    cases.extend(rollups.iter().map(|base| Case::Rollup { text: written(base) }));
    for base in &mut rollups {
        base.as_object_mut().unwrap().remove("protocol_versions_address").unwrap();
    }
    let intent = input("intent-complete.toml");
    for base in &rollups {
        cases.push(Case::Rollup { text: written(base) });
        cases.extend((0..mutations).map(|_| Case::Rollup { text: mutated_json(base, chance) }));
    }
    for base in &geneses {
        cases.push(Case::Genesis { text: written(base) });
        cases.extend((0..mutations).map(|_| Case::Genesis { text: mutated_json(base, chance) }));
    }
    cases.push(Case::Intent { text: intent.clone() });
    cases.extend((0..mutations).map(|_| Case::Intent { text: mutated_toml(&intent, chance) }));
    for (program, base) in command_lines(dir) {
        cases.push(Case::Args { program, args: base.clone(), env: variables(program) });
        cases.extend((0..mutations).map(|_| mutated_args(program, &base, chance)));
    }
    cases
}

// --- both sides

fn theirs(cases: &[Case], dir: &Path) -> Vec<Verdict> {
    let judge = env::var("EC_CONFORMANCE_JUDGE").expect("EC_CONFORMANCE_JUDGE: run scripts/op-stack/conformance");
    let mut child = Command::new(judge)
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the judge starts");
    let mut stdin = child.stdin.take().unwrap();
    let lines = cases.iter().map(|case| serde_json::to_string(case).unwrap() + "\n").collect::<Vec<_>>();
    let writer = thread::spawn(move || {
        for line in lines {
            // a judge that ends is told by its verdicts that are missing
            let _ = stdin.write_all(line.as_bytes());
        }
    });
    let verdicts = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
        .collect::<Vec<_>>();
    writer.join().unwrap();
    assert!(child.wait().unwrap().success());
    verdicts
}

/// This host, without containers.
struct Here;

impl Host for Here {
    fn has(&self, path: &Path) -> Option<bool> {
        Some(path.exists())
    }
}

fn ours(case: &Case) -> Verdict {
    let refused = |reasons: Vec<String>| Verdict {
        accept: reasons.is_empty(),
        reason: reasons.join(" | "),
        ..Verdict::default()
    };
    let version = VERSION.parse().unwrap();
    match case {
        Case::Rollup { text } => match serde_json::from_str::<Object>(text) {
            Ok(object) => refused(rollup::judge(&object, &version).iter().map(ToString::to_string).collect()),
            Err(error) => refused(vec![error.to_string()]),
        },
        Case::Genesis { text } => match serde_json::from_str::<Object>(text) {
            Ok(object) => match genesis::judge(&object) {
                Ok(hash) => Verdict { accept: true, hash: hash.to_string(), ..Verdict::default() },
                Err(refusals) => refused(refusals.iter().map(ToString::to_string).collect()),
            },
            Err(error) => refused(vec![error.to_string()]),
        },
        Case::Intent { text } => match text.parse() {
            Ok(document) => refused(intent::judge(&document).iter().map(ToString::to_string).collect()),
            Err(error) => refused(vec![error.to_string()]),
        },
        Case::Args { program, args, env } => {
            let component = Component {
                version: VERSION.to_owned(),
                args: args.clone(),
                environment: env.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect(),
                ..Component::default()
            };
            let running = Running { name: program, component: &component };
            refused(arguments::judge(running, &Here).iter().map(ToString::to_string).collect())
        }
    }
}

// --- the comparison

/// Whether a difference between the program's verdict and ours is of this kind.
type Explains = fn(&Case, &Verdict, &Verdict) -> bool;

/// Where both may differ, and why that is right. What is not here fails.
const KNOWN: [(&str, Explains); 6] = [
    (
        "the intent has two keys that differ in case only: op-deployer takes either by chance, we refuse",
        |case, _, ours| matches!(case, Case::Intent { .. }) && ours.reason.contains("one key for op-deployer"),
    ),
    (
        "genesis.json without config.optimism: op-geth makes a chain of Ethereum's of it, we refuse",
        |case, theirs, ours| {
            matches!(case, Case::Genesis { .. }) && theirs.accept && ours.reason.contains("no chain of the OP Stack")
        },
    ),
    (
        "a number in genesis.json that no block of a chain can have: op-geth hashes it, we refuse",
        |case, theirs, ours| {
            matches!(case, Case::Genesis { .. })
                && theirs.accept
                && (ours.reason.contains("does not fit into 64 bits") || ours.reason.contains("256 bits"))
        },
    ),
    (
        "genesis.json in which Ethereum's forks do not keep step: op-geth hashes a header with gaps, we refuse the file beside its hash",
        |case, theirs, ours| match case {
            Case::Genesis { text } => {
                let object = serde_json::from_str::<Object>(text);
                theirs.accept && ours.accept && object.is_ok_and(|object| !genesis::out_of_step(&object).is_empty())
            }
            _ => false,
        },
    ),
    (
        "what op-deployer wants of the intent until v1.17 only: which one reads it is not known, we refuse",
        |case, theirs, ours| {
            let until = ["ProtocolVersionsOwner", "chainFeesRecipient", "useRevenueShare"];
            let is_of_those = |reason: &str| until.iter().any(|key| reason.contains(key));
            matches!(case, Case::Intent { .. }) && theirs.accept && ours.reason.split(" | ").all(is_of_those)
        },
    ),
    (
        "configType is standard: its values are those of a registry that only op-deployer has, we do not promise it",
        |case, _, ours| matches!(case, Case::Intent { .. }) && ours.reason.contains("cannot be judged here"),
    ),
];

#[test]
#[ignore = "needs the judge: scripts/op-stack/conformance"]
fn what_the_programs_refuse_is_refused_and_nothing_else() {
    let number = |name: &str| env::var(name).ok().map(|text| text.parse::<u64>().expect(name));
    let seed = number("EC_CONFORMANCE_SEED")
        .unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs());
    let mutations = number("EC_CONFORMANCE_MUTATIONS").unwrap_or(400) as usize;
    println!("seed {seed}: EC_CONFORMANCE_SEED={seed} replays it");
    let dir = tempfile::tempdir().unwrap();
    for name in ["rollup.json", "genesis.json"] {
        fs::write(dir.path().join(name), input(name)).unwrap();
    }
    fs::write(dir.path().join("jwt.hex"), "ab".repeat(32)).unwrap();
    let cases = corpus(mutations, dir.path(), &mut Chance(seed));
    let verdicts = theirs(&cases, dir.path());
    assert_eq!(verdicts.len(), cases.len(), "the judge broke off at {:?}", cases.get(verdicts.len()));

    let mut counts = BTreeMap::<String, [usize; 2]>::new();
    let mut explained = [0; KNOWN.len()];
    let mut differences = Vec::new();
    for (case, theirs) in cases.iter().zip(&verdicts) {
        let kind = match case {
            Case::Rollup { .. } => "rollup.json".to_owned(),
            Case::Genesis { .. } => "genesis.json".to_owned(),
            Case::Intent { .. } => "intent.toml".to_owned(),
            Case::Args { program, .. } => format!("{program}'s arguments"),
        };
        counts.entry(kind).or_default()[usize::from(!theirs.accept)] += 1;
        let ours = ours(case);
        if ours.accept == theirs.accept && (ours.hash == theirs.hash || !theirs.accept) {
            continue;
        }
        match KNOWN.iter().position(|(_, explains)| explains(case, theirs, &ours)) {
            Some(place) => explained[place] += 1,
            None => differences.push((case, theirs, ours)),
        }
    }
    for (kind, [accepted, refused]) in &counts {
        println!("{kind:<28} {accepted:>6} accepted {refused:>6} refused by the programs");
        assert!(*accepted > 0 && *refused > 0, "{kind}: a corpus of one kind says nothing");
    }
    for ((why, _), count) in KNOWN.iter().zip(explained) {
        println!("{count:>6} known differences: {why}");
    }
    for (case, theirs, ours) in differences.iter().take(SHOWN) {
        println!("\n{}\n  theirs: {theirs:?}\n  ours:   {ours:?}", serde_json::to_string(case).unwrap());
    }
    assert!(differences.is_empty(), "{} of {} differ, seed {seed}", differences.len(), cases.len());
}
