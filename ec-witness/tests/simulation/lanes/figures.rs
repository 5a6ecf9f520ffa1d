//! Runs scenarios of lanes over their seeds and prints a line of figures for each.

use super::{
    scenario::Scenario,
    world::{Outcome, World},
};
use crate::{
    figures::{command, only, percentile_s, seeds, spread},
    scenario::Expect,
};

/// Runs every scenario and asks of each what it expects.
pub(crate) fn run(scenarios: &[Scenario]) {
    println!(
        "{:<42} k/n {:>5} {:>6} {:>5} {:>8} {:>5} {:>8} {:>5} {:>5} {:>5} {:>5}",
        "", "seeds", "windows", "lost", "", "twice", "", "open", "other", "p50", "p99"
    );
    let scenarios = scenarios.iter().filter(|scenario| scenario.network.name.contains(&only()));
    let mut faults = vec![];
    for scenario in scenarios {
        let name = scenario.network.name;
        let seeds = seeds(scenario.network.seeds);
        let outcomes = spread(name, &seeds, |seed, trace| World::new(scenario, seed).run(trace));
        print(scenario, &outcomes);
        faults.extend(fault(scenario, &outcomes).map(|fault| format!("{name}: {fault}")));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn print(scenario: &Scenario, outcomes: &[(u64, Outcome)]) {
    let sum = |of: fn(&Outcome) -> u64| outcomes.iter().map(|(_, outcome)| of(outcome)).sum::<u64>();
    let (able, lost) = (sum(|outcome| outcome.able), sum(|outcome| outcome.lost.len() as u64));
    let doubled = sum(|outcome| outcome.doubled.len() as u64);
    let percent = |part: u64| 100.0 * part as f64 / able.max(1) as f64;
    let delays_ms = delays_ms(outcomes);
    println!(
        "{:<42} {}/{} {:>5} {able:>6} {lost:>5} {:>6.2} % {doubled:>5} {:>6.2} % {:>5.2} {:>5} {:>5} {:>5}",
        scenario.network.name,
        scenario.network.quorum,
        scenario.network.witnesses,
        outcomes.len(),
        percent(lost),
        percent(doubled),
        sum(|outcome| outcome.left_open) as f64 / sum(|outcome| outcome.slots) as f64,
        sum(|outcome| outcome.strange),
        percentile_s(&delays_ms, 50),
        percentile_s(&delays_ms, 99),
    );
}

/// How long windows took, ascending.
fn delays_ms(outcomes: &[(u64, Outcome)]) -> Vec<u64> {
    let mut delays_ms: Vec<u64> = outcomes.iter().flat_map(|(_, outcome)| outcome.delays_ms.clone()).collect();
    delays_ms.sort_unstable();
    delays_ms
}

/// What is not as expected, and a seed that shows it.
fn fault(scenario: &Scenario, outcomes: &[(u64, Outcome)]) -> Option<String> {
    let network = &scenario.network;
    let first = |is_wrong: fn(&Outcome) -> bool| outcomes.iter().find(|(_, outcome)| is_wrong(outcome));
    let sum = |of: fn(&Outcome) -> u64| outcomes.iter().map(|(_, outcome)| of(outcome)).sum::<u64>();
    let share = |part: u64| part * 100 > sum(|outcome| outcome.able);
    let replay = |(seed, _): &(u64, Outcome)| command(network.name, *seed);
    let lost = first(|outcome| !outcome.lost.is_empty()).map(replay);
    match (network.expect, lost) {
        (Expect::NoneLost, Some(replay)) => return Some(format!("lost windows; replay: {replay}")),
        (Expect::SomeLost, None) => return Some("lost nothing".into()),
        _ => {}
    }
    let is_calm = network.rogues == 0 && network.reorgs == 0;
    let several = first(Outcome::doubles_several_of_a_session).filter(|_| is_calm && !scenario.is_hard()).map(replay);
    let for_nothing = first(|outcome| !outcome.doubled_for_nothing.is_empty());
    if let Some(replay) = for_nothing.filter(|_| is_calm && scenario.is_hard()).map(replay) {
        return Some(format!("a window is final twice though a quorum could follow a session; replay: {replay}"));
    }
    let median_s = percentile_s(&delays_ms(outcomes), 50);
    let takes_rounds = median_s * 1000 >= (network.agreement)().round_grace_ms;
    if scenario.takes_rounds.is_some_and(|expected| takes_rounds != expected) {
        return Some(format!("half of the windows took {median_s} s or more"));
    }
    let many = is_calm && share(sum(|outcome| outcome.doubled.len() as u64));
    let many = many.then(|| "more than a hundredth of the windows is final twice".into());
    several.map(|replay| format!("several windows of a session are final twice; replay: {replay}")).or(many)
}
