//! A stream's rule, as the database keeps it.

use std::num::NonZeroU64;

use ec_observation::{EpochRule, Numbering, StreamRule, TimeMode, Tracks};
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct KeptRule {
    stream_id: String,
    locator_broadcast: String,
    groups_per_epoch: NonZeroU64,
    numbering: Numbering,
    tracks: Vec<String>,
    chunk_duration_ms: Option<NonZeroU64>,
}

impl KeptRule {
    fn of(rule: &StreamRule) -> Self {
        let chunk_duration_ms = match rule.time {
            TimeMode::Received => None,
            TimeMode::Timeline { chunk_duration_ms } => Some(chunk_duration_ms),
        };
        Self {
            stream_id: rule.stream_id.clone(),
            locator_broadcast: rule.locator_broadcast.clone(),
            groups_per_epoch: rule.epochs.groups_per_epoch,
            numbering: rule.epochs.numbering,
            tracks: rule.tracks.names().to_vec(),
            chunk_duration_ms,
        }
    }

    fn rule(self) -> Option<StreamRule> {
        Some(StreamRule {
            stream_id: self.stream_id,
            locator_broadcast: self.locator_broadcast,
            epochs: EpochRule { groups_per_epoch: self.groups_per_epoch, numbering: self.numbering },
            tracks: Tracks::new(self.tracks).ok()?,
            time: match self.chunk_duration_ms {
                None => TimeMode::Received,
                Some(chunk_duration_ms) => TimeMode::Timeline { chunk_duration_ms },
            },
        })
    }
}

/// A rule as text.
pub(super) fn text_of(rule: &StreamRule) -> String {
    serde_json::to_string(&KeptRule::of(rule)).unwrap_or_default()
}

/// The rule that a text is of.
pub(super) fn rule_of(text: &str) -> Option<StreamRule> {
    serde_json::from_str::<KeptRule>(text).ok()?.rule()
}
