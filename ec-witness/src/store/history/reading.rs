//! Reads a history as it comes, so that memory holds the votes of one slot and not those of years.

use std::{
    fmt,
    io::{BufReader, Read},
    panic,
    sync::mpsc,
    thread,
};

use alloy::primitives::Address;
use serde::{
    Deserialize,
    de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor},
};

use super::{Checked, HistoryError, SlotVotes, belongs_to};
use crate::store::Identity;

/// The keys of a history.
#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Key {
    V,
    ChainId,
    Ledger,
    Witness,
    Votes,
}

/// Slots that wait to be taken at most, so that neither thread waits for each.
const AHEAD: usize = 1024;

/// Like [`read`], on a thread beside this one: reading and hashing take a third as long as what a store does with it.
///
/// # Errors
///
/// As [`read`]; of two the one that comes first in the history.
pub(super) fn read_beside(
    text: impl Read + Send,
    identity: Identity,
    take: impl FnMut(Checked) -> Result<(), HistoryError>,
) -> Result<usize, HistoryError> {
    let (found, taken) = mpsc::sync_channel(AHEAD);
    thread::scope(|scope| {
        let reading = scope.spawn(move || {
            read(text, identity, |votes| {
                let checked = votes.try_into()?;
                // nobody waits for it any more where another was refused, which is told
                found.send(checked).map_err(|_| HistoryError::Format(serde_json::Error::custom("it is not taken")))
            })
        });
        let taken = taken.into_iter().try_for_each(take);
        let read = reading.join().unwrap_or_else(|panic| panic::resume_unwind(panic));
        taken.and(read)
    })
}

/// Reads a history of the store's `identity`, and has each slot's votes taken, in their order. Returns how many slots there
/// are.
///
/// Keys come in any order, so votes may be taken before it is known whose they are: an error takes all of them back.
///
/// # Errors
///
/// It is no history, another's, or `take` refuses.
fn read(
    text: impl Read,
    identity: Identity,
    take: impl FnMut(SlotVotes) -> Result<(), HistoryError>,
) -> Result<usize, HistoryError> {
    let mut json = serde_json::Deserializer::from_reader(BufReader::with_capacity(1 << 16, text));
    let mut reading = Reading { identity, take, slots: 0, refused: None };
    let read = reading.deserialize(&mut json).and_then(|()| json.end());
    match reading.refused {
        Some(refused) => Err(refused),
        None => read.map(|()| reading.slots).map_err(HistoryError::Format),
    }
}

/// A history that is being read.
struct Reading<F> {
    identity: Identity,
    take: F,
    slots: usize,
    /// Why it is not taken over, where its form is not the reason.
    refused: Option<HistoryError>,
}

impl<F: FnMut(SlotVotes) -> Result<(), HistoryError>> Reading<F> {
    /// Ends the reading where `checked` refuses.
    fn refusing<E: Error>(&mut self, checked: Result<(), HistoryError>) -> Result<(), E> {
        checked.map_err(|refused| {
            let error = E::custom(&refused);
            self.refused = Some(refused);
            error
        })
    }
}

impl<'de, F: FnMut(SlotVotes) -> Result<(), HistoryError>> DeserializeSeed<'de> for &mut Reading<F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de, F: FnMut(SlotVotes) -> Result<(), HistoryError>> Visitor<'de> for &mut Reading<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a vote history")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let (mut v, mut chain_id, mut ledger, mut witness, mut votes) = (None, None, None, None, None);
        while let Some(key) = map.next_key()? {
            match key {
                Key::V => once("v", &mut v, map.next_value::<u8>()?)?,
                Key::ChainId => once("chain_id", &mut chain_id, map.next_value::<u64>()?)?,
                Key::Ledger => once("ledger", &mut ledger, map.next_value::<Address>()?)?,
                Key::Witness => once("witness", &mut witness, map.next_value::<Address>()?)?,
                Key::Votes => {
                    // as `export` has them: a foreign history is refused before all of it is read
                    if let (Some(v), Some(chain_id), Some(ledger), Some(witness)) = (v, chain_id, ledger, witness) {
                        let checked = belongs_to(v, Identity { chain_id, ledger, witness }, self.identity);
                        self.refusing(checked)?;
                    }
                    once("votes", &mut votes, map.next_value_seed(Votes(self))?)?;
                }
            }
        }
        votes.ok_or_else(|| A::Error::missing_field("votes"))?;
        let found = Identity {
            chain_id: chain_id.ok_or_else(|| A::Error::missing_field("chain_id"))?,
            ledger: ledger.ok_or_else(|| A::Error::missing_field("ledger"))?,
            witness: witness.ok_or_else(|| A::Error::missing_field("witness"))?,
        };
        let checked = belongs_to(v.ok_or_else(|| A::Error::missing_field("v"))?, found, self.identity);
        self.refusing(checked)
    }
}

/// Keeps a key's value; a key that comes twice is an error.
fn once<T, E: Error>(key: &'static str, kept: &mut Option<T>, value: T) -> Result<(), E> {
    match kept.replace(value) {
        Some(_) => Err(E::duplicate_field(key)),
        None => Ok(()),
    }
}

/// The list of votes, slot by slot.
struct Votes<'a, F>(&'a mut Reading<F>);

impl<'de, F: FnMut(SlotVotes) -> Result<(), HistoryError>> DeserializeSeed<'de> for Votes<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de, F: FnMut(SlotVotes) -> Result<(), HistoryError>> Visitor<'de> for Votes<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the votes of each slot")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut slots: A) -> Result<(), A::Error> {
        let Self(reading) = self;
        while let Some(votes) = slots.next_element()? {
            let taken = (reading.take)(votes);
            reading.refusing(taken)?;
            reading.slots += 1;
        }
        Ok(())
    }
}
