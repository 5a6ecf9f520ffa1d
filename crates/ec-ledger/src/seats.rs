//! Whose votes are whose, through every change of a witness's key.

use std::collections::HashMap;

use alloy::primitives::Address;
use serde::{Deserialize, Serialize};

/// A witness's seat in the registry, which votes, named by the first of its addresses that the log tells of.
///
/// A seat passes from address to address, and an address belongs to one seat for ever (protocol §4.1), so a name means the
/// same seat at every block of a chain. Not checked: whether there is such a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Seat(pub Address);

/// Who took over which seat, undone exactly.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seats {
    /// The seat of each address that took one over; every other address names its own.
    taken: HashMap<Address, Seat>,
    /// Who holds each seat that was handed on; every other one is held by its name.
    holders: HashMap<Seat, Address>,
}

impl Seats {
    /// The seat that an address votes for, or did.
    pub(crate) fn of(&self, address: Address) -> Seat {
        self.taken.get(&address).copied().unwrap_or(Seat(address))
    }

    /// The address that votes for a seat now.
    pub(crate) fn holder(&self, seat: Seat) -> Address {
        self.holders.get(&seat).copied().unwrap_or(seat.0)
    }

    /// Every address that a seat had, its holder included.
    pub(crate) fn addresses(&self, seat: Seat) -> impl Iterator<Item = Address> + '_ {
        let later = self.taken.iter().filter(move |(_, taken)| **taken == seat).map(|(&address, _)| address);
        std::iter::once(seat.0).chain(later)
    }

    /// `to` takes over the seat of `from`.
    pub(crate) fn rotate(&mut self, from: Address, to: Address) {
        let seat = self.of(from);
        self.taken.insert(to, seat);
        self.holders.insert(seat, to);
    }

    /// The inverse of [`Self::rotate`], for the last rotation of a seat.
    pub(crate) fn take_back(&mut self, from: Address, to: Address) {
        self.taken.remove(&to);
        let seat = self.of(from);
        match seat.0 == from {
            true => self.holders.remove(&seat),
            false => self.holders.insert(seat, from),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Address = Address::with_last_byte(1);
    const SECOND: Address = Address::with_last_byte(2);
    const THIRD: Address = Address::with_last_byte(3);

    #[test]
    fn a_seat_keeps_its_name_through_its_addresses_and_back() {
        let mut seats = Seats::default();
        let mut before = vec![seats.clone()];
        for (from, to) in [(FIRST, SECOND), (SECOND, THIRD)] {
            seats.rotate(from, to);
            assert_eq!((seats.of(to), seats.holder(Seat(FIRST))), (Seat(FIRST), to));
            before.push(seats.clone());
        }
        assert_eq!([FIRST, SECOND, THIRD].map(|address| seats.of(address)), [Seat(FIRST); 3]);
        assert_eq!(seats.addresses(Seat(FIRST)).count(), 3);
        for (from, to) in [(SECOND, THIRD), (FIRST, SECOND)] {
            assert_eq!(Some(&seats), before.last());
            seats.take_back(from, to);
            before.pop();
        }
        assert_eq!((&seats, seats.of(THIRD)), (&Seats::default(), Seat(THIRD)));
    }
}
