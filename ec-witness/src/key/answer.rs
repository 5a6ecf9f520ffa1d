//! Whether a signer answered with what it was asked for, and nothing else. Pure.

use alloy::{
    consensus::{TxEip1559, TxEnvelope},
    eips::{Decodable2718, Encodable2718},
    primitives::{Address, Bytes, TxHash, keccak256},
};
use serde_json::Value;

/// A signed transaction: its hash and its bytes.
pub type Signed = (TxHash, Bytes);

/// What a signer's answer is instead of what it was asked for. None of it is kept or sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Mismatch {
    /// No signed transaction of this kind.
    #[error("what it answers is no signed EIP-1559 transaction")]
    NoTransaction,
    /// Another transaction.
    #[error("it signed another transaction than it was asked for: {field} is {signed}, asked for was {asked}")]
    Differs {
        /// The field of the transaction.
        field: &'static str,
        /// As it was asked for.
        asked: String,
        /// As it was signed.
        signed: String,
    },
    /// The upper one of the two signatures that are valid for one key, which no chain takes (EIP-2).
    #[error("its signature has a high s, which no chain takes (EIP-2)")]
    HighS,
    /// A signature that is none.
    #[error("its signature is of no key")]
    NoSignature,
    /// Another account signed.
    #[error("it signed as {signed}, asked for was {asked} (signer_address)")]
    OtherAccount {
        /// The configured account.
        asked: Address,
        /// Whose signature it is.
        signed: Address,
    },
}

/// The signed transaction in an answer, when it is the one that was asked for, signed by this account.
pub(super) fn checked(answer: &Value, asked: &TxEip1559, account: Address) -> Result<Signed, Mismatch> {
    let raw = raw(answer).ok_or(Mismatch::NoTransaction)?;
    let Ok(TxEnvelope::Eip1559(signed)) = TxEnvelope::decode_2718_exact(&raw) else {
        return Err(Mismatch::NoTransaction);
    };
    compare(asked, signed.tx())?;
    if signed.signature().normalize_s().is_some() {
        return Err(Mismatch::HighS);
    }
    let signer = signed.signature().recover_address_from_prehash(&signed.signature_hash());
    match signer.map_err(|_| Mismatch::NoSignature)? {
        signer if signer == account => Ok((*signed.hash(), TxEnvelope::from(signed).encoded_2718().into())),
        signer => Err(Mismatch::OtherAccount { asked: account, signed: signer }),
    }
}

/// The bytes: the answer itself, as web3signer has it, or its `raw`, as clef and geth have it.
fn raw(answer: &Value) -> Option<Bytes> {
    answer.get("raw").unwrap_or(answer).as_str()?.parse().ok()
}

/// Compares every field.
fn compare(asked: &TxEip1559, signed: &TxEip1559) -> Result<(), Mismatch> {
    let TxEip1559 {
        chain_id,
        nonce,
        gas_limit,
        max_fee_per_gas,
        max_priority_fee_per_gas,
        to,
        value,
        access_list,
        input,
    } = signed;
    same("chain id", &asked.chain_id, chain_id)?;
    same("nonce", &asked.nonce, nonce)?;
    same("gas", &asked.gas_limit, gas_limit)?;
    same("maxFeePerGas", &asked.max_fee_per_gas, max_fee_per_gas)?;
    same("maxPriorityFeePerGas", &asked.max_priority_fee_per_gas, max_priority_fee_per_gas)?;
    let contract = |to: Option<&Address>| to.map_or_else(|| "a new contract".to_owned(), Address::to_string);
    same("to", &contract(asked.to.to()), &contract(to.to()))?;
    same("value", &asked.value, value)?;
    let list = |list| format!("{list:?}");
    same("the access list", &list(&asked.access_list), &list(access_list))?;
    let digest = |input: &Bytes| format!("{} bytes with hash {}", input.len(), keccak256(input));
    same("the call data", &digest(&asked.input), &digest(input))
}

fn same<T: PartialEq + ToString>(field: &'static str, asked: &T, signed: &T) -> Result<(), Mismatch> {
    if asked == signed {
        return Ok(());
    }
    Err(Mismatch::Differs { field, asked: asked.to_string(), signed: signed.to_string() })
}

#[cfg(test)]
mod tests;
