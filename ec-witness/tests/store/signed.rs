//! Transactions as a witness signs them.

use alloy::{
    consensus::{SignableTransaction, TxEip1559, TxEnvelope},
    eips::Encodable2718,
    network::TxSignerSync,
    primitives::{Address, B256, Bytes, TxHash},
    signers::local::PrivateKeySigner,
};

fn signer() -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&B256::repeat_byte(7)).unwrap()
}

/// The witness that signs.
pub(crate) fn witness() -> Address {
    signer().address()
}

/// A transaction's hash and bytes; one of the same nonce with another fee replaces it.
pub(crate) fn signed(chain_id: u64, nonce: u64, fee: u128) -> (TxHash, Bytes) {
    let mut tx = TxEip1559 { chain_id, nonce, max_fee_per_gas: fee, gas_limit: 90_000, ..TxEip1559::default() };
    let signature = signer().sign_transaction_sync(&mut tx).unwrap();
    let signed = tx.into_signed(signature);
    (*signed.hash(), TxEnvelope::from(signed).encoded_2718().into())
}
