//! What is told at the end.

use std::{
    io::{self, Write},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{
    check::{Checked, Slot},
    copies::Copies,
    epochs::Session,
    run::Smoke,
    totals::Totals,
};

/// The last line of `--json`.
#[derive(Serialize)]
struct Summary {
    totals: Figures,
}

#[derive(Serialize)]
struct Figures {
    slots: usize,
    r#final: usize,
    equal: usize,
    transactions: u64,
    gas: u64,
    seconds: u64,
    ok: bool,
}

/// A table, or an object per slot and one of totals.
pub(crate) fn report(
    json: bool,
    awaited: usize,
    checked: &Checked,
    totals: &Totals,
    took: Duration,
    ok: bool,
) -> eyre::Result<()> {
    let Checked { slots, r#final, equal, .. } = checked;
    let Totals { transactions, gas } = *totals;
    let seconds = took.as_secs();
    let mut out = io::stdout().lock();
    if json {
        for slot in slots {
            writeln!(out, "{}", with_settled(&slot.line, slot.settled))?;
        }
        let figures = Figures { slots: awaited, r#final: *r#final, equal: *equal, transactions, gas, seconds, ok };
        writeln!(out, "{}", serde_json::to_string(&Summary { totals: figures })?)?;
        return Ok(());
    }
    write!(out, "{}", table(slots))?;
    let per_slot = gas / awaited as u64;
    writeln!(
        out,
        "{awaited} slots, {final} final, {equal} equal; {transactions} transactions, {gas} gas ({per_slot} per slot); \
         {seconds} seconds"
    )?;
    Ok(())
}

/// A line of `status` with a field more.
fn with_settled(line: &str, settled: bool) -> String {
    let fields = line.trim_end().strip_suffix('}').unwrap_or_default();
    format!("{fields},\"settled\":{settled}}}")
}

/// The slots, in columns as wide as their widest cell.
fn table(slots: &[Slot]) -> String {
    let heads = ["STREAM", "SESSION", "SEGMENT", "EPOCH", "SLOT", "OBSERVATION", "VOTES", "STATE", "POINTER"];
    let heads = heads.map(str::to_owned);
    let rows: Vec<_> = std::iter::once(heads).chain(slots.iter().map(row)).collect();
    let widths: [usize; 9] = std::array::from_fn(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0));
    let line = |row: &[String; 9]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

/// The session is named by the time of its mark.
fn row(slot: &Slot) -> [String; 9] {
    let begin = |hash: &str| hash.chars().take(12).collect::<String>();
    let (mark, segment, epoch) = match slot.session {
        Some(Session { mark, index, segment }) => (mark.map_or_else(none, time), segment.to_string(), index),
        None => (none(), none(), slot.sequence),
    };
    [
        slot.stream_id.clone(),
        mark,
        segment,
        epoch.to_string(),
        begin(&slot.slot),
        begin(slot.finalized_hash.as_deref().unwrap_or("-")),
        format!("{} of {}", slot.votes, slot.witness_count),
        slot.state.clone(),
        if slot.settled { "settled" } else { "-" }.to_owned(),
    ]
}

fn none() -> String {
    "-".to_owned()
}

/// A time of Unix milliseconds.
fn time(unix_ms: u64) -> String {
    let time = i64::try_from(unix_ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    time.map_or_else(|| unix_ms.to_string(), |time| format!("{time:.3}"))
}

/// Shows that the flipped record is found: by the witness itself, and by `diff`. Whether it is.
pub(crate) fn tampered(smoke: &Smoke<'_>, copies: &Copies) -> eyre::Result<bool> {
    let Some((witness, group)) = copies.tampered else { return Ok(false) };
    let mut told = format!("witness {witness} disagrees:\n");
    let mut found = true;
    if smoke.settings.live.is_none() {
        let mismatches = mismatches(smoke, witness)?;
        found &= !mismatches.is_empty();
        told += &mismatches;
    }
    let mut diff = smoke.rail.command("diff");
    diff.arg("--archive").arg(&smoke.settings.archive).arg("--other").arg(smoke.archive(witness));
    let diff = smoke.rail.processes().output(&mut diff)?;
    let named = String::from_utf8_lossy(&diff.stdout);
    found &= !diff.status.success() && named.contains(&format!("group {group},"));
    told += &named;
    if smoke.settings.json {
        eprint!("{told}");
    } else {
        print!("{told}");
    }
    Ok(found)
}

/// What the witness itself says is final against it, a line each.
fn mismatches(smoke: &Smoke<'_>, witness: usize) -> eyre::Result<String> {
    #[derive(Deserialize)]
    struct Judged {
        stream_id: String,
        sequence: u64,
        state: String,
    }
    let judged: Vec<Judged> = smoke.objects(&format!("run{witness}.jsonl"))?;
    let mismatches = judged.iter().filter(|judged| judged.state == "mismatch");
    Ok(mismatches.map(|slot| format!("  {} epoch {}: {}\n", slot.stream_id, slot.sequence, slot.state)).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn slot(stream_id: &str, finalized_hash: Option<&str>, settled: bool) -> Slot {
        let line = json!({"stream_id": stream_id, "sequence": 29_547_078, "slot": "0x0123456789abcdef",
            "finalized_hash": finalized_hash, "votes": 3, "witness_count": 4, "state": "finalized"});
        Slot { settled, ..serde_json::from_value(line).unwrap() }
    }

    #[test]
    fn a_lane_has_its_session_by_the_time_of_its_mark() {
        let session = Session { mark: Some(1_795_894_848_700), index: 1, segment: 0 };
        let slot = Slot { session: Some(session), ..slot("la-abc/track/audio0.m4s", Some("0xfedcba9876543210"), true) };
        assert_eq!(row(&slot)[..4], ["la-abc/track/audio0.m4s", "2026-11-28T19:40:48.700Z", "0", "1"]);
    }

    #[test]
    fn a_table_has_columns() {
        let slots = [slot("la-nbc", Some("0xfedcba9876543210"), true), slot("a-longer-name", None, false)];
        assert_eq!(
            table(&slots),
            "STREAM         SESSION  SEGMENT  EPOCH     SLOT          OBSERVATION   VOTES   STATE      POINTER\n\
             la-nbc         -        -        29547078  0x0123456789  0xfedcba9876  3 of 4  finalized  settled\n\
             a-longer-name  -        -        29547078  0x0123456789  -             3 of 4  finalized  -\n"
        );
    }

    #[test]
    fn a_line_of_json_keeps_the_order_of_its_fields() {
        assert_eq!(with_settled("{\"z\":1,\"a\":{}}\n", true), r#"{"z":1,"a":{},"settled":true}"#);
    }
}
