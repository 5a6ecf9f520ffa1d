//! The newest entries of what only grows, in memory, before the rest on its [`Shelf`]. Pure.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    iter::Peekable,
    ops::{Bound, RangeInclusive},
};

/// How many settled entries of each kind a stream keeps in memory beside those that are not: twice the newest window, so that a
/// witness that has caught up asks the disk for nothing.
pub(crate) const KEPT: usize = if cfg!(test) { 4 } else { 64 };

/// Where settled entries are that memory gave up.
pub(crate) trait Shelf<K, V> {
    /// The entries with a key in this range, ascending, or descending.
    fn range(self, range: RangeInclusive<K>, order: Order) -> impl Iterator<Item = (K, V)>;
}

/// In which order entries are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Ascending,
    Descending,
}

/// Entries by key, of which those that are settled may be on a shelf alone. Each lookup names the shelf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tail<K, V> {
    recent: BTreeMap<K, V>,
    /// Which of `recent` are on the shelf as well.
    shelved: BTreeSet<K>,
    /// The highest key that memory gave up: above it, everything is in memory.
    given_up: Option<K>,
}

impl<K, V> Default for Tail<K, V> {
    fn default() -> Self {
        Self { recent: BTreeMap::new(), shelved: BTreeSet::new(), given_up: None }
    }
}

impl<K: Copy + Ord, V: Copy> Tail<K, V> {
    /// What a shelf has, with its newest entries in memory.
    pub(crate) fn of(shelf: impl Shelf<K, V>, all: RangeInclusive<K>) -> Self {
        let mut newest = shelf.range(all, Order::Descending);
        let recent: BTreeMap<K, V> = newest.by_ref().take(KEPT).collect();
        Self { shelved: recent.keys().copied().collect(), given_up: newest.next().map(|(key, _)| key), recent }
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.recent.is_empty() && self.given_up.is_none()
    }

    /// The keys in this range that memory has, ascending.
    pub(crate) fn keys_in_memory(&self, range: RangeInclusive<K>) -> impl Iterator<Item = K> + '_ {
        self.recent.range(range).map(|(key, _)| *key)
    }

    /// The entries that are on no shelf.
    pub(crate) fn unshelved(&self) -> impl Iterator<Item = (K, V)> + '_ {
        let entries = self.recent.iter().filter(|(key, _)| !self.shelved.contains(key));
        entries.map(|(&key, &value)| (key, value))
    }

    /// What of it is on no shelf.
    pub(crate) fn off_the_shelf(&self) -> Self {
        Self { recent: self.unshelved().collect(), shelved: BTreeSet::new(), given_up: self.given_up }
    }

    /// Adds an entry, or replaces one that is not settled.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        self.recent.insert(key, value);
    }

    /// An entry that memory has.
    pub(crate) fn in_memory(&self, key: &K) -> Option<V> {
        self.recent.get(key).copied()
    }

    /// Takes out an entry that is not settled.
    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        self.recent.remove(key)
    }

    /// An entry that is not settled, to be changed.
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.recent.get_mut(key)
    }

    /// An entry.
    pub(crate) fn get(&self, shelf: impl Shelf<K, V>, key: K) -> Option<V> {
        let found = self.recent.get(&key).copied();
        if found.is_some() || self.given_up.is_none_or(|highest| key > highest) {
            return found;
        }
        shelf.range(key..=key, Order::Ascending).next().map(|(_, value)| value)
    }

    /// The entries with a key in this range, ascending, or descending.
    pub(crate) fn range<'a>(
        &'a self,
        shelf: impl Shelf<K, V> + 'a,
        range: RangeInclusive<K>,
        order: Order,
    ) -> impl Iterator<Item = (K, V)> + 'a {
        let (from, to) = range.into_inner();
        let is_empty = from > to;
        let shelved = self.given_up.filter(|highest| !is_empty && from <= *highest);
        let memory = (!is_empty).then(|| self.recent.range((Bound::Included(from), Bound::Included(to))));
        let memory = memory.into_iter().flatten().map(|(&key, &value)| (key, value));
        let memory = Either::of(memory, order);
        let shelf = shelved.map(|highest| shelf.range(from..=to.min(highest), order)).into_iter().flatten();
        Merged { memory: memory.peekable(), shelf: shelf.peekable(), given_up: self.given_up, order }
    }

    /// An entry was put on the shelf: only the newest of those stay in memory.
    pub(crate) fn shelve(&mut self, key: K) {
        self.shelved.insert(key);
        if self.shelved.len() > KEPT
            && let Some(lowest) = self.shelved.pop_first()
        {
            self.recent.remove(&lowest);
            self.given_up = self.given_up.max(Some(lowest));
        }
    }
}

/// An iterator in either direction.
enum Either<I> {
    Ascending(I),
    Descending(std::iter::Rev<I>),
}

impl<I: DoubleEndedIterator> Either<I> {
    fn of(entries: I, order: Order) -> Self {
        match order {
            Order::Ascending => Self::Ascending(entries),
            Order::Descending => Self::Descending(entries.rev()),
        }
    }
}

impl<I: DoubleEndedIterator> Iterator for Either<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        match self {
            Self::Ascending(entries) => entries.next(),
            Self::Descending(entries) => entries.next(),
        }
    }
}

/// Entries of both places in one order. The shelf is not asked before it is needed.
struct Merged<K, V, M: Iterator<Item = (K, V)>, S: Iterator<Item = (K, V)>> {
    memory: Peekable<M>,
    shelf: Peekable<S>,
    given_up: Option<K>,
    order: Order,
}

impl<K: Copy + Ord, V, M: Iterator<Item = (K, V)>, S: Iterator<Item = (K, V)>> Iterator for Merged<K, V, M, S> {
    type Item = (K, V);

    fn next(&mut self) -> Option<(K, V)> {
        let Some(&(recent, _)) = self.memory.peek() else { return self.shelf.next() };
        if self.order == Order::Descending && Some(recent) > self.given_up {
            return self.memory.next();
        }
        let Some(&(shelved, _)) = self.shelf.peek() else { return self.memory.next() };
        let found = match self.order {
            Order::Ascending => shelved.cmp(&recent),
            Order::Descending => recent.cmp(&shelved),
        };
        match found {
            Ordering::Less => self.shelf.next(),
            Ordering::Greater => self.memory.next(),
            // what was put on the shelf below what memory gave up is in both
            Ordering::Equal => {
                self.shelf.next();
                self.memory.next()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        cell::{Cell, RefCell},
        collections::btree_map::Entry,
    };

    use proptest::prelude::*;

    use super::*;

    /// A shelf in memory, which counts what is asked of it.
    #[derive(Default)]
    struct Held {
        entries: RefCell<BTreeMap<u16, u32>>,
        asked: Cell<usize>,
    }

    impl Shelf<u16, u32> for &Held {
        fn range(self, range: RangeInclusive<u16>, order: Order) -> impl Iterator<Item = (u16, u32)> {
            self.asked.set(self.asked.get() + 1);
            let mut found: Vec<_> = self.entries.borrow().range(range).map(|(&key, &value)| (key, value)).collect();
            if order == Order::Descending {
                found.reverse();
            }
            found.into_iter()
        }
    }

    proptest! {
        /// Whatever is put in, and shelved at whatever times, is found as in one map.
        #[test]
        fn it_reads_as_one_map(
            steps in proptest::collection::vec((0..400u16, any::<bool>()), 0..400),
            ranges in proptest::collection::vec((0..420u16, 0..420u16), 1..20),
        ) {
            let (mut tail, shelf, mut all) = (Tail::default(), Held::default(), BTreeMap::new());
            let mut unshelved = Vec::new();
            for (place, (key, shelves)) in (0u32..).zip(steps) {
                if let Entry::Vacant(entry) = all.entry(key) {
                    entry.insert(place);
                    tail.insert(key, place);
                    unshelved.push(key);
                }
                if shelves {
                    shelf.entries.borrow_mut().extend(unshelved.iter().map(|key| (*key, all[key])));
                    unshelved.drain(..).for_each(|key| tail.shelve(key));
                    prop_assert!(tail.recent.len() <= KEPT);
                }
            }
            let reopened = unshelved.is_empty().then(|| Tail::of(&shelf, 0..=u16::MAX));
            for tail in std::iter::once(&tail).chain(&reopened) {
                for &(from, to) in &ranges {
                    let wanted: Vec<_> = all.iter().filter(|(key, _)| (from..=to).contains(*key)).map(|(&k, &v)| (k, v)).collect();
                    let read = |order| tail.range(&shelf, from..=to, order).collect::<Vec<_>>();
                    prop_assert_eq!(read(Order::Ascending), wanted.clone());
                    prop_assert_eq!(read(Order::Descending), wanted.into_iter().rev().collect::<Vec<_>>());
                    prop_assert_eq!(tail.get(&shelf, from), all.get(&from).copied());
                }
            }
        }
    }

    #[test]
    fn what_is_recent_is_found_without_the_shelf() {
        let (mut tail, shelf) = (Tail::default(), Held::default());
        for key in 0..1000 {
            tail.insert(key, 0);
        }
        shelf.entries.borrow_mut().extend((0..1000).map(|key| (key, 0)));
        (0..1000).for_each(|key| tail.shelve(key));
        let kept = u16::try_from(KEPT).unwrap();
        assert_eq!(tail.range(&shelf, 0..=999, Order::Descending).take(KEPT).count(), KEPT);
        assert_eq!(tail.range(&shelf, 1000 - kept..=2000, Order::Ascending).count(), KEPT);
        assert_eq!((tail.get(&shelf, 999), tail.get(&shelf, 1500)), (Some(0), None));
        assert_eq!(shelf.asked.get(), 1, "the range that reaches below asks, though only when it is read to there");
        assert_eq!(tail.range(&shelf, 0..=999, Order::Descending).count(), 1000);
    }
}
