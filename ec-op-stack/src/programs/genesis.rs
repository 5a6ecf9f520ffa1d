//! `genesis.json`, as op-geth reads it, and the hash of the block that it makes of it.
//!
//! The hash is what ties the file to `rollup.json`: op-node compares `genesis.l2.hash` with the execution client's block 0. The
//! rules are those of `geth init` and of op-geth's start (`Genesis.UnmarshalJSON`, `CheckConfigForkOrder`,
//! `CreateConsensusEngine`); op-reth makes the same block.

use std::collections::BTreeMap;

use alloy::{
    consensus::{EMPTY_OMMER_ROOT_HASH, EMPTY_ROOT_HASH, Header},
    eips::eip7685::EMPTY_REQUESTS_HASH,
    primitives::{Address, B64, B256, U256, address, keccak256},
    rlp::Encodable,
};
use alloy_trie::{HashBuilder, Nibbles, TrieAccount};

use super::Refusal;
use crate::{
    object::Object,
    reads::json::{Entries, Field, Kind, Misread, Reading, Values, bytes},
};

/// The predeploy whose storage root the block holds from Isthmus on.
const MESSAGE_PASSER: Address = address!("4200000000000000000000000000000000000016");
/// op-geth's base fee where the file has none.
const INITIAL_BASE_FEE: u64 = 1_000_000_000;
/// op-geth's gas limit where the file has zero.
const GENESIS_GAS_LIMIT: u64 = 4_712_388;

const TIME: Kind = Kind::Unsigned(u64::MAX);
const HASH: Kind = Kind::Bytes { length: 32, or_null: true };

const OPTIMISM: &[Field] = &[
    Field::new("eip1559Elasticity", TIME),
    Field::new("eip1559Denominator", TIME),
    Field::new("eip1559DenominatorCanyon", TIME),
];

const CONFIG: &[Field] = &[
    Field::new("chainId", Kind::Whole),
    Field::new("homesteadBlock", Kind::Whole),
    Field::new("daoForkBlock", Kind::Whole),
    Field::new("daoForkSupport", Kind::Bool),
    Field::new("eip150Block", Kind::Whole),
    Field::new("eip155Block", Kind::Whole),
    Field::new("eip158Block", Kind::Whole),
    Field::new("byzantiumBlock", Kind::Whole),
    Field::new("constantinopleBlock", Kind::Whole),
    Field::new("petersburgBlock", Kind::Whole),
    Field::new("istanbulBlock", Kind::Whole),
    Field::new("muirGlacierBlock", Kind::Whole),
    Field::new("berlinBlock", Kind::Whole),
    Field::new("londonBlock", Kind::Whole),
    Field::new("arrowGlacierBlock", Kind::Whole),
    Field::new("grayGlacierBlock", Kind::Whole),
    Field::new("mergeNetsplitBlock", Kind::Whole),
    Field::new("shanghaiTime", TIME),
    Field::new("cancunTime", TIME),
    Field::new("pragueTime", TIME),
    Field::new("osakaTime", TIME),
    Field::new("verkleTime", TIME),
    Field::new("bpo1Time", TIME),
    Field::new("bpo2Time", TIME),
    Field::new("bpo3Time", TIME),
    Field::new("bpo4Time", TIME),
    Field::new("bpo5Time", TIME),
    Field::new("amsterdamTime", TIME),
    Field::new("bedrockBlock", Kind::Whole),
    Field::new("regolithTime", TIME),
    Field::new("canyonTime", TIME),
    Field::new("ecotoneTime", TIME),
    Field::new("fjordTime", TIME),
    Field::new("graniteTime", TIME),
    Field::new("holoceneTime", TIME),
    Field::new("isthmusTime", TIME),
    Field::new("jovianTime", TIME),
    Field::new("interopTime", TIME),
    Field::new("terminalTotalDifficulty", Kind::Whole),
    Field::new("depositContractAddress", Kind::Bytes { length: 20, or_null: false }),
    Field::new("enableVerkleAtGenesis", Kind::Bool),
    Field::new("ethash", Kind::Table(&[])),
    Field::new("clique", Kind::Table(&[Field::new("period", TIME), Field::new("epoch", TIME)])),
    Field::new("blobSchedule", Kind::Table(&[])),
    Field::new("optimism", Kind::Table(OPTIMISM)),
];

const FIELDS: &[Field] = &[
    Field::new("config", Kind::Table(CONFIG)),
    Field::new("nonce", Kind::HexOrDecimal64),
    Field::new("timestamp", Kind::HexOrDecimal64),
    Field::new("extraData", Kind::AnyBytes),
    Field::new("gasLimit", Kind::HexOrDecimal64),
    Field::new("difficulty", Kind::HexOrDecimal256),
    Field::new("mixHash", HASH),
    Field::new("coinbase", Kind::Bytes { length: 20, or_null: true }),
    Field::new("alloc", Kind::Map),
    Field::new("number", Kind::HexOrDecimal64),
    Field::new("gasUsed", Kind::HexOrDecimal64),
    Field::new("parentHash", HASH),
    Field::new("baseFeePerGas", Kind::HexOrDecimal256),
    Field::new("excessBlobGas", Kind::HexOrDecimal64),
    Field::new("blobGasUsed", Kind::HexOrDecimal64),
    Field::new("stateHash", HASH),
];

const ACCOUNT: &[Field] = &[
    Field::new("code", Kind::AnyBytes),
    Field::new("storage", Kind::Map),
    Field::new("balance", Kind::HexOrDecimal256),
    Field::new("nonce", Kind::HexOrDecimal64),
];

/// No field of these structs came or went with a release.
const READING: Reading = Reading { release: (0, 0, 0), strict: false };

/// Ethereum's forks in geth's order, and whether one may be left out.
const ORDER: [(&str, bool); 26] = [
    ("homesteadBlock", false),
    ("daoForkBlock", true),
    ("eip150Block", false),
    ("eip155Block", false),
    ("eip158Block", false),
    ("byzantiumBlock", false),
    ("constantinopleBlock", false),
    ("petersburgBlock", false),
    ("istanbulBlock", false),
    ("muirGlacierBlock", true),
    ("berlinBlock", false),
    ("londonBlock", false),
    ("arrowGlacierBlock", true),
    ("grayGlacierBlock", true),
    ("mergeNetsplitBlock", true),
    ("shanghaiTime", false),
    ("cancunTime", true),
    ("pragueTime", true),
    ("osakaTime", true),
    ("verkleTime", true),
    ("bpo1Time", true),
    ("bpo2Time", true),
    ("bpo3Time", true),
    ("bpo4Time", true),
    ("bpo5Time", true),
    ("amsterdamTime", true),
];

/// Forks of the OP Stack that bring one of Ethereum's with them: where the second is missing, the chain stops at the first.
const PAIRS: [(&str, &str); 3] =
    [("canyonTime", "shanghaiTime"), ("ecotoneTime", "cancunTime"), ("isthmusTime", "pragueTime")];

/// The hash of the block that the file makes, or why op-geth makes none of it.
pub fn judge(genesis: &Object) -> Result<B256, Vec<Refusal>> {
    let values = read(genesis)?;
    if let Some(refusal) = check(&values) {
        return Err(vec![refusal]);
    }
    let state = State::read(&values).map_err(|refusal| vec![refusal])?;
    header(&values, &state).map(|header| header.hash_slow()).map_err(|refusal| vec![refusal])
}

fn read(genesis: &Object) -> Result<Values, Vec<Refusal>> {
    let text = serde_json::to_string(genesis).unwrap_or_default();
    Values::read(&text, FIELDS, READING).map_err(|misread| misread.iter().map(refusal).collect())
}

/// Where Ethereum's forks do not keep step with the OP Stack's. op-geth starts with such a file, and stops at the fork. Of a
/// file that cannot be read [`judge`] says so.
pub fn out_of_step(genesis: &Object) -> Vec<Refusal> {
    let Ok(values) = read(genesis) else { return Vec::new() };
    let time = |name: &str| values.number(&format!("config.{name}"));
    let shown = |time: Option<u64>| time.map_or_else(|| "missing".to_owned(), |time| time.to_string());
    let apart = PAIRS.into_iter().filter(|(ours, theirs)| time(ours) != time(theirs));
    apart
        .map(|(ours, theirs)| {
            let (a, b) = (time(ours), time(theirs));
            Refusal::new(
                format!("genesis.json: config.{theirs} is {}, config.{ours} {}: they are one fork, and the chain stops at it", shown(b), shown(a)),
                "take the file from `op-deployer inspect genesis`; where the fork lies in the future, give both one time",
            )
        })
        .collect()
}

fn refusal(misread: &Misread) -> Refusal {
    let Misread { field, reason, .. } = misread;
    refuse(&format!("{field}: {reason}"))
}

fn refuse(found: &str) -> Refusal {
    Refusal::new(
        format!("genesis.json: {found}"),
        "take the file from `op-deployer inspect genesis`, or correct the field",
    )
}

fn check(values: &Values) -> Option<Refusal> {
    for field in ["gasLimit", "difficulty", "alloc"] {
        let present = values.number(field).is_some() || values.big(field).is_some() || !values.text(field).is_empty();
        if !present {
            return Some(refuse(&format!("{field} is missing")));
        }
    }
    if values.number("number").unwrap_or(0) != 0 {
        return Some(refuse("number is not 0: a genesis is block 0"));
    }
    if !values.has("config") {
        return Some(refuse("config is missing"));
    }
    if !values.has("config.optimism") {
        return Some(refuse("config.optimism is missing: this is no chain of the OP Stack"));
    }
    order(values).or_else(|| {
        if values.has("config.blobSchedule") {
            return Some(refuse("config.blobSchedule is set: a chain of the OP Stack has none"));
        }
        if values.whole("config.terminalTotalDifficulty").is_none() {
            return Some(refuse(
                "config.terminalTotalDifficulty is missing: op-geth takes the chain for one before the merge",
            ));
        }
        let verkle = values.is_true("config.enableVerkleAtGenesis") || values.has("config.verkleTime");
        verkle.then(|| refuse("Verkle tries are configured, which no chain of the OP Stack has"))
    })
}

/// When a fork comes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    Block(i128),
    Time(u64),
}

/// `CheckConfigForkOrder`: forks up to the last are all there, and none before an earlier one.
fn order(values: &Values) -> Option<Refusal> {
    let at = |name: &str| {
        let field = format!("config.{name}");
        let block = values.whole(&field).map(|digits| At::Block(digits.parse().unwrap_or(i128::MAX)));
        block.or_else(|| values.number(&field).map(At::Time))
    };
    let mut last: Option<(&str, Option<At>)> = None;
    for (name, optional) in ORDER {
        let now = at(name);
        if let (Some((before, then)), Some(now)) = (last, now) {
            let wrong = match (then, now) {
                (None, _) => Some(format!("config.{name} is set, but config.{before}, the fork before, is missing")),
                (Some(At::Block(then)), At::Block(now)) if then > now => {
                    Some(format!("config.{name} is {now}, before config.{before}, which is {then}"))
                }
                (Some(At::Time(then)), At::Time(now)) if then > now => {
                    Some(format!("config.{name} is {now}, before config.{before}, which is {then}"))
                }
                _ => None,
            };
            if let Some(found) = wrong {
                return Some(refuse(&found));
            }
        }
        if !optional || now.is_some() {
            last = Some((name, now));
        }
    }
    None
}

/// The state of block 0.
struct State {
    root: B256,
    message_passer: B256,
}

impl State {
    fn read(values: &Values) -> Result<Self, Refusal> {
        let entries = serde_json::from_str::<Entries<'_>>(values.text("alloc"))
            .map_err(|_| refuse("alloc: not an object of accounts"))?;
        let mut accounts = BTreeMap::new();
        let mut message_passer = B256::ZERO;
        for (name, raw) in entries.0 {
            let prefixed =
                if name.starts_with("0x") || name.starts_with("0X") { name.clone() } else { format!("0x{name}") };
            let address = bytes(&prefixed).and_then(|bytes| Address::try_from(bytes.as_slice()).ok());
            let address = address.ok_or_else(|| refuse(&format!("alloc: {name} is not an address")))?;
            let account = account(&name, raw.get())?;
            if address == MESSAGE_PASSER {
                message_passer = account.storage_root;
            }
            accounts.insert(keccak256(address), account);
        }
        let root = if accounts.is_empty() && values.has("stateHash") {
            values.hash("stateHash")
        } else {
            root(accounts.iter().map(|(key, account)| (*key, encoded(account))))
        };
        Ok(Self { root, message_passer })
    }
}

fn account(name: &str, text: &str) -> Result<TrieAccount, Refusal> {
    let wrong = |reason: &str| refuse(&format!("alloc.{name}: {reason}"));
    let values = Values::read(text, ACCOUNT, READING).map_err(|misread| {
        wrong(&misread.first().map(|one| format!("{}: {}", one.field, one.reason)).unwrap_or_default())
    })?;
    let balance = values.big("balance").ok_or_else(|| wrong("balance is missing"))?;
    let slots = match values.text("storage") {
        "" => Entries(Vec::new()),
        text => serde_json::from_str(text).map_err(|_| wrong("storage: not an object"))?,
    };
    let mut storage = BTreeMap::new();
    for (key, raw) in &slots.0 {
        let value = match raw.get() {
            "null" => Some(B256::ZERO),
            text => serde_json::from_str::<String>(text).ok().and_then(|text| slot(&text)),
        };
        let (Some(key), Some(value)) = (slot(key), value) else {
            return Err(wrong(&format!("storage: {key}: key and value are hex of at most 32 bytes")));
        };
        // a slot that is written with zero is not there
        if value == B256::ZERO {
            storage.remove(&keccak256(key));
        } else {
            storage.insert(keccak256(key), U256::from_be_bytes(value.0));
        }
    }
    Ok(TrieAccount {
        nonce: values.number("nonce").unwrap_or(0),
        balance,
        storage_root: root(storage.iter().map(|(key, value)| (*key, encoded(value)))),
        code_hash: keccak256(values.bytes("code")),
    })
}

/// A storage key or value: hex of up to 32 bytes, filled up on the left.
fn slot(text: &str) -> Option<B256> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let bytes = bytes(&format!("0x{digits}"))?;
    (bytes.len() <= 32).then(|| B256::left_padding_from(&bytes))
}

fn encoded(value: &impl Encodable) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(value.length());
    value.encode(&mut bytes);
    bytes
}

/// The root of a trie of these leaves, which come in the order of their keys.
fn root(leaves: impl Iterator<Item = (B256, Vec<u8>)>) -> B256 {
    let mut builder = HashBuilder::default();
    for (key, value) in leaves {
        builder.add_leaf(Nibbles::unpack(key), &value);
    }
    builder.root()
}

fn header(values: &Values, state: &State) -> Result<Header, Refusal> {
    let time = values.number("timestamp").unwrap_or(0);
    let forked = |name: &str| values.number(&format!("config.{name}")).is_some_and(|fork| fork <= time);
    let london = values.whole("config.londonBlock").is_some_and(|block| block == "0" || block.starts_with('-'));
    let (shanghai, cancun, prague) =
        (london && forked("shanghaiTime"), london && forked("cancunTime"), london && forked("pragueTime"));
    let isthmus = forked("isthmusTime");
    if isthmus && !shanghai {
        return Err(refuse("config.isthmusTime is active in block 0, and config.shanghaiTime is not"));
    }
    let withdrawals = if isthmus { Some(state.message_passer) } else { shanghai.then_some(EMPTY_ROOT_HASH) };
    let base_fee = values.big("baseFeePerGas").map(|fee| fee.try_into()).transpose();
    let base_fee = base_fee.map_err(|_| refuse("baseFeePerGas does not fit into 64 bits"))?;
    let gas_limit = values.number("gasLimit").unwrap_or(0);
    Ok(Header {
        parent_hash: values.hash("parentHash"),
        ommers_hash: EMPTY_OMMER_ROOT_HASH,
        beneficiary: values.address("coinbase"),
        state_root: state.root,
        transactions_root: EMPTY_ROOT_HASH,
        receipts_root: EMPTY_ROOT_HASH,
        difficulty: values.big("difficulty").unwrap_or_default(),
        number: 0,
        gas_limit: if gas_limit == 0 { GENESIS_GAS_LIMIT } else { gas_limit },
        gas_used: values.number("gasUsed").unwrap_or(0),
        timestamp: time,
        extra_data: values.bytes("extraData").to_vec().into(),
        mix_hash: values.hash("mixHash"),
        nonce: B64::from(values.number("nonce").unwrap_or(0)),
        base_fee_per_gas: if london { Some(base_fee.unwrap_or(INITIAL_BASE_FEE)) } else { base_fee },
        withdrawals_root: withdrawals,
        blob_gas_used: cancun.then(|| values.number("blobGasUsed").unwrap_or(0)),
        // op-geth takes it before Cancun too, and says that it should not be there
        excess_blob_gas: if cancun {
            Some(values.number("excessBlobGas").unwrap_or(0))
        } else {
            values.number("excessBlobGas")
        },
        parent_beacon_block_root: cancun.then_some(B256::ZERO),
        requests_hash: prague.then_some(EMPTY_REQUESTS_HASH),
        ..Header::default()
    })
}
