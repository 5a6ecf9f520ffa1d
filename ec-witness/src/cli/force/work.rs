//! Forcing one call after the other, and waiting for all of them.

use std::{collections::HashMap, time::Duration};

use ec_witness::{
    force::{Came, Choice, Forcing},
    key::Signer,
    store::{ForcedTx, VoteStore},
};
use tokio::time::sleep;

use super::outcome::Outcome;
use crate::cli::output::fact;

/// Between two looks at both chains.
const POLL: Duration = Duration::from_secs(2);

/// What is under way, and what it came to.
pub(super) struct Work {
    pub(super) forcing: Forcing,
    pub(super) store: VoteStore,
    signer: Signer,
    /// How far those of each nonce on L1 had come when they were last looked at.
    came: HashMap<u64, Came>,
    json: bool,
    /// Whether nothing stays out.
    pub(super) is_done: bool,
}

/// What is still waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waits {
    /// For a block of L1 to take one of them.
    ForL1,
    /// For what they come to on the L2.
    ForL2,
    ForNothing,
}

impl Work {
    pub(super) fn new(forcing: Forcing, signer: Signer, store: VoteStore, json: bool) -> Self {
        Self { forcing, store, signer, came: HashMap::new(), json, is_done: true }
    }

    /// Forces what was chosen, one after the other, as each is to use the nonce of its own, and waits for all of them.
    pub(super) async fn force(&mut self, Choice { forced, left }: Choice) -> eyre::Result<()> {
        // what was lost before is among these, if it still stays out
        self.is_done = true;
        for (stuck, why) in &left {
            self.tell(&Outcome::left(stuck, *why))?;
        }
        for stuck in &forced {
            if !self.forcing.force(&self.signer, &mut self.store, stuck).await? {
                tracing::info!(nonce = stuck.nonce, "its nonce is used meanwhile; it is not forced");
            }
            while self.look().await? == Waits::ForL1 {
                sleep(POLL).await;
            }
        }
        self.settle().await
    }

    /// Waits until it is final what each that is kept came to.
    pub(super) async fn settle(&mut self) -> eyre::Result<()> {
        while self.look().await? != Waits::ForNothing {
            sleep(POLL).await;
        }
        Ok(())
    }

    /// Looks after all that are kept, in the order in which the L2 executes them.
    async fn look(&mut self) -> eyre::Result<Waits> {
        let mut waits = Waits::ForNothing;
        for siblings in self.store.forced()?.chunk_by(|a, b| a.l1_nonce == b.l1_nonce) {
            match self.look_after(siblings).await? {
                Some(Came::Final { .. } | Came::Lost(_)) => {}
                Some(Came::OnL1 | Came::Executed { .. }) if waits != Waits::ForL1 => waits = Waits::ForL2,
                Some(Came::OnL1 | Came::Executed { .. } | Came::Sent) | None => waits = Waits::ForL1,
            }
        }
        Ok(waits)
    }

    /// Looks after those of one nonce on L1, and tells what is new; `None` where an endpoint gave no answer.
    async fn look_after(&mut self, siblings: &[ForcedTx]) -> eyre::Result<Option<Came>> {
        let found = match self.forcing.follow(&self.signer, &mut self.store, siblings).await {
            Err(error) if error.may_pass() => {
                tracing::warn!(%error, "looking again");
                return Ok(None);
            }
            found => found?,
        };
        let Some(((l1_hash, came), first)) = found.zip(siblings.first()) else { return Ok(None) };
        if self.came.insert(first.l1_nonce, came) != Some(came) {
            match Outcome::of(came, first.repeats, l1_hash) {
                Some(outcome) => self.tell(&outcome)?,
                None => tracing::info!(tx = %l1_hash, came = came.name(), "forced transaction"),
            }
        }
        Ok(Some(came))
    }

    fn tell(&mut self, outcome: &Outcome) -> eyre::Result<()> {
        self.is_done &= outcome.is_done();
        fact(self.json, outcome)
    }
}
