//! Follows the ledger, and says what the witness waits for while it cannot be read or its chain finalizes nothing.

use std::{fmt::Display, ops::RangeInclusive};

use alloy::primitives::Address;
use ec_ledger::{FollowError, Follower, Heads, LedgerState, Polled, Touched};
use ec_observation::{EpochKey, EpochName, SlotId, StreamRule};

use super::{Halt, complaint::Complaint, count, show};
use crate::{clock, standing::LedgerStanding};

/// The ledger, and how its last polls went.
#[derive(Debug)]
pub(super) struct FollowedLedger {
    pub(super) follower: Follower,
    /// Why the last poll failed, if it did.
    error: Option<String>,
    /// When one came through, Unix seconds.
    polled_unix_s: Option<u64>,
    unreadable: Complaint,
    stalled: Complaint,
    unkept: Complaint,
}

impl FollowedLedger {
    pub(super) fn new(follower: Follower) -> Self {
        Self {
            follower,
            error: None,
            polled_unix_s: None,
            unreadable: Complaint::default(),
            stalled: Complaint::default(),
            unkept: Complaint::default(),
        }
    }

    /// The ledger at the last polled head.
    pub(super) fn state(&self) -> &LedgerState {
        self.follower.ledger()
    }

    /// For which streams it may show something else than when this was asked last.
    pub(super) fn take_touched(&mut self) -> Touched {
        self.follower.take_touched()
    }

    /// Whether it was read since a stream was taken in last.
    pub(super) fn is_read(&self) -> bool {
        self.state().head().is_some()
    }

    /// Reads on to the latest head; see [`Follower::poll`]. `None` where that failed and may not the next time.
    pub(super) async fn poll(&mut self, now_ms: u64, forget: bool) -> Result<Option<Polled>, Halt> {
        let polled = self.follower.poll(now_ms, forget).await;
        count::polled(polled.as_ref());
        let polled = match polled {
            Err(error) if error.is_fatal() => return Err(error.into()),
            polled => polled,
        };
        self.complain(now_ms, polled.as_ref().err());
        Ok(polled.ok())
    }

    /// Keeps a checkpoint of what is settled, when it is time. Without one memory grows, and the next start takes longer.
    pub(super) fn keep(&mut self, now_ms: u64) {
        let kept = self.follower.keep(false);
        let wrong = kept.as_ref().err().map(|error| error as &dyn Display);
        self.unkept.tell(
            now_ms,
            wrong,
            "the ledger's checkpoint cannot be kept",
            "the ledger's checkpoint is kept again",
        );
    }

    /// The same, before the process ends.
    pub(super) fn keep_now(&mut self) {
        if let Err(error) = self.follower.keep(true) {
            tracing::warn!(%error, "the ledger's checkpoint cannot be kept; the next start reads on from an older one");
        }
    }

    fn complain(&mut self, now_ms: u64, unread: Option<&FollowError>) {
        self.error = unread.map(ToString::to_string);
        let wrong = unread.map(|error| error as &dyn Display);
        self.unreadable.tell(now_ms, wrong, "the ledger cannot be read; trying again", "the ledger can be read again");
        if unread.is_none() {
            self.polled_unix_s = Some(clock::unix_s());
            let stalled = self.follower.finality_stalled_ms().map(|for_ms| {
                let Heads { latest, finalized, .. } = self.follower.heads();
                format!("the finalized head is block {finalized} for {} s, the latest is {latest}", for_ms / 1000)
            });
            let wrong = stalled.as_ref().map(|stalled| stalled as &dyn Display);
            self.stalled.tell(now_ms, wrong, "finality stalls; waiting for the chain", "finality moves again");
        }
    }

    /// The first run of a stream's epochs between two on the timeline without a slot that is final for good.
    pub(super) fn next_gap(&self, rule: &StreamRule, from: EpochKey, to: EpochKey) -> Option<RangeInclusive<EpochKey>> {
        let finalized = self.follower.heads().finalized;
        let slot_of = |index| rule.slot(EpochName::timeline(index));
        let to = if to.segment > 0 { u64::MAX } else { to.index };
        let gap =
            self.state().next_gap(rule.stream_hash(), (0, from.index..=to), finalized, &(0..=u64::MAX), slot_of)?;
        Some(EpochKey::timeline(*gap.start())..=EpochKey::timeline(*gap.end()))
    }

    /// The same in a segment whose session has this mark. What is final there with a time not among `times` is of another
    /// life of the publisher.
    pub(super) fn next_gap_in(
        &self,
        rule: &StreamRule,
        mark: u64,
        times: &RangeInclusive<u64>,
        from: EpochKey,
        to: EpochKey,
    ) -> Option<RangeInclusive<EpochKey>> {
        let (finalized, segment) = (self.follower.heads().finalized, from.segment);
        let lane = self.state().lane(rule.stream_hash());
        let slot_of = |index: u64| {
            let final_ms = lane.and_then(|lane| lane.final_ms(mark, index));
            let is_own = final_ms.is_some_and(|final_ms| times.contains(&final_ms));
            if is_own { rule.slot(EpochName { mark, index }) } else { SlotId::ZERO }
        };
        let indices = (mark, from.index..=to.index);
        let gap = self.state().next_gap(rule.stream_hash(), indices, finalized, times, slot_of)?;
        let key = |index: &u64| EpochKey { segment, index: *index };
        Some(key(gap.start())..=key(gap.end()))
    }

    /// How it stands, as this witness sees it.
    pub(super) fn standing(&self, witness: Address) -> LedgerStanding {
        show::ledger(&self.follower, witness, self.error.clone(), self.polled_unix_s)
    }
}
