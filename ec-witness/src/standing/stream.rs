//! How a stream stands.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

use crate::witness::engine::SlotState;

/// How a stream stands.
#[derive(Clone, Debug, Default, Serialize)]
pub struct StreamStanding {
    /// The stream.
    pub stream_id: String,
    /// How far its files are read, or why not.
    pub reading: Reading,
    /// What happened to its files in this process.
    pub tally: Tally,
    /// Epochs that are withheld for good.
    pub withheld_epochs: u64,
    /// Its old epochs, when they were last counted.
    pub backlog: Backlog,
    /// When a track file grew last, Unix seconds.
    pub newest_record_unix_s: Option<u64>,
    /// The newest closed epoch.
    pub newest_closed: Option<u64>,
    /// The newest epoch voted on.
    pub newest_voted: Option<u64>,
    /// The newest epoch that is final.
    pub newest_final: NewestFinal,
    /// Slots that are judged, by state.
    pub slots: BTreeMap<SlotState, usize>,
}

impl StreamStanding {
    /// Slots in this state.
    pub fn slots_in(&self, state: SlotState) -> usize {
        self.slots.get(&state).copied().unwrap_or_default()
    }
}

/// The newest epoch of a stream that is final, at each head.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct NewestFinal {
    /// At the newest block.
    pub latest: Option<u64>,
    /// At the newest safe block.
    pub safe: Option<u64>,
    /// At the newest finalized block.
    pub finalized: Option<u64>,
}

/// How far a stream's files are read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, strum::IntoStaticStr, strum::VariantNames)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Reading {
    /// To their ends.
    #[default]
    Current,
    /// Not yet to their ends: nothing is derived meanwhile.
    CatchingUp,
    /// They cannot be read now: nothing is derived until they can.
    Waiting(String),
}

impl Reading {
    /// Its name, as a metric's label.
    pub fn name(&self) -> &'static str {
        self.into()
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Current => f.write_str("current"),
            Self::CatchingUp => f.write_str("catching up"),
            Self::Waiting(why) => write!(f, "waiting: {why}"),
        }
    }
}

/// What happened to a stream's files so far in this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Bad lines.
    pub bad_lines: u64,
    /// Files that another one took the place of.
    pub rotated: u64,
    /// Files that no longer hold what was read of them.
    pub lost: u64,
}

/// The old epochs that are made up for, besides the newest ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Backlog {
    /// Epochs taken up from below so far.
    pub filled: u64,
    /// Sequence numbers still to be looked at that have no final slot.
    pub left: u64,
}
