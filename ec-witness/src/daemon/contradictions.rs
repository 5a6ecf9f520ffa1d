//! Where the followed log contradicts what the receipts of this witness's transactions prove.
//!
//! An endpoint that lacks a page of logs, a replica behind its balancer, a `deploy_block` that is too high: then the ledger
//! looks as if a vote had come to nothing, and who votes again pays for nothing. So nothing is sent for such a slot, and
//! the log is read again, from before the block in question, ever more seldom. Pure.

use std::collections::BTreeMap;

use alloy::primitives::Address;
use ec_ledger::LedgerState;
use ec_observation::SlotId;

use crate::{
    sender::{Fact, Finding},
    witness::slot::SlotKey,
};

/// After what time the log is read again that did not help, milliseconds; doubled each time.
const FIRST_WAIT_MS: u64 = 2_000;
/// The most that it is waited for.
const LONGEST_WAIT_MS: u64 = 300_000;
/// How long the next wait must be before who wants an end need wait no longer: the log was read again five times by then,
/// within a minute.
const LAST_WAIT_MS: u64 = FIRST_WAIT_MS << 6;

/// What receipts prove and the log does not show, or not yet.
#[derive(Debug, Default)]
pub(super) struct Contradictions {
    /// By the nonces that prove it.
    findings: BTreeMap<u64, Vec<Finding>>,
    /// Those that the log contradicts.
    found: BTreeMap<SlotId, Finding>,
    /// When the log is read again, and how long to wait after that.
    again: Option<Again>,
}

#[derive(Clone, Copy, Debug)]
struct Again {
    due_ms: u64,
    wait_ms: u64,
}

impl Contradictions {
    /// Takes in what receipts prove, instead of what those of the same nonces did before.
    pub(super) fn take(&mut self, findings: BTreeMap<u64, Vec<Finding>>) {
        self.findings.extend(findings);
    }

    /// Compares with the ledger as its log tells it. `key_of` knows the slots that this witness voted in.
    pub(super) fn compare(
        &mut self,
        ledger: &LedgerState,
        me: Address,
        mut key_of: impl FnMut(SlotId) -> Option<SlotKey>,
    ) {
        let head = ledger.head().map_or(0, |head| head.number);
        self.found.clear();
        for findings in self.findings.values_mut() {
            findings.retain(|finding| {
                let is_read = finding.block <= head;
                let stands = is_read && !is_shown(finding, key_of(finding.slot), ledger, me);
                if stands {
                    self.found.insert(finding.slot, *finding);
                }
                stands || !is_read
            });
        }
        self.findings.retain(|_, findings| !findings.is_empty());
        if self.found.is_empty() {
            self.again = None;
        }
    }

    /// Whether nothing is to be sent for a slot.
    pub(super) fn is_about(&self, slot: SlotId) -> bool {
        self.found.contains_key(&slot)
    }

    /// Whether nothing is to be sent for a slot, and the log was read again often enough to expect no better of it.
    pub(super) fn stays(&self, slot: SlotId) -> bool {
        self.again.is_some_and(|again| again.wait_ms >= LAST_WAIT_MS) && self.is_about(slot)
    }

    /// The block from which the log is to be read again now.
    pub(super) fn read_again_from(&mut self, now_ms: u64) -> Option<u64> {
        let from = self.found.values().map(|finding| finding.block).min()?;
        let again = *self.again.get_or_insert(Again { due_ms: now_ms, wait_ms: FIRST_WAIT_MS });
        if now_ms < again.due_ms {
            return None;
        }
        let wait_ms = again.wait_ms.saturating_mul(2).min(LONGEST_WAIT_MS);
        self.again = Some(Again { due_ms: now_ms.saturating_add(again.wait_ms), wait_ms });
        // what the log shows once more against a denial came after it
        for findings in self.findings.values_mut() {
            findings.retain(|finding| !(finding.fact.is_denial() && self.found.contains_key(&finding.slot)));
        }
        Some(from)
    }

    /// How many slots there are, and what one of them is about; `None` where there is none.
    pub(super) fn told(&self, head: u64) -> Option<(usize, String)> {
        let Finding { slot, block, fact } = self.found.values().next()?;
        let told = format!(
            "slot {slot}: {fact} in block {block}, by the receipt of a transaction of this witness; the ledger's log, \
             read up to block {head}, does not say so"
        );
        Some((self.found.len(), told))
    }
}

/// Whether the log says the same. Of a slot that is given up, whose name is not known either, nothing can be said.
fn is_shown(finding: &Finding, key: Option<SlotKey>, ledger: &LedgerState, me: Address) -> bool {
    let seat = ledger.seat_of(me);
    let has_strays = key.is_some_and(|key| ledger.has_strays(key.stream));
    let is_final = key.is_some_and(|key| ledger.final_of(key.stream, key.sequence, key.slot).is_some());
    let Some(slot) = ledger.slot(finding.slot) else {
        return is_final || has_strays || key.is_none() || finding.fact.is_denial();
    };
    let is_final = is_final || slot.finalized.is_some();
    match finding.fact {
        Fact::Voted => is_final || slot.vote_of(seat).is_some(),
        Fact::Final => is_final,
        Fact::Candidates(count) => is_final || has_strays || slot.candidates.len() >= count,
        Fact::NoCandidate(hash) => slot.candidate(hash).is_none(),
        Fact::NoVote(hash) => slot.vote_of(seat).is_none_or(|candidate| candidate.hash != hash),
    }
}

#[cfg(test)]
mod tests {
    use alloy::primitives::B256;
    use ec_ledger::LedgerEvent;
    use ec_observation::{EpochHash, ObservationHash, ObservationHeader, StreamHash};
    use ec_rpc::BlockRef;

    use super::*;

    const ME: Address = Address::with_last_byte(1);

    fn header() -> ObservationHeader {
        ObservationHeader {
            stream_hash: StreamHash::of("tv"),
            epoch_hash: EpochHash(B256::repeat_byte(5)),
            parent_observation_hash: ObservationHash::ZERO,
            data_root: B256::repeat_byte(9),
            locator_hash: B256::repeat_byte(8),
            observed_unix_ms: 7,
            sequence: 3,
        }
    }

    fn key_of(slot: SlotId) -> Option<SlotKey> {
        (slot == header().slot()).then(|| SlotKey::of(&header()))
    }

    /// A ledger of all streams up to block 9, with these events in its last block.
    fn ledger(events: &[LedgerEvent]) -> LedgerState {
        let mut ledger = LedgerState::new(None);
        ledger.apply(BlockRef { number: 9, hash: B256::repeat_byte(9) }, events.iter().copied());
        ledger
    }

    fn proposed(proposer: Address) -> LedgerEvent {
        LedgerEvent::Proposed { proposer, header: header(), timestamp_s: 1 }
    }

    fn attested() -> LedgerEvent {
        LedgerEvent::Attested { slot: header().slot(), observation: header().hash(), witness: ME }
    }

    fn finalized() -> LedgerEvent {
        LedgerEvent::Finalized { slot: header().slot(), observation: header().hash() }
    }

    fn found(block: u64, fact: Fact) -> BTreeMap<u64, Vec<Finding>> {
        BTreeMap::from([(4, vec![Finding { slot: header().slot(), block, fact }])])
    }

    #[test]
    fn the_log_shows_what_receipts_prove_or_contradicts_it() {
        let (other, hash) = (Address::with_last_byte(2), header().hash());
        let cases: [(Fact, &[LedgerEvent], bool); 13] = [
            (Fact::Voted, &[], false),
            (Fact::Voted, &[proposed(other)], false),
            (Fact::Voted, &[proposed(ME)], true),
            (Fact::Voted, &[proposed(other), attested()], true),
            (Fact::Voted, &[proposed(other), finalized()], true),
            (Fact::Final, &[proposed(ME)], false),
            (Fact::Final, &[proposed(ME), finalized()], true),
            (Fact::Candidates(1), &[proposed(other)], true),
            (Fact::Candidates(2), &[proposed(other)], false),
            (Fact::NoCandidate(hash), &[proposed(other)], false),
            (Fact::NoCandidate(hash), &[], true),
            (Fact::NoVote(hash), &[proposed(ME)], false),
            (Fact::NoVote(hash), &[proposed(other)], true),
        ];
        for (fact, events, is_shown) in cases {
            let mut contradictions = Contradictions::default();
            contradictions.take(found(9, fact));
            contradictions.compare(&ledger(events), ME, key_of);
            assert_eq!(contradictions.is_about(header().slot()), !is_shown, "{fact} {events:?}");
            assert_eq!(contradictions.read_again_from(0), (!is_shown).then_some(9), "{fact} {events:?}");
            assert_eq!(contradictions.told(9).is_none(), is_shown);
        }
    }

    #[test]
    fn what_is_not_read_yet_waits_and_what_is_taken_back_is_gone() {
        let mut contradictions = Contradictions::default();
        contradictions.take(found(10, Fact::Voted));
        contradictions.compare(&ledger(&[]), ME, key_of);
        assert!(!contradictions.is_about(header().slot()));
        assert_eq!(contradictions.findings.len(), 1, "block 10 is not read");
        contradictions.take(found(9, Fact::Voted));
        contradictions.compare(&ledger(&[]), ME, key_of);
        assert!(contradictions.is_about(header().slot()));
        contradictions.take(BTreeMap::from([(4, Vec::new())]));
        contradictions.compare(&ledger(&[]), ME, key_of);
        assert!(!contradictions.is_about(header().slot()) && contradictions.findings.is_empty());
    }

    #[test]
    fn it_is_read_again_ever_more_seldom_until_the_log_shows_it() {
        let mut contradictions = Contradictions::default();
        contradictions.take(found(9, Fact::Voted));
        let mut read_again = Vec::new();
        for now_ms in (0..2_000_000).step_by(1000) {
            contradictions.compare(&ledger(&[]), ME, key_of);
            read_again.extend(contradictions.read_again_from(now_ms).map(|_| now_ms));
        }
        assert_eq!(read_again[..6], [0, 2_000, 6_000, 14_000, 30_000, 62_000]);
        assert!(contradictions.stays(header().slot()));
        assert_eq!(read_again[read_again.len() - 1] - read_again[read_again.len() - 2], LONGEST_WAIT_MS);
        contradictions.compare(&ledger(&[proposed(ME)]), ME, key_of);
        assert_eq!(contradictions.read_again_from(2_000_000), None);
        assert!(contradictions.again.is_none(), "the next one is read again at once");
        assert!(!contradictions.stays(header().slot()));
    }

    #[test]
    fn a_denial_holds_a_slot_until_the_log_was_read_once_more() {
        let mut contradictions = Contradictions::default();
        contradictions.take(found(9, Fact::NoCandidate(header().hash())));
        let shown = ledger(&[proposed(ME)]);
        contradictions.compare(&shown, ME, key_of);
        assert!(contradictions.is_about(header().slot()));
        assert_eq!(contradictions.read_again_from(0), Some(9));
        contradictions.compare(&shown, ME, key_of);
        assert!(!contradictions.is_about(header().slot()));
    }
}
