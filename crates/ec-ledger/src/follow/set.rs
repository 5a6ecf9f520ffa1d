//! Reads the registry's active set at a block.

use alloy::{
    eips::BlockId,
    primitives::{Address, U256},
    providers::Provider,
    transports::TransportError,
};
use ec_rpc::{BlockRef, Endpoints};

use super::{FollowError, LedgerSettings};
use crate::{contracts::EveryChannelWitnessRegistry as Registry, set::WitnessSet};

/// The addresses of the seats that were read so far, in index order: an index is an address's for life.
#[derive(Debug, Default)]
pub(super) struct Seats(Vec<Address>);

impl Seats {
    /// The active set at this block. Only seats that are new are asked for.
    pub(super) async fn active_at(
        &mut self,
        endpoints: &Endpoints,
        settings: &LedgerSettings,
        block: BlockRef,
    ) -> Result<WitnessSet, FollowError> {
        let (at, ledger, registry) = (BlockId::hash(block.hash), settings.ledger, settings.registry);
        let is_empty = endpoints.agreed("eth_getCode", |provider| async move {
            Ok::<_, TransportError>(provider.get_code_at(ledger).block_id(at).await?.is_empty())
        });
        if is_empty.await? {
            return Err(FollowError::NoLedger(ledger));
        }
        let active = endpoints.agreed("activeSet()", |provider| async move {
            let active = Registry::new(registry, provider).activeSet().block(at).call().await?;
            Ok::<_, alloy::contract::Error>((active.bitmap, active.quorum_))
        });
        let (bitmap, quorum) = active.await?;
        while self.0.len() < bitmap.bit_len() {
            let index = U256::from(self.0.len());
            let seat = endpoints.agreed("witnessAt()", |provider| async move {
                Registry::new(registry, provider).witnessAt(index).block(at).call().await
            });
            self.0.push(seat.await?);
        }
        let members = self.0.iter().enumerate().filter(|(index, _)| bitmap.bit(*index));
        Ok(WitnessSet { active: members.map(|(_, &witness)| witness).collect(), quorum: quorum.into() })
    }
}
