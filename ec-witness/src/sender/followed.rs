//! A nonce of the outbox: the transactions that compete for it, and what became of them.

use alloy::{
    consensus::{TxEip1559, TxEnvelope},
    eips::Decodable2718,
    primitives::TxHash,
};

use super::{
    SendError,
    fees::Fees,
    plan::{Answer, Open},
};
use crate::store::{OutboxTx, TxState};

/// One of the transactions of a nonce. They differ in their fees alone.
#[derive(Clone, Debug)]
pub(super) struct Sibling {
    pub(super) kept: OutboxTx,
    pub(super) tx: TxEip1559,
}

/// A nonce with a transaction that is not final yet.
#[derive(Clone, Debug)]
pub(super) struct Followed {
    /// In the order they were signed, which is that of their fees; never empty.
    siblings: Vec<Sibling>,
    /// When it was signed or taken up from the store.
    pub(super) since_ms: u64,
    pub(super) sent: Option<(u64, Answer)>,
    pub(super) held_since: Option<(u64, u64)>,
    /// Polls in a row in which the nonce was used and no receipt was there.
    pub(super) missing: u32,
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

impl Followed {
    pub(super) fn new(sibling: Sibling, now_ms: u64) -> Self {
        Self { siblings: vec![sibling], since_ms: now_ms, sent: None, held_since: None, missing: 0 }
    }

    /// Adds a transaction that competes with those before it, and is to be sent instead of them.
    pub(super) fn add(&mut self, sibling: Sibling) {
        self.siblings.push(sibling);
        (self.sent, self.held_since) = (None, None);
    }

    pub(super) fn siblings(&self) -> impl DoubleEndedIterator<Item = &Sibling> {
        self.siblings.iter()
    }

    /// The one that is sent.
    pub(super) fn newest(&self) -> &Sibling {
        &self.siblings[self.siblings.len() - 1]
    }

    /// The one that is executed, if one is, and how deep.
    pub(super) fn landed(&self) -> Option<&OutboxTx> {
        self.siblings.iter().map(|sibling| &sibling.kept).find(|kept| kept.state.block().is_some())
    }

    pub(super) fn is_open(&self) -> bool {
        self.landed().is_none()
    }

    /// Notes what became of one of them.
    pub(super) fn note(&mut self, hash: TxHash, state: TxState) {
        if let Some(sibling) = self.siblings.iter_mut().find(|sibling| sibling.kept.hash == hash) {
            sibling.kept.state = state;
        }
    }

    /// As the plan looks at it.
    pub(super) fn open(&self) -> Open {
        let newest = self.newest();
        Open {
            nonce: newest.tx.nonce,
            gas: newest.tx.gas_limit,
            fees: newest.fees(),
            sent: self.sent,
            held_since: self.held_since,
        }
    }

    /// Notes what a pool said of the newest one.
    pub(super) fn answered(&mut self, answer: Answer, now_ms: u64, head: u64) {
        self.sent = Some((now_ms, answer));
        if answer == Answer::Held {
            self.held_since.get_or_insert((now_ms, head));
        }
    }

    /// Its block was taken back: pools may not have it any more.
    pub(super) fn taken_back(&mut self) {
        (self.sent, self.held_since) = (None, None);
    }
}
