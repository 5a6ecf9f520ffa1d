//! Where a rollup stands on L1, and a slot with it.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
};

use alloy::{
    eips::BlockNumberOrTag,
    primitives::U256,
    providers::{DynProvider, Provider, ProviderBuilder},
};
use axum::{Router, extract::State, response::IntoResponse, routing::post};
use ec_testing::{anvil::Anvil, running::block_on};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{VIDEO, bench::Bench, slot_path};

/// L1, a second Anvil, and a rollup's node as far as it is asked about it: what L1 has it takes from there, and a test says how
/// much of the L2 it has found in it.
struct L1 {
    _dir: TempDir,
    _anvil: Anvil,
    node: Node,
    address: SocketAddr,
}

#[derive(Clone)]
struct Node {
    l1: DynProvider,
    derived: Arc<AtomicU64>,
    derived_from_finalized: Arc<AtomicU64>,
}

impl L1 {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let anvil = Anvil::start(dir.path(), &["--slots-in-an-epoch".into(), "2".into()]).unwrap();
        let l1 =
            ProviderBuilder::new().disable_recommended_fillers().connect_http(anvil.rpc().parse().unwrap()).erased();
        let node = Node { l1, derived: Arc::default(), derived_from_finalized: Arc::default() };
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let routes = Router::new().route("/", post(answer)).with_state(node.clone());
        // it ends with the test's process
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, routes).await.unwrap();
            });
        });
        Self { _dir: dir, _anvil: anvil, node, address }
    }

    fn mine(&self, blocks: u64) {
        let _: Option<()> = block_on(self.node.l1.raw_request("anvil_mine".into(), (U256::from(blocks),))).unwrap();
    }

    fn head(&self) -> u64 {
        block_on(self.node.l1.get_block_number()).unwrap()
    }
}

/// `optimism_syncStatus`, with the fields that op-node gives it (its `eth.SyncStatus`).
async fn answer(State(node): State<Node>, body: String) -> impl IntoResponse {
    let call: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(call["method"], "optimism_syncStatus");
    let l1 = async |tag: BlockNumberOrTag| {
        let block = node.l1.get_block_by_number(tag).await.unwrap().unwrap().header;
        json!({ "hash": block.hash, "number": block.number, "parentHash": block.parent_hash, "timestamp": block.timestamp })
    };
    let (head, finalized) = (l1(BlockNumberOrTag::Latest).await, l1(BlockNumberOrTag::Finalized).await);
    let l2 = |number: &AtomicU64, origin: &Value| {
        let origin = json!({ "hash": origin["hash"], "number": origin["number"] });
        json!({ "number": number.load(Relaxed), "l1origin": origin, "sequenceNumber": 0 })
    };
    let result = json!({
        "current_l1": head, "current_l1_finalized": finalized, "head_l1": head, "safe_l1": finalized, "finalized_l1": finalized,
        "unsafe_l2": l2(&node.derived, &head), "safe_l2": l2(&node.derived, &head),
        "finalized_l2": l2(&node.derived_from_finalized, &finalized),
    });
    let answer = json!({ "jsonrpc": "2.0", "id": call["id"], "result": result });
    ([("content-type", "application/json")], answer.to_string())
}

#[test]
fn a_slot_stands_on_l1_as_far_as_the_rollups_node_has_found_it_there() {
    let l1 = L1::start();
    let mut bench = Bench::start();
    bench.op_node = Some(format!("http://{}", l1.address));
    let header = bench.headers("first", VIDEO)[0];
    bench.finalize(header);
    let explorer = bench.explore(&["first"], &[]);
    explorer.await_current(&bench);
    let found = explorer.await_get(&slot_path(header), |slot| slot["state"] == "final");
    let block = found["final"]["block"].as_u64().unwrap();

    // L1 has no block yet but its first: nothing is known of it, which is another thing than nothing being there
    assert_eq!(explorer.json("/api/v1")["ledgers"][0]["l1"], Value::Null);
    assert_eq!(found["final"]["l1"], Value::Null, "{found}");
    l1.mine(9);
    let of_l1 = |is: &str| {
        let found = explorer.await_get(&slot_path(header), |slot| slot["final"]["l1"] == is);
        assert_eq!(found["final"]["block"], block);
    };
    l1.node.derived.store(block - 1, Relaxed);
    of_l1("missing");
    l1.node.derived.store(block, Relaxed);
    of_l1("posted");
    l1.mine(1);
    l1.node.derived_from_finalized.store(block, Relaxed);
    of_l1("finalized");
    let about = explorer.json("/api/v1");
    let status = &about["ledgers"][0]["l1"];
    assert_eq!(status["head"].as_u64(), Some(l1.head()), "{status}");
    let finalized = status["finalized"].as_u64().unwrap();
    assert!(finalized < l1.head() && status["finalized_origin"] == finalized, "{status}");
    assert_eq!((status["safe_l2"].as_u64(), status["finalized_l2"].as_u64()), (Some(block), Some(block)));
    explorer.end();
}
