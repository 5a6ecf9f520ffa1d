//! What a poll says of the chain, and how long an endpoint may lag behind it.

use ec_ledger::Heads;

/// Polls in a row after which what an endpoint says against the store is no lag any more.
const LAG_POLLS: u32 = 8;

/// The chain, as far as it concerns sending, at the newest poll.
#[derive(Clone, Copy, Debug)]
pub(super) struct Poll {
    /// Transactions of the account that the agreed head has executed.
    pub(super) used: u64,
    pub(super) heads: Heads,
    /// Whether everything executed is to be looked up: at first, and after a reorg.
    pub(super) recheck: bool,
    /// It went through, so it is known that every used nonce is ours.
    pub(super) is_clear: bool,
}

impl Poll {
    /// Before the first one.
    pub(super) fn none() -> Self {
        Self { used: 0, heads: Heads::default(), recheck: true, is_clear: false }
    }
}

/// For how many polls in a row an endpoint has said something against the store.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lag(u32);

impl Lag {
    /// Whether the last poll said it.
    pub(super) fn has_begun(self) -> bool {
        self.0 > 0
    }

    /// Counts a poll; whether it goes on for too long for a lag.
    pub(crate) fn is_too_long(&mut self, said: bool) -> bool {
        self.0 = if said { self.0.saturating_add(1) } else { 0 };
        self.0 > LAG_POLLS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_poll_without_it_ends_a_lag() {
        let mut lag = Lag::default();
        for _ in 0..LAG_POLLS {
            assert!(!lag.is_too_long(true) && lag.has_begun());
        }
        assert!(!lag.is_too_long(false) && !lag.has_begun());
        let polls = (1..).find(|_| lag.is_too_long(true));
        assert_eq!(polls, Some(LAG_POLLS + 1));
    }
}
