//! Offers the witness's seat to another address: the one call of its account that goes to the registry.

use alloy::{primitives::Address, sol_types::SolCall};
use ec_ledger::contracts::EveryChannelWitnessRegistry as Registry;

use super::{SendError, Sender, batch::Call};
use crate::store::VoteStore;

/// Gas that the call may use: about twice the 37 500 of `contracts/snapshots` and the intrinsic gas. What is not used is not
/// paid.
const ROTATE_GAS: u64 = 120_000;

impl Sender {
    /// Offers the witness's seat in this registry to another address, or by the zero address to nobody, if there is room for
    /// it; returns whether it was signed.
    ///
    /// # Errors
    ///
    /// Nothing is sent, or the endpoint failed.
    pub async fn rotate(
        &mut self,
        store: &mut VoteStore,
        registry: Address,
        to: Address,
        now_ms: u64,
    ) -> Result<bool, SendError> {
        if !self.poll.is_clear || self.pending() >= self.rule.max_in_flight {
            return Ok(false);
        }
        let input = Registry::rotateCall { newAddress: to }.abi_encode().into();
        let call = Call { input, gas: ROTATE_GAS, votes: Vec::new() };
        let means = self.means().await?;
        let sent = self.transact(store, (registry, call), &means, now_ms).await?;
        Ok(sent.is_some_and(|sent| !sent.is_other))
    }
}
