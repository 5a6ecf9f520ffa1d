//! Where a vote that counts moves to: in a round to the leader's header, between the cycles to what must win (protocol
//! §5.4). Pure.

use ec_observation::{Content, ObservationHeader};

use super::{Membership, Seen, SeenCandidate};
use crate::witness::rounds::Phase;

/// The header that the vote for `from` moves to; `None` where it stays.
///
/// `own` is the own header, where this witness may propose it, and `moved_in` the beginning of the round in which the vote
/// was moved last: it moves once in a round.
pub(super) fn destination(
    from: &SeenCandidate,
    content: &Content,
    own: Option<ObservationHeader>,
    moved_in: Option<u64>,
    seen: &Seen,
    membership: &Membership,
    is_acceptable: impl Fn(&&SeenCandidate) -> bool,
) -> Option<ObservationHeader> {
    let position = membership.position.filter(|_| from.header.content() == *content)?;
    let mut acceptable = seen.candidates.iter().filter(is_acceptable);
    let to = match seen.phase {
        Phase::Before => None,
        Phase::Between => {
            let must_win = |candidate: &&SeenCandidate| candidate.active_votes >= membership.unbeatable();
            acceptable.find(must_win).map(|candidate| candidate.header)
        }
        Phase::Round(round) if moved_in == Some(round.began_ms) => None,
        Phase::Round(_) => {
            let leader = seen.leader(content.sequence, membership);
            let of_leader = |candidate: &&SeenCandidate| candidate.proposer == leader;
            let led = acceptable.find(of_leader).map(|candidate| candidate.header);
            led.or_else(|| own.filter(|_| leader == Some(position) && !has_candidate_of(seen, position, content)))
        }
    };
    to.filter(|to| *to != from.header)
}

/// Whether the witness at this position made a candidate of this content.
fn has_candidate_of(seen: &Seen, position: usize, content: &Content) -> bool {
    let is_own =
        |candidate: &SeenCandidate| candidate.proposer == Some(position) && candidate.header.content() == *content;
    seen.candidates.iter().any(is_own)
}
