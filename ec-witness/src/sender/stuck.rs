//! What stays out: calls whose nonces the chain has not used, as they would have to be sent by another way.

use std::collections::BTreeMap;

use alloy::primitives::{Address, Bytes, TxHash};

use super::{SendError, followed::Sibling};
use crate::store::VoteStore;

/// A call of the witness that the chain has not executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// Its nonce.
    pub nonce: u64,
    /// The newest transaction of that nonce.
    pub hash: TxHash,
    /// What it calls.
    pub to: Address,
    /// The calldata.
    pub input: Bytes,
    /// The gas that it may use.
    pub gas: u64,
    /// When the first transaction of that nonce was signed, Unix milliseconds.
    pub signed_unix_ms: u64,
}

/// The calls in the store whose nonces are none of the `used` first ones, lowest nonce first.
///
/// # Errors
///
/// The store refuses or holds a transaction that is none; or a nonce is used that it does not know.
pub fn stuck(store: &VoteStore, used: u64) -> Result<Vec<Stuck>, SendError> {
    let next = store.next_nonce()?;
    if used > next {
        return Err(SendError::ForeignNonce { account: store.identity().witness, nonce: next });
    }
    let unused = store.outbox()?.into_iter().filter(|kept| kept.nonce >= used);
    // of one nonce the newest comes last
    let newest: BTreeMap<_, _> = unused.map(|kept| (kept.nonce, kept)).collect();
    let mut all = Vec::new();
    for kept in newest.into_values() {
        let signed_unix_ms = store.signed_unix_ms(kept.nonce)?.unwrap_or_default();
        let Sibling { kept, tx } = Sibling::of(kept)?;
        let Some(to) = tx.to.into_to() else { return Err(SendError::Undecodable { hash: kept.hash }) };
        all.push(Stuck { nonce: kept.nonce, hash: kept.hash, to, input: tx.input, gas: tx.gas_limit, signed_unix_ms });
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use alloy::{
        consensus::TxEip1559,
        primitives::{B256, TxKind},
        signers::local::PrivateKeySigner,
    };

    use super::*;
    use crate::{
        key::signed,
        store::{Identity, OutboxTx, StoreError, TxState},
    };

    const LEDGER: Address = Address::repeat_byte(1);

    /// Keeps a call of this nonce; its hash.
    fn keep(store: &mut VoteStore, key: &PrivateKeySigner, nonce: u64, fee: u128, state: TxState) -> TxHash {
        let call = TxEip1559 { to: TxKind::Call(LEDGER), gas_limit: 90_000, ..TxEip1559::default() };
        let (hash, raw) = signed(key, TxEip1559 { chain_id: 7, nonce, max_fee_per_gas: fee, ..call }).unwrap();
        store.keep(&OutboxTx { hash, nonce, raw, state }, &[]).unwrap();
        hash
    }

    #[test]
    fn of_each_nonce_that_is_not_used_the_newest_is_stuck() {
        let dir = tempfile::tempdir().unwrap();
        let key = PrivateKeySigner::from_bytes(&B256::repeat_byte(7)).unwrap();
        let identity = Identity { chain_id: 7, ledger: LEDGER, witness: key.address() };
        let mut store = VoteStore::create(&dir.path().join("store"), identity, 5, |_| Ok::<_, StoreError>(())).unwrap();
        keep(&mut store, &key, 5, 1, TxState::Finalized { block: 8 });
        keep(&mut store, &key, 6, 1, TxState::Sent);
        let dear = keep(&mut store, &key, 6, 2, TxState::Sent);
        let last = keep(&mut store, &key, 7, 1, TxState::Signed);
        let found = |used| stuck(&store, used).unwrap().iter().map(|one| (one.nonce, one.hash)).collect::<Vec<_>>();
        assert_eq!(found(6), [(6, dear), (7, last)]);
        assert_eq!(found(7), [(7, last)], "an executed one that the store has not noted");
        assert_eq!(found(8), []);
        assert!(matches!(stuck(&store, 9), Err(SendError::ForeignNonce { nonce: 8, .. })));
        let first = &stuck(&store, 6).unwrap()[0];
        assert!(first.to == LEDGER && first.gas == 90_000 && first.signed_unix_ms > 0, "{first:?}");
    }
}
