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

/// Honest networks: nothing is lost, but where a reorg spends a vote that was needed.
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

/// Rogues that cannot keep an honest quorum apart: nothing is lost.
pub(crate) fn outnumbered() -> Vec<Scenario> {
    let rogue = Scenario::rogue;
    let on_timeline = |name, kind| Scenario { timeline: true, ..rogue(name, kind, 5, 3, 2) };
    vec![
        rogue("edge time, 1 of 5", Rogue::EdgeTime, 5, 3, 1),
        rogue("edge time, 1 of 6", Rogue::EdgeTime, 6, 4, 1),
        rogue("edge time, 1 of 7", Rogue::EdgeTime, 7, 4, 1),
        rogue("bogus parent, 1 of 5", Rogue::BogusParent, 5, 3, 1),
        rogue("bogus parent, 2 of 7", Rogue::BogusParent, 7, 4, 2),
        rogue("partial content, 2 of 7", Rogue::Partial, 7, 4, 2),
        rogue("silent, 2 of 7", Rogue::Silent, 7, 4, 2),
        rogue("equivocation, 1 of 5", Rogue::Equivocator, 5, 3, 1),
        rogue("equivocation, 1 of 7", Rogue::Equivocator, 7, 4, 1),
        rogue("stale spam, 2 of 7", Rogue::StaleSpam, 7, 4, 2),
        on_timeline("edge time, timeline, k honest", Rogue::EdgeTime),
        on_timeline("bogus parent, timeline, k honest", Rogue::BogusParent),
        on_timeline("partial content, timeline, k honest", Rogue::Partial),
        on_timeline("equivocation, timeline, k honest", Rogue::Equivocator),
        on_timeline("stale spam, timeline, k honest", Rogue::StaleSpam),
    ]
}

/// In `received` mode two rogues can keep an honest quorum apart by their times, and so can a reorg together with one:
/// how often is a figure, not a promise.
pub(crate) fn divided() -> Vec<Scenario> {
    let rogue = |name, kind, witnesses, quorum, rogues| Scenario {
        expect: Expect::Figure,
        seeds: 20,
        ..Scenario::rogue(name, kind, witnesses, quorum, rogues)
    };
    let reorged = |name, kind| Scenario { reorgs: 4, ..rogue(name, kind, 5, 3, 1) };
    vec![
        rogue("edge time, 2 of 5, k honest", Rogue::EdgeTime, 5, 3, 2),
        rogue("edge time, 3 of 7, k honest", Rogue::EdgeTime, 7, 4, 3),
        rogue("edge time, 2 of 7", Rogue::EdgeTime, 7, 4, 2),
        rogue("edge time, 2 of 12", Rogue::EdgeTime, 12, 7, 2),
        rogue("bogus parent, 2 of 5, k honest", Rogue::BogusParent, 5, 3, 2),
        rogue("partial content, 2 of 5, k honest", Rogue::Partial, 5, 3, 2),
        rogue("silent, 2 of 5, k honest", Rogue::Silent, 5, 3, 2),
        rogue("equivocation, 2 of 5, k honest", Rogue::Equivocator, 5, 3, 2),
        rogue("equivocation, 2 of 7", Rogue::Equivocator, 7, 4, 2),
        rogue("stale spam, 2 of 5, k honest", Rogue::StaleSpam, 5, 3, 2),
        reorged("edge time, 1 of 5, reorgs", Rogue::EdgeTime),
        reorged("bogus parent, 1 of 5, reorgs", Rogue::BogusParent),
        reorged("equivocation, 1 of 5, reorgs", Rogue::Equivocator),
    ]
}

/// Set-ups that lack a rule and must show it.
pub(crate) fn without_a_rule() -> Vec<Scenario> {
    let lacking =
        |name, agreement| Scenario { name, agreement, expect: Expect::SomeLost, seeds: 20, ..Scenario::base() };
    vec![
        Scenario {
            swaps: false,
            ..lacking("without compare-and-swap", || Agreement { propose_stagger_ms: 0, ..AGREEMENT() })
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
            ..lacking("without a parent window", || Agreement { parent_window: 0, ..AGREEMENT() })
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
