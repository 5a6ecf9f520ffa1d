//! A nonce of the outbox: the transactions that compete for it, and what became of them.

use alloy::{
    consensus::{TxEip1559, TxEnvelope},
    eips::Decodable2718,
    primitives::TxHash,
};
use ec_ledger::Heads;

use super::{
    error::SendError,
    fees::Fees,
    plan::{Answer, Open},
    poll::{Lag, Poll},
    state::Stage,
};
use crate::store::{OutboxTx, TxState};

/// One of the transactions of a nonce. They differ in their fees alone.
#[derive(Clone, Debug)]
pub(super) struct Sibling {
    pub(super) kept: OutboxTx,
    pub(super) tx: TxEip1559,
}

impl Sibling {
    /// A kept transaction, decoded.
    pub(super) fn of(kept: OutboxTx) -> Result<Self, SendError> {
        match TxEnvelope::decode_2718_exact(&kept.raw) {
            Ok(TxEnvelope::Eip1559(signed)) if *signed.hash() == kept.hash => {
                Ok(Self { tx: signed.strip_signature(), kept })
            }
            _ => Err(SendError::Undecodable { hash: kept.hash }),
        }
    }

    fn fees(&self) -> Fees {
        Fees { max: self.tx.max_fee_per_gas, tip: self.tx.max_priority_fee_per_gas }
    }
}

/// A new state of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) nonce: u64,
    pub(super) hash: TxHash,
    pub(super) state: TxState,
}

/// A nonce with a transaction that is not final yet.
#[derive(Clone, Debug)]
pub(super) struct FollowedNonce {
    /// In the order they were signed, which is that of their fees; never empty.
    siblings: Vec<Sibling>,
    /// The last time the newest one was sent by this process, and what came of it.
    sent: Option<(u64, Answer)>,
    /// When a pool first held the newest one, and the head at that time.
    held_since: Option<(u64, u64)>,
    /// When a pool first refused the newest for another reason than those that are known, and the head at that time.
    refused_since: Option<(u64, u64)>,
    /// The nonce is used, and no receipt is there.
    missing: Lag,
}

impl FollowedNonce {
    pub(super) fn new(sibling: Sibling) -> Self {
        Self { siblings: vec![sibling], sent: None, held_since: None, refused_since: None, missing: Lag::default() }
    }

    /// Adds a transaction that competes with those before it, and is to be sent instead of them.
    pub(super) fn add(&mut self, sibling: Sibling) {
        self.siblings.push(sibling);
        (self.sent, self.held_since, self.refused_since) = (None, None, None);
    }

    fn nonce(&self) -> u64 {
        self.newest().kept.nonce
    }

    /// Their hashes, the newest one's first.
    pub(super) fn hashes(&self) -> impl Iterator<Item = TxHash> {
        self.siblings.iter().rev().map(|sibling| sibling.kept.hash)
    }

    /// The one that is sent.
    pub(super) fn newest(&self) -> &Sibling {
        &self.siblings[self.siblings.len() - 1]
    }

    /// The one that is executed, if one is, and how deep.
    pub(super) fn landed(&self) -> Option<&OutboxTx> {
        self.siblings.iter().map(|sibling| &sibling.kept).find(|kept| kept.state.block().is_some())
    }

    /// Whether none is executed.
    pub(super) fn is_open(&self) -> bool {
        self.landed().is_none()
    }

    /// Whether one is executed at or below the finalized head.
    pub(super) fn is_final(&self) -> bool {
        matches!(self.landed(), Some(OutboxTx { state: TxState::Finalized { .. }, .. }))
    }

    /// Whether the newest one was sent before, by this process or another.
    pub(super) fn was_sent(&self) -> bool {
        self.sent.is_some() || self.newest().kept.state != TxState::Signed
    }

    /// How far it has come; `None` once it is final.
    pub(super) fn stage(&self) -> Option<Stage> {
        match self.landed().map(|kept| kept.state) {
            None if self.held_since.is_some() => Some(Stage::Sent),
            None => Some(Stage::Signed),
            Some(TxState::Executed { .. }) => Some(Stage::Executed),
            Some(TxState::Safe { .. }) => Some(Stage::Safe),
            Some(TxState::Finalized { .. } | TxState::Signed | TxState::Sent) => None,
        }
    }

    /// As the plan looks at it.
    pub(super) fn open(&self) -> Open {
        let newest = self.newest();
        Open {
            nonce: self.nonce(),
            gas: newest.tx.gas_limit,
            fees: newest.fees(),
            sent: self.sent,
            held_since: self.held_since,
            refused_since: self.refused_since,
        }
    }

    /// Whether the chain may have something new of it to tell.
    pub(super) fn is_to_look_up(&self, poll: &Poll) -> bool {
        let is_used = self.nonce() < poll.used;
        match self.landed().map(|kept| kept.state) {
            None => is_used,
            Some(TxState::Executed { block }) if block <= poll.heads.safe => true,
            Some(TxState::Safe { block }) if block <= poll.heads.finalized => true,
            Some(_) => poll.recheck || !is_used,
        }
    }

    /// What changes when a look-up finds this transaction executed in this block, or none.
    pub(super) fn changes(&self, found: Option<(TxHash, u64)>, heads: Heads) -> Vec<Change> {
        let change = |(hash, state)| Change { nonce: self.nonce(), hash, state };
        let landed = self.landed().map(|kept| (kept.hash, kept.state));
        let found = found.map(|(hash, block)| (hash, state_in(block, heads)));
        let is_found = |hash| found.is_some_and(|(found, _)| found == hash);
        let taken_back = landed.filter(|&(hash, _)| !is_found(hash)).map(|(hash, _)| (hash, TxState::Sent));
        let executed = found.filter(|&found| landed != Some(found));
        taken_back.into_iter().chain(executed).map(change).collect()
    }

    /// Counts a look-up; whether the nonce is used by none of these transactions, for too long for a lag.
    pub(super) fn is_foreign(&mut self, is_missing: bool, used: u64) -> bool {
        self.missing.is_too_long(is_missing && self.nonce() < used)
    }

    /// Notes what became of one of them.
    pub(super) fn note(&mut self, hash: TxHash, state: TxState) {
        if let Some(sibling) = self.siblings.iter_mut().find(|sibling| sibling.kept.hash == hash) {
            sibling.kept.state = state;
        }
    }

    /// Notes what a pool said of the newest one.
    pub(super) fn answered(&mut self, answer: Answer, now_ms: u64, head: u64) {
        self.sent = Some((now_ms, answer));
        match answer {
            Answer::Held => _ = self.held_since.get_or_insert((now_ms, head)),
            Answer::Refused => _ = self.refused_since.get_or_insert((now_ms, head)),
            Answer::Underpriced | Answer::Unfunded | Answer::Used | Answer::Nothing => {}
        }
    }

    /// Its block was taken back: pools may not have it any more.
    pub(super) fn taken_back(&mut self) {
        (self.sent, self.held_since, self.refused_since) = (None, None, None);
    }
}

/// The state of what was executed in this block.
fn state_in(block: u64, heads: Heads) -> TxState {
    if block <= heads.finalized {
        TxState::Finalized { block }
    } else if block <= heads.safe {
        TxState::Safe { block }
    } else {
        TxState::Executed { block }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: u64 = 5;
    const HEADS: Heads = Heads { latest: 30, safe: 20, finalized: 10 };

    /// Siblings in these states; the hash of each is its place.
    fn followed(states: &[TxState]) -> FollowedNonce {
        let mut siblings = states.iter().zip(0..).map(|(&state, place)| Sibling {
            kept: OutboxTx { hash: hash(place), nonce: NONCE, raw: Default::default(), state },
            tx: TxEip1559 { nonce: NONCE, ..TxEip1559::default() },
        });
        let mut followed = FollowedNonce::new(siblings.next().unwrap());
        siblings.for_each(|sibling| followed.add(sibling));
        followed
    }

    fn hash(place: u8) -> TxHash {
        TxHash::repeat_byte(place)
    }

    fn executed(block: u64) -> TxState {
        TxState::Executed { block }
    }

    #[test]
    fn what_may_have_changed_is_looked_up() {
        let (used, unused) = (NONCE + 1, NONCE);
        let cases = [
            ("open", TxState::Sent, unused, false, false),
            ("open, and the nonce is used", TxState::Sent, used, false, true),
            ("open, after a reorg", TxState::Sent, unused, true, false),
            ("executed", executed(21), used, false, false),
            ("executed, after a reorg", executed(21), used, true, true),
            ("executed, and the nonce is free again", executed(21), unused, false, true),
            ("now safe", executed(20), used, false, true),
            ("safe", TxState::Safe { block: 11 }, used, false, false),
            ("now final", TxState::Safe { block: 10 }, used, false, true),
        ];
        for (what, state, used, recheck, looks) in cases {
            let poll = Poll { used, heads: HEADS, recheck, is_clear: false };
            assert_eq!(followed(&[state]).is_to_look_up(&poll), looks, "{what}");
        }
    }

    #[test]
    fn a_look_up_moves_it_on_or_takes_it_back() {
        let (sent, safe, last) = (TxState::Sent, TxState::Safe { block: 15 }, TxState::Finalized { block: 10 });
        let cases = [
            ("nothing found", vec![sent], None, vec![]),
            ("executed", vec![sent], Some((0, 21)), vec![(0, executed(21))]),
            ("executed, unchanged", vec![executed(21)], Some((0, 21)), vec![]),
            ("in another block", vec![executed(21)], Some((0, 22)), vec![(0, executed(22))]),
            ("safe", vec![executed(15)], Some((0, 15)), vec![(0, safe)]),
            ("final", vec![safe], Some((0, 10)), vec![(0, last)]),
            ("gone", vec![executed(21)], None, vec![(0, sent)]),
            ("another one instead", vec![executed(21), sent], Some((1, 22)), vec![(0, sent), (1, executed(22))]),
        ];
        for (what, states, found, expected) in cases {
            let found = found.map(|(place, block)| (hash(place), block));
            let expected = expected.into_iter().map(|(place, state)| Change { nonce: NONCE, hash: hash(place), state });
            assert_eq!(followed(&states).changes(found, HEADS), expected.collect::<Vec<_>>(), "{what}");
        }
    }

    #[test]
    fn its_stage_is_that_of_the_one_that_landed_else_what_a_pool_said() {
        assert_eq!(followed(&[TxState::Sent, executed(21)]).stage(), Some(Stage::Executed));
        assert_eq!(followed(&[TxState::Safe { block: 11 }]).stage(), Some(Stage::Safe));
        assert_eq!(followed(&[TxState::Finalized { block: 1 }]).stage(), None);
        // what another process was told of a pool is not known to hold
        let mut open = followed(&[TxState::Sent]);
        assert_eq!(open.stage(), Some(Stage::Signed));
        open.answered(Answer::Underpriced, 0, 30);
        assert_eq!(open.stage(), Some(Stage::Signed));
        open.answered(Answer::Held, 0, 30);
        assert_eq!(open.stage(), Some(Stage::Sent));
        open.taken_back();
        assert_eq!(open.stage(), Some(Stage::Signed));
    }
}
