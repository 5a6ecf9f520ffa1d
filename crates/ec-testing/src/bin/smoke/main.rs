//! `scripts/op-stack/anvil-reality-smoke.sh`: several witnesses, each with its own copy of an archive, agree on a ledger
//! on Anvil or another chain. Needs `ec-witness` beside it.

mod args;
mod check;
mod configuration;
mod copies;
mod epochs;
mod explorer;
mod live;
mod once;
mod progress;
mod report;
mod run;
mod totals;

use std::{process::ExitCode, sync::Arc};

use ec_testing::processes::{ProcessError, Processes};
use eyre::WrapErr;

use args::Asked;

fn main() -> ExitCode {
    let processes = Arc::new(Processes::default());
    let outcome = smoke(&processes);
    match (outcome, processes.go_on()) {
        (_, Err(ProcessError::Stopped(signal))) => ExitCode::from(128 + signal.as_raw() as u8),
        (Ok(true), _) => ExitCode::SUCCESS,
        (Ok(false), _) => ExitCode::FAILURE,
        (Err(error), _) => {
            eprintln!("smoke: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Whether all slots are final and equal to the archive.
fn smoke(processes: &Arc<Processes>) -> eyre::Result<bool> {
    let settings = match args::parse(std::env::args_os())? {
        Asked::Help => {
            print!("{}", args::HELP);
            return Ok(true);
        }
        Asked::Reopen(kept) => {
            processes.stop_on_signals().wrap_err("signals")?;
            return run::reopen(processes, &kept);
        }
        Asked::Smoke(settings) => settings,
    };
    processes.stop_on_signals().wrap_err("signals")?;
    run::run(processes, &settings)
}

/// A word to whoever runs it; stdout is for the result.
fn say(text: impl std::fmt::Display) {
    eprintln!("{text}");
}
