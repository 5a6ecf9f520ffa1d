//! What all readers of a recording share.

use std::{
    fmt,
    sync::{Arc, atomic::AtomicU64},
};

use crate::{
    Report,
    budget::Budget,
    event::Event,
    keeper::Inbox,
    settings::{Limits, Settings},
};

/// What all readers share, over all connections. Clones share it.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) limits: Limits,
    pub(crate) budget: Budget,
    /// Counts subscriptions.
    pub(crate) subscriptions: Arc<AtomicU64>,
    pub(crate) inbox: Inbox,
    report: Report,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("limits", &self.limits).field("budget", &self.budget).finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn new(settings: &Settings, inbox: Inbox, report: Report) -> Self {
        let Limits { buffered_bytes, .. } = settings.limits;
        let (limits, budget) = (settings.limits, Budget::of(buffered_bytes));
        Self { limits, budget, subscriptions: Arc::default(), inbox, report }
    }

    pub(crate) fn tell(&self, event: &Event) {
        self.report.hear(event);
    }
}
