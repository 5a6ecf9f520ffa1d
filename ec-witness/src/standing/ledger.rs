//! How the ledger and its chain stand.

use std::collections::BTreeMap;

use alloy::primitives::Address;
use serde::Serialize;

use ec_ledger::Heads;
use ec_rpc::HeadTimes;

/// How the ledger and its chain stand.
#[derive(Clone, Debug, Default)]
pub struct LedgerStanding {
    /// Why the last poll failed, if it did.
    pub error: Option<String>,
    /// Whether it is live (protocol §5.5).
    pub live: bool,
    /// When it was read last, Unix seconds.
    pub polled_unix_s: Option<u64>,
    /// Block numbers of the heads.
    pub heads: Heads,
    /// Block times of the heads.
    pub head_times: HeadTimes,
    /// The witness.
    pub witness: Address,
    /// Whether the witness is in the active set.
    pub member: bool,
    /// To whom the witness's seat passed, if it handed it on.
    pub handed_to: Option<Address>,
    /// Active witnesses.
    pub witness_count: usize,
    /// Votes that finalize.
    pub quorum: usize,
    /// For how long the finalized head has stood still, milliseconds, if that is longer than it may.
    pub finality_stalled_ms: Option<u64>,
    /// Endpoints that must agree.
    pub agree: usize,
    /// Every endpoint.
    pub endpoints: Vec<EndpointStanding>,
}

/// A head of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, clap::ValueEnum, Serialize)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Head {
    /// The newest block.
    Latest,
    /// The newest block that its L1 data proves.
    Safe,
    /// The newest block that cannot be taken back.
    Finalized,
}

impl Head {
    /// Its name, as a metric's label.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// How an RPC endpoint stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EndpointStanding {
    /// Scheme, host and port; the rest of its URL may be secret.
    pub endpoint: String,
    /// Whether it gave its last answer, and is of the right chain.
    pub up: bool,
    /// The newest fault, in words; it may be over.
    pub last_fault: Option<String>,
    /// The number of its newest block.
    pub head: Option<u64>,
    /// Answers it gave in this process.
    pub answered: u64,
    /// Faults in this process, by kind.
    pub faults: BTreeMap<&'static str, u64>,
}

/// A number of a stream at each head.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct AtHeads {
    /// At the newest block.
    pub latest: Option<u64>,
    /// At the newest safe block.
    pub safe: Option<u64>,
    /// At the newest finalized block.
    pub finalized: Option<u64>,
}

impl AtHeads {
    /// The number at each head.
    pub fn by_head(self) -> [(Head, Option<u64>); 3] {
        let Self { latest, safe, finalized } = self;
        [(Head::Latest, latest), (Head::Safe, safe), (Head::Finalized, finalized)]
    }

    /// What `of` makes of each.
    pub fn each(self, of: impl Fn(Option<u64>) -> Option<u64>) -> Self {
        let Self { latest, safe, finalized } = self;
        Self { latest: of(latest), safe: of(safe), finalized: of(finalized) }
    }
}
