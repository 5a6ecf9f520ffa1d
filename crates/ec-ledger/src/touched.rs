//! Which streams the ledger has changed for since somebody looked: what else is decided by it is decided as before.

use std::collections::HashSet;

use ec_observation::StreamHash;

/// Streams for which the ledger may show something else than it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touched {
    /// These.
    Streams(HashSet<StreamHash>),
    /// Any.
    All,
}

impl Touched {
    /// No stream.
    pub(crate) fn none() -> Self {
        Self::Streams(HashSet::new())
    }

    pub(crate) fn add(&mut self, stream: StreamHash) {
        match self {
            Self::Streams(streams) => _ = streams.insert(stream),
            Self::All => {}
        }
    }
}

/// What nobody has looked at yet: all of a ledger that is new. Two ledgers are the same whoever has looked at them.
#[derive(Clone, Debug)]
pub(crate) struct Unseen(pub(crate) Touched);

impl Unseen {
    /// Takes it as looked at.
    pub(crate) fn take(&mut self) -> Touched {
        std::mem::replace(&mut self.0, Touched::none())
    }
}

impl Default for Unseen {
    fn default() -> Self {
        Self(Touched::All)
    }
}

impl PartialEq for Unseen {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Unseen {}
