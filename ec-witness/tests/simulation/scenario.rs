//! What is simulated: one named set-up per line of the figures.

use std::ops::RangeInclusive;

use ec_witness::witness::decision::Agreement;

const AGREEMENT: fn() -> Agreement = Agreement::default;

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
    /// As with edge times, and moves its vote from candidate to candidate, new ones too, as often as it can.
    Mover,
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
    /// Whether the contract compares `candidatesSeen`.
    pub(crate) swaps: bool,
    /// Whether a stop loses the vote history: the guard is broken.
    pub(crate) forgetful: bool,
    pub(crate) agreement: fn() -> Agreement,
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
            swaps: true,
            forgetful: false,
            agreement: AGREEMENT,
        }
    }

    /// All that an honest network lives through.
    fn storm() -> Self {
        Self { gap: 0.05, conflict: 0.02, late: 0.1, stops: 3, silences: 3, outages: 1, reorgs: 4, ..Self::base() }
    }

    /// A storm in which some of the witnesses mean harm.
    fn rogue(name: &'static str, rogue: Rogue, witnesses: usize, quorum: usize, rogues: usize) -> Self {
        let storm = Self { gap: 0.0, conflict: 0.0, reorgs: 0, stops: 1, silences: 1, ..Self::storm() };
        Self { name, rogue, witnesses, quorum, rogues, seeds: 25, slots: 20, ..storm }
    }
}

fn small_window() -> Agreement {
    Agreement { max_inflight: 8, ..AGREEMENT() }
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
        Scenario { name: "storms of reorgs", reorgs: 40, stops: 4, seeds: 120, ..base() },
        Scenario { name: "storms of reorgs, all needed", witnesses: 4, quorum: 4, reorgs: 40, seeds: 120, ..base() },
        Scenario { name: "backfill", backfill: true, slots: 100, seeds: 20, ..base() },
        Scenario { name: "backfill, storm", backfill: true, slots: 100, seeds: 20, ..storm() },
        Scenario {
            name: "backfill, small window",
            backfill: true,
            slots: 60,
            seeds: 20,
            agreement: small_window,
            ..storm()
        },
        Scenario { name: "storm", seeds: 120, ..storm() },
        Scenario { name: "storm, seven", witnesses: 7, quorum: 4, seeds: 60, ..storm() },
        Scenario { name: "storm on the timeline", timeline: true, seeds: 60, ..storm() },
        Scenario { name: "changes of the set", set_changes: 6, finalizer: true, seeds: 60, ..base() },
        Scenario { name: "changes of the set, storm", set_changes: 6, finalizer: true, seeds: 60, ..storm() },
    ]
}

/// Up to n − k rogues, also with witnesses that are down, in storms of reorgs and while the set changes: nothing is lost.
pub(crate) fn outnumbered() -> Vec<Scenario> {
    let rogue = Scenario::rogue;
    let on_timeline = |name, kind| Scenario { timeline: true, ..rogue(name, kind, 5, 3, 2) };
    let beside_the_dead = |name, witnesses, quorum, rogues, dead| Scenario {
        dead,
        ..rogue(name, Rogue::EdgeTime, witnesses, quorum, rogues)
    };
    let in_storm = |scenario| Scenario { reorgs: 16, stops: 3, ..scenario };
    let while_set_changes = |scenario| Scenario { set_changes: 4, finalizer: true, ..scenario };
    vec![
        rogue("edge time, 1 of 5", Rogue::EdgeTime, 5, 3, 1),
        rogue("edge time, 1 of 6", Rogue::EdgeTime, 6, 4, 1),
        rogue("edge time, 1 of 7", Rogue::EdgeTime, 7, 4, 1),
        rogue("edge time, 2 of 5", Rogue::EdgeTime, 5, 3, 2),
        rogue("edge time, 2 of 7", Rogue::EdgeTime, 7, 4, 2),
        rogue("edge time, 3 of 7", Rogue::EdgeTime, 7, 4, 3),
        rogue("edge time, 5 of 12", Rogue::EdgeTime, 12, 7, 5),
        beside_the_dead("edge time, 1 of 5, 1 dead", 5, 3, 1, 1),
        beside_the_dead("edge time, 1 of 7, 2 dead", 7, 4, 1, 2),
        beside_the_dead("edge time, 2 of 7, 1 dead", 7, 4, 2, 1),
        beside_the_dead("edge time, 2 of 9, 2 dead", 9, 5, 2, 2),
        beside_the_dead("edge time, 1 of 16, 4 dead", 16, 11, 1, 4),
        rogue("moves, 2 of 5", Rogue::Mover, 5, 3, 2),
        rogue("moves, 3 of 7", Rogue::Mover, 7, 4, 3),
        rogue("bogus parent, 2 of 5", Rogue::BogusParent, 5, 3, 2),
        rogue("bogus parent, 2 of 7", Rogue::BogusParent, 7, 4, 2),
        rogue("partial content, 2 of 5", Rogue::Partial, 5, 3, 2),
        rogue("partial content, 2 of 7", Rogue::Partial, 7, 4, 2),
        rogue("silent, 2 of 5", Rogue::Silent, 5, 3, 2),
        rogue("silent, 2 of 7", Rogue::Silent, 7, 4, 2),
        rogue("equivocation, 2 of 5", Rogue::Equivocator, 5, 3, 2),
        rogue("equivocation, 3 of 7", Rogue::Equivocator, 7, 4, 3),
        rogue("stale spam, 2 of 5", Rogue::StaleSpam, 5, 3, 2),
        rogue("stale spam, 2 of 7", Rogue::StaleSpam, 7, 4, 2),
        in_storm(rogue("edge time, 2 of 5, reorgs", Rogue::EdgeTime, 5, 3, 2)),
        in_storm(beside_the_dead("edge time, 1 of 5, 1 dead, reorgs", 5, 3, 1, 1)),
        in_storm(rogue("moves, 2 of 5, reorgs", Rogue::Mover, 5, 3, 2)),
        in_storm(rogue("bogus parent, 2 of 5, reorgs", Rogue::BogusParent, 5, 3, 2)),
        in_storm(rogue("equivocation, 2 of 5, reorgs", Rogue::Equivocator, 5, 3, 2)),
        while_set_changes(rogue("edge time, 2 of 7, changes of the set", Rogue::EdgeTime, 7, 4, 2)),
        while_set_changes(rogue("moves, 2 of 7, changes of the set", Rogue::Mover, 7, 4, 2)),
        Scenario { backfill: true, slots: 60, ..rogue("edge time, 2 of 5, backfill", Rogue::EdgeTime, 5, 3, 2) },
        Scenario { outages: 3, ..rogue("edge time, 2 of 5, outages", Rogue::EdgeTime, 5, 3, 2) },
        on_timeline("edge time, 2 of 5, timeline", Rogue::EdgeTime),
        on_timeline("moves, 2 of 5, timeline", Rogue::Mover),
        on_timeline("bogus parent, 2 of 5, timeline", Rogue::BogusParent),
        on_timeline("partial content, 2 of 5, timeline", Rogue::Partial),
        on_timeline("equivocation, 2 of 5, timeline", Rogue::Equivocator),
        on_timeline("stale spam, 2 of 5, timeline", Rogue::StaleSpam),
    ]
}

/// Set-ups that lack a rule and must show it.
pub(crate) fn without_a_rule() -> Vec<Scenario> {
    let lacking =
        |name, agreement| Scenario { name, agreement, expect: Expect::SomeLost, seeds: 20, ..Scenario::base() };
    let without_rounds = || Agreement { round_ms: 0, ..AGREEMENT() };
    let rogue = |name, witnesses, quorum, rogues| Scenario {
        agreement: without_rounds,
        expect: Expect::SomeLost,
        // each waits for all of the patience
        seeds: 4,
        ..Scenario::rogue(name, Rogue::EdgeTime, witnesses, quorum, rogues)
    };
    vec![
        rogue("without rounds, 2 of 5", 5, 3, 2),
        Scenario { dead: 1, ..rogue("without rounds, 1 of 5, 1 dead", 5, 3, 1) },
        Scenario {
            swaps: false,
            // rounds mend what it is for: rivals of one content
            ..lacking("without compare-and-swap", || Agreement { propose_stagger_ms: 0, round_ms: 0, ..AGREEMENT() })
        },
        Scenario {
            late: 0.5,
            gap: 0.1,
            ..lacking("without the wait for late records", || Agreement { incomplete_delay_ms: 0, ..AGREEMENT() })
        },
        Scenario {
            backfill: true,
            rogue: Rogue::BogusParent,
            rogues: 1,
            ..lacking("without a parent window", || Agreement { parent_window: 0, round_ms: 0, ..AGREEMENT() })
        },
    ]
}

/// Witnesses that vote for what is not complete yet and are stopped while the vote is on its way.
pub(crate) fn remembering() -> Scenario {
    Scenario {
        name: "votes before late records, stops",
        expect: Expect::Figure,
        late: 1.0,
        stops: 40,
        outages: 3,
        agreement: || Agreement { incomplete_delay_ms: 0, late_ms: 0, ..AGREEMENT() },
        ..Scenario::base()
    }
}

/// The same, but a witness that is stopped forgets what it voted.
pub(crate) fn forgetful() -> Scenario {
    Scenario { name: "broken guard", forgetful: true, ..remembering() }
}
