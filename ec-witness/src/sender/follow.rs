//! Follows what was sent to the finalized head, and sees to what is open on the way.

use std::collections::BTreeMap;

use alloy::{consensus::TxEip1559, eips::BlockId, primitives::TxHash, rpc::types::TransactionReceipt};
use ec_ledger::{Heads, contracts::Revert};

use super::{
    SendError, Sender,
    finding::{self, Finding},
    followed::Change,
    hold::Hold,
    money::Means,
    outcome,
    plan::{self, Action, Answer, ChainState, FILL_GAS, Plan},
    poll::Poll,
};
use crate::store::{OutboxTx, VoteStore};

impl Sender {
    /// Looks after what was sent: executed, taken back by a reorg, safe, final, to be sent again or to be replaced.
    ///
    /// # Errors
    ///
    /// The endpoint failed, or the chain contradicts the store.
    pub async fn follow(
        &mut self,
        store: &mut VoteStore,
        heads: Heads,
        reorg: bool,
        now_ms: u64,
    ) -> Result<(), SendError> {
        self.poll.is_clear = false;
        self.poll.recheck |= reorg;
        (self.poll.used, self.poll.heads) = (self.used().await?, heads);
        self.check_final().await?;
        let changes = self.look_up().await?;
        self.outbox.note(store, &changes)?;
        self.outbox.take_back(&changes);
        self.outbox.let_go();
        self.see_to_open(store, now_ms).await?;
        (self.poll.recheck, self.poll.is_clear) = (false, true);
        Ok(())
    }

    /// How many nonces the chain has used, every one of them known here.
    async fn used(&self) -> Result<u64, SendError> {
        let (used, next) = (self.account.used().await?, self.signing.next_nonce());
        if used > next { Err(self.foreign_nonce(next)) } else { Ok(used) }
    }

    fn foreign_nonce(&self, nonce: u64) -> SendError {
        SendError::ForeignNonce { account: self.account.address, nonce }
    }

    /// Whether the chain still holds what was final; looked up while there is doubt.
    async fn check_final(&mut self) -> Result<(), SendError> {
        let Some(&OutboxTx { hash, nonce, state, .. }) = self.outbox.last_final() else { return Ok(()) };
        let block = state.block().unwrap_or_default();
        let is_doubted = self.poll.recheck || self.outbox.is_contradicted();
        let stands = nonce < self.poll.used && (!is_doubted || self.stands_in(hash, block).await?);
        if self.outbox.is_final_gone(stands) {
            return Err(SendError::FinalTakenBack { hash, nonce, block });
        }
        Ok(())
    }

    async fn stands_in(&self, hash: TxHash, block: u64) -> Result<bool, SendError> {
        Ok(self.account.executed([hash]).await?.is_some_and(|found| found.block == block))
    }

    /// What became of the transactions whose state may have changed.
    async fn look_up(&mut self) -> Result<Vec<Change>, SendError> {
        let mut changes = Vec::new();
        for nonce in self.outbox.to_look_up(&self.poll) {
            let Some(followed) = self.outbox.get_mut(nonce) else { continue };
            let found = self.account.executed(followed.hashes()).await?;
            if followed.is_foreign(found.is_none(), self.poll.used) {
                return Err(self.foreign_nonce(nonce));
            }
            let place = found.as_ref().map(|found| (found.hash, found.block));
            changes.extend(followed.changes(place, self.poll.heads));
            let (is_open, tx) = (followed.is_open(), followed.newest().tx.clone());
            let Some(found) = found else {
                self.findings.insert(nonce, Vec::new());
                continue;
            };
            if is_open || self.poll.recheck {
                if is_open {
                    self.costs.executed(&tx.input, &found.receipt, found.block);
                }
                let refused = self.refused(tx, &found.receipt).await;
                self.findings.insert(nonce, self.found(&found.receipt, found.block, &refused));
                if is_open {
                    self.spending.executed(nonce, found.receipt.gas_used);
                    self.tell(&refused, found.hash);
                }
            }
        }
        Ok(changes)
    }

    /// What this transaction, executed, did not do: each refusal, with its reason where there is one.
    async fn refused(&self, tx: TxEip1559, receipt: &TransactionReceipt) -> Vec<Option<Revert>> {
        let mut refused: Vec<_> = outcome::skipped(receipt).into_iter().map(Some).collect();
        if !receipt.status() {
            let block = receipt.block_hash.map_or(BlockId::latest(), BlockId::hash);
            let to = tx.to.into_to().unwrap_or_else(|| self.signing.ledger());
            refused.push(self.account.reason(to, tx.input, block).await);
        }
        refused
    }

    /// What a receipt proves, by what it shows and what was refused.
    fn found(&self, receipt: &TransactionReceipt, block: u64, refused: &[Option<Revert>]) -> Vec<Finding> {
        let shown = finding::shown(receipt, self.signing.ledger(), self.account.address);
        let implied = refused.iter().flatten().filter_map(finding::implied);
        shown.into_iter().chain(implied).map(|(slot, fact)| Finding { slot, block, fact }).collect()
    }

    /// Counts and logs refusals.
    fn tell(&mut self, refused: &[Option<Revert>], tx: TxHash) {
        for revert in refused {
            outcome::tell(revert.as_ref(), tx);
            *self.tally.reverts.entry(outcome::word(revert.as_ref())).or_default() += 1;
        }
    }

    /// What the receipts that were looked up since the last call prove, by nonce; nothing, for a transaction that the chain
    /// took back.
    pub fn take_findings(&mut self) -> BTreeMap<u64, Vec<Finding>> {
        std::mem::take(&mut self.findings)
    }

    /// Sends again, replaces and fills, as the plan says.
    async fn see_to_open(&mut self, store: &mut VoteStore, now_ms: u64) -> Result<(), SendError> {
        let gap = self.outbox.gap(self.poll.used);
        if self.pending() == 0 && gap.is_empty() && self.holds.held().is_none() {
            return Ok(());
        }
        let now = self.chain_state(now_ms).await?;
        let Plan { actions, mut hold } =
            plan::plan(&self.outbox.open(), gap, &now, &self.rule, self.signing.rests(now_ms));
        for action in actions {
            match self.take(action, store, now_ms).await? {
                Ok(Answer::Nothing) => break,
                Ok(_) => {}
                Err(unsigned) => hold = Some(unsigned),
            }
        }
        self.holds.on_open(hold, self.pending(), now_ms);
        Ok(())
    }

    /// Takes one action of the plan; a hold, where it is not signed.
    async fn take(
        &mut self,
        action: Action,
        store: &mut VoteStore,
        now_ms: u64,
    ) -> Result<Result<Answer, Hold>, SendError> {
        match action {
            Action::Send { .. } => {}
            Action::Fill { nonce, fees } => {
                match self.signing.fill(store, nonce, fees, now_ms).await {
                    Ok(filling) => self.outbox.add(filling),
                    Err(unsigned) => return unsigned.hold().map(Err),
                }
                self.spending.signed(nonce, FILL_GAS, now_ms);
            }
            Action::Replace { nonce, fees } => {
                let Some(followed) = self.outbox.get_mut(nonce) else { return Ok(Ok(Answer::Used)) };
                match self.signing.replacement(store, followed.newest(), fees, now_ms).await {
                    Ok(dearer) => followed.add(dearer),
                    Err(unsigned) => return unsigned.hold().map(Err),
                }
                self.tally.replaced += 1;
            }
        }
        self.send(store, action.nonce(), now_ms).await.map(Ok)
    }

    async fn chain_state(&mut self, now_ms: u64) -> Result<ChainState, SendError> {
        let Means { market, balance, .. } = self.means().await?;
        let Poll { used, heads, recheck, .. } = self.poll;
        Ok(ChainState { used, head: heads.latest, market, balance, now_ms, reorg: recheck })
    }
}
