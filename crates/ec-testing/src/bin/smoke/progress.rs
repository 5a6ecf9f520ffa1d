//! How far the awaited slots are, and what is waited for.

use std::collections::{HashMap, HashSet};

use eyre::ensure;
use serde::Deserialize;

use crate::{
    configuration::{DISPUTED_AFTER_MS, INCOMPLETE_DELAY_MS},
    epochs::Epoch,
    run::Smoke,
};

/// So many slots are named in one line.
const NAMED: usize = 3;

/// An awaited epoch as the ledger names it by now.
#[derive(Debug)]
pub(crate) struct Awaited {
    pub(crate) epoch: Epoch,
    /// Whether its slot is final at the finalized head, with what the archive says.
    pub(crate) equal: bool,
    /// Whether it is final above that only.
    pub(crate) not_yet: bool,
}

/// A slot, as `verify` says.
#[derive(Debug, Deserialize)]
struct Verified {
    slot: String,
    verdict: String,
}

/// What the ledger and the archive say of each other.
pub(crate) struct Progress {
    pub(crate) awaited: Vec<Awaited>,
    /// Whether nothing final differs from what the archive has whole.
    pub(crate) agrees: bool,
}

/// Derives the archive again, by the names that the ledger has, and compares it.
pub(crate) fn look(smoke: &Smoke<'_>, awaited: &[Epoch]) -> eyre::Result<Progress> {
    let archive = &smoke.settings.archive;
    let named = smoke.epochs_of(archive, "named.jsonl")?;
    let mut verify = smoke.rail.command("verify");
    verify.arg("--archive").arg(archive).args(["--require-final", "--json"]);
    let code = smoke.answer(&mut verify, "verify.jsonl")?;
    ensure!(code <= 1, "ec-witness verify failed with exit code {code}");
    let verified: Vec<Verified> = smoke.objects("verify.jsonl")?;
    Ok(Progress {
        awaited: compare(awaited, named, &verified),
        agrees: verified.iter().all(|slot| slot.verdict != "mismatch"),
    })
}

fn compare(awaited: &[Epoch], named: Vec<Epoch>, verified: &[Verified]) -> Vec<Awaited> {
    let with = |verdict| -> HashSet<_> {
        verified.iter().filter(|slot| slot.verdict == verdict).map(|slot| &slot.slot).collect()
    };
    let (equal, not_yet) = (with("equal"), with("not_final_yet"));
    let mut named: HashMap<_, _> = named.into_iter().map(|epoch| (epoch.place(), epoch)).collect();
    let by_name = |epoch: &Epoch| named.remove(&epoch.place()).unwrap_or_else(|| epoch.clone());
    let found = |epoch: Epoch| {
        let (equal, not_yet) = (equal.contains(&epoch.slot), not_yet.contains(&epoch.slot));
        Awaited { epoch, equal, not_yet }
    };
    awaited.iter().map(by_name).map(found).collect()
}

impl Progress {
    /// Whether all that is awaited is final.
    pub(crate) fn is_final(&self) -> bool {
        self.awaited.iter().all(|awaited| awaited.equal)
    }

    /// What is waited for, in a line. `running` are the witnesses that have not ended.
    pub(crate) fn waits_for(&self, running: &[usize]) -> String {
        let all = self.awaited.len();
        let open: Vec<_> = self.awaited.iter().filter(|awaited| !awaited.equal).map(|awaited| &awaited.epoch).collect();
        let witnesses = match running {
            [one] => format!("witness {one}"),
            several => format!("witnesses {}", several.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")),
        };
        if open.is_empty() {
            let seconds = DISPUTED_AFTER_MS / 1000;
            return format!(
                "all {all} slots are final at the finalized head; {witnesses}: waiting {seconds} s for epochs that no \
                 quorum has alike (disputed_after_ms)"
            );
        }
        let named: Vec<_> = open.iter().take(NAMED).map(|epoch| epoch.to_string()).collect();
        let more = if open.len() > NAMED { ", …" } else { "" };
        let mut line = format!(
            "{} of {all} slots are final; {witnesses}: waiting for {}{more}",
            all - open.len(),
            named.join(", ")
        );
        let not_yet = self.awaited.iter().filter(|awaited| awaited.not_yet).count();
        if not_yet > 0 {
            line += &format!("; {not_yet} of them only wait for the finalized head");
        }
        let incomplete = open.iter().filter(|epoch| !epoch.complete).count();
        if incomplete > 0 {
            let seconds = INCOMPLETE_DELAY_MS / 1000;
            line += &format!("; {incomplete} of them incomplete, proposed {seconds} s later (incomplete_delay_ms)");
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(sequence: u64, complete: bool) -> Epoch {
        let line = format!(
            r#"{{"stream_id":"tv","slot":"{sequence}","complete":{complete},
                "header":{{"dataRoot":"0xbb","observedUnixMs":9,"sequence":{sequence}}}}}"#
        );
        Epoch::of(&line).unwrap().unwrap()
    }

    fn verified(slot: u64, verdict: &str) -> Verified {
        Verified { slot: slot.to_string(), verdict: verdict.to_owned() }
    }

    #[test]
    fn it_says_which_slots_are_open_and_why_they_take_long() {
        let awaited: Vec<_> = (1..=6).map(|sequence| epoch(sequence, sequence != 6)).collect();
        let verified = [verified(1, "equal"), verified(2, "equal"), verified(3, "not_final_yet"), verified(7, "equal")];
        let progress = Progress { awaited: compare(&awaited, awaited.clone(), &verified), agrees: true };
        assert!(!progress.is_final());
        assert_eq!(
            progress.waits_for(&[1, 2, 4]),
            "2 of 6 slots are final; witnesses 1, 2, 4: waiting for tv epoch 3, tv epoch 4, tv epoch 5, …; 1 of them \
             only wait for the finalized head; 1 of them incomplete, proposed 10 s later (incomplete_delay_ms)"
        );
        let progress = Progress { awaited: compare(&awaited[..2], awaited.clone(), &verified), agrees: true };
        assert!(progress.is_final());
        assert!(
            progress.waits_for(&[4]).starts_with("all 2 slots are final at the finalized head; witness 4: waiting")
        );
    }
}
