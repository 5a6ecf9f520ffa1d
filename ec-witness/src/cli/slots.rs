//! Shows slots, as a table or as JSON lines.

use std::io::Write;

use comfy_table::{Table, presets::NOTHING};
use ec_ledger::Final;
use ec_witness::standing::{SessionEpoch, SlotReport};
use serde::Serialize;

use super::{
    head::AskedHead,
    output::{json_line, mark_time},
};

/// The state of a slot that is final above the head only.
const NOT_FINAL_YET: &str = "not_final_yet";

/// A slot, as it is shown.
#[derive(Debug, Serialize)]
pub(super) struct ShownSlot {
    #[serde(flatten)]
    report: SlotReport,
    state: &'static str,
    /// At which head it was looked whether it is final; not there where that is the newest block.
    #[serde(skip_serializing_if = "Option::is_none")]
    head: Option<AskedHead>,
}

impl ShownSlot {
    /// As a witness judges it, at the newest block.
    pub(super) fn judged(report: SlotReport) -> Self {
        Self { state: report.state.name(), report, head: None }
    }

    /// The same, but for what is final above this head: that is not final yet.
    pub(super) fn at(head: AskedHead, report: SlotReport, found: Option<Final>) -> Self {
        let shown = Self { head: Some(head), ..Self::judged(report) };
        if found.is_none_or(|found| head.has_final(found)) {
            return shown;
        }
        Self { state: NOT_FINAL_YET, report: SlotReport { finalized_hash: None, ..shown.report }, ..shown }
    }
}

/// Prints one line per slot to stdout.
pub(super) fn print(slots: &[ShownSlot], json: bool) -> eyre::Result<()> {
    if json {
        return slots.iter().try_for_each(json_line);
    }
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["stream", "epoch", "slot", "own vote", "final", "votes", "state"]);
    for ShownSlot { report, state, .. } in slots {
        table.add_row([
            report.stream_id.clone(),
            epoch(report),
            short(&report.slot),
            report.observation_hash.as_ref().map_or_else(|| "-".into(), short),
            report.finalized_hash.as_ref().map_or_else(|| "-".into(), short),
            format!("{}/{} of {}", report.votes, report.quorum, report.witness_count),
            state.replace('_', " "),
        ]);
    }
    Ok(writeln!(std::io::stdout().lock(), "{table}")?)
}

/// Which epoch: its index, in a lane with the time that its session's mark is.
fn epoch(report: &SlotReport) -> String {
    match report.session {
        Some(SessionEpoch { mark, index, .. }) => format!("{index} of {}", mark_time(mark)),
        None => report.sequence.to_string(),
    }
}

/// The first bytes of a hash, enough to tell two apart by eye.
fn short(hash: &impl ToString) -> String {
    let text = hash.to_string();
    format!("{}…", text.get(..12).unwrap_or(&text))
}
