//! What is final in one slot, and since where.
//!
//! Few nodes keep the state of a finalized head, which on an OP Stack chain is minutes old, but all keep its log. So the
//! state of the newest block is asked what is final, and the log where it became so.

use std::fmt::Debug;

use alloy::{eips::BlockId, primitives::Address, providers::DynProvider};
use ec_observation::{ObservationHash, ObservationHeader, SlotId};
use ec_rpc::{AskError, BlockRef, Endpoints, Fault};

use crate::{
    contracts::EveryChannelObservationLedger as Ledger, event::LedgerEvent, follow::Pages, logs, state::Finality,
};

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

/// Who has voted for an observation of a slot by the end of a block, in the order of their votes: the addresses that cast them. No
/// event of the ledger is older than block `deploy_block`.
///
/// # Errors
///
/// Too few answers, or no agreement.
pub async fn voters_of(
    endpoints: &Endpoints,
    ledger: Address,
    (slot, observation): (SlotId, ObservationHash),
    (deploy_block, last): (u64, u64),
) -> Result<Vec<Address>, AskError> {
    let (mut pages, mut from, mut voters) = (Pages::unbounded(), deploy_block, Vec::new());
    while from <= last {
        let end = pages.end(from, last);
        let read = |provider| async move { logs::read_votes(&provider, ledger, slot, from, end).await };
        let answer = endpoints.agreed("eth_getLogs", read).await;
        let Some(events) = pages.take(answer, from, end)? else { continue };
        events.iter().for_each(|event| count(&mut voters, observation, event));
        from = end + 1;
    }
    Ok(voters)
}

/// Takes a vote in, or one that went elsewhere out.
fn count(voters: &mut Vec<Address>, observation: ObservationHash, event: &LedgerEvent) {
    let (came, gone) = match *event {
        LedgerEvent::Proposed { proposer, header, .. } => ((header.hash() == observation).then_some(proposer), None),
        LedgerEvent::Attested { observation: to, witness, .. } => ((to == observation).then_some(witness), None),
        LedgerEvent::Moved { from, to, witness, .. } => {
            ((to == observation).then_some(witness), (from == observation).then_some(witness))
        }
        LedgerEvent::Rotated { .. } | LedgerEvent::Finalized { .. } => (None, None),
    };
    voters.retain(|voter| Some(*voter) != gone);
    if let Some(came) = came.filter(|came| !voters.contains(came)) {
        voters.push(came);
    }
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

#[cfg(test)]
mod tests {
    use alloy::primitives::B256;

    use super::*;

    #[test]
    fn a_vote_counts_where_it_is() {
        let [a, b] = [1, 2].map(Address::with_last_byte);
        let [slot, other] = [3, 4].map(B256::repeat_byte);
        let (slot, other) = (SlotId(slot), ObservationHash(other));
        let header = ObservationHeader {
            stream_hash: Default::default(),
            epoch_hash: Default::default(),
            parent_observation_hash: ObservationHash::ZERO,
            data_root: B256::ZERO,
            locator_hash: B256::ZERO,
            observed_unix_ms: 1,
            sequence: 0,
        };
        let own = header.hash();
        let events = [
            LedgerEvent::Proposed { proposer: a, header, timestamp_s: 1 },
            LedgerEvent::Attested { slot, observation: other, witness: b },
            LedgerEvent::Moved { slot, from: other, to: own, witness: b },
            LedgerEvent::Moved { slot, from: own, to: other, witness: a },
        ];
        let after = |events: &[LedgerEvent]| {
            let mut voters = Vec::new();
            events.iter().for_each(|event| count(&mut voters, own, event));
            voters
        };
        assert_eq!([after(&events[..2]), after(&events[..3]), after(&events)], [vec![a], vec![a, b], vec![b]]);
    }
}
