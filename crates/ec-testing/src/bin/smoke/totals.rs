//! What the witnesses' transactions cost, from their receipts.

use std::{fs::File, io::Write};

use alloy::{
    primitives::{Address, U64},
    providers::Provider,
};
use ec_testing::rail::Rail;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The ledger's transactions.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) transactions: u64,
    pub(crate) gas: u64,
}

/// What is read of a receipt; a chain may add fields of its own.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Receipt {
    to: Option<Address>,
    gas_used: U64,
}

/// Reads the receipts of all blocks from `first` on. Those of the ledger are kept as the chain gives them, in
/// `receipts.jsonl`.
pub(crate) fn totals(rail: &Rail, first: u64, ledger: Address) -> eyre::Result<Totals> {
    let mut file = File::create(rail.file("receipts.jsonl"))?;
    let mut totals = Totals { transactions: 0, gas: 0 };
    for block in first..=rail.head()? {
        let receipts: Vec<Box<RawValue>> = rail.ask(|chain| async move {
            chain.raw_request("eth_getBlockReceipts".into(), (format!("{block:#x}"),)).await
        })?;
        for text in receipts {
            if totals.add(text.get(), ledger)? {
                writeln!(file, "{text}")?;
            }
        }
    }
    Ok(totals)
}

impl Totals {
    /// Adds a receipt, if it is of a transaction to the ledger.
    fn add(&mut self, receipt: &str, ledger: Address) -> serde_json::Result<bool> {
        let receipt: Receipt = serde_json::from_str(receipt)?;
        if receipt.to != Some(ledger) {
            return Ok(false);
        }
        self.transactions += 1;
        self.gas += receipt.gas_used.to::<u64>();
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_ledgers_transactions_count() {
        let (ledger, other) = (Address::repeat_byte(1), Address::repeat_byte(2));
        let receipt = |to: &str| format!("{{\"to\":{to},\"gasUsed\":\"0x5208\",\"l1GasUsed\":\"0x1\"}}");
        let mut totals = Totals { transactions: 0, gas: 0 };
        assert!(totals.add(&receipt(&format!("\"{ledger}\"")), ledger).unwrap());
        assert!(totals.add(&receipt(&format!("\"{ledger:?}\"").to_lowercase()), ledger).unwrap());
        assert!(!totals.add(&receipt(&format!("\"{other}\"")), ledger).unwrap());
        assert!(!totals.add(&receipt("null"), ledger).unwrap(), "a deployment");
        assert_eq!(totals, Totals { transactions: 2, gas: 42_000 });
    }
}
