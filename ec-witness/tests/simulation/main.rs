//! A discrete-event simulation of the agreement (protocol §5): the real engine, ledger state and window of several
//! witnesses against a model of the ledger contract, through latency, outages, reorgs, stops, gaps and rogues.
//!
//! `cargo test -p ec-witness --test simulation -- --nocapture` prints the figures. `EC_SIM_SEEDS=n` runs n seeds of each
//! scenario, `EC_SIM_SCENARIO=name` only those whose name contains it, `EC_SIM_SEED=s` only this seed, with a trace of
//! the slots that it loses.

mod chain;
mod contract;
mod figures;
mod guard;
mod host;
mod lanes;
mod rogue;
mod scenario;
mod schedule;
mod truth;
mod view;
mod world;

use figures::run;
use scenario::{forgetful, honest, outnumbered, remembering, without_a_rule};

#[test]
fn honest_witnesses_lose_nothing() {
    run(&honest());
}

#[test]
fn outnumbered_rogues_cost_nothing() {
    run(&outnumbered());
}

#[test]
fn a_missing_rule_shows() {
    run(&without_a_rule());
}

#[test]
fn honest_witnesses_name_sessions_alike() {
    lanes::run(&lanes::honest());
}

#[test]
fn attacked_sessions_lose_nothing() {
    lanes::run(&lanes::attacked());
}

#[test]
fn reorgs_of_sessions() {
    lanes::run(&lanes::reorged());
}

#[test]
fn a_missing_rule_of_sessions_shows() {
    lanes::run(&lanes::without_a_rule());
}

#[test]
fn stops_never_change_a_vote() {
    run(&[remembering()]);
}

#[test]
#[should_panic(expected = "recorded two contents")]
fn a_guard_that_forgets_is_caught() {
    run(&[forgetful()]);
}
