//! Points at which a test can have the process killed, before and after each durable step.
//!
//! They exist with the cargo feature `failpoints` only; without it they are nothing. `FAILPOINTS` arms them, as in
//! `FAILPOINTS='store::record::before=return'`: the process then kills itself by SIGKILL when it gets there.

/// A step that is durable, or goes out, when it is done.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// The point before it: nothing of it is durable.
    pub before: &'static str,
    /// The point after it, before anybody is told.
    pub after: &'static str,
}

macro_rules! steps {
    ($($(#[$doc:meta])* $step:ident $name:literal,)*) => {
        $($(#[$doc])* pub const $step: Step =
            Step { before: concat!($name, "::before"), after: concat!($name, "::after") };)*

        /// Every step.
        pub const ALL: &[Step] = &[$($step),*];
    };
}

steps! {
    /// Before anything else is written, it is noted that a store that was closed in order is open.
    OPEN "store::open",
    /// As the last thing that is written, it is noted that a store was closed in order.
    CLOSE "store::close",
    /// What a compacted store keeps is written beside the old one.
    COMPACT_WRITE "store::compact_write",
    /// The compacted store takes the old one's name.
    COMPACT "store::compact",
    /// A new store gets its tables.
    BEGIN "store::begin",
    /// Votes cast elsewhere are taken over.
    ADOPT "store::adopt",
    /// A stream's start is fixed.
    FIX_FROM_SEQUENCE "store::fix_from_sequence",
    /// A new store gets its name.
    CREATE "store::create",
    /// An older store is copied aside.
    BACK_UP "store::back_up",
    /// An older store is brought to the new schema.
    MIGRATE "store::migrate",
    /// Votes are recorded.
    RECORD "store::record",
    /// A signed transaction is kept.
    KEEP "store::keep",
    /// A transaction that replaces another one is kept.
    KEEP_REPLACEMENT "store::keep_replacement",
    /// States of transactions are noted.
    SET_STATES "store::set_states",
    /// The finalized head is noted.
    NOTE_FINALIZED_HEAD "store::note_finalized_head",
    /// A store is given to the seat's new key.
    HAND_ON "store::hand_on",
    /// A halt is recorded.
    HALT "store::halt",
    /// A halt is ended.
    RESUME "store::resume",
    /// A transaction is signed.
    SIGN "sender::sign",
    /// A transaction is sent.
    SEND "sender::send",
}

impl Step {
    /// The point before the step.
    pub(crate) fn begins(self) {
        at(self.before);
    }

    /// The point after the step.
    pub(crate) fn is_done(self) {
        at(self.after);
    }
}

/// Arms the points that `FAILPOINTS` names, for the life of what is returned.
#[cfg(feature = "failpoints")]
pub fn arm() -> impl Drop {
    fail::FailScenario::setup()
}

#[cfg(feature = "failpoints")]
fn at(point: &'static str) {
    fail::fail_point!(point, |_| {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        // the signal comes before this returns to anyone
        std::thread::sleep(std::time::Duration::MAX);
    });
}

#[cfg(not(feature = "failpoints"))]
fn at(_point: &'static str) {}
