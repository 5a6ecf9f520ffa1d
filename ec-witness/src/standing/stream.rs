//! How a stream stands.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

use super::{AtHeads, LaneStanding};
use crate::{advice::OtherNumbering, witness::slot::SlotState};

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
    /// The newest closed epoch: its sequence, which in a lane is its session's mark plus its index.
    pub newest_closed: Option<u64>,
    /// The newest epoch voted on.
    pub newest_voted: Option<u64>,
    /// Since when epochs close and none of them is voted on or final, Unix seconds; `None` while votes keep up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unvoted_since_unix_s: Option<u64>,
    /// The newest epoch that is final.
    pub newest_final: AtHeads,
    /// Slots that are judged, by state.
    pub slots: BTreeMap<SlotState, usize>,
    /// The numbering that its archive seems to have instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_numbering: Option<OtherNumbering>,
    /// What a lane has beside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lane: Option<LaneStanding>,
}

impl StreamStanding {
    /// Slots in this state.
    pub fn slots_in(&self, state: SlotState) -> usize {
        self.slots.get(&state).copied().unwrap_or_default()
    }

    /// Closed epochs above the newest final one; `None` where none is closed, or final.
    pub fn behind(&self) -> AtHeads {
        let behind = |newest_final| Some(self.newest_closed?.saturating_sub(newest_final?));
        match &self.lane {
            Some(lane) => lane.behind,
            None => self.newest_final.each(behind),
        }
    }
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
