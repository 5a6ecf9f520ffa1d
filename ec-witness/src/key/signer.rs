//! Signs transactions, with a key that is here or by a signer elsewhere.

use alloy::{
    consensus::{SignableTransaction, TxEip1559, TxEnvelope},
    eips::Encodable2718,
    network::TxSignerSync,
    primitives::Address,
    signers::local::PrivateKeySigner,
};

use super::{
    answer::Signed,
    remote::{RemoteError, RemoteSigner},
};
use crate::failpoint;

/// What signs for an account.
#[derive(Clone, Debug)]
pub enum Signer {
    /// A key in this process.
    Local(PrivateKeySigner),
    /// A signer elsewhere.
    Remote(RemoteSigner),
}

/// Why a transaction is not signed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The key in this process could not.
    #[error("signing: {0}")]
    Local(String),
    /// The signer elsewhere did not, or not this. Later it may.
    #[error(transparent)]
    Remote(#[from] RemoteError),
}

impl SignError {
    /// Whether it may be signed later as it is.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Remote(_))
    }

    /// Whether somebody may have the transaction signed all the same.
    pub fn may_be_signed(&self) -> bool {
        match self {
            Self::Local(_) => false,
            Self::Remote(error) => error.may_be_signed(),
        }
    }
}

impl Signer {
    /// The account.
    pub fn address(&self) -> Address {
        match self {
            Self::Local(key) => key.address(),
            Self::Remote(signer) => signer.address(),
        }
    }

    /// Signs this transaction as it stands.
    ///
    /// # Errors
    ///
    /// It is not signed as far as anybody here knows. A signer elsewhere that was asked may have signed it all the same.
    pub async fn sign(&self, tx: TxEip1559) -> Result<Signed, SignError> {
        failpoint::SIGN.begins();
        let signed = match self {
            Self::Local(key) => signed(key, tx).map_err(|error| SignError::Local(error.to_string()))?,
            Self::Remote(signer) => signer.sign(&tx).await?,
        };
        failpoint::SIGN.is_done();
        Ok(signed)
    }
}

/// Signs a transaction with a key.
pub(crate) fn signed(key: &PrivateKeySigner, mut tx: TxEip1559) -> Result<Signed, alloy::signers::Error> {
    let signature = key.sign_transaction_sync(&mut tx)?;
    let signed = tx.into_signed(signature);
    Ok((*signed.hash(), TxEnvelope::from(signed).encoded_2718().into()))
}
