//! How many bytes of groups are in memory.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// A number of bytes that must not be exceeded. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    limit: u64,
    used: Arc<AtomicU64>,
}

/// Bytes that are in use until this is dropped.
#[derive(Debug)]
pub(crate) struct Reserved {
    budget: Budget,
    bytes: u64,
}

impl Budget {
    pub(crate) fn of(limit: u64) -> Self {
        Self { limit, used: Arc::default() }
    }

    /// Nothing yet, to [`Reserved::grow`] from.
    pub(crate) fn empty(&self) -> Reserved {
        Reserved { budget: self.clone(), bytes: 0 }
    }
}

impl Reserved {
    /// Reserves `more` bytes; false, and nothing is reserved, where they would exceed the budget.
    pub(crate) fn grow(&mut self, more: u64) -> bool {
        let fits = |used: u64| used.checked_add(more).filter(|used| *used <= self.budget.limit);
        let grown = self.budget.used.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits).is_ok();
        self.bytes += if grown { more } else { 0 };
        grown
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_can_be_used_again() {
        let budget = Budget::of(10);
        let (mut first, mut second) = (budget.empty(), budget.empty());
        assert!(first.grow(4) && first.grow(2) && !second.grow(5) && second.grow(4));
        assert_eq!((first.bytes, second.bytes), (6, 4));
        drop(first);
        assert!(second.grow(6) && !second.grow(1) && !second.grow(u64::MAX));
    }
}
