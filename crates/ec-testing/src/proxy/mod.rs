//! A real HTTP server in front of a node, that fails as RPC endpoints fail. What it does is told at run time, from the
//! test's thread; what it did is counted.
//!
//! Without a script it passes everything on. [`Proxy::always`], [`Proxy::next`] and [`Proxy::random`] say when a
//! [`Fault`] strikes, [`Proxy::lie`], [`Proxy::chain_id`] and [`Proxy::lag_at`] what is answered untruly.
//! [`Proxy::enforce_replacement_rule`] makes it a node with geth's transaction pool, which Anvil is not.

#![allow(clippy::unwrap_used)] // Test code: a panic is its report.

mod fault;
mod lag;
mod node;
mod pool;
mod script;
mod server;

use std::{
    collections::BTreeMap,
    fmt,
    net::SocketAddr,
    sync::{Arc, mpsc},
    thread,
};

use serde_json::{Value, json};
use tokio::sync::watch;

use crate::running::block_on;

pub use fault::Fault;
use node::Node;
use script::{Script, When};

/// Every method.
pub const ANY: &str = "*";

/// Listens until the test's process ends.
pub struct Proxy {
    address: SocketAddr,
    script: Arc<Script>,
    listens: watch::Sender<bool>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("address", &self.address)
            .field("injected", &self.injected())
            .finish_non_exhaustive()
    }
}

impl Proxy {
    /// Passes everything on to the node at `rpc`, until told otherwise.
    pub fn start(rpc: &str) -> Self {
        let script = Arc::new(Script::default());
        let node = Node::new(rpc);
        let (listens, heard) = watch::channel(true);
        let (tell, told) = mpsc::channel();
        let served = Arc::clone(&script);
        thread::spawn(move || block_on(server::serve(node, served, heard, tell)));
        let address = told.recv().expect("the proxy listens");
        Self { address, script, listens }
    }

    /// Where it answers.
    pub fn rpc(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on a fault strikes every request of this method.
    pub fn always(&self, method: &'static str, fault: Fault) {
        self.script.add(method, When::Always, vec![fault]);
    }

    /// A fault strikes the next `n` requests of this method.
    pub fn next(&self, n: usize, method: &'static str, fault: Fault) {
        self.script.add(method, When::Next(n), vec![fault]);
    }

    /// One of the faults strikes a request of this method with this probability; a seed gives the same sequence.
    pub fn random(&self, seed: u64, probability: f64, method: &'static str, faults: &[Fault]) {
        self.script.add(method, When::random(seed, probability), faults.to_vec());
    }

    /// From now on a fault strikes every request of this method whose parameters are meant.
    pub fn strike_if(&self, method: &'static str, fault: Fault, is_meant: impl Fn(&Value) -> bool + Send + 'static) {
        self.script.add(method, When::If(Box::new(is_meant)), vec![fault]);
    }

    /// Changes the results of a method, given its parameters.
    pub fn lie(&self, method: &'static str, lie: impl Fn(&Value, &mut Value) + Send + Sync + 'static) {
        self.script.lie(method, Arc::new(lie));
    }

    /// Claims another chain id.
    pub fn chain_id(&self, chain_id: u64) {
        self.lie("eth_chainId", move |_, result| *result = json!(format!("{chain_id:#x}")));
    }

    /// Stands still at this block: the node's state, log and receipts as of it.
    pub fn lag_at(&self, block: u64) {
        self.script.set_lag(Some(block));
    }

    /// Stands still no longer.
    pub fn lag_off(&self) {
        self.script.set_lag(None);
    }

    /// Takes replacements as geth does: both fees at least a tenth higher, its errors word by word.
    pub fn enforce_replacement_rule(&self) {
        self.script.set_strict();
    }

    /// Refuses connections, and drops those there are; or takes them again, on the same port.
    pub fn refuse(&self, refuses: bool) {
        self.listens.send_replace(!refuses);
    }

    /// No faults, lies or lag any more. The replacement rule, once enforced, stays.
    pub fn heal(&self) {
        self.refuse(false);
        self.script.heal();
    }

    /// How often each fault struck, by its name; a lie counts as `lie`.
    pub fn injected(&self) -> BTreeMap<&'static str, usize> {
        self.script.injected()
    }

    /// How many faults struck.
    pub fn struck(&self) -> usize {
        self.injected().values().sum()
    }

    /// Requests of this method that came in, batched ones counted one by one.
    pub fn requests(&self, method: &str) -> usize {
        self.script.requests(method)
    }
}
