//! Why a node does not take a transaction, by its words: no two clients use the same.

use crate::fault::AskError;

/// Why a signed transaction was not taken. Exhaustive: whoever sends must judge each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum SendRefusal {
    /// The pool has it.
    #[error("already known: {0}")]
    AlreadyKnown(String),
    /// Its nonce is used: by itself or by another transaction.
    #[error("nonce too low: {0}")]
    NonceTooLow(String),
    /// Another transaction waits at its nonce, and it does not pay enough more.
    #[error("replacement underpriced: {0}")]
    Underpriced(String),
    /// It pays less than the base fee, or than the least that the node takes.
    #[error("fee too low: {0}")]
    FeeTooLow(String),
    /// The account cannot pay its highest cost.
    #[error("insufficient funds: {0}")]
    InsufficientFunds(String),
    /// Its gas limit is below what it needs at least, or above what a block or the node allows.
    #[error("gas limit: {0}")]
    GasLimit(String),
    /// Its nonce is too far ahead, or the pool is full: later it may be taken.
    #[error("no room: {0}")]
    NoRoom(String),
    /// Something else.
    #[error("{message} (code {code})")]
    Other {
        /// The JSON-RPC code.
        code: i64,
        /// The node's words.
        message: String,
    },
    /// No endpoint answered. It may have been taken all the same.
    #[error(transparent)]
    NoAnswer(AskError),
}

type Make = fn(String) -> SendRefusal;

/// Words of geth and op-geth (`core/txpool/errors.go`, `core/error.go`), reth and op-reth, Nethermind, Besu, Erigon,
/// Hardhat and Anvil, in lower case. The first that is found counts.
const WORDS: &[(&str, Make)] = &[
    ("already known", SendRefusal::AlreadyKnown),
    ("alreadyknown", SendRefusal::AlreadyKnown),
    ("already imported", SendRefusal::AlreadyKnown),
    ("known transaction", SendRefusal::AlreadyKnown),
    ("existing tx with same hash", SendRefusal::AlreadyKnown),
    ("replacement transaction underpriced", SendRefusal::Underpriced),
    ("replacementnotallowed", SendRefusal::Underpriced),
    ("replacement not allowed", SendRefusal::Underpriced),
    ("could not replace existing tx", SendRefusal::Underpriced),
    ("nonce too low", SendRefusal::NonceTooLow),
    ("nonce is too low", SendRefusal::NonceTooLow),
    ("oldnonce", SendRefusal::NonceTooLow),
    ("nonce too high", SendRefusal::NoRoom),
    ("noncegap", SendRefusal::NoRoom),
    ("future transaction tries to replace pending", SendRefusal::NoRoom),
    ("txpool is full", SendRefusal::NoRoom),
    ("transaction pool is full", SendRefusal::NoRoom),
    ("account limit exceeded", SendRefusal::NoRoom),
    ("insufficient funds", SendRefusal::InsufficientFunds),
    ("insufficientfunds", SendRefusal::InsufficientFunds),
    ("upfront cost exceeds account balance", SendRefusal::InsufficientFunds),
    ("intrinsic gas too low", SendRefusal::GasLimit),
    ("intrinsic gas too high", SendRefusal::GasLimit),
    ("exceeds block gas limit", SendRefusal::GasLimit),
    ("exceeds max transaction gas limit", SendRefusal::GasLimit),
    ("transaction gas limit too high", SendRefusal::GasLimit),
    ("gas limit too high", SendRefusal::GasLimit),
    ("gaslimitexceeded", SendRefusal::GasLimit),
    ("max fee per gas less than block base fee", SendRefusal::FeeTooLow),
    ("transaction underpriced", SendRefusal::FeeTooLow),
    ("transaction gas price below minimum", SendRefusal::FeeTooLow),
    ("gas price below configured minimum", SendRefusal::FeeTooLow),
    ("feetoolow", SendRefusal::FeeTooLow),
    ("fee too low", SendRefusal::FeeTooLow),
    ("below minimum required priority fee", SendRefusal::FeeTooLow),
    ("less than the current basefee", SendRefusal::FeeTooLow),
    ("too low for the next block", SendRefusal::FeeTooLow),
    ("underpriced", SendRefusal::FeeTooLow),
];

impl SendRefusal {
    /// Classifies a JSON-RPC error.
    pub fn of(code: i64, message: &str) -> Self {
        let words = message.to_lowercase();
        let found = WORDS.iter().find(|(known, _)| words.contains(known));
        found.map_or_else(|| Self::Other { code, message: message.into() }, |(_, make)| make(message.into()))
    }

    /// A stable label for metrics.
    pub fn kind(&self) -> &'static str {
        self.into()
    }

    /// Of several endpoints' refusals the lowest says most.
    pub(crate) fn rank(&self) -> u8 {
        match self {
            Self::AlreadyKnown(_) => 0,
            Self::NonceTooLow(_) => 1,
            Self::Underpriced(_) => 2,
            Self::FeeTooLow(_) => 3,
            Self::InsufficientFunds(_) => 4,
            Self::GasLimit(_) => 5,
            Self::NoRoom(_) => 6,
            Self::Other { .. } => 7,
            Self::NoAnswer(_) => 8,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_every_client_are_understood() {
        for (client, code, words, kind) in [
            ("geth", -32000, "already known", "already_known"),
            ("geth", -32000, "nonce too low: next nonce 7, tx nonce 6", "nonce_too_low"),
            ("geth", -32000, "replacement transaction underpriced", "underpriced"),
            ("geth", -32000, "transaction underpriced: tip needed 1000000, tip permitted 1", "fee_too_low"),
            (
                "geth",
                -32000,
                "max fee per gas less than block base fee: address 0x7E5F, maxFeePerGas: 1, baseFee: 7",
                "fee_too_low",
            ),
            (
                "geth",
                -32000,
                "insufficient funds for gas * price + value: balance 0, tx cost 21000, overshot 21000",
                "insufficient_funds",
            ),
            ("geth", -32000, "intrinsic gas too low: gas 20000, minimum needed 21000", "gas_limit"),
            ("geth", -32000, "exceeds block gas limit", "gas_limit"),
            ("geth", -32000, "txpool is full", "no_room"),
            ("geth", -32000, "tx fee (2.00 ether) exceeds the configured cap (1.00 ether)", "other"),
            ("reth", -32000, "already known", "already_known"),
            ("reth", -32000, "nonce too low: next nonce 7, tx nonce 6", "nonce_too_low"),
            ("reth", -32000, "replacement transaction underpriced", "underpriced"),
            ("reth", -32003, "max fee per gas less than block base fee", "fee_too_low"),
            ("reth", -32003, "insufficient funds for gas * price + value: have 0 want 21000", "insufficient_funds"),
            ("anvil", -32003, "nonce too low", "nonce_too_low"),
            ("anvil", -32003, "transaction already imported", "already_known"),
            ("anvil", -32003, "Insufficient funds for gas * price + value", "insufficient_funds"),
            ("anvil", -32003, "max fee per gas less than block base fee", "fee_too_low"),
            ("anvil", -32003, "intrinsic gas too high -- tx gas limit exceeds block gas limit", "gas_limit"),
            ("nethermind", -32010, "AlreadyKnown", "already_known"),
            ("nethermind", -32010, "OldNonce, Current nonce: 7, nonce of rejected tx: 6", "nonce_too_low"),
            ("nethermind", -32010, "ReplacementNotAllowed", "underpriced"),
            ("nethermind", -32010, "FeeTooLow, MaxFeePerGas too low. MaxFeePerGas: 1", "fee_too_low"),
            ("nethermind", -32010, "InsufficientFunds, Account balance: 0, cumulative cost: 1", "insufficient_funds"),
            ("nethermind", -32010, "NonceGap, Future nonce. Expected nonce: 7", "no_room"),
            ("besu", -32000, "Known transaction", "already_known"),
            ("besu", -32001, "Nonce too low", "nonce_too_low"),
            ("besu", -32000, "Upfront cost exceeds account balance", "insufficient_funds"),
            ("erigon", -32000, "could not replace existing tx", "underpriced"),
            ("erigon", -32000, "underpriced", "fee_too_low"),
            ("erigon", -32000, "INTERNAL_ERROR: underpriced", "fee_too_low"),
            ("reth", -32003, "transaction priority fee below minimum required priority fee 1000000", "fee_too_low"),
            ("besu", -32000, "Gas price is less than the current BaseFee", "fee_too_low"),
            (
                "hardhat",
                -32000,
                "Transaction maxFeePerGas (1) is too low for the next block, which has a baseFeePerGas of 7",
                "fee_too_low",
            ),
            ("any", -32601, "the method does not exist", "other"),
        ] {
            assert_eq!(SendRefusal::of(code, words).kind(), kind, "{client}: {words}");
        }
    }
}
