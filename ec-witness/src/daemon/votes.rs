//! The votes of this witness, from the guard to the chain: recorded, sent, and looked for on the ledger.

use std::fmt::Display;

use ec_observation::{Ballot, ObservationHash, ObservationHeader, SlotId, VoteKind};

use super::{
    Halt, Voter,
    complaint::{Complaint, tolerate},
    contradictions::Contradictions,
    halt::hold,
    ledger::FollowedLedger,
};
use crate::{
    store::{Recorded, StoreError},
    witness::slot::SlotKey,
};

/// How often the finalized head is noted in the store, milliseconds.
const NOTE_FINALIZED_EVERY_MS: u64 = 60_000;

/// Who votes, and what is wrong with that now.
#[derive(Debug)]
pub(super) struct Votes {
    pub(super) voter: Voter,
    contradictions: Contradictions,
    noted_ms: Option<u64>,
    no_room: bool,
    unfollowed: Complaint,
    unsent: Complaint,
    not_finalized: Complaint,
    uncounted: Complaint,
    contradicted: Complaint,
}

impl Votes {
    pub(super) fn new(voter: Voter) -> Self {
        Self {
            voter,
            contradictions: Contradictions::default(),
            noted_ms: None,
            no_room: false,
            unfollowed: Complaint::default(),
            unsent: Complaint::default(),
            not_finalized: Complaint::default(),
            uncounted: Complaint::default(),
            contradicted: Complaint::default(),
        }
    }

    /// Which epoch of a stream is judged first; see [`Voter::begin`]. `None`, where it cannot be fixed now.
    pub(super) fn begin(&mut self, stream_id: &str, configured: Option<u64>, first: u64) -> Result<Option<u64>, Halt> {
        hold(self.voter.begin(stream_id, configured, first))
    }

    /// A vote of ours that the store does not know was cast by another instance.
    pub(super) fn check(&self, own_votes: &[(SlotId, ObservationHash)], ledger: &FollowedLedger) -> Result<(), Halt> {
        for &(slot, observation) in own_votes {
            if !self.voter.knows(observation)? && !self.is_compacted(ledger, slot, observation)? {
                return Err(match self.voter.recorded(slot)? {
                    recorded if recorded.is_empty() && self.voter.compacted(slot)?.is_none() => {
                        Halt::ForeignVote { slot, observation }
                    }
                    recorded if has_content(ledger, slot, observation, &recorded) => {
                        Halt::ForeignVote { slot, observation }
                    }
                    recorded => Halt::GuardContradiction { slot, observation, recorded },
                });
            }
        }
        Ok(())
    }

    /// Whether this is the vote of a slot whose headers the store has no more. It was final, so the ledger has it no more
    /// either, or shows of what content it is.
    fn is_compacted(
        &self,
        ledger: &FollowedLedger,
        slot: SlotId,
        observation: ObservationHash,
    ) -> Result<bool, StoreError> {
        let Some(content) = self.voter.compacted(slot)? else { return Ok(false) };
        let candidate = ledger.state().slot(slot).and_then(|slot| slot.candidate(observation));
        Ok(candidate.is_none_or(|found| found.header.content().hash() == content))
    }

    /// Notes the finalized head, once a minute: each time costs an fsync, and the check at the next start, which it is
    /// for, is as good with a block that is a minute old.
    pub(super) fn note_finalized_head(&mut self, ledger: &FollowedLedger, now_ms: u64) -> Result<(), Halt> {
        let Some(head) = ledger.follower.finalized_head() else { return Ok(()) };
        if self.noted_ms.is_none_or(|at_ms| now_ms.saturating_sub(at_ms) >= NOTE_FINALIZED_EVERY_MS) {
            let noted = hold(self.voter.note_finalized_head(head))?;
            self.noted_ms = noted.map(|()| now_ms);
        }
        Ok(())
    }

    /// Says when the disk is full, and when it no longer is; returns whether it is.
    pub(super) fn note_room(&mut self) -> bool {
        let no_room = self.voter.has_no_room();
        match (self.no_room, no_room) {
            (false, true) => tracing::error!("no room on the vote store's disk; nothing is voted until there is"),
            (true, false) => tracing::info!("there is room on the vote store's disk again"),
            _ => {}
        }
        self.no_room = no_room;
        no_room
    }

    /// Looks after what was sent.
    pub(super) async fn follow(&mut self, ledger: &FollowedLedger, reorg: bool, now_ms: u64) -> Result<(), Halt> {
        self.voter.among(ledger.follower.set().active.len());
        let followed = self.voter.follow(ledger.follower.heads(), reorg, now_ms).await;
        let means = "what was sent cannot be followed; trying again";
        tolerate(followed, &mut self.unfollowed, now_ms, means, "what was sent can be followed again")?;
        Ok(())
    }

    /// Compares what the receipts of what was sent prove with the ledger as its log tells it; where they contradict each
    /// other, the block from which the log is to be read again after this turn.
    pub(super) fn compare(&mut self, ledger: &FollowedLedger, now_ms: u64) -> Result<Option<u64>, Halt> {
        let Self { voter, contradictions, .. } = self;
        contradictions.take(voter.take_findings());
        let mut unknown = Ok(());
        contradictions.compare(ledger.state(), voter.witness(), |slot| match voter.recorded(slot) {
            Ok(headers) => headers.first().map(SlotKey::of),
            Err(error) => {
                unknown = Err(error);
                None
            }
        });
        unknown?;
        let told = contradictions.told(ledger.follower.heads().latest);
        let told = told.map(|(slots, told)| format!("{slots} slots: {told}"));
        let wrong = told.as_ref().map(|told| told as &dyn Display);
        let means =
            "the ledger's log lacks what is on the chain; nothing is sent for these slots, and it is read again";
        self.contradicted.tell(now_ms, wrong, means, "the ledger's log shows what is on the chain again");
        Ok(self.contradictions.read_again_from(now_ms))
    }

    /// Whether the log contradicts a receipt about this slot, so that nothing is voted there.
    pub(super) fn is_contradicted(&self, slot: SlotId) -> bool {
        self.contradictions.is_about(slot)
    }

    /// Whether that is so, and stays so as far as can be told.
    pub(super) fn stays_contradicted(&self, slot: SlotId) -> bool {
        self.contradictions.stays(slot)
    }

    /// How many slots there are for which nothing is sent, as the log contradicts the receipts, and what one is about.
    pub(super) fn contradicted(&self, head: u64) -> Option<(usize, String)> {
        self.contradictions.told(head)
    }

    /// The contract counts strays among a slot's candidates, and they are not kept: in a stream that has any, proposals and
    /// moves state the contract's own count. Leaves out those that cannot be made now.
    pub(super) async fn count_strays(
        &mut self,
        ledger: &FollowedLedger,
        ballots: Vec<Ballot>,
        now_ms: u64,
    ) -> Vec<Ballot> {
        let (mut counted, mut wrong) = (Vec::new(), None);
        for ballot in ballots {
            match with_strays(ledger, ballot).await {
                Ok(ballot) => counted.push(ballot),
                Err(why) => _ = wrong.get_or_insert(why),
            }
        }
        let wrong = wrong.as_ref().map(|why| why as &dyn Display);
        let means = "a slot may have strays, so nothing is proposed in it; trying again";
        self.uncounted.tell(now_ms, wrong, means, "proposals can be made again");
        counted
    }

    /// Records votes, each on its own; nothing, where the store may have room again later.
    pub(super) fn record(&mut self, ballots: &[Ballot]) -> Result<Vec<Result<Recorded, StoreError>>, Halt> {
        Ok(hold(self.voter.record(ballots))?.unwrap_or_default())
    }

    /// Sends what is recorded and not carried yet, and the `again` votes, whose transactions came to nothing. Returns
    /// which.
    pub(super) async fn send(&mut self, again: &[Ballot], now_ms: u64) -> Result<Vec<ObservationHash>, Halt> {
        let Self { voter, contradictions, .. } = self;
        let sent = voter.send(again, |slot| !contradictions.is_about(slot), now_ms).await;
        let means = "votes are recorded, but cannot be sent; trying again";
        Ok(tolerate(sent, &mut self.unsent, now_ms, means, "votes can be sent again")?.unwrap_or_default())
    }

    /// Calls `finalize` for a candidate that has the quorum's votes.
    pub(super) async fn finalize(
        &mut self,
        slot: SlotId,
        observation: ObservationHash,
        now_ms: u64,
    ) -> Result<(), Halt> {
        if self.is_contradicted(slot) {
            return Ok(());
        }
        tracing::info!(%slot, %observation, "a candidate has the quorum's votes; finalizing it");
        let finalized = self.voter.finalize(slot, observation, now_ms).await;
        let means = "the candidate cannot be finalized; trying again";
        tolerate(finalized, &mut self.not_finalized, now_ms, means, "candidates can be finalized again")?;
        Ok(())
    }
}

/// The vote, with the number of candidates that the contract counts; else why it cannot be cast now.
async fn with_strays(ledger: &FollowedLedger, mut ballot: Ballot) -> Result<Ballot, String> {
    let slot = ballot.header.slot();
    if let VoteKind::Propose { candidates_seen } | VoteKind::Move { candidates_seen, .. } = &mut ballot.vote
        && ledger.state().has_strays(ballot.header.stream_hash)
    {
        let counted = ledger.follower.candidates_in(slot).await.map_err(|error| error.to_string())?;
        *candidates_seen = counted.ok_or_else(|| format!("slot {slot} is final with a stray"))?;
    }
    Ok(ballot)
}

/// Whether the ledger shows that this observation is of the same content as the recorded headers.
fn has_content(
    ledger: &FollowedLedger,
    slot: SlotId,
    observation: ObservationHash,
    recorded: &[ObservationHeader],
) -> bool {
    let candidate = ledger.state().slot(slot).and_then(|slot| slot.candidate(observation));
    candidate.is_some_and(|found| recorded.iter().any(|header| header.content() == found.header.content()))
}
