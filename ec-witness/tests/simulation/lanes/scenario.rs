//! What is simulated of lanes: one named set-up per line of the figures.

use ec_witness::witness::decision::Agreement;

use crate::scenario::{Expect, Scenario as Network};

/// What witnesses that mean harm do in a lane. They see everything at once and archive all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rogue {
    /// Opens a session for each window, with a mark that as few honest witnesses as possible are near to.
    EdgeMarks,
    /// Opens a session for each window, with a mark far from all.
    FarMarks,
    /// Proposes other content in each window, at the right time.
    OtherContent,
    /// Goes on with the oldest session that has a final observation.
    OldSession,
    /// As with edge marks; and all rogues vote for every candidate of a session's first windows, so that several marks
    /// become final, and then never again.
    Captures,
}

/// A set-up. Times in milliseconds.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    /// The witnesses, the weather, and what is expected. Its epochs are not used.
    pub(crate) network: Network,
    /// How long the broadcast goes on.
    pub(crate) length_ms: u64,
    /// The mean life of a publisher.
    pub(crate) mean_ms: f64,
    /// Share of publishers that live for 3 to 40 seconds.
    pub(crate) crash: f64,
    /// Share of windows of an archive into which a forged record is put, or whose record is damaged.
    pub(crate) forge: f64,
    /// Whether each publisher sends the same bytes.
    pub(crate) replay: bool,
    /// Times that a witness's recorder is away over a restart.
    pub(crate) away: usize,
    /// Witnesses that begin to archive later.
    pub(crate) late: usize,
    pub(crate) rogue: Rogue,
    /// Whether a final observation settles a segment: rule 1 of §5.10.
    pub(crate) settles: bool,
    /// Where it is asked: whether half of the windows or more take longer than until the naming rounds begin.
    pub(crate) takes_rounds: Option<bool>,
}

impl Scenario {
    fn of(name: &'static str, witnesses: usize, quorum: usize) -> Self {
        let network = Network { name, witnesses, quorum, seeds: 50, ..Network::base() };
        let (rogue, replay) = (Rogue::EdgeMarks, false);
        Self {
            network,
            length_ms: 600_000,
            mean_ms: 150_000.0,
            crash: 0.2,
            forge: 0.0,
            replay,
            away: 0,
            late: 0,
            rogue,
            settles: true,
            takes_rounds: None,
        }
    }

    /// Whether witnesses are stopped and archives have gaps at once.
    pub(crate) fn is_hard(&self) -> bool {
        self.network.stops > 0 && self.away > 0
    }

    fn with(self, change: impl FnOnce(&mut Network)) -> Self {
        let mut network = self.network;
        change(&mut network);
        Self { network, ..self }
    }

    fn rogues(name: &'static str, rogue: Rogue, witnesses: usize, quorum: usize) -> Self {
        let rogues = |network: &mut Network| (network.rogues, network.seeds) = (witnesses - quorum, 30);
        Self { rogue, ..Self::of(name, witnesses, quorum) }.with(rogues)
    }
}

fn without_turns() -> Agreement {
    Agreement { propose_stagger_ms: 0, ..Agreement::default() }
}

/// Honest networks: nothing is lost, and at most one window of a publisher's life is final twice; where several things
/// come together, fewer than one in a hundred, and none for which a quorum could have followed a session.
pub(crate) fn honest() -> Vec<Scenario> {
    let of = Scenario::of;
    let hard = |name, witnesses, quorum| Scenario {
        crash: 0.4,
        forge: 0.03,
        away: 2,
        late: 1,
        ..of(name, witnesses, quorum).with(|network| {
            (network.stops, network.silences, network.outages, network.seeds) = (3, 2, 1, 80);
        })
    };
    vec![
        of("restarts", 5, 3),
        of("restarts, all needed", 4, 4),
        Scenario { crash: 0.8, ..of("crash loops", 5, 3) },
        Scenario { crash: 0.8, ..of("crash loops, all needed", 4, 4) },
        Scenario { away: 4, ..of("away over a restart", 5, 3) },
        Scenario { away: 4, ..of("away over a restart, all needed", 3, 3) },
        Scenario { late: 2, ..of("joined late", 5, 3) },
        Scenario { late: 1, ..of("joined late, all needed", 3, 3) },
        of("an hour off, the others needed", 5, 4).with(|network| network.wild_clocks = 1),
        of("an hour off, two", 5, 3).with(|network| network.wild_clocks = 2),
        of("all open at once", 5, 3).with(|network| network.agreement = without_turns),
        of("all open at once, all needed", 4, 4).with(|network| network.agreement = without_turns),
        Scenario { forge: 0.1, ..of("forged and damaged records", 5, 3) },
        Scenario { replay: true, ..of("the same file again", 5, 3) },
        Scenario { replay: true, crash: 0.6, forge: 0.05, ..of("the same file again, crash loops, forged", 5, 3) },
        of("stops", 5, 3).with(|network| network.stops = 8),
        hard("all of it", 5, 3),
        hard("all of it, seven", 7, 4),
        Scenario { replay: true, ..hard("all of it, the same file", 5, 3) },
    ]
}

/// All that are not needed mean harm: nothing is lost.
pub(crate) fn attacked() -> Vec<Scenario> {
    let rogues = Scenario::rogues;
    let hard = |name, rogue| Scenario {
        crash: 0.4,
        forge: 0.02,
        away: 1,
        late: 1,
        ..rogues(name, rogue, 5, 3).with(|network| network.stops = 3)
    };
    vec![
        rogues("marks at the edge, 2 of 5", Rogue::EdgeMarks, 5, 3),
        rogues("marks at the edge, 3 of 7", Rogue::EdgeMarks, 7, 4),
        rogues("marks far off, 2 of 5", Rogue::FarMarks, 5, 3),
        rogues("other content, 2 of 5", Rogue::OtherContent, 5, 3),
        rogues("an old session, 2 of 5", Rogue::OldSession, 5, 3),
        rogues("captures, 2 of 5", Rogue::Captures, 5, 3),
        rogues("captures, 3 of 7", Rogue::Captures, 7, 4),
        hard("all of it, marks at the edge", Rogue::EdgeMarks),
        hard("all of it, marks far off", Rogue::FarMarks),
        hard("all of it, other content", Rogue::OtherContent),
        hard("all of it, an old session", Rogue::OldSession),
        Scenario { replay: true, ..hard("all of it, an old session, same file", Rogue::OldSession) },
        hard("all of it, captures", Rogue::Captures),
    ]
}

/// Where the chain reorganises, windows may be final twice, and none is lost.
pub(crate) fn reorged() -> Vec<Scenario> {
    let storm = |name, witnesses, quorum| Scenario {
        crash: 0.4,
        ..Scenario::of(name, witnesses, quorum)
            .with(|network| (network.reorgs, network.stops, network.silences) = (12, 2, 2))
    };
    vec![storm("storms of reorgs", 5, 3), storm("storms of reorgs, all needed", 3, 3)]
}

/// Set-ups that lack a rule and must show it. Without naming rounds windows are lost. Without rule 1 none is, but what a
/// session's first window has settled the naming rounds have to settle again for each that follows.
pub(crate) fn without_a_rule() -> Vec<Scenario> {
    let without_rounds = || Agreement { round_ms: 0, ..Agreement::default() };
    let lacking = |network: &mut Network| {
        network.agreement = without_rounds;
        network.expect = Expect::SomeLost;
        // each waits for all of the patience
        network.seeds = 4;
    };
    let settled = |name, witnesses, quorum| Scenario {
        length_ms: 1_200_000,
        mean_ms: 600_000.0,
        crash: 0.0,
        takes_rounds: Some(false),
        ..Scenario::rogues(name, Rogue::EdgeMarks, witnesses, quorum).with(|network| network.seeds = 8)
    };
    let unsettled = |name, witnesses, quorum| Scenario {
        settles: false,
        takes_rounds: Some(true),
        ..settled(name, witnesses, quorum)
    };
    vec![
        Scenario::rogues("without naming rounds, 2 of 5", Rogue::EdgeMarks, 5, 3).with(lacking),
        Scenario::rogues("without naming rounds, 3 of 7", Rogue::EdgeMarks, 7, 4).with(lacking),
        settled("settled, marks at the edge, 2 of 5", 5, 3),
        settled("settled, marks at the edge, 3 of 7", 7, 4),
        unsettled("without rule 1, 2 of 5", 5, 3),
        unsettled("without rule 1, 3 of 7", 7, 4),
    ]
}
