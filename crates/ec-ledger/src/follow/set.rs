//! Reads the registry's active set at a block.

use alloy::{eips::BlockId, primitives::U256, providers::Provider, transports::TransportError};
use ec_rpc::{BlockRef, Endpoints};

use super::{FollowError, LedgerSettings};
use crate::{contracts::EveryChannelWitnessRegistry as Registry, seats::Seat, set::WitnessSet, state::LedgerState};

/// Makes sure that the ledger is there at this block.
pub(super) async fn require_ledger(
    endpoints: &Endpoints,
    &LedgerSettings { ledger, .. }: &LedgerSettings,
    block: BlockRef,
) -> Result<(), FollowError> {
    let at = BlockId::hash(block.hash);
    let is_empty = endpoints.agreed("eth_getCode", |provider| async move {
        Ok::<_, TransportError>(provider.get_code_at(ledger).block_id(at).await?.is_empty())
    });
    if is_empty.await? { Err(FollowError::NoLedger(ledger)) } else { Ok(()) }
}

/// The seats that were read so far, in index order. An index is a seat's for life, whoever holds that, but in another fork
/// another one may have it: whoever takes blocks back begins again with none.
#[derive(Debug, Default)]
pub(super) struct Indexes(Vec<Seat>);

impl Indexes {
    /// The active set at this block, to which `ledger` was read. Only seats that are new are asked for.
    pub(super) async fn active_at(
        &mut self,
        endpoints: &Endpoints,
        &LedgerSettings { registry, .. }: &LedgerSettings,
        block: BlockRef,
        ledger: &LedgerState,
    ) -> Result<WitnessSet, FollowError> {
        let at = BlockId::hash(block.hash);
        let active = endpoints.agreed("activeSet()", |provider| async move {
            let active = Registry::new(registry, provider).activeSet().block(at).call().await?;
            Ok::<_, alloy::contract::Error>((active.bitmap, active.quorum_))
        });
        let (bitmap, quorum) = active.await?;
        while self.0.len() < bitmap.bit_len() {
            let index = U256::from(self.0.len());
            let holder = endpoints.agreed("witnessAt()", |provider| async move {
                Registry::new(registry, provider).witnessAt(index).block(at).call().await
            });
            self.0.push(ledger.seat_of(holder.await?));
        }
        let members = self.0.iter().enumerate().filter(|(index, _)| bitmap.bit(*index));
        Ok(WitnessSet { active: members.map(|(_, &seat)| seat).collect(), quorum: quorum.into() })
    }
}
