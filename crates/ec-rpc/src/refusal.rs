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
/// Hardhat and Anvil, and of other chains' clients, in lower case. The first that is found counts.
const WORDS: &[(&str, Make)] = &[
    ("already known", SendRefusal::AlreadyKnown),
    ("alreadyknown", SendRefusal::AlreadyKnown),
    ("already imported", SendRefusal::AlreadyKnown),
    ("known transaction", SendRefusal::AlreadyKnown),
    ("existing tx with same hash", SendRefusal::AlreadyKnown),
    ("existing txn with same hash", SendRefusal::AlreadyKnown),
    ("replacement transaction underpriced", SendRefusal::Underpriced),
    ("replacementnotallowed", SendRefusal::Underpriced),
    ("replacement not allowed", SendRefusal::Underpriced),
    ("could not replace existing tx", SendRefusal::Underpriced),
    ("another transaction with same nonce", SendRefusal::Underpriced),
    ("nonce too low", SendRefusal::NonceTooLow),
    ("nonce is too low", SendRefusal::NonceTooLow),
    ("oldnonce", SendRefusal::NonceTooLow),
    ("nonce too high", SendRefusal::NoRoom),
    ("noncegap", SendRefusal::NoRoom),
    ("future transaction tries to replace pending", SendRefusal::NoRoom),
    ("txpool is full", SendRefusal::NoRoom),
    ("transaction pool is full", SendRefusal::NoRoom),
    ("account limit exceeded", SendRefusal::NoRoom),
    ("sub-pool is full", SendRefusal::NoRoom),
    ("nonce too far in future", SendRefusal::NoRoom),
    ("address already reserved", SendRefusal::NoRoom),
    ("in-flight transaction limit", SendRefusal::NoRoom),
    ("gapped-nonce", SendRefusal::NoRoom),
    ("nonce gap", SendRefusal::NoRoom),
    ("nonce is too distant", SendRefusal::NoRoom),
    ("noncetoofarinfuture", SendRefusal::NoRoom),
    ("with a lower nonce exists", SendRefusal::NoRoom),
    ("pending transaction type conflict", SendRefusal::NoRoom),
    ("authority has pending transaction", SendRefusal::NoRoom),
    ("transaction pool not enabled", SendRefusal::NoRoom),
    ("tx pool full", SendRefusal::NoRoom),
    ("node is syncing", SendRefusal::NoRoom),
    ("sync is still in progress", SendRefusal::NoRoom),
    ("insufficient funds", SendRefusal::InsufficientFunds),
    ("insufficientfunds", SendRefusal::InsufficientFunds),
    ("upfront cost exceeds account balance", SendRefusal::InsufficientFunds),
    ("doesn't have enough funds", SendRefusal::InsufficientFunds),
    ("not enough funds", SendRefusal::InsufficientFunds),
    ("insufficient balance", SendRefusal::InsufficientFunds),
    ("would cause overdraft", SendRefusal::InsufficientFunds),
    ("overdraws from account", SendRefusal::InsufficientFunds),
    ("intrinsic gas too low", SendRefusal::GasLimit),
    ("intrinsic gas too high", SendRefusal::GasLimit),
    ("exceeds block gas limit", SendRefusal::GasLimit),
    ("exceeds max transaction gas limit", SendRefusal::GasLimit),
    ("transaction gas limit too high", SendRefusal::GasLimit),
    ("gas limit too high", SendRefusal::GasLimit),
    ("gas limit is too high", SendRefusal::GasLimit),
    ("intrinsic gas exceeds gas limit", SendRefusal::GasLimit),
    ("gaslimitexceeded", SendRefusal::GasLimit),
    ("gas limit reached", SendRefusal::GasLimit),
    ("insufficient gas for floor data gas cost", SendRefusal::GasLimit),
    ("intrinsicgas", SendRefusal::GasLimit),
    ("transaction requires at least", SendRefusal::GasLimit),
    ("max fee per gas less than block base fee", SendRefusal::FeeTooLow),
    ("transaction underpriced", SendRefusal::FeeTooLow),
    ("transaction gas price below minimum", SendRefusal::FeeTooLow),
    ("gas price below configured minimum", SendRefusal::FeeTooLow),
    ("gas price below current base fee", SendRefusal::FeeTooLow),
    ("fee cap less than block base fee", SendRefusal::FeeTooLow),
    ("feetoolow", SendRefusal::FeeTooLow),
    ("fee too low", SendRefusal::FeeTooLow),
    ("below minimum required priority fee", SendRefusal::FeeTooLow),
    ("less than the current basefee", SendRefusal::FeeTooLow),
    ("too low for the next block", SendRefusal::FeeTooLow),
    ("gas price too low", SendRefusal::FeeTooLow),
    ("gas price is too low", SendRefusal::FeeTooLow),
    ("gas price minimum", SendRefusal::FeeTooLow),
    ("below chain minimum", SendRefusal::FeeTooLow),
    ("insufficient fee", SendRefusal::FeeTooLow),
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

    // Where the words are: geth and op-geth `core/txpool/errors.go`, `core/txpool/validation.go`, `core/error.go`; reth and
    // op-reth `crates/rpc/rpc-eth-types/src/error`, `crates/transaction-pool/src/error.rs`; Nethermind `AcceptTxResult.cs`;
    // Besu `TransactionInvalidReason.java`, `RpcErrorType.java`; Erigon `txnprovider/txpool/txpoolcfg`; Hardhat
    // `packages/hardhat-core`, EDR; Anvil `crates/anvil/core/src/eth/error`, `crates/anvil/src/eth/error.rs`. Providers
    // hand on the words of the client behind them. Others are as Chainlink lists them, `chainlink-evm/pkg/client/errors.go`.
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
            ("geth", -32000, "address already reserved", "no_room"),
            ("geth", -32000, "in-flight transaction limit reached for delegated accounts", "no_room"),
            ("geth", -32000, "gapped-nonce tx from delegated accounts", "no_room"),
            ("geth", -32000, "transaction gas limit too high (cap: 16777216, tx: 20000000)", "gas_limit"),
            ("op-geth", -32000, "insufficient funds for l1Cost + gas * price + value: balance 1", "insufficient_funds"),
            ("op-reth", -32000, "txpool is full", "no_room"),
            ("besu", -32000, "Replacement transaction underpriced", "underpriced"),
            ("besu", -32000, "Gas price below current base fee", "fee_too_low"),
            ("besu", -32000, "Gas price below configured minimum gas price", "fee_too_low"),
            ("besu", -32000, "Nonce too far in future for sender", "no_room"),
            ("besu", -32000, "Intrinsic gas exceeds gas limit", "gas_limit"),
            ("erigon", -32000, "fee cap less than block base fee", "fee_too_low"),
            ("erigon", -32000, "pending sub-pool is full", "no_room"),
            ("erigon", -32000, "gas limit is too high", "gas_limit"),
            (
                "hardhat",
                -32000,
                "Sender doesn't have enough funds to send tx. The max upfront cost is: 1",
                "insufficient_funds",
            ),
            ("hardhat", -32000, "Nonce too low. Expected nonce to be 7 but got 6.", "nonce_too_low"),
            ("hardhat", -32000, "Known transaction: 0x12", "already_known"),
            ("a provider", -32000, "ALREADY_EXISTS: already known", "already_known"),
            ("geth", -32000, "insufficient gas for floor data gas cost: gas 30000, minimum needed 31000", "gas_limit"),
            ("geth", -32000, "transaction would cause overdraft", "insufficient_funds"),
            ("geth", -32000, "transaction gas price below minimum: gas tip cap 1, minimum needed 2", "fee_too_low"),
            ("reth", -32003, "transaction feeCap 6 below chain minimum", "fee_too_low"),
            ("reth", -32003, "transaction overdraws from account", "insufficient_funds"),
            ("erigon", -32000, "ALREADY_EXISTS: existing txn with same hash", "already_known"),
            ("erigon", -32000, "INVALID: IntrinsicGas", "gas_limit"),
            ("besu", -32000, "Transaction nonce is too distant from current sender nonce", "no_room"),
            ("besu", -32000, "An invalid transaction with a lower nonce exists", "no_room"),
            (
                "besu",
                -32002,
                "Transaction pool not enabled. (Either txpool explicitly disabled, or node not yet in sync).",
                "no_room",
            ),
            ("besu", -32008, "Initial sync is still in progress", "no_room"),
            ("besu", -32000, "Transaction fee cap exceeded", "other"),
            // `TxPoolErrorMessages.cs`, since 2026
            ("nethermind", -32010, "transaction underpriced, FeePerGas needs to be higher than 7", "fee_too_low"),
            ("nethermind", -32010, "replacement transaction underpriced", "underpriced"),
            ("nethermind", -32010, "gas limit reached, Gas limit: 1, gas limit of rejected tx: 2", "gas_limit"),
            ("nethermind", -32010, "nonce too far in future", "no_room"),
            ("nethermind", -32010, "NonceTooFarInFuture", "no_room"),
            ("nethermind", -32010, "pending transaction type conflict", "no_room"),
            ("nethermind", -32010, "delegation authority has pending transaction", "no_room"),
            ("nethermind", -32010, "node is syncing", "no_room"),
            ("hardhat", -32000, "Transaction requires at least 21064 gas but got 21000", "gas_limit"),
            ("nitro", -32000, "not enough funds for gas", "insufficient_funds"),
            ("nitro", -32000, "gas price too low", "fee_too_low"),
            ("nitro", -32000, "sequencer pending tx pool full, please try again", "no_room"),
            ("zksync", 3, "insufficient balance for transfer", "insufficient_funds"),
            ("celo", -32000, "gasprice is less than gas price minimum floor", "fee_too_low"),
            ("ethermint", -32000, "insufficient fee: insufficient fee", "fee_too_low"),
            (
                "openethereum",
                -32010,
                "Transaction gas price 7wei is too low. There is another transaction with same nonce in the queue.",
                "underpriced",
            ),
            (
                "openethereum",
                -32010,
                "Transaction gas price is too low. It does not satisfy your node's minimal gas price",
                "fee_too_low",
            ),
            ("any", -32601, "the method does not exist", "other"),
        ] {
            assert_eq!(SendRefusal::of(code, words).kind(), kind, "{client}: {words}");
        }
    }
}
