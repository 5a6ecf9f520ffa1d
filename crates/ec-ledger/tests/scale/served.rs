//! A chain whose ledger has as many final slots as is wanted, made up as it is asked for: no node holds years in minutes.
//!
//! Block n has the four events of one slot: a proposal, two votes, and that it is final; or the first of them alone, so that all
//! slots stay open. The streams take turns.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use alloy::{
    primitives::{Address, B256, Bytes, LogData, U256, keccak256},
    rpc::types::{Block, Header, Log},
    sol_types::{SolCall, SolEvent},
};
use axum::{Router, extract::State, routing::post};
use ec_ledger::contracts::{EveryChannelObservationLedger as Ledger, EveryChannelWitnessRegistry as Registry};
use ec_observation::{EpochHash, EpochName, ObservationHash, ObservationHeader, StreamRule};
use serde_json::{Value, json};

pub(crate) const CHAIN_ID: u64 = 4_242;
pub(crate) const LEDGER: Address = Address::repeat_byte(0x11);
pub(crate) const REGISTRY: Address = Address::repeat_byte(0x22);
/// So far behind the newest block is the finalized one.
const FINAL_AFTER: u64 = 64;
const WITNESSES: [Address; 3] = [Address::repeat_byte(1), Address::repeat_byte(2), Address::repeat_byte(3)];

/// The streams, half of them lanes with a session a day.
pub(crate) fn rules(streams: usize) -> Vec<StreamRule> {
    let rule = |at: usize| match at % 2 {
        0 => StreamRule::new(&format!("tv-{at}")),
        _ => {
            let groups = std::num::NonZeroU64::new(30).unwrap();
            StreamRule::lane(&format!("tv-{at}"), &format!("tv-{at}"), "0.m4s", groups).unwrap()
        }
    };
    (0..streams).map(rule).collect()
}

/// So many epochs of a stream are a chain of parents; the next one has none, lest all have to be made up again for each.
const CHAINED: u64 = 256;

/// The header of a block's slot.
pub(crate) fn header(rules: &[StreamRule], block: u64) -> ObservationHeader {
    let streams = rules.len() as u64;
    let first = block - (block / streams % CHAINED) * streams;
    (first..=block).step_by(rules.len()).fold(None, |parent, block| Some(header_on(rules, parent, block))).unwrap()
}

/// The same on its parent.
fn header_on(rules: &[StreamRule], parent: Option<ObservationHeader>, block: u64) -> ObservationHeader {
    const FIRST_MS: u64 = 1_772_824_680_000;
    let rule = &rules[usize::try_from(block).unwrap() % rules.len()];
    let (epoch, minute_ms) = (block / rules.len() as u64, 60_000);
    let (day, index) = (epoch / 1440, epoch % 1440);
    let name = match rule.is_lane() {
        true => EpochName { mark: FIRST_MS + day * 1440 * minute_ms, index },
        false => EpochName::timeline(epoch),
    };
    ObservationHeader {
        stream_hash: rule.stream_hash(),
        epoch_hash: EpochHash::of(&rule.epochs.id(name)),
        parent_observation_hash: parent.map_or(ObservationHash::ZERO, |parent| parent.hash()),
        data_root: keccak256(block.to_be_bytes()),
        locator_hash: B256::ZERO,
        observed_unix_ms: FIRST_MS + epoch * minute_ms,
        sequence: name.sequence().unwrap(),
    }
}

#[derive(Debug)]
struct Chain {
    rules: Vec<StreamRule>,
    head: u64,
    stays_open: bool,
    logs_asked: AtomicU64,
}

/// The chain, served.
pub(crate) struct Served {
    chain: Arc<Chain>,
    pub(crate) rpc: String,
}

impl Served {
    /// A chain of so many blocks.
    pub(crate) async fn start(rules: Vec<StreamRule>, head: u64) -> Self {
        Self::of(Chain { rules, head, stays_open: false, logs_asked: 0.into() }).await
    }

    /// The same, on which no slot becomes final.
    pub(crate) async fn start_open(rules: Vec<StreamRule>, head: u64) -> Self {
        Self::of(Chain { rules, head, stays_open: true, logs_asked: 0.into() }).await
    }

    async fn of(chain: Chain) -> Self {
        let chain = Arc::new(chain);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let rpc = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/", post(answer)).with_state(Arc::clone(&chain));
        tokio::spawn(async { axum::serve(listener, router).await });
        Self { chain, rpc }
    }

    /// Of how many blocks logs were asked since the last time.
    pub(crate) fn logs_asked(&self) -> u64 {
        self.chain.logs_asked.swap(0, Ordering::SeqCst)
    }
}

async fn answer(State(chain): State<Arc<Chain>>, body: String) -> String {
    let request: Value = serde_json::from_str(&body).unwrap();
    let answered = match &request {
        Value::Array(requests) => requests.iter().map(|request| chain.answer(request)).collect(),
        request => chain.answer(request),
    };
    answered.to_string()
}

impl Chain {
    fn answer(&self, request: &Value) -> Value {
        let (method, params) = (request["method"].as_str().unwrap(), &request["params"]);
        let result = match method {
            "eth_chainId" => json!(U256::from(CHAIN_ID)),
            "eth_syncing" => json!(false),
            "eth_getCode" => json!("0x00"),
            "eth_getBlockByNumber" => self.block(&params[0]),
            "eth_call" => self.call(&params[0]),
            "eth_getLogs" => self.logs(&params[0]),
            method => panic!("{method} is not served"),
        };
        json!({"jsonrpc": "2.0", "id": request["id"], "result": result})
    }

    fn block(&self, asked: &Value) -> Value {
        let head = self.head;
        let number = match asked.as_str().unwrap() {
            "latest" => head,
            "safe" | "finalized" => head.saturating_sub(FINAL_AFTER),
            number => number_of(number),
        };
        if number > head {
            return Value::Null;
        }
        let mut header: Header = Header { hash: hash(number), ..Header::default() };
        (header.inner.number, header.inner.timestamp) = (number, now_s() - (head - number));
        header.inner.parent_hash = number.checked_sub(1).map(hash).unwrap_or_default();
        json!(Block::<B256>::empty(header))
    }

    fn call(&self, call: &Value) -> Value {
        let input: Bytes = serde_json::from_value(call.get("input").unwrap_or(&call["data"]).clone()).unwrap();
        if input[..4] == Registry::activeSetCall::SELECTOR {
            let set = Registry::activeSetReturn { bitmap: U256::from(0b111), quorum_: 2 };
            return json!(Bytes::from(Registry::activeSetCall::abi_encode_returns(&set)));
        }
        let asked = Registry::witnessAtCall::abi_decode(&input).unwrap();
        let witness = WITNESSES[asked.index.to::<usize>()];
        json!(Bytes::from(Registry::witnessAtCall::abi_encode_returns(&witness)))
    }

    fn logs(&self, filter: &Value) -> Value {
        let bound = |name: &str| number_of(filter[name].as_str().unwrap());
        let (from, to) = (bound("fromBlock"), bound("toBlock"));
        self.logs_asked.fetch_add(to + 1 - from, Ordering::SeqCst);
        let streams = self.rules.len() as u64;
        let mut newest: HashMap<u64, ObservationHeader> = HashMap::new();
        let mut next = |block: u64| {
            // no parent but one that is final
            let is_chained = !self.stays_open && !(block / streams).is_multiple_of(CHAINED);
            let parent = newest.get(&(block % streams)).copied().filter(|_| is_chained);
            let header = match parent {
                None if is_chained => header(&self.rules, block),
                parent => header_on(&self.rules, parent, block),
            };
            newest.insert(block % streams, header);
            let mut events = events(block, header);
            if self.stays_open {
                events.truncate(1);
            }
            events
        };
        Value::Array((from.max(1)..=to).flat_map(&mut next).collect())
    }
}

fn events(number: u64, header: ObservationHeader) -> Vec<Value> {
    let (slot, observation) = (header.slot().0, header.hash().0);
    let [proposer, others @ ..] = WITNESSES;
    let proposed = Ledger::ObservationProposed {
        slot,
        observationHash: observation,
        streamHash: header.stream_hash.0,
        proposer,
        header: header.into(),
    };
    let attested = others
        .map(|witness| Ledger::ObservationAttested { slot, observationHash: observation, witness }.encode_log_data());
    let finalized = Ledger::ObservationFinalized { slot, observationHash: observation }.encode_log_data();
    let data = std::iter::once(proposed.encode_log_data()).chain(attested).chain([finalized]);
    (0..).zip(data).map(|(index, data)| json!(log(number, index, data))).collect()
}

fn log(number: u64, index: u64, data: LogData) -> Log {
    Log {
        inner: alloy::primitives::Log { address: LEDGER, data },
        block_hash: Some(hash(number)),
        block_number: Some(number),
        block_timestamp: Some(now_s()),
        transaction_hash: Some(B256::ZERO),
        transaction_index: Some(0),
        log_index: Some(index),
        removed: false,
    }
}

fn hash(number: u64) -> B256 {
    keccak256(number.to_be_bytes())
}

fn number_of(hex: &str) -> u64 {
    u64::from_str_radix(hex.trim_start_matches("0x"), 16).unwrap()
}

fn now_s() -> u64 {
    std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()
}
