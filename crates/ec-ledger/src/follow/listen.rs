//! Who keeps the log of a ledger, rather than its state, hears it while it is read.

use std::fmt;

use ec_rpc::BlockRef;

use crate::logs::LedgerLog;

/// Hears the ledger's log as it is read, block by block and back again.
pub trait Listen: Send {
    /// The log goes on up to this block with these, in their order, of all streams, each with the time of its block.
    fn read(&mut self, to: BlockRef, logs: &[LedgerLog]);

    /// What was heard of blocks above this one does not hold any more; of all blocks, where there is none. What the chain has
    /// instead comes with the next [`Self::read`].
    fn taken_back(&mut self, to: Option<BlockRef>);
}

/// A listener, if there is one.
#[derive(Default)]
pub(super) struct Listener(pub(super) Option<Box<dyn Listen>>);

impl Listener {
    pub(super) fn read(&mut self, to: BlockRef, logs: &[LedgerLog]) {
        if let Some(listener) = &mut self.0 {
            listener.read(to, logs);
        }
    }

    pub(super) fn taken_back(&mut self, to: Option<BlockRef>) {
        if let Some(listener) = &mut self.0 {
            listener.taken_back(to);
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Listener(one)" } else { "Listener(none)" })
    }
}
