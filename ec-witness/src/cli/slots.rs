//! Shows slots, as a table or as JSON lines.

use std::io::Write;

use comfy_table::{Table, presets::NOTHING};
use ec_witness::standing::{SessionEpoch, SlotReport};

use super::output::{json_line, mark_time};

/// Prints one line per slot to stdout.
pub(super) fn print(reports: &[SlotReport], json: bool) -> eyre::Result<()> {
    if json {
        return reports.iter().try_for_each(json_line);
    }
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["stream", "epoch", "slot", "own vote", "final", "votes", "state"]);
    for report in reports {
        table.add_row([
            report.stream_id.clone(),
            epoch(report),
            short(&report.slot),
            report.observation_hash.as_ref().map_or_else(|| "-".into(), short),
            report.finalized_hash.as_ref().map_or_else(|| "-".into(), short),
            format!("{}/{} of {}", report.votes, report.quorum, report.witness_count),
            report.state.name().to_owned(),
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
