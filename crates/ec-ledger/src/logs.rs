//! One page of the ledger's log, and of what the registry says of seats, from one endpoint, checked and decoded.

use alloy::{
    primitives::{Address, B256},
    providers::{DynProvider, Provider},
    rpc::types::{Filter, Log},
    sol_types::SolEvent,
};

use ec_observation::{ObservationHash, ObservationHeader, SlotId};
use ec_rpc::{BlockRef, Fault};

use crate::{
    contracts::{EveryChannelObservationLedger as Ledger, EveryChannelWitnessRegistry as Registry},
    event::LedgerEvent,
};

/// Whose logs make the ledger's state.
#[derive(Clone, Copy, Debug)]
pub(super) struct Emitters {
    pub(super) ledger: Address,
    pub(super) registry: Address,
}

impl Emitters {
    /// The contract that has an event of this signature in its interface.
    fn of(&self, signature: B256) -> Option<Address> {
        match signature {
            Ledger::ObservationProposed::SIGNATURE_HASH
            | Ledger::ObservationAttested::SIGNATURE_HASH
            | Ledger::VoteMoved::SIGNATURE_HASH
            | Ledger::ObservationFinalized::SIGNATURE_HASH => Some(self.ledger),
            Registry::WitnessRotated::SIGNATURE_HASH => Some(self.registry),
            _ => None,
        }
    }
}

/// An event, and its place in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerLog {
    /// The block that holds it.
    pub block: BlockRef,
    /// Its index in that block.
    pub index: u64,
    /// The transaction; `None` where a node does not say.
    pub transaction: Option<B256>,
    /// The block's timestamp, Unix seconds; 0 where it was not asked for.
    pub timestamp_s: u64,
    /// What it tells.
    pub event: LedgerEvent,
}

/// Which logs need the time of their block, where a node does not give it with them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Dates {
    /// Those of proposals, by which rounds are counted.
    #[default]
    Proposals,
    /// All.
    All,
}

/// The log from block `from` up to `end`.
///
/// Checked: every log is of the contract that may emit it, in the range, in order, the logs of one number are of one block, and those
/// of `end` are of that very block. Not checked: that none is missing, and that the blocks between are those of `end`'s
/// chain; these are what endpoints must agree on.
pub(super) async fn read(
    provider: &DynProvider,
    emitters: Emitters,
    dates: Dates,
    (from, end): (u64, BlockRef),
) -> Result<Vec<LedgerLog>, Fault> {
    let topics = vec![
        Ledger::ObservationProposed::SIGNATURE_HASH,
        Ledger::ObservationAttested::SIGNATURE_HASH,
        Ledger::VoteMoved::SIGNATURE_HASH,
        Ledger::ObservationFinalized::SIGNATURE_HASH,
        Registry::WitnessRotated::SIGNATURE_HASH,
    ];
    let addresses = vec![emitters.ledger, emitters.registry];
    let filter = Filter::new().address(addresses).event_signature(topics).from_block(from).to_block(end.number);
    let mut logs: Vec<_> =
        provider.get_logs(&filter).await?.iter().map(|log| checked(log, emitters)).collect::<Result<_, _>>()?;
    in_place(logs.iter().map(|log| (log.block, log.index)), from, end)?;
    date(&mut logs, dates, |block| timestamp_of(provider, block)).await?;
    Ok(logs)
}

/// The final observations of one slot in the ledger's log from block `from` up to `end`, each with its block's number.
///
/// Checked like [`read`], but for the block that `end` is.
pub(super) async fn read_final(
    provider: &DynProvider,
    ledger: Address,
    slot: SlotId,
    from: u64,
    end: u64,
) -> Result<Vec<(u64, ObservationHash)>, Fault> {
    let filter = Filter::new().address(ledger).event_signature(Ledger::ObservationFinalized::SIGNATURE_HASH);
    let filter = filter.topic1(slot.0).from_block(from).to_block(end);
    let mut found = Vec::new();
    for log in provider.get_logs(&filter).await? {
        let LedgerLog { block, event, .. } = checked(&log, Emitters { ledger, registry: Address::ZERO })?;
        match event {
            LedgerEvent::Finalized { slot: of, observation } if of == slot && (from..=end).contains(&block.number) => {
                found.push((block.number, observation));
            }
            _ => return Err(unusable(Some(block.number), "a log that was not asked for")),
        }
    }
    Ok(found)
}

/// The votes in one slot that the ledger's log tells of from block `from` up to `end`, in its order.
///
/// Checked like [`read`], but for the block that `end` is.
pub(super) async fn read_votes(
    provider: &DynProvider,
    ledger: Address,
    slot: SlotId,
    from: u64,
    end: u64,
) -> Result<Vec<LedgerEvent>, Fault> {
    let signatures = vec![
        Ledger::ObservationProposed::SIGNATURE_HASH,
        Ledger::ObservationAttested::SIGNATURE_HASH,
        Ledger::VoteMoved::SIGNATURE_HASH,
    ];
    let filter =
        Filter::new().address(ledger).event_signature(signatures).topic1(slot.0).from_block(from).to_block(end);
    let logs = provider.get_logs(&filter).await?;
    let emitters = Emitters { ledger, registry: Address::ZERO };
    logs.iter().map(|log| checked(log, emitters).map(|log| log.event)).collect()
}

/// The header of one candidate of a slot in the ledger's log from block `from` up to `end`, if it was proposed there. A header
/// is vouched for by its hash, whoever shows it.
pub(super) async fn read_header(
    provider: &DynProvider,
    ledger: Address,
    (slot, observation): (SlotId, ObservationHash),
    from: u64,
    end: u64,
) -> Result<Option<ObservationHeader>, Fault> {
    let filter = Filter::new().address(ledger).event_signature(Ledger::ObservationProposed::SIGNATURE_HASH);
    let filter = filter.topic1(slot.0).topic2(observation.0).from_block(from).to_block(end);
    let Some(log) = provider.get_logs(&filter).await?.into_iter().next() else { return Ok(None) };
    match checked(&log, Emitters { ledger, registry: Address::ZERO })? {
        LedgerLog { event: LedgerEvent::Proposed { header, .. }, .. } if header.hash() == observation => {
            Ok(Some(header))
        }
        LedgerLog { block, .. } => Err(unusable(Some(block.number), "a log that was not asked for")),
    }
}

/// Dates those logs that need it and carry no time, as older nodes give them, by their blocks; asks for each block once.
/// Those that need none lose it, so that endpoints which give it agree with those which do not.
async fn date<A: Future<Output = Result<u64, Fault>>>(
    logs: &mut [LedgerLog],
    dates: Dates,
    timestamp_of: impl Fn(BlockRef) -> A,
) -> Result<(), Fault> {
    let mut last = None;
    for log in logs {
        let is_proposal = matches!(log.event, LedgerEvent::Proposed { .. });
        if !is_proposal && dates == Dates::Proposals {
            log.timestamp_s = UNDATED;
            continue;
        }
        if log.timestamp_s == UNDATED {
            log.timestamp_s = match last {
                Some((asked, found)) if asked == log.block => found,
                _ => timestamp_of(log.block).await?,
            };
        }
        last = Some((log.block, log.timestamp_s));
        if let LedgerEvent::Proposed { timestamp_s, .. } = &mut log.event {
            *timestamp_s = log.timestamp_s;
        }
    }
    Ok(())
}

async fn timestamp_of(provider: &DynProvider, block: BlockRef) -> Result<u64, Fault> {
    let found = provider.get_block_by_hash(block.hash).await?;
    let found = found.ok_or_else(|| unusable(Some(block.number), "a log of a block that is not there"))?;
    Ok(found.header.timestamp)
}

pub(super) fn unusable(block: Option<u64>, what: &str) -> Fault {
    let block = block.map_or_else(|| "a pending block".to_owned(), |number| format!("block {number}"));
    Fault::Unusable(format!("{block}: {what}"))
}

/// A log that is in a block, of the right contract, and explained by its interface.
fn checked(log: &Log, emitters: Emitters) -> Result<LedgerLog, Fault> {
    let wrong = |what: &str| unusable(log.block_number, what);
    let (block, index) = place_of(log)?;
    if log.topic0().and_then(|signature| emitters.of(*signature)) != Some(log.address()) {
        return Err(wrong("a log of another contract, or of an event that was not asked for"));
    }
    let event =
        decode(log).map_err(|error| wrong(&format!("a log of {} cannot be decoded: {error}", log.address())))?;
    let timestamp_s = log.block_timestamp.unwrap_or(UNDATED);
    Ok(LedgerLog { block, index, transaction: log.transaction_hash, timestamp_s, event })
}

/// A log's block, and its index in that.
pub(super) fn place_of(log: &Log) -> Result<(BlockRef, u64), Fault> {
    match (log.block_number, log.block_hash, log.log_index, log.removed) {
        (Some(number), Some(hash), Some(index), false) => Ok((BlockRef { number, hash }, index)),
        _ => Err(unusable(log.block_number, "a log without its place in the chain")),
    }
}

/// Whether logs, of which each has its block and its index in that, are where they were asked for.
pub(super) fn in_place(
    places: impl IntoIterator<Item = (BlockRef, u64)>,
    from: u64,
    end: BlockRef,
) -> Result<(), Fault> {
    let mut before: Option<(BlockRef, u64)> = None;
    for (block, index) in places {
        let wrong = |what| Err(unusable(Some(block.number), what));
        if !(from..=end.number).contains(&block.number) {
            return wrong("a log outside of the blocks that were asked for");
        }
        if block.number == end.number && block.hash != end.hash {
            return wrong("a log of another block of this number");
        }
        if let Some((last, last_index)) = before.replace((block, index)) {
            if (last.number, last_index) >= (block.number, index) {
                return wrong("logs out of order");
            }
            if last.number == block.number && last.hash != block.hash {
                return wrong("logs of two blocks of this number");
            }
        }
    }
    Ok(())
}

/// The time of a log that carries none.
const UNDATED: u64 = 0;

fn decode(log: &Log) -> Result<LedgerEvent, alloy::sol_types::Error> {
    Ok(match log.topic0().copied() {
        Some(Ledger::ObservationProposed::SIGNATURE_HASH) => {
            let event = Ledger::ObservationProposed::decode_log(&log.inner)?;
            LedgerEvent::Proposed {
                proposer: event.proposer,
                header: ObservationHeader::from(event.header.clone()),
                timestamp_s: log.block_timestamp.unwrap_or(UNDATED),
            }
        }
        Some(Ledger::ObservationAttested::SIGNATURE_HASH) => {
            let event = Ledger::ObservationAttested::decode_log(&log.inner)?;
            LedgerEvent::Attested {
                slot: SlotId(event.slot),
                observation: ObservationHash(event.observationHash),
                witness: event.witness,
            }
        }
        Some(Ledger::VoteMoved::SIGNATURE_HASH) => {
            let event = Ledger::VoteMoved::decode_log(&log.inner)?;
            LedgerEvent::Moved {
                slot: SlotId(event.slot),
                from: ObservationHash(event.from),
                to: ObservationHash(event.to),
                witness: event.witness,
            }
        }
        Some(Registry::WitnessRotated::SIGNATURE_HASH) => {
            let event = Registry::WitnessRotated::decode_log(&log.inner)?;
            LedgerEvent::Rotated { from: event.from, to: event.to }
        }
        _ => {
            let event = Ledger::ObservationFinalized::decode_log(&log.inner)?;
            LedgerEvent::Finalized { slot: SlotId(event.slot), observation: ObservationHash(event.observationHash) }
        }
    })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const EMITTERS: Emitters = Emitters { ledger: Address::with_last_byte(1), registry: Address::with_last_byte(2) };

    fn log(number: u64, hash: u8, index: u64) -> LedgerLog {
        let event = LedgerEvent::Finalized { slot: SlotId::ZERO, observation: ObservationHash::ZERO };
        let block = BlockRef { number, hash: B256::repeat_byte(hash) };
        LedgerLog { block, index, transaction: None, timestamp_s: UNDATED, event }
    }

    /// A log of block 9, its first.
    fn emitted(address: Address, event: &impl SolEvent) -> Log {
        Log {
            inner: alloy::primitives::Log { address, data: event.encode_log_data() },
            block_hash: Some(B256::with_last_byte(9)),
            block_number: Some(9),
            log_index: Some(0),
            ..Log::default()
        }
    }

    fn proposed(number: u64, block_timestamp: Option<u64>) -> LedgerLog {
        let event = Ledger::ObservationProposed {
            slot: B256::ZERO,
            streamHash: B256::ZERO,
            observationHash: B256::ZERO,
            proposer: Address::ZERO,
            header: ObservationHeader::abi_decode(&[0; ec_observation::HEADER_LEN]).unwrap().into(),
        };
        let log = Log {
            block_hash: Some(B256::with_last_byte(number as u8)),
            block_number: Some(number),
            block_timestamp,
            ..emitted(EMITTERS.ledger, &event)
        };
        checked(&log, EMITTERS).unwrap()
    }

    #[test]
    fn each_event_is_of_the_contract_that_has_it() {
        let (from, to, witness) = (B256::repeat_byte(3), B256::repeat_byte(4), Address::with_last_byte(5));
        let moved = Ledger::VoteMoved { slot: B256::ZERO, to, witness, from };
        let expected =
            LedgerEvent::Moved { slot: SlotId::ZERO, from: ObservationHash(from), to: ObservationHash(to), witness };
        assert_eq!(checked(&emitted(EMITTERS.ledger, &moved), EMITTERS).unwrap().event, expected);
        let (from, to) = (Address::with_last_byte(6), Address::with_last_byte(7));
        let rotated = Registry::WitnessRotated { index: alloy::primitives::U256::ZERO, from, to };
        let found = checked(&emitted(EMITTERS.registry, &rotated), EMITTERS).unwrap();
        assert_eq!(found.event, LedgerEvent::Rotated { from, to });
        let offered = Registry::RotationStarted { index: alloy::primitives::U256::ZERO, from, to };
        for foreign in [
            emitted(EMITTERS.registry, &moved),
            emitted(EMITTERS.ledger, &rotated),
            emitted(Address::ZERO, &moved),
            emitted(EMITTERS.registry, &offered),
        ] {
            assert!(checked(&foreign, EMITTERS).unwrap_err().to_string().contains("another contract"));
        }
    }

    #[tokio::test]
    async fn proposals_without_a_time_are_dated_by_their_blocks() {
        let asked = Cell::new(0);
        let timestamp_of = |block: BlockRef| {
            asked.set(asked.get() + 1);
            std::future::ready(if block.number < 9 { Ok(100 + block.number) } else { Err(Fault::Refused) })
        };
        let mut logs =
            [(1, Some(7)), (2, None), (2, None), (3, Some(8)), (4, None)].map(|(at, time)| proposed(at, time));
        date(&mut logs, Dates::Proposals, timestamp_of).await.unwrap();
        let times = logs.map(|log| match log.event {
            LedgerEvent::Proposed { timestamp_s, .. } => timestamp_s,
            event => panic!("{event:?}"),
        });
        assert_eq!((times, asked.get()), ([7, 102, 102, 8, 104], 2));
        let refused = date(&mut [proposed(9, None)], Dates::Proposals, timestamp_of).await;
        assert_eq!(refused, Err(Fault::Refused));
        let mut told = [log(9, 9, 0), LedgerLog { timestamp_s: 7, ..log(9, 9, 1) }];
        date(&mut told, Dates::Proposals, timestamp_of).await.unwrap();
        assert_eq!(told.map(|log| log.timestamp_s), [UNDATED; 2], "nodes that say it agree with those that do not");
        assert_eq!(asked.get(), 3, "only proposals are dated");
        let mut all = [log(1, 1, 0), log(1, 1, 1), LedgerLog { timestamp_s: 7, ..log(2, 2, 0) }];
        date(&mut all, Dates::All, timestamp_of).await.unwrap();
        assert_eq!((all.map(|log| log.timestamp_s), asked.get()), ([101, 101, 7], 4));
    }

    #[test]
    fn logs_must_be_where_they_were_asked_for() {
        let end = BlockRef { number: 9, hash: B256::repeat_byte(9) };
        let places = |logs: &[LedgerLog]| Vec::from_iter(logs.iter().map(|log| (log.block, log.index)));
        let judge = |logs: &[LedgerLog]| in_place(places(logs), 5, end).map_err(|fault| fault.to_string());
        let good = [log(5, 5, 1), log(5, 5, 3), log(7, 7, 0), log(9, 9, 2)];
        assert_eq!(judge(&good), Ok(()));
        assert_eq!(judge(&[]), Ok(()));
        for (logs, what) in [
            ([log(4, 4, 0), log(9, 9, 1)], "outside"),
            ([log(5, 5, 0), log(10, 1, 0)], "outside"),
            ([log(8, 8, 0), log(9, 1, 1)], "another block"),
            ([log(7, 7, 0), log(6, 6, 0)], "order"),
            ([log(7, 7, 1), log(7, 7, 1)], "order"),
            ([log(7, 7, 1), log(7, 8, 2)], "two blocks"),
        ] {
            assert!(judge(&logs).unwrap_err().contains(what), "{what}");
        }
    }
}
