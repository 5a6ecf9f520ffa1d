//! What is final in one slot, and since where.
//!
//! Few nodes keep the state of a finalized head, which on an OP Stack chain is minutes old, but all keep its log. So the
//! state of the newest block is asked what is final, and the log where it became so.

use std::fmt::Debug;

use alloy::{eips::BlockId, primitives::Address, providers::DynProvider};
use ec_observation::{ObservationHash, ObservationHeader, SlotId};
use ec_rpc::{AskError, BlockRef, Endpoints, Fault};

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
    let Some(observation) = final_observation(endpoints, ledger, slot, latest).await? else { return Ok(None) };
    let read = move |provider, from, end| async move {
        let blocks = logs::read_final(&provider, ledger, slot, from, end).await?;
        Ok(blocks.into_iter().find(|(_, found)| *found == observation).map(|(block, _)| block))
    };
    let Some(block) = first_in_log(endpoints, (deploy_block, latest.number), read).await? else {
        return Err(FinalityError::NotInLog { slot, observation, from: deploy_block, latest: latest.number });
    };
    match endpoints.block(latest.number).await? == Some(latest) {
        true => Ok(Some(Finality { observation, block })),
        false => Err(FinalityError::HeadMoved(latest.number)),
    }
}

/// The header that is final in a slot in the chain that ends with `latest`; `None` while none is. No event of the ledger is
/// older than block `deploy_block`.
///
/// # Errors
///
/// Too few answers, no agreement, or the log lacks what the state calls final.
pub async fn final_header_of(
    endpoints: &Endpoints,
    ledger: Address,
    deploy_block: u64,
    slot: SlotId,
    latest: BlockRef,
) -> Result<Option<ObservationHeader>, FinalityError> {
    let Some(observation) = final_observation(endpoints, ledger, slot, latest).await? else { return Ok(None) };
    let read = move |provider, from, end| async move {
        logs::read_header(&provider, ledger, (slot, observation), from, end).await
    };
    let found = first_in_log(endpoints, (deploy_block, latest.number), read).await?;
    let lacking = || FinalityError::NotInLog { slot, observation, from: deploy_block, latest: latest.number };
    found.ok_or_else(lacking).map(Some)
}

/// What the ledger's state at block `latest` calls final in a slot.
async fn final_observation(
    endpoints: &Endpoints,
    ledger: Address,
    slot: SlotId,
    latest: BlockRef,
) -> Result<Option<ObservationHash>, AskError> {
    let found = endpoints.agreed("finalizedObservation()", |provider| async move {
        Ledger::new(ledger, provider).finalizedObservation(slot.0).block(BlockId::hash(latest.hash)).call().await
    });
    Ok(Some(ObservationHash(found.await?)).filter(|&observation| observation != ObservationHash::ZERO))
}

/// What `read` finds first in the pages of the ledger's log from one block to another.
async fn first_in_log<T, A>(
    endpoints: &Endpoints,
    (first, last): (u64, u64),
    read: impl Fn(DynProvider, u64, u64) -> A,
) -> Result<Option<T>, AskError>
where
    T: Clone + Eq + Debug + Send + 'static,
    A: Future<Output = Result<Option<T>, Fault>> + Send + 'static,
{
    let (mut pages, mut from) = (Pages::unbounded(), first);
    while from <= last {
        let end = pages.end(from, last);
        let answer = endpoints.agreed("eth_getLogs", |provider| read(provider, from, end)).await;
        let Some(found) = pages.take(answer, from, end)? else { continue };
        if found.is_some() {
            return Ok(found);
        }
        from = end + 1;
    }
    Ok(None)
}
