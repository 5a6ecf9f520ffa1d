//! `status`: what the real binary says of a host, with a real chain as L1 and as the execution client.

#![allow(clippy::unwrap_used)] // Test code: a panic is its report.

mod common;

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener},
    path::Path,
    sync::{Arc, Mutex},
    thread,
};

use alloy::{
    primitives::{Address, B256, U256, bytes, keccak256},
    providers::{Provider, ProviderBuilder, ext::AnvilApi},
    rpc::types::TransactionRequest,
    sol,
    sol_types::SolCall,
};
use common::{copies, edit, endpoint, expect, expect_json, inputs, keyed};
use ec_op_stack::{
    rpc::Endpoint,
    stack::Stack,
    status::{LastPost, Level, RELATIONS, Status, judge},
};
use ec_testing::{
    anvil::Anvil,
    proxy::Fault,
    running::{Running, await_some},
    served::Served,
};
use serde_json::{Value, json};

/// Answers as an op-node does that is in such a state: a real one cannot be brought to contradict itself.
struct Node {
    address: SocketAddr,
    answers: Arc<Mutex<BTreeMap<&'static str, Value>>>,
}

impl Node {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let answers = Arc::<Mutex<BTreeMap<&'static str, Value>>>::default();
        let told = Arc::clone(&answers);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = BufReader::new(stream.unwrap());
                let lines = stream.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty());
                let length = lines.filter_map(|line| {
                    line.to_lowercase().strip_prefix("content-length: ").and_then(|length| length.parse().ok())
                });
                let mut body = vec![0; length.last().unwrap_or(0)];
                stream.read_exact(&mut body).unwrap();
                let Ok(asked) = serde_json::from_slice::<Value>(&body) else { continue };
                let answer = told.lock().unwrap().get(asked["method"].as_str().unwrap()).cloned();
                let mut reply = json!({"jsonrpc": "2.0", "id": asked["id"]});
                match answer {
                    Some(answer) => reply["result"] = answer,
                    None => reply["error"] = json!({"code": -32601, "message": "the method does not exist"}),
                }
                let (reply, head) =
                    (reply.to_string(), "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json");
                let _ = write!(stream.get_mut(), "{head}\r\ncontent-length: {}\r\n\r\n{reply}", reply.len());
            }
        });
        Self { address, answers }
    }

    fn says(&self, method: &'static str, answer: Value) {
        self.answers.lock().unwrap().insert(method, answer);
    }
}

/// A verifier whose L1 and whose execution client are one Anvil.
struct Host {
    dir: tempfile::TempDir,
    anvil: Anvil,
    node: Node,
}

impl Host {
    async fn start() -> Self {
        let dir = copies(&["rollup.json"]);
        let anvil = Anvil::start(dir.path(), &[]).unwrap();
        let provider = ProviderBuilder::new().connect_http(anvil.rpc().parse().unwrap());
        provider.anvil_mine(Some(8), None).await.unwrap();
        let node = Node::start();
        let host = Self { dir, anvil, node };
        host.write_stack(host.anvil.rpc());
        host.node.says("opp2p_peers", json!({"totalConnected": 2}));
        host.node.says("optimism_syncStatus", host.heads().await);
        host
    }

    fn write_stack(&self, l1: &str) {
        fs::write(self.dir.path().join("stack.json"), self.stack(l1).to_string()).unwrap();
    }

    fn stack(&self, l1: &str) -> Value {
        let client = self.anvil.rpc().rsplit(':').next().unwrap();
        json!({
            "role": "verifier",
            "files": {"rollup": "rollup.json", "genesis": "genesis.json"},
            "components": {
                "op-geth": {"version": "v1.101608.0-rc.1", "args": ["--http", "--http.addr=127.0.0.1", format!("--http.port={client}")]},
                "op-node": {"version": "v1.16.7", "args": [
                    format!("--l1={l1}"), "--rpc.addr=127.0.0.1".to_owned(), format!("--rpc.port={}", self.node.address.port()),
                ]},
            },
        })
    }

    /// Of Anvil's blocks, some as those of the L2, made from others of them.
    async fn heads(&self) -> Value {
        let endpoint = Endpoint::new(&self.anvil.rpc().parse().unwrap());
        let block = async |number: u64| {
            let block: Value = endpoint.call("eth_getBlockByNumber", (format!("{number:#x}"), false)).await.unwrap();
            let timestamp = u64::from_str_radix(&block["timestamp"].as_str().unwrap()[2..], 16).unwrap();
            json!({"number": number, "hash": block["hash"], "timestamp": timestamp})
        };
        let head = async |number, origin| {
            let mut head = block(number).await;
            let origin = block(origin).await;
            head["l1origin"] = json!({"number": origin["number"], "hash": origin["hash"]});
            head
        };
        json!({
            "head_l1": block(8).await, "current_l1": block(8).await,
            "unsafe_l2": head(8, 6).await, "safe_l2": head(6, 4).await, "finalized_l2": head(2, 1).await,
        })
    }

    fn dir(&self) -> &Path {
        self.dir.path()
    }

    fn expect(&self, code: i32, args: &[&str]) -> String {
        expect(self.dir(), code, &[&["status", "--stack", "stack.json"][..], args].concat()).0
    }

    /// All findings: row → level and what was found.
    fn all(&self) -> BTreeMap<String, (String, String)> {
        let document: Value = serde_json::from_str(&self.expect(1, &["--json"])).unwrap();
        let named = document["findings"].as_array().unwrap().iter().map(|finding| {
            let text = |key: &str| finding[key].as_str().unwrap().to_owned();
            (text("relation") + ":" + &text("subject"), (text("level"), text("found")))
        });
        named.collect()
    }

    /// The findings that are not good: row → level and cause.
    fn findings(&self) -> BTreeMap<String, (String, Value)> {
        let document: Value = serde_json::from_str(&self.expect(1, &["--json"])).unwrap();
        let wrong = document["findings"].as_array().unwrap().iter().filter(|finding| finding["level"] != "good");
        let named = wrong.map(|finding| {
            let text = |key: &str| finding[key].as_str().unwrap().to_owned();
            (text("relation") + ":" + &text("subject"), (text("level"), finding["because"].clone()))
        });
        named.collect()
    }
}

fn failure() -> (String, Value) {
    ("failure".to_owned(), Value::Null)
}

fn not_judged(why: &str) -> (String, Value) {
    ("not-judged".to_owned(), json!(why))
}

#[tokio::test]
async fn the_last_post_is_found_by_halving() {
    let dir = tempfile::tempdir().unwrap();
    let anvil = Anvil::start(dir.path(), &[]).unwrap();
    let url = anvil.rpc().parse().unwrap();
    let l1 = Endpoint::new(&url);
    let [sender, silent] = [anvil.accounts()[0], anvil.accounts()[1]];
    let provider = ProviderBuilder::new().connect_http(url);
    assert_eq!(LastPost::find(&l1, sender).await.unwrap(), LastPost::Never);

    let transfer = TransactionRequest::default().from(sender).to(silent).value(U256::from(1));
    provider.anvil_mine(Some(20), Some(12)).await.unwrap();
    provider.send_transaction(transfer).await.unwrap().get_receipt().await.unwrap();
    assert_eq!(LastPost::find(&l1, silent).await.unwrap(), LastPost::Never);
    for (blocks, seconds) in [(0, 0..=1), (1, 12..=14), (30, 372..=376)] {
        if blocks > 0 {
            provider.anvil_mine(Some(blocks), Some(12)).await.unwrap();
        }
        let Ok(LastPost::Ago(found)) = LastPost::find(&l1, sender).await else {
            panic!("not found after {blocks} blocks")
        };
        assert!(seconds.contains(&found), "{found} s after {blocks} blocks");
    }
    provider.anvil_mine(Some(200), Some(12)).await.unwrap();
    assert!(matches!(LastPost::find(&l1, sender).await, Ok(LastPost::OlderThan(seconds)) if seconds > 1000));
}

#[tokio::test]
async fn what_is_well_is_told_with_exit_code_0_and_what_is_not_with_1() {
    let host = Host::start().await;
    let out = host.expect(0, &[]);
    assert!(out.starts_with("all is well: verifier of chain "), "{out}");
    assert!(out.contains("\nok     l1-limits, l1, op-node, execution, "), "{out}");
    let document: Value = serde_json::from_str(&host.expect(0, &["--json"])).unwrap();
    assert_eq!((&document["well"], &document["problems"]), (&json!(true), &json!([])));

    let mut heads = host.heads().await;
    heads["safe_l2"]["number"] = json!(9);
    host.node.says("optimism_syncStatus", heads);
    let out = host.expect(1, &[]);
    assert!(out.starts_with("in trouble: "), "{out}");
    assert!(
        out.contains("FAIL  safe-unsafe  op-node contradicts itself: its safe head, block 9, is above its unsafe head"),
        "{out}"
    );
    assert!(!out.contains('\u{1b}'), "colours in a pipe: {out}");

    expect(host.dir(), 2, &["status", "--stack", "none.json"]);
    expect(host.dir(), 2, &["status", "--stack", "stack.json", "--prometheus", "--json"]);
}

#[tokio::test]
async fn a_node_that_has_just_started_has_not_halted() {
    let host = Host::start().await;
    let zero = json!({"number": 0, "hash": format!("0x{:064}", 0), "timestamp": 0});
    let mut head = zero.clone();
    head["l1origin"] = json!({"number": 0, "hash": zero["hash"]});
    let nothing =
        json!({"head_l1": zero, "current_l1": zero, "unsafe_l2": head, "safe_l2": head, "finalized_l2": head});
    host.node.says("optimism_syncStatus", nothing);
    let findings = host.findings();
    assert_eq!(findings["sync-status:unsafe"].0, "unknown");
    assert_eq!(findings["unsafe-age:"], not_judged("sync-status:unsafe"));
    assert!(findings.values().all(|(level, _)| level != "failure" && level != "warning"), "{findings:?}");
    let out = host.expect(1, &[]);
    assert!(out.starts_with("not known: ") && !out.contains("halted"), "{out}");
}

#[tokio::test]
async fn an_l1_with_another_block_and_one_that_refuses_are_told_apart() {
    let host = Host::start().await;
    // the same heads, and another chain for L1
    let other = tempfile::tempdir().unwrap();
    let other = Anvil::start(other.path(), &["--timestamp=1700000000".into()]).unwrap();
    let provider = ProviderBuilder::new().connect_http(other.rpc().parse().unwrap());
    provider.anvil_mine(Some(8), None).await.unwrap();
    host.write_stack(other.rpc());
    let findings = host.findings();
    for head in ["unsafe", "safe", "finalized"] {
        assert_eq!(findings[&format!("origin-known:{head}")], failure(), "{findings:?}");
    }
    assert_eq!(findings["origin-age:unsafe"], not_judged("origin-known:unsafe"));

    let refusing = endpoint(Fault::RateLimited(None));
    host.write_stack(&keyed(&refusing));
    let findings = host.findings();
    assert_eq!(findings["l1-limits:"], failure());
    for row in ["l1:", "l1-age:", "l1-finality:", "origin-known:safe", "finality-lag:"] {
        assert_eq!(findings[row], not_judged("l1-limits"), "{row}: {findings:?}");
    }
    assert!(findings.values().all(|(level, because)| level == "not-judged" || because.is_null()), "{findings:?}");
    assert!(!findings.contains_key("unsafe-age:"), "the L2's own heads are judged: {findings:?}");
    assert!(!host.expect(1, &[]).contains("sEcReT"));
}

#[tokio::test]
async fn a_transaction_that_no_block_takes_is_stuck_and_one_under_way_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let anvil = Anvil::start(dir.path(), &[]).unwrap();
    let provider = ProviderBuilder::new().connect_http(anvil.rpc().parse().unwrap());
    let mut stack: Stack = serde_json::from_str(&fs::read_to_string(inputs().join("stack.json")).unwrap()).unwrap();
    stack.components.get_mut("op-node").unwrap().args[0] = format!("--l1={}", anvil.rpc());
    stack.accounts.batcher = Some(anvil.accounts()[0]);
    let stuck = |status: &Status| {
        let findings = judge(&stack, status);
        let finding = findings.into_iter().find(|finding| finding.name() == "stuck:batcher").unwrap();
        (finding.level, finding.found)
    };
    let transfer = TransactionRequest::default().from(anvil.accounts()[0]).to(anvil.accounts()[1]).value(U256::from(1));
    provider.send_transaction(transfer.clone()).await.unwrap().get_receipt().await.unwrap();

    // no block takes it
    provider.anvil_set_auto_mine(false).await.unwrap();
    let _ = provider.send_transaction(transfer).await.unwrap();
    let first = Status::gather(&stack, None).await;
    assert_eq!(first.accounts[0].pending(), Some(1));
    assert_eq!(stuck(&first).0, Level::Good);
    let mut second = Status::gather(&stack, Some(&first)).await;
    assert_eq!(second.accounts[0].pending_since_unix_s, first.accounts[0].pending_since_unix_s);
    assert_eq!(stuck(&second).0, Level::Good);
    second.unix_s += 700;
    assert_eq!(stuck(&second).0, Level::Failure, "{:?}", stuck(&second));
    assert!(stuck(&second).1.starts_with("1 transactions of the batcher wait in L1's pool"));
}

sol! {
    function gameCount() external view returns (uint256);
    function gameAtIndex(uint256 index) external view returns (uint32 gameType, uint64 timestamp, address proxy);
    function status() external view returns (uint8);
    function l2SequenceNumber() external view returns (uint256);
    function rootClaimByChainId(uint256 chainId) external view returns (bytes32);
    function anchorStateRegistry() external view returns (address);
    function getAnchorRoot() external view returns (bytes32 root, uint256 position);
    function anchorGame() external view returns (address);
    function respectedGameType() external view returns (uint32);
}

/// Has the contract at an address answer these calls by these words, and by zeros where it was told nothing.
async fn answers(provider: &impl Provider, at: Address, calls: &[(Vec<u8>, &[U256])]) {
    // three words of its storage, from the hash of what it is called with
    let code = bytes!("365f5f37365f2080545f5280600101546020526002015460405260605ff3");
    provider.anvil_set_code(at, code).await.unwrap();
    for (call, words) in calls {
        let first = U256::from_be_bytes(keccak256(call).0);
        for (place, word) in (0..).zip(*words) {
            let place = first.wrapping_add(U256::from(place));
            provider.anvil_set_storage_at(at, place, B256::from(*word)).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_super_root_is_judged_by_what_it_claims_of_this_chain() {
    let host = Host::start().await;
    let provider = ProviderBuilder::new().connect_http(host.anvil.rpc().parse().unwrap());
    let [factory, game, registry] = [0x61, 0x62, 0x63].map(Address::repeat_byte);
    let mut stack = host.stack(host.anvil.rpc());
    let proposer = [format!("--game-factory-address={factory}"), "--game-type=5".to_owned()];
    stack["components"]["op-proposer"] = json!({"version": "v1.21.0", "args": proposer});
    fs::write(host.dir().join("stack.json"), stack.to_string()).unwrap();

    // blocks come each two seconds: at this time the newest is 5, and 6 is safe
    let time = U256::from(1_752_171_712 + 11);
    let (ours, others) = (B256::repeat_byte(7), B256::repeat_byte(8));
    let (one, five) = (U256::from(1), U256::from(5));
    let word = |address: Address| U256::from_be_bytes(address.into_word().0);
    let listed = [five, time, word(game)];
    let games =
        [(gameCountCall {}.abi_encode(), &[one][..]), (gameAtIndexCall { index: U256::ZERO }.abi_encode(), &listed)];
    answers(&provider, factory, &games).await;
    let claims = async |root: B256| {
        let claim = rootClaimByChainIdCall { chainId: U256::from(901) }.abi_encode();
        let calls = [
            (statusCall {}.abi_encode(), &[U256::from(2)][..]),
            (l2SequenceNumberCall {}.abi_encode(), &[time]),
            (anchorStateRegistryCall {}.abi_encode(), &[word(registry)]),
            (claim, &[root.into()]),
        ];
        answers(&provider, game, &calls).await;
    };
    let anchor = [
        // of all chains, which is none that this node could have
        (getAnchorRootCall {}.abi_encode(), &[B256::repeat_byte(9).into(), time][..]),
        (respectedGameTypeCall {}.abi_encode(), &[five]),
    ];
    answers(&provider, registry, &anchor).await;
    host.node.says("optimism_outputAtBlock", json!({"outputRoot": ours}));

    claims(ours).await;
    let claim = format!("claim:{game:?}");
    let all = host.all();
    assert_eq!(all[&claim], ("good".to_owned(), "block 5".to_owned()), "{all:?}");
    assert!(!all.contains_key("anchor-root:"), "what all began with is no game's claim: {all:?}");
    assert_eq!(all["anchor-ahead:"].0, "good", "{all:?}");

    let of_game = [(anchorGameCall {}.abi_encode(), &[word(game)][..])];
    answers(&provider, registry, &of_game).await;
    assert_eq!(host.all()["anchor-root:"], ("good".to_owned(), "block 5".to_owned()));

    claims(others).await;
    let all = host.all();
    assert_eq!(all[&claim].0, "failure", "{all:?}");
    assert!(all[&claim].1.ends_with("was won with another root of block 5 than this node has"), "{all:?}");
    assert_eq!(all["anchor-root:"].0, "failure", "{all:?}");
}

#[tokio::test]
async fn metrics_are_printed_and_served() {
    let host = Host::start().await;
    let printed = host.expect(0, &["--prometheus"]);
    for line in ["ec_op_stack_well 1", "ec_op_stack_head_number{head=\"unsafe\"} 8", "ec_op_stack_peers 2"] {
        assert!(printed.lines().any(|other| other == line), "{line}: {printed}");
    }
    let mut heads = host.heads().await;
    heads["safe_l2"]["number"] = json!(9);
    host.node.says("optimism_syncStatus", heads.clone());
    // it is told, by 0, that it could look
    assert!(host.expect(0, &["--prometheus"]).contains("\nec_op_stack_well 0\n"));

    let served = Served::anywhere();
    let mut command = assert_cmd::Command::cargo_bin("ec-op-stack").unwrap();
    command.args(["status", "--watch", "1", "--metrics-listen", &served.0.to_string(), "--stack"]);
    command.arg(host.dir().join("stack.json"));
    let _running = Running::spawn(&command);
    await_some("it answers", || served.get("/metrics").filter(|(status, _)| *status == 200));
    served.await_sample("ec_op_stack_relation_level{relation=\"safe-unsafe\",subject=\"\"}", 4.0);
    host.node.says("optimism_syncStatus", host.heads().await);
    served.await_sample("ec_op_stack_well", 1.0);

    let (_, error) =
        expect(host.dir(), 2, &["status", "--stack", "stack.json", "--metrics-listen", &served.0.to_string()]);
    assert!(error.contains(&format!("--metrics-listen {}", served.0)), "{error}");
}

#[test]
fn of_a_host_that_is_down_all_is_told_and_the_answer_is_no() {
    let dir = copies(&["stack.json"]);
    for port in ["--http.port=8545", "--rpc.port=29545", "--rpc.port=28548", "--rpc.port=8560"] {
        edit(dir.path(), "stack.json", port, &format!("{}=1", port.split('=').next().unwrap()));
    }
    let line = expect_json(dir.path(), 1, &["status", "--stack", "stack.json"]);
    let problems = line["problems"].to_string();
    for part in [
        "L1 does not answer",
        "op-node does not answer",
        "op-geth does not",
        "op-batcher does not",
        "op-proposer does not",
    ] {
        assert!(problems.contains(part), "{part}: {problems}");
    }
    // what nobody can know without them is not blamed on anybody
    for blamed in ["game", "batches", "ETH"] {
        assert!(!problems.contains(blamed), "{blamed}: {problems}");
    }
    assert_eq!(line["status"]["accounts"][0]["last_post"], "unknown");
}

#[test]
fn the_guide_has_every_relation() {
    let guide = fs::read_to_string(inputs().join("../../../docs/operating.md")).unwrap();
    for relation in RELATIONS {
        let row = format!("| `{}` | {} |", relation.name, relation.holds);
        assert!(guide.lines().any(|line| line == row), "docs/operating.md lacks {row}");
    }
}
