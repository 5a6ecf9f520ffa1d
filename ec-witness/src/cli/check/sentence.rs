//! What a file is, in one sentence for everybody.

use std::fmt;

use super::{Known, Place, Standing, State, broadcast_of, short};
use crate::cli::{output::mark_time, proof::LedgerWord};

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = short(&self.name);
        if let Some(reason) = &self.reason {
            return write!(f, "{name}: {reason}; nothing is known of it.");
        }
        if self.places.is_empty() {
            let hash = alloy::hex::encode(self.blake3);
            let whom =
                if self.by == "explorer" { "the explorer has no proof of" } else { "no record of this archive has" };
            return write!(f, "{name} is not known: {whom} these bytes (BLAKE3 {hash}).");
        }
        for (at, place) in self.places.iter().enumerate() {
            write!(f, "{}{name} {place}", if at == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stream_id, broadcast, track, group_sequence, received_unix_ms, epoch_unix_ms, standing, .. } = self;
        let broadcast = broadcast.as_deref().or(stream_id.as_deref().map(broadcast_of));
        match broadcast {
            Some(broadcast) => write!(f, "was broadcast by {broadcast}")?,
            None => f.write_str("was broadcast")?,
        }
        write!(f, " (track {track}, group {group_sequence})")?;
        match (received_unix_ms, epoch_unix_ms) {
            (Some(received), _) => write!(f, ", received at {}", mark_time(*received))?,
            (None, Some(epoch)) => write!(f, ", in the minute from {} on", mark_time(*epoch))?,
            (None, None) => {}
        }
        write!(f, "{standing}")
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { state, final_block, final_unix_s, witnesses, witness_count, .. } = self;
        let agreed = match witness_count {
            Some(all) => format!("{} of {all} witnesses", witnesses.len()),
            None => "a quorum of witnesses".to_owned(),
        };
        let since = match (final_unix_s, final_block) {
            (Some(unix_s), _) => format!(" since {}", mark_time(unix_s.saturating_mul(1000))),
            (None, Some(block)) => format!(" since block {block}"),
            (None, None) => String::new(),
        };
        match state {
            State::Told(LedgerWord::Final) => write!(f, ": {agreed} recorded the very same, which is final{since}."),
            State::Told(LedgerWord::NotFinalYet) => {
                write!(
                    f,
                    ": {agreed} recorded the very same, which is not final yet: the chain may still take it back."
                )
            }
            State::Told(LedgerWord::NotFinal) | State::NotClosed => {
                f.write_str(", and the witnesses have not agreed on that time yet.")
            }
            State::Told(LedgerWord::OtherFinal) => {
                write!(f, ", says this archive alone: {agreed} agreed on something else for that time.")
            }
            State::Told(LedgerWord::SameContentFinal) => {
                write!(
                    f,
                    ": {agreed} recorded the very same, final{since}; but the proof was made without the ledger, under another header."
                )
            }
            State::Told(LedgerWord::OtherLedger) => {
                f.write_str(", says its proof, which is of another chain or ledger than the one that is configured.")
            }
            State::NotAsked => f.write_str(
                "; that is this copy's word alone, as no ledger was asked whether others recorded the same.",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloy::primitives::Address;

    use super::*;
    use crate::cli::Answer;

    fn known(state: State) -> Known {
        let standing = Standing {
            state,
            final_block: Some(7),
            final_unix_s: Some(1_772_824_812),
            witnesses: vec![Address::ZERO; 3],
            witness_count: Some(4),
            ..Standing::default()
        };
        let place = Place {
            stream_id: Some("la-nbc/track/0.m4s".into()),
            broadcast: None,
            track: "0.m4s".into(),
            group_sequence: 4,
            size_bytes: 1,
            received_unix_ms: Some(1_772_824_682_500),
            epoch_unix_ms: None,
            epoch_id: None,
            slot: None,
            standing,
        };
        Known { name: "/tmp/clip.m4s".into(), blake3: [7; 32], by: "archive", places: vec![place], reason: None }
    }

    #[test]
    fn one_sentence_says_what_when_and_how_sure() {
        let said = known(State::Told(LedgerWord::Final)).to_string();
        assert_eq!(
            said,
            "clip.m4s was broadcast by la-nbc (track 0.m4s, group 4), received at 2026-03-06T19:18:02.500Z: 3 of 4 witnesses recorded \
             the very same, which is final since 2026-03-06T19:20:12.000Z."
        );
        for (state, words, answer) in [
            (State::Told(LedgerWord::NotFinalYet), "not final yet", Answer::NotFinalYet),
            (State::Told(LedgerWord::NotFinal), "have not agreed", Answer::NotFinalYet),
            (State::NotClosed, "have not agreed", Answer::NotFinalYet),
            (State::Told(LedgerWord::OtherFinal), "something else", Answer::No),
            (State::Told(LedgerWord::SameContentFinal), "without the ledger", Answer::WithoutLedger),
            (State::Told(LedgerWord::OtherLedger), "another chain", Answer::OtherChain),
            (State::NotAsked, "this copy's word alone", Answer::WithoutLedger),
        ] {
            let known = known(state);
            assert!(known.to_string().contains(words), "{known}");
            assert_eq!(known.answer(), answer, "{known}");
        }
    }

    #[test]
    fn what_nobody_knows_is_said_with_its_hash() {
        let nobody = Known { places: Vec::new(), ..known(State::NotAsked) };
        assert!(
            nobody
                .to_string()
                .contains(&format!("not known: no record of this archive has these bytes (BLAKE3 {}", "07".repeat(32)))
        );
        assert_eq!(nobody.answer(), Answer::No);
        let false_proof = Known { reason: Some("its proof is of other bytes".into()), ..nobody };
        assert!(false_proof.to_string().starts_with("clip.m4s: its proof is of other bytes"));
        assert_eq!(false_proof.answer(), Answer::No);
    }
}
