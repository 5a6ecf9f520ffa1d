//! What is simulated: one named set-up per line of the figures.

use std::ops::RangeInclusive;

use ec_witness::witness::decision::Policy;

/// What a witness that means harm does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rogue {
    /// Proposes the right content with a time that fewer honest witnesses accept than a quorum needs.
    EdgeTime,
    /// Proposes the right content after a parent that does not exist.
    BogusParent,
    /// Proposes what an epoch holds before its late records.
    Partial,
    /// Never votes.
    Silent,
    /// Votes for everything at once, again and again, and otherwise after every reorg.
    Equivocator,
    /// Fills every block with proposals that are stale, and one that is not.
    StaleSpam,
}

/// What the figures of a scenario must show. Safety is always asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expect {
    /// Every slot that an honest quorum derived alike is final in the end.
    NoneLost,
    /// Slots may be left open; how many is printed.
    Figure,
    /// Slots are lost: the simulation sees what the rule that is missing here is for.
    SomeLost,
}

/// A set-up. Times in milliseconds.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) expect: Expect,
    pub(crate) seeds: u64,
    pub(crate) witnesses: usize,
    pub(crate) quorum: usize,
    pub(crate) slots: u64,
    pub(crate) epoch_ms: u64,
    /// Every epoch is closed at the start.
    pub(crate) backfill: bool,
    pub(crate) timeline: bool,
    /// How much later than the broadcast an epoch closes at a host.
    pub(crate) grace_ms: u64,
    /// Share of epochs of which a witness holds an incomplete record set, one of three.
    pub(crate) gap: f64,
    /// Share of epochs that conflict at a witness.
    pub(crate) conflict: f64,
    /// Share of epochs whose records come in part after closing.
    pub(crate) late: f64,
    pub(crate) late_by_ms: RangeInclusive<u64>,
    /// How far a clock may be off.
    pub(crate) skew_ms: i64,
    /// Honest witnesses whose clocks are hours off.
    pub(crate) wild_clocks: usize,
    /// Honest witnesses that never run.
    pub(crate) dead: usize,
    /// Times that a witness is stopped for a while and comes back without its memory.
    pub(crate) stops: usize,
    /// Times that a witness's RPC is silent for a while.
    pub(crate) silences: usize,
    /// Times that the chain stands still for a while and no RPC answers.
    pub(crate) outages: usize,
    pub(crate) reorgs: usize,
    /// Changes of the active set, the last of which restores it.
    pub(crate) set_changes: usize,
    /// Whether someone calls `finalize` where a change of the set made a quorum.
    pub(crate) finalizer: bool,
    pub(crate) rogue: Rogue,
    pub(crate) rogues: usize,
    /// Whether a stop loses the vote history: the guard is broken.
    pub(crate) forgetful: bool,
    pub(crate) policy: fn() -> Policy,
}

impl Scenario {
    /// Five witnesses in fair weather.
    pub(crate) fn base() -> Self {
        Self {
            name: "fair weather",
            expect: Expect::NoneLost,
            seeds: 40,
            witnesses: 5,
            quorum: 3,
            slots: 30,
            epoch_ms: 20_000,
            backfill: false,
            timeline: false,
            grace_ms: 3_000,
            gap: 0.0,
            conflict: 0.0,
            late: 0.0,
            late_by_ms: 5_000..=40_000,
            skew_ms: 1_500,
            wild_clocks: 0,
            dead: 0,
            stops: 0,
            silences: 0,
            outages: 0,
            reorgs: 0,
            set_changes: 0,
            finalizer: false,
            rogue: Rogue::Silent,
            rogues: 0,
            forgetful: false,
            policy: Policy::default,
        }
    }

    /// All that an honest network lives through.
    fn storm() -> Self {
        Self { gap: 0.05, conflict: 0.02, late: 0.1, stops: 3, silences: 3, outages: 1, reorgs: 4, ..Self::base() }
    }

    /// A storm in which some of the witnesses mean harm.
    fn rogue(name: &'static str, rogue: Rogue, witnesses: usize, quorum: usize, rogues: usize) -> Self {
        let storm = Self { gap: 0.0, conflict: 0.0, stops: 1, silences: 1, ..Self::storm() };
        Self { name, rogue, witnesses, quorum, rogues, seeds: 40, slots: 20, ..storm }
    }
}

/// Honest networks: nothing is lost.
pub(crate) fn honest() -> Vec<Scenario> {
    let base = Scenario::base;
    let storm = Scenario::storm;
    vec![
        base(),
        Scenario { name: "seven, four", witnesses: 7, quorum: 4, ..base() },
        Scenario { name: "unanimous", witnesses: 4, quorum: 4, ..base() },
        Scenario { name: "one alone", witnesses: 1, quorum: 1, ..storm() },
        Scenario { name: "dead witnesses", dead: 2, ..base() },
        Scenario { name: "gaps", gap: 0.25, ..base() },
        Scenario { name: "late records", late: 0.5, ..base() },
        Scenario { name: "conflicts", conflict: 0.15, witnesses: 7, quorum: 4, ..base() },
        Scenario { name: "clocks far off", skew_ms: 8_000, ..base() },
        Scenario { name: "wild clocks, more than k good", wild_clocks: 1, ..base() },
        Scenario { name: "wild clocks, exactly k good", wild_clocks: 2, ..base() },
        Scenario { name: "stops", stops: 8, ..base() },
        Scenario { name: "silent RPCs", silences: 8, ..base() },
        Scenario { name: "outages", outages: 3, ..base() },
        Scenario { name: "reorgs", reorgs: 12, ..base() },
        Scenario { name: "backfill", backfill: true, slots: 100, seeds: 20, ..base() },
        Scenario { name: "backfill, storm", backfill: true, slots: 100, seeds: 20, ..storm() },
        Scenario { name: "storm", seeds: 120, ..storm() },
        Scenario { name: "storm, seven", witnesses: 7, quorum: 4, seeds: 60, ..storm() },
        Scenario { name: "storm on the timeline", timeline: true, seeds: 60, ..storm() },
        Scenario { name: "changes of the set", set_changes: 6, finalizer: true, seeds: 60, ..base() },
        Scenario { name: "changes of the set, storm", set_changes: 6, finalizer: true, seeds: 60, ..storm() },
    ]
}

/// Rogues among enough honest witnesses: nothing is lost.
pub(crate) fn outnumbered() -> Vec<Scenario> {
    let rogue = Scenario::rogue;
    vec![
        rogue("edge time, 1 of 5", Rogue::EdgeTime, 5, 3, 1),
        rogue("edge time, 2 of 7", Rogue::EdgeTime, 7, 4, 2),
        rogue("bogus parent, 1 of 5", Rogue::BogusParent, 5, 3, 1),
        rogue("bogus parent, 2 of 7", Rogue::BogusParent, 7, 4, 2),
        rogue("partial content, 2 of 7", Rogue::Partial, 7, 4, 2),
        rogue("silent, 2 of 7", Rogue::Silent, 7, 4, 2),
        rogue("equivocation, 1 of 5", Rogue::Equivocator, 5, 3, 1),
        rogue("equivocation, 2 of 7", Rogue::Equivocator, 7, 4, 2),
        rogue("stale spam, 2 of 7", Rogue::StaleSpam, 7, 4, 2),
        Scenario { timeline: true, ..rogue("edge time on the timeline, k honest", Rogue::EdgeTime, 5, 3, 2) },
        Scenario { timeline: true, ..rogue("equivocation on the timeline, k honest", Rogue::Equivocator, 5, 3, 2) },
        Scenario { timeline: true, ..rogue("bogus parent on the timeline, k honest", Rogue::BogusParent, 5, 3, 2) },
    ]
}

/// Exactly k honest witnesses in `received` mode: rogue times can leave slots open (protocol §5, known limit).
pub(crate) fn exactly_k() -> Vec<Scenario> {
    let rogue = |name, kind, witnesses, quorum, rogues| Scenario {
        expect: Expect::Figure,
        seeds: 20,
        ..Scenario::rogue(name, kind, witnesses, quorum, rogues)
    };
    vec![
        rogue("k honest: edge time, 2 of 5", Rogue::EdgeTime, 5, 3, 2),
        rogue("k honest: edge time, 3 of 7", Rogue::EdgeTime, 7, 4, 3),
        rogue("k honest: bogus parent, 2 of 5", Rogue::BogusParent, 5, 3, 2),
        rogue("k honest: partial content, 2 of 5", Rogue::Partial, 5, 3, 2),
        rogue("k honest: silent, 2 of 5", Rogue::Silent, 5, 3, 2),
        rogue("k honest: equivocation, 2 of 5", Rogue::Equivocator, 5, 3, 2),
        rogue("k honest: stale spam, 2 of 5", Rogue::StaleSpam, 5, 3, 2),
    ]
}
