//! From what the archive says to what the engine judges by.

use ec_observation::{NamedEpoch, StreamRule, TimeError};

use crate::witness::decision::{Agreement, OwnEpoch};

/// What the engine judges by. An epoch without a time is an error while starting, so that the operator hears of it,
/// and is left out later.
///
/// # Errors
///
/// The epoch has no time, and `starting` is set.
pub fn own_epoch(
    rule: &StreamRule,
    agreement: &Agreement,
    epoch: &NamedEpoch,
    starting: bool,
) -> Result<Option<OwnEpoch>, TimeError> {
    let Some(content) = epoch.content else {
        tracing::error!(stream = rule.stream_id, epoch = epoch.sequence, "records conflict; nobody here votes");
        return Ok(Some(OwnEpoch::Conflicting));
    };
    let tolerance_ms = agreement.tolerance_ms(rule.time);
    match &epoch.derived.time {
        Ok(observed_unix_ms) => {
            let observed_unix_ms = *observed_unix_ms;
            Ok(Some(OwnEpoch::Derived { content, observed_unix_ms, tolerance_ms, complete: epoch.derived.complete }))
        }
        Err(error) if starting => Err(error.clone()),
        Err(error) => {
            tracing::error!(%error, "epoch left out");
            Ok(None)
        }
    }
}
