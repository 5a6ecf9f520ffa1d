//! What the ledger has made final and the rail has not settled, as the logs of both tell it.
//!
//! The rail says itself what is settled, so nobody needs to remember what he has settled before. What is settled is let go of:
//! memory holds the slots that are open and those that wait to be settled, however long the history is.

use std::{
    collections::{BTreeMap, HashMap},
    num::NonZeroU64,
};

use alloy::{
    primitives::{Address, B256},
    providers::{DynProvider, Provider},
    rpc::types::{Filter, Log},
    sol_types::SolEvent,
};
use ec_observation::{ObservationHash, ObservationHeader, SlotId};
use ec_rpc::{AskError, BlockRef, Endpoints, Fault};

use crate::{
    contracts::{EveryChannelObservationLedger as Ledger, EveryChannelRail as Rail},
    follow::Pages,
    logs::{in_place, place_of, unusable},
};

/// Why it cannot be said what is to be settled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnsettledError {
    /// The endpoints gave no answer to rely on.
    #[error("rpc: {0}")]
    Ask(#[from] AskError),
    /// The chain changed while it was read.
    #[error("the chain was reorganized at block {0} while it was read; ask again")]
    Moved(u64),
    /// What became final was never proposed.
    #[error(
        "observation {observation} of slot {slot} became final in block {block}, but the ledger's log from block {from} on \
         does not show its header: deploy_block is too high, or the endpoint lacks logs"
    )]
    NoHeader {
        /// The slot.
        slot: SlotId,
        /// What is final there.
        observation: ObservationHash,
        /// Since when.
        block: u64,
        /// The first block that was read.
        from: u64,
    },
}

/// A final observation that is not settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FinalHeader {
    /// Its header.
    pub header: ObservationHeader,
    /// The block that made it final.
    pub block: u64,
}

/// A ledger and its rail, read block by block.
#[derive(Debug)]
pub struct Unsettled {
    ledger: Address,
    rail: Address,
    from: u64,
    page_blocks: NonZeroU64,
    next: u64,
    pages: Pages,
    told: Told,
}

/// What the logs told so far.
#[derive(Clone, Debug, Default)]
struct Told {
    /// The candidates of slots that are not final.
    open: HashMap<SlotId, Vec<ObservationHeader>>,
    /// By the block that made them final, so that the oldest come first.
    finals: BTreeMap<(u64, SlotId), ObservationHeader>,
    final_since: HashMap<SlotId, u64>,
    settled: u64,
}

/// An event that matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Proposed(ObservationHeader),
    Finalized { slot: SlotId, observation: ObservationHash },
    Settled(SlotId),
}

/// An event, and its place in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Placed {
    block: BlockRef,
    index: u64,
    event: Event,
}

impl Unsettled {
    /// Nothing is read yet. No event of the two contracts is older than block `from`, and one request asks for the logs of so
    /// many blocks at most.
    pub fn new(ledger: Address, rail: Address, from: u64, page_blocks: NonZeroU64) -> Self {
        let pages = Pages::of_at_most(page_blocks);
        Self { ledger, rail, from, page_blocks, next: from, pages, told: Told::default() }
    }

    /// The same once more, to be read further than to a finalized block: reorgs of what was read are not followed.
    pub fn ahead(&self) -> Self {
        let &Self { ledger, rail, from, page_blocks, next, .. } = self;
        let pages = Pages::of_at_most(page_blocks);
        Self { ledger, rail, from, page_blocks, next, pages, told: self.told.clone() }
    }

    /// Reads on, up to a block of the chain; to a finalized one, if it is to be read on from there.
    ///
    /// # Errors
    ///
    /// Too few answers, no agreement, a reorg meanwhile, or a log that is not whole.
    pub async fn read(&mut self, endpoints: &Endpoints, to: BlockRef) -> Result<(), UnsettledError> {
        while self.read_page(endpoints, to).await? {}
        let is_held = endpoints.block(to.number).await? == Some(to);
        if is_held { Ok(()) } else { Err(UnsettledError::Moved(to.number)) }
    }

    /// Reads one page; false where there is none left up to this block.
    ///
    /// # Errors
    ///
    /// As [`Self::read`].
    pub async fn read_page(&mut self, endpoints: &Endpoints, to: BlockRef) -> Result<bool, UnsettledError> {
        let (from, ledger, rail) = (self.next, self.ledger, self.rail);
        if from > to.number {
            return Ok(false);
        }
        let last = self.pages.end(from, to.number);
        let end = if last == to.number { Some(to) } else { endpoints.block(last).await? };
        let end = end.ok_or(UnsettledError::Moved(last))?;
        let read = |provider| async move { read(&provider, ledger, rail, from, end).await };
        let Some(events) = self.pages.take(endpoints.agreed("eth_getLogs", read).await, from, last)? else {
            return Ok(true);
        };
        for Placed { block, event, .. } in events {
            self.told.apply(block.number, event).map_err(|(slot, observation)| UnsettledError::NoHeader {
                slot,
                observation,
                block: block.number,
                from: self.from,
            })?;
        }
        self.next = last + 1;
        Ok(true)
    }

    /// The ledger.
    pub fn ledger(&self) -> Address {
        self.ledger
    }

    /// The rail.
    pub fn rail(&self) -> Address {
        self.rail
    }

    /// What waits to be settled, the oldest first.
    pub fn finals(&self) -> impl Iterator<Item = FinalHeader> + '_ {
        self.told.finals.iter().map(|(&(block, _), &header)| FinalHeader { header, block })
    }

    /// How many slots are settled.
    pub fn settled(&self) -> u64 {
        self.told.settled
    }
}

impl Told {
    /// Takes in an event of a block; the slot and the observation that became final without a header.
    fn apply(&mut self, block: u64, event: Event) -> Result<(), (SlotId, ObservationHash)> {
        match event {
            Event::Proposed(header) => self.open.entry(header.slot()).or_default().push(header),
            Event::Finalized { slot, observation } => {
                let candidates = self.open.remove(&slot).unwrap_or_default();
                let header = candidates.into_iter().find(|header| header.hash() == observation);
                self.finals.insert((block, slot), header.ok_or((slot, observation))?);
                self.final_since.insert(slot, block);
            }
            Event::Settled(slot) => {
                if let Some(block) = self.final_since.remove(&slot) {
                    self.finals.remove(&(block, slot));
                }
                self.settled += 1;
            }
        }
        Ok(())
    }
}

/// The log of both contracts from block `from` up to `end`, checked as that of the ledger is ([`in_place`]).
async fn read(
    provider: &DynProvider,
    ledger: Address,
    rail: Address,
    from: u64,
    end: BlockRef,
) -> Result<Vec<Placed>, Fault> {
    let topics = vec![
        Ledger::ObservationProposed::SIGNATURE_HASH,
        Ledger::ObservationFinalized::SIGNATURE_HASH,
        Rail::PointerSettled::SIGNATURE_HASH,
    ];
    let filter = Filter::new().address(vec![ledger, rail]).event_signature(topics);
    let logs = provider.get_logs(&filter.from_block(from).to_block(end.number)).await?;
    let placed: Vec<_> = logs.iter().map(|log| placed(log, ledger, rail)).collect::<Result<_, _>>()?;
    in_place(placed.iter().map(|placed| (placed.block, placed.index)), from, end)?;
    Ok(placed)
}

/// A log that is in a block, and of the contract that has its event.
fn placed(log: &Log, ledger: Address, rail: Address) -> Result<Placed, Fault> {
    let (block, index) = place_of(log)?;
    let wrong = || format!("a log of {} that was not asked for, or is none", log.address());
    let event = event(log, ledger, rail).ok_or_else(|| unusable(log.block_number, &wrong()))?;
    Ok(Placed { block, index, event })
}

fn event(log: &Log, ledger: Address, rail: Address) -> Option<Event> {
    let (by, signature): (Address, B256) = (log.address(), *log.topic0()?);
    match signature {
        Ledger::ObservationProposed::SIGNATURE_HASH if by == ledger => {
            let proposed = Ledger::ObservationProposed::decode_log(&log.inner).ok()?;
            Some(Event::Proposed(proposed.header.clone().into()))
        }
        Ledger::ObservationFinalized::SIGNATURE_HASH if by == ledger => {
            let Ledger::ObservationFinalized { slot, observationHash } =
                Ledger::ObservationFinalized::decode_log(&log.inner).ok()?.data;
            Some(Event::Finalized { slot: SlotId(slot), observation: ObservationHash(observationHash) })
        }
        Rail::PointerSettled::SIGNATURE_HASH if by == rail => {
            Some(Event::Settled(SlotId(Rail::PointerSettled::decode_log(&log.inner).ok()?.slot)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use ec_observation::{EpochHash, StreamHash};

    use super::*;

    const LEDGER: Address = Address::with_last_byte(1);
    const RAIL: Address = Address::with_last_byte(2);

    /// A header of one slot for each sequence; the time makes it one of its rivals.
    fn header(sequence: u64, observed_unix_ms: u64) -> ObservationHeader {
        ObservationHeader {
            stream_hash: StreamHash::of("s"),
            epoch_hash: EpochHash(B256::with_last_byte(sequence as u8)),
            parent_observation_hash: ObservationHash::ZERO,
            data_root: B256::ZERO,
            locator_hash: B256::ZERO,
            observed_unix_ms,
            sequence,
        }
    }

    fn finalized(header: ObservationHeader) -> Event {
        Event::Finalized { slot: header.slot(), observation: header.hash() }
    }

    /// What these events, one a block from block 1 on, leave to be settled, with their blocks.
    fn told(events: &[Event]) -> (Vec<(u64, ObservationHeader)>, Told) {
        let mut told = Told::default();
        for (&event, block) in events.iter().zip(1..) {
            told.apply(block, event).unwrap();
        }
        (told.finals.iter().map(|(&(block, _), &header)| (block, header)).collect(), told)
    }

    #[test]
    fn what_is_final_and_not_settled_is_left_the_oldest_first() {
        let [a, b, c, rival] = [header(1, 0), header(2, 0), header(3, 0), header(2, 7)];
        let proposed = [a, b, c, rival].map(Event::Proposed);
        let then = [finalized(c), finalized(rival), finalized(a), Event::Settled(c.slot())];
        let (left, told) = told(&[&proposed[..], &then].concat());
        assert_eq!(left, [(6, rival), (7, a)]);
        assert_eq!(told.settled, 1);
        assert!(told.open.is_empty(), "nothing is kept of slots that are final");
    }

    #[test]
    fn memory_holds_what_is_open_or_waits_and_nothing_that_is_settled() {
        let mut events = Vec::new();
        for sequence in 0..200 {
            events.extend([Event::Proposed(header(sequence, 0)), finalized(header(sequence, 0))]);
            events.push(Event::Settled(header(sequence, 0).slot()));
        }
        let (left, told) = told(&events);
        assert!(left.is_empty() && told.final_since.is_empty() && told.open.is_empty());
        assert_eq!(told.settled, 200);
    }

    #[test]
    fn what_was_never_proposed_cannot_have_become_final() {
        let mut told = Told::default();
        told.apply(1, Event::Proposed(header(1, 0))).unwrap();
        let other = header(1, 7);
        assert_eq!(told.apply(2, finalized(other)), Err((other.slot(), other.hash())));
    }

    #[test]
    fn each_event_is_of_the_contract_that_has_it() {
        let of = |address, event: &Rail::PointerSettled| Log {
            inner: alloy::primitives::Log { address, data: event.encode_log_data() },
            block_hash: Some(B256::with_last_byte(9)),
            block_number: Some(9),
            log_index: Some(3),
            ..Log::default()
        };
        let settled = Rail::PointerSettled {
            slot: B256::repeat_byte(3),
            observationHash: B256::ZERO,
            streamHash: B256::ZERO,
            dataRoot: B256::ZERO,
            locatorHash: B256::ZERO,
        };
        let log = of(RAIL, &settled);
        let found = placed(&log, LEDGER, RAIL).unwrap();
        assert_eq!((found.block.number, found.index), (9, 3));
        assert_eq!(found.event, Event::Settled(SlotId(B256::repeat_byte(3))));
        assert!(placed(&of(LEDGER, &settled), LEDGER, RAIL).is_err());
        let pending = Log { block_number: None, ..log };
        assert!(placed(&pending, LEDGER, RAIL).is_err());
    }
}
