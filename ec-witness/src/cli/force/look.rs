//! `force --dry-run`: what is under way, what would be forced and for how much, and what not.

use ec_witness::{
    force::{Choice, Forcing},
    store::VoteStore,
};

use super::outcome::Outcome;
use crate::cli::{Answer, output::fact};

/// Prints it; whether nothing stays out.
pub(super) async fn look(
    forcing: &Forcing,
    store: &VoteStore,
    Choice { forced, left }: Choice,
    json: bool,
) -> eyre::Result<Answer> {
    let kept = store.forced()?;
    for siblings in kept.chunk_by(|a, b| a.l1_nonce == b.l1_nonce) {
        siblings.last().map_or(Ok(()), |newest| fact(json, &Outcome::under_way(newest)))?;
    }
    for stuck in &forced {
        fact(json, &Outcome::chosen(stuck, forcing.cost(stuck).await?))?;
    }
    for (stuck, why) in &left {
        fact(json, &Outcome::left(stuck, *why))?;
    }
    Ok((kept.is_empty() && forced.is_empty() && left.is_empty()).into())
}
