//! Says that transactions stay out for longer than the operator wants to wait before forcing them.

use std::fmt::Display;

use super::complaint::Complaint;
use crate::{clock, monitor::check::FORCE_FIX, standing::Snapshot};

/// For how long transactions may stay out.
#[derive(Debug, Default)]
pub(super) struct Overdue {
    /// Milliseconds; 0 where nothing is to be said.
    pub(super) force_after_ms: u64,
    complaint: Complaint,
}

impl Overdue {
    /// Shows the limit in a snapshot, and complains where it is exceeded.
    pub(super) fn show(&mut self, snapshot: &mut Snapshot, now_ms: u64) {
        snapshot.force_after_ms = self.force_after_ms;
        let Some(Ok(store)) = &snapshot.store else { return };
        let overdue = store.overdue_ms(self.force_after_ms, clock::unix_ms()).map(|out_ms| {
            let (count, oldest_s) = (store.pending_transactions, out_ms / 1000);
            format!("{count} transactions are not executed, the oldest for {oldest_s} s; {FORCE_FIX}")
        });
        let wrong = overdue.as_ref().map(|overdue| overdue as &dyn Display);
        self.complaint.tell(
            now_ms,
            wrong,
            "transactions stay out for longer than force_after_ms",
            "no transaction stays out for longer than force_after_ms",
        );
    }
}
