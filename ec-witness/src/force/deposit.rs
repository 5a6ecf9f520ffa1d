//! Deposits: transactions of an OP Stack chain that are derived from L1 and that no sequencer can leave out.

use alloy::{
    primitives::{Address, B256, Bytes, Log, U256, keccak256},
    rlp::{Encodable, Header},
    sol,
    sol_types::{SolEvent, SolValue},
};

use crate::store::DEPOSIT_TYPE;

sol! {
    /// The portal of an OP Stack chain on L1, as far as deposits go.
    interface OptimismPortal {
        /// A deposit was taken. `opaqueData` is packed: ether minted (32 bytes), value (32), gas (8), whether a contract is
        /// created (1), calldata.
        event TransactionDeposited(address indexed from, address indexed to, uint256 indexed version, bytes opaqueData);

        /// Takes a deposit.
        function depositTransaction(address to, uint256 value, uint64 gasLimit, bool isCreation, bytes data) external payable;
    }
}

/// The domain of what users deposit, in the hash that names a deposit's origin.
const USER_DOMAIN: B256 = B256::ZERO;
/// The one version of a deposit's log.
const LOG_VERSION: U256 = U256::ZERO;
/// Where the parts of a log's packed data end.
const MINT_END: usize = 32;
const VALUE_END: usize = MINT_END + 32;
const GAS_END: usize = VALUE_END + 8;
const CREATION_END: usize = GAS_END + 1;

/// A deposit as the L2 executes it; the fields in the order of its encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deposit {
    /// Names the log that it comes from.
    pub source_hash: B256,
    /// Who sends it: the account that called the portal.
    pub from: Address,
    /// What it calls.
    pub to: Address,
    /// Wei made on L2.
    pub mint: U256,
    /// Wei sent.
    pub value: U256,
    /// Its gas, bought on L1.
    pub gas: u64,
    /// Never set since the Regolith fork.
    pub is_system: bool,
    /// The calldata.
    pub input: Bytes,
}

impl Deposit {
    /// The deposit that a log of the portal makes; `None` where it is no such log, or creates a contract. `index` is the
    /// log's place in its block. Another block makes another deposit of it.
    pub fn of_log(log: &Log, l1_block: B256, index: u64) -> Option<Self> {
        let OptimismPortal::TransactionDeposited { from, to, version, opaqueData: data } =
            OptimismPortal::TransactionDeposited::decode_log(log).ok()?.data;
        if version != LOG_VERSION || data.get(GAS_END) != Some(&0) {
            return None;
        }
        Some(Self {
            source_hash: source_hash(l1_block, index),
            from,
            to,
            mint: U256::from_be_slice(&data[..MINT_END]),
            value: U256::from_be_slice(&data[MINT_END..VALUE_END]),
            gas: u64::from_be_bytes(data[VALUE_END..GAS_END].try_into().ok()?),
            is_system: false,
            input: data.slice(CREATION_END..),
        })
    }

    /// Its bytes: the type, and the fields.
    pub fn encoded(&self) -> Bytes {
        let Self { source_hash, from, to, mint, value, gas, is_system, input } = self;
        let fields: [&dyn Encodable; 8] = [source_hash, from, to, mint, value, gas, is_system, input];
        let payload_length = fields.iter().map(|field| field.length()).sum();
        let mut bytes = vec![DEPOSIT_TYPE];
        Header { list: true, payload_length }.encode(&mut bytes);
        fields.iter().for_each(|field| field.encode(&mut bytes));
        bytes.into()
    }

    /// Its hash on the L2.
    pub fn hash(&self) -> B256 {
        keccak256(self.encoded())
    }
}

/// Names the log that a user's deposit comes from.
fn source_hash(l1_block: B256, index: u64) -> B256 {
    let place = keccak256((l1_block, U256::from(index)).abi_encode_packed());
    keccak256((USER_DOMAIN, place).abi_encode_packed())
}

#[cfg(test)]
mod tests {
    use alloy::primitives::{LogData, b256, bytes, hex};

    use super::*;

    /// A log of the portal with these packed data.
    fn log(version: u64, data: impl Into<Bytes>) -> Log {
        let event = OptimismPortal::TransactionDeposited {
            from: Address::repeat_byte(0x22),
            to: Address::repeat_byte(0x33),
            version: U256::from(version),
            opaqueData: data.into(),
        };
        Log { address: Address::repeat_byte(0x55), data: LogData::from(&event) }
    }

    fn packed(mint: u64, value: u64, gas: u64, is_creation: bool, input: &[u8]) -> Bytes {
        let words = [U256::from(mint).to_be_bytes_vec(), U256::from(value).to_be_bytes_vec()].concat();
        [&words, &gas.to_be_bytes()[..], &[u8::from(is_creation)], input].concat().into()
    }

    /// The expected values were computed with Python's `rlp` and `eth-hash`.
    #[test]
    fn a_call_has_the_hash_that_another_implementation_gives() {
        let input = hex!("deadbeef").repeat(20);
        let deposit =
            Deposit::of_log(&log(0, packed(0, 0, 200_000, false, &input)), B256::repeat_byte(0x11), 300).unwrap();
        let source = b256!("5900a37db6e3a9ab6d2aa141514dd41f6f5504821d45bfa631f89f675a67412b");
        assert_eq!((deposit.source_hash, deposit.gas, &deposit.input[..]), (source, 200_000, &input[..]));
        assert_eq!(deposit.encoded()[..4], hex!("7ef8a4a0"));
        assert_eq!(deposit.hash(), b256!("d346bcdb1c64dab72423c8db4b056bccd486a9557f4a8f06e8ceb9527f3ac34f"));
    }

    /// The expected values were computed with Python's `rlp` and `eth-hash`.
    #[test]
    fn a_transfer_has_the_hash_that_another_implementation_gives() {
        let data = packed(1_000_000_000_000_000_000, 100_000_000_000_000_000, 100_000, false, &[]);
        let deposit = Deposit::of_log(&log(0, data), B256::repeat_byte(0x44), 0).unwrap();
        let expected = bytes!(
            "7ef863a012ff0fd74e3088c84d534653b9f5debf293fba6dadcb48200a620a65b3679370942222222222222222222222222222222222"
            "222222943333333333333333333333333333333333333333880de0b6b3a764000088016345785d8a0000830186a08080"
        );
        assert_eq!(deposit.encoded(), expected);
        assert_eq!(deposit.hash(), b256!("ca60c1efaa8194260ddd831662c1ba79652f10ef078ce67f116114df07e66e16"));
    }

    #[test]
    fn another_block_or_place_is_another_deposit() {
        let log = log(0, packed(0, 0, 1, false, &[]));
        let hashes = [(1, 0), (2, 0), (1, 1)]
            .map(|(block, index)| Deposit::of_log(&log, B256::repeat_byte(block), index).unwrap().hash());
        assert!(hashes[0] != hashes[1] && hashes[0] != hashes[2] && hashes[1] != hashes[2]);
    }

    #[test]
    fn what_is_no_call_by_deposit_is_none() {
        let whole = packed(0, 0, 1, false, &[]);
        let other = Log { data: LogData::new_unchecked(vec![B256::ZERO], whole.clone()), ..log(0, whole.clone()) };
        for (what, log) in [
            ("another version", log(1, whole.clone())),
            ("a contract's creation", log(0, packed(0, 0, 1, true, &[]))),
            ("cut short", log(0, whole.slice(..whole.len() - 1))),
            ("another event", other),
        ] {
            assert_eq!(Deposit::of_log(&log, B256::ZERO, 0), None, "{what}");
        }
        assert!(Deposit::of_log(&log(0, whole), B256::ZERO, 0).is_some());
    }
}
