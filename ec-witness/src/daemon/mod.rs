//! The witness at work: reads the archive, follows the ledger, judges, records, sends.
//!
//! One task does it all in turns, so every decision rests on one block and one reading of the archive, and nothing
//! but this task ever signs. Between turns it sleeps until the archive changes or the next poll is due.
//!
//! Data flows one way: `intake` and `streams` read the archive for the `reader`, which hands closed epochs to the `judge`,
//! who has `votes` cast, all by what the followed `ledger` shows. `work` lets them take turns, `count` and `shown` tell of
//! it. What a turn looks at is its `scope`: what the archive's growth brought, or everything.

mod catch_up;
mod closing;
mod complaint;
mod contradictions;
mod count;
mod halt;
mod heard;
mod intake;
mod joining;
mod judge;
mod keep;
mod lanes;
mod ledger;
mod numbering;
mod overdue;
mod reader;
mod scope;
pub mod show;
mod shown;
mod streams;
mod voter;
mod votes;
mod wake;
mod work;

use std::{sync::Arc, time::Duration};

use ec_ledger::{Follower, Pulse};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    standing::{SlotReport, Snapshot},
    store::StoreError,
    witness::decision::Agreement,
};

pub use closing::Closing;
pub use halt::Halt;
pub use heard::Heard;
pub use intake::Intake;
pub use lanes::session_marks;
pub use streams::{FollowedStream, NewlyClosed};
pub use voter::Voter;
pub use work::{Pace, Until};

use catch_up::CatchingUp;
use count::Counts;
use overdue::Overdue;
use scope::Scope;
use shown::Shown;
use wake::{Alarm, drained};
use work::Work;

/// The least time between two turns that the archive's growth asks for.
const DEBOUNCE: Duration = Duration::from_millis(100);

/// One witness: what works, what is counted of that, and what is shown of it.
#[derive(Debug)]
pub struct Daemon {
    work: Work,
    counts: Counts,
    shown: Shown,
    overdue: Overdue,
    catching_up: CatchingUp,
    pace: Pace,
    pulse: Pulse,
}

impl Daemon {
    /// A daemon that judges the streams that `intake` finds.
    pub fn new(intake: Intake, follower: Follower, voter: Voter, agreement: Agreement, pace: Pace) -> Self {
        Self {
            work: Work::new(intake, follower, voter, agreement, pace.once),
            counts: Counts::default(),
            shown: Shown::default(),
            overdue: Overdue::default(),
            catching_up: CatchingUp::default(),
            pace,
            pulse: Pulse::default(),
        }
    }

    /// Says when transactions stay out for longer than this, milliseconds, after which the operator forces them; 0: never.
    pub fn forced_after(mut self, force_after_ms: u64) -> Self {
        self.overdue.force_after_ms = force_after_ms;
        self
    }

    /// Beats `pulse` as long as work goes on.
    pub fn beat(mut self, pulse: Pulse) -> Self {
        self.work.beat(pulse.clone());
        self.pulse = pulse;
        self
    }

    /// What every slot that is judged, or was, has come to.
    pub fn reports(&self) -> Vec<SlotReport> {
        self.shown.reports(&self.work)
    }

    /// Works until it is cancelled or, with `once`, until every closed epoch has an outcome. `progress` hears after
    /// each turn.
    ///
    /// # Errors
    ///
    /// A contradiction that only an operator can resolve.
    pub async fn run(&mut self, cancelled: &CancellationToken, progress: impl FnMut(&Snapshot)) -> Result<(), Halt> {
        let ended = self.take_turns(cancelled, progress).await;
        self.work.end(ended.as_ref().err());
        ended
    }

    /// Closes the vote store in order, so that the next start votes before it has checked all of it: for one that ended well,
    /// as the last thing.
    ///
    /// # Errors
    ///
    /// The store is damaged, or its disk refuses.
    pub fn close(self) -> Result<(), StoreError> {
        self.work.judge.votes.voter.close()
    }

    async fn take_turns(
        &mut self,
        cancelled: &CancellationToken,
        mut progress: impl FnMut(&Snapshot),
    ) -> Result<(), Halt> {
        let Self { work, counts, shown, overdue, catching_up, pace, pulse } = self;
        let mut alarm = Alarm::default();
        let changed = Arc::clone(&alarm.changed);
        // when a turn looks at everything again, and when one is taken even if nothing grows
        let (mut all_due, mut due) = (Instant::now(), Instant::now());
        loop {
            alarm.keep(work.archive.manifests());
            tokio::select! {
                biased;
                () = cancelled.cancelled() => return Ok(()),
                () = tokio::time::sleep_until(due) => {}
                () = changed.notified() => {
                    tokio::time::sleep(DEBOUNCE).await;
                    let closed = work.archive_closed_an_epoch(&changed.take(), counts)?;
                    if !closed || !work.ledger.follower.retry_in().is_zero() {
                        continue;
                    }
                }
            }
            let begun = Instant::now();
            let scope = if begun < all_due { Scope::Grown } else { Scope::All };
            let turned = tokio::select! {
                turned = work.turn(scope, cancelled, counts) => turned?,
                () = drained(cancelled) => return Ok(()),
            };
            pulse.beat();
            let ended = Instant::now();
            due = ended + pace.poll.max(work.ledger.follower.retry_in());
            if scope == Scope::Grown {
                continue;
            }
            if pace.once.is_some() {
                shown.keep(turned.done);
            }
            let mut snapshot = shown.snapshot(work, counts.totals(), begun.elapsed());
            snapshot.poll = pace.poll;
            overdue.show(&mut snapshot, work.now_ms());
            catching_up.show(&mut snapshot, work.now_ms());
            progress(&snapshot);
            if turned.nothing_left && pace.once.is_some() {
                return Ok(());
            }
            all_due = ended + pace.poll;
        }
    }
}
