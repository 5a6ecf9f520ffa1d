//! The second way: the archive is derived again and compared with the ledger, then with the settled pointers.

use std::fs;

use eyre::ensure;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    epochs::{Epoch, Session},
    progress::{Awaited, look},
    run::Smoke,
};

/// A slot on the ledger, as `status` says.
#[derive(Debug, Deserialize)]
pub(crate) struct Slot {
    pub(crate) stream_id: String,
    pub(crate) sequence: u64,
    pub(crate) slot: String,
    pub(crate) finalized_hash: Option<String>,
    pub(crate) votes: u64,
    pub(crate) witness_count: u64,
    pub(crate) state: String,
    /// Whose epoch it is, where numbers begin again with each session.
    #[serde(skip)]
    pub(crate) session: Option<Session>,
    /// Whether its pointer is settled and is that of this observation.
    #[serde(skip)]
    pub(crate) settled: bool,
    /// The line as `status` wrote it.
    #[serde(skip)]
    pub(crate) line: String,
}

/// A slot's pointer, as `rail show` says.
#[derive(Debug, Deserialize)]
struct Pointer {
    #[serde(default)]
    settled: bool,
    manifest_hash: Option<String>,
    data_root: Option<String>,
}

/// What was found.
pub(crate) struct Checked {
    /// The awaited slots that the ledger knows.
    pub(crate) slots: Vec<Slot>,
    /// How many of them are final, and settled where that was wanted.
    pub(crate) r#final: usize,
    /// How many epochs `verify` found equal to the archive.
    pub(crate) equal: usize,
    /// Whether all are, nothing final differs from the archive, and no command failed.
    pub(crate) ok: bool,
}

pub(crate) fn check(smoke: &Smoke<'_>, awaited: &[Epoch]) -> eyre::Result<Checked> {
    let settings = smoke.settings;
    let progress = look(smoke, awaited)?;
    let (settled, pointers) = if settings.votes_only { (true, Vec::new()) } else { settle(smoke, &progress.awaited)? };
    let slots = slots(smoke, &progress.awaited, &pointers)?;
    let is_final = |slot: &&Slot| slot.finalized_hash.is_some() && (slot.settled || settings.votes_only);
    let r#final = slots.iter().filter(is_final).count();
    let equal = progress.awaited.iter().filter(|awaited| awaited.equal).count();
    let ok = progress.agrees && settled && r#final == awaited.len() && equal == awaited.len();
    Ok(Checked { slots, r#final, equal, ok })
}

/// Settles every slot on the rail and asks for each pointer. Whether that went well; the pointers in the order of the slots.
fn settle(smoke: &Smoke<'_>, awaited: &[Awaited]) -> eyre::Result<(bool, Vec<Value>)> {
    let mut settle = smoke.rail.command("rail");
    settle.arg("settle").arg("--key-file").arg(smoke.rail.key(0)).arg("--json");
    let settled = smoke.answer(&mut settle, "settle.jsonl")? == 0;
    let mut pointers = Vec::new();
    for Awaited { epoch: Epoch { slot, .. }, .. } in awaited {
        let mut show = smoke.rail.command("rail");
        let shown = smoke.rail.processes().output(show.args(["show", "--slot", slot, "--json"]))?;
        // none is an answer, too
        let mut pointer: Value =
            serde_json::from_slice(&shown.stdout).unwrap_or_else(|_| Value::Object(Default::default()));
        pointer["slot"] = slot.as_str().into();
        pointers.push(pointer);
    }
    let lines: String = pointers.iter().map(|pointer| format!("{pointer}\n")).collect();
    fs::write(smoke.rail.file("pointers.jsonl"), lines)?;
    Ok((settled, pointers))
}

/// The awaited slots as witness 1 sees them, with what the rail says.
fn slots(smoke: &Smoke<'_>, awaited: &[Awaited], pointers: &[Value]) -> eyre::Result<Vec<Slot>> {
    let mut status = smoke.rail.command("status");
    status.arg("--archive").arg(&smoke.settings.archive).arg("--store").arg(smoke.rail.store(1));
    let code = smoke.answer(status.args(["--last", "0", "--json"]), "status.jsonl")?;
    ensure!(code == 0, "ec-witness status failed with exit code {code}");
    let mut slots = Vec::new();
    for line in fs::read_to_string(smoke.rail.file("status.jsonl"))?.lines() {
        let mut slot: Slot = serde_json::from_str(line)?;
        let Some(Awaited { epoch, .. }) = awaited.iter().find(|awaited| awaited.epoch.slot == slot.slot) else {
            continue;
        };
        let pointer = pointers.iter().find(|pointer| pointer["slot"] == *slot.slot);
        slot.settled = pointer.is_some_and(|pointer| points_at(pointer, &slot, &epoch.header.data_root));
        slot.session = epoch.session;
        slot.line = line.to_owned();
        slots.push(slot);
    }
    Ok(slots)
}

/// Whether a pointer is settled, to what is final in the slot and to the root that the archive gives.
fn points_at(pointer: &Value, slot: &Slot, data_root: &str) -> bool {
    let Ok(pointer) = Pointer::deserialize(pointer) else { return false };
    pointer.settled && pointer.manifest_hash == slot.finalized_hash && pointer.data_root.as_deref() == Some(data_root)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn slot(finalized_hash: Option<&str>) -> Slot {
        let line = json!({"stream_id": "tv", "sequence": 1, "slot": "0x01", "finalized_hash": finalized_hash, "votes": 3,
            "witness_count": 4, "state": "finalized", "quorum": 3});
        serde_json::from_value(line).unwrap()
    }

    #[test]
    fn a_slot_is_settled_when_its_pointer_is_of_the_same_observation_and_root() {
        let pointer = json!({"slot": "0x01", "settled": true, "manifest_hash": "0xaa", "data_root": "0xbb"});
        assert!(points_at(&pointer, &slot(Some("0xaa")), "0xbb"));
        assert!(!points_at(&pointer, &slot(Some("0xab")), "0xbb"));
        assert!(!points_at(&pointer, &slot(Some("0xaa")), "0xbc"));
        assert!(!points_at(&pointer, &slot(None), "0xbb"));
        let announced = json!({"settled": false, "manifest_hash": "0xaa", "data_root": "0xbb"});
        assert!(!points_at(&announced, &slot(Some("0xaa")), "0xbb"));
        assert!(!points_at(&json!({"slot": "0x01"}), &slot(Some("0xaa")), "0xbb"));
    }
}
