//! Where one slot became final.
//!
//! Few nodes keep the state of a finalized head, which on an OP Stack chain is minutes old, but all keep its log. So the
//! state of the newest block is asked what is final, and the log where it became so.

use alloy::{eips::BlockId, primitives::Address};
use ec_observation::{ObservationHash, SlotId};
use ec_rpc::{AskError, BlockRef, Endpoints};

use crate::{contracts::EveryChannelObservationLedger as Ledger, follow::Pages, logs, state::Finality};

/// Why it cannot be said where a slot became final.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FinalityError {
    /// The endpoints gave no answer to rely on.
    #[error("rpc: {0}")]
    Ask(#[from] AskError),
    /// The head changed while it was read.
    #[error("the chain was reorganized at block {0} while it was read; ask again")]
    HeadMoved(u64),
    /// The ledger calls the slot final, its log does not.
    #[error(
        "slot {slot} is final with observation {observation} at block {latest}, but the ledger's log from block {from} on \
         does not show it: deploy_block is too high, or the endpoint lacks logs"
    )]
    NotInLog {
        /// The slot.
        slot: SlotId,
        /// What is final there.
        observation: ObservationHash,
        /// The first block whose logs were read.
        from: u64,
        /// The last one.
        latest: u64,
    },
}

/// The final observation of a slot in the chain that ends with `latest`, and where it became final; `None` while there is
/// none. No event of the ledger is older than block `deploy_block`.
///
/// # Errors
///
/// Too few answers, no agreement, or state and log contradict each other.
pub async fn finality_of(
    endpoints: &Endpoints,
    ledger: Address,
    deploy_block: u64,
    slot: SlotId,
    latest: BlockRef,
) -> Result<Option<Finality>, FinalityError> {
    let found = endpoints.agreed("finalizedObservation()", |provider| async move {
        Ledger::new(ledger, provider).finalizedObservation(slot.0).block(BlockId::hash(latest.hash)).call().await
    });
    let observation = ObservationHash(found.await?);
    if observation == ObservationHash::ZERO {
        return Ok(None);
    }
    let (mut pages, mut from) = (Pages::unbounded(), deploy_block);
    while from <= latest.number {
        let end = pages.end(from, latest.number);
        let read = |provider| async move { logs::read_final(&provider, ledger, slot, from, end).await };
        let Some(blocks) = pages.take(endpoints.agreed("eth_getLogs", read).await, from, end)? else { continue };
        if let Some(&(block, _)) = blocks.iter().find(|(_, found)| *found == observation) {
            let is_held = endpoints.block(latest.number).await? == Some(latest);
            return if is_held {
                Ok(Some(Finality { observation, block }))
            } else {
                Err(FinalityError::HeadMoved(latest.number))
            };
        }
        from = end + 1;
    }
    Err(FinalityError::NotInLog { slot, observation, from: deploy_block, latest: latest.number })
}
