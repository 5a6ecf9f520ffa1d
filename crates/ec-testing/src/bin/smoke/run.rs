//! The smoke from the beginning to its result.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use alloy::{primitives::Address, providers::Provider};
use ec_testing::{
    anvil::Anvil,
    processes::{Processes, exit_code},
    rail::{Rail, witness_program},
};
use eyre::{WrapErr, ensure};
use serde::de::DeserializeOwned;
use tempfile::TempDir;

use crate::{
    args::Settings,
    check::check,
    configuration::{
        Configuration, DISPUTED_AFTER_MS, GRACE_MS, INCOMPLETE_DELAY_MS, LATE_MS, PROPOSE_STAGGER_MS, TIME_WAIT_MS,
    },
    copies::Copies,
    epochs::{Epoch, awaited},
    explorer, live, once, report, say,
    totals::totals,
};

const POLL_MS: u32 = 250;

/// What all steps need.
pub(crate) struct Smoke<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) configuration: Configuration,
    pub(crate) rail: Rail,
}

/// Runs it in a working directory. Whether all slots are final and equal to the archive.
pub(crate) fn run(processes: &Arc<Processes>, settings: &Settings) -> eyre::Result<bool> {
    let work = Work::new(settings)?;
    let outcome = run_in(work.path(), processes, settings);
    if matches!(outcome, Ok(false)) {
        say("the smoke failed; run it with --keep to look at the logs");
    }
    outcome
}

fn run_in(work: &Path, processes: &Arc<Processes>, settings: &Settings) -> eyre::Result<bool> {
    let begun = Instant::now();
    say(format_args!(
        "shortened for the demonstration: propose_stagger_ms={PROPOSE_STAGGER_MS} late_ms={LATE_MS} \
         time_wait_ms={TIME_WAIT_MS} incomplete_delay_ms={INCOMPLETE_DELAY_MS} disputed_after_ms={DISPUTED_AFTER_MS} \
         grace_ms={GRACE_MS} poll_ms={POLL_MS}"
    ));
    let program = witness_program()?;
    // declared first, so that it outlives the witnesses
    let anvil = match &settings.chain {
        Some(_) => None,
        None => Some(start_anvil(work, settings.witnesses)?),
    };
    processes.go_on()?;
    let (rpc, keys) = match (&settings.chain, &anvil) {
        (Some(chain), _) => (chain.rpc.as_str(), chain.keys.as_path()),
        (None, anvil) => (anvil.as_ref().map_or("", Anvil::rpc), work),
    };
    let configuration = Configuration::of_environment_or(settings.config.as_deref())?;
    let mut rail = Rail::at(processes, &program, work, keys, rpc)?;
    let first_block = rail.head()?;
    let ledger = rail.deploy(settings.witnesses, settings.quorum, &configuration.settings()?)?;
    let smoke = Smoke { settings, configuration, rail };
    let outcome = smoke.attest(first_block, ledger, begun)?;
    if settings.keep || settings.work.is_some() {
        smoke.leave(anvil.is_some())?;
    }
    if settings.stay {
        say("the chain goes on until it is stopped");
        stay(processes)?;
    }
    Ok(outcome)
}

/// Waits until it is told to stop.
fn stay(processes: &Processes) -> eyre::Result<()> {
    loop {
        processes.sleep(Duration::from_secs(3600))?;
    }
}

/// Starts the chain of a smoke that was kept once more, and waits until it is told to stop.
pub(crate) fn reopen(processes: &Arc<Processes>, kept: &Path) -> eyre::Result<bool> {
    let state = kept.join(explorer::STATE);
    let state = fs::read_to_string(&state)
        .wrap_err_with(|| format!("--reopen {}: the smoke kept no chain there; run it with --keep", kept.display()))?;
    let log = tempfile::tempdir()?;
    let anvil = Anvil::start(log.path(), &["--block-time", "1", "--slots-in-an-epoch", "1"].map(str::to_owned))?;
    let rail = Rail::at(processes, &witness_program()?, kept, kept, anvil.rpc())?;
    rail.ask(|chain| async move { chain.raw_request::<_, bool>("anvil_loadState".into(), (state,)).await })?;
    explorer::point_to(kept, anvil.rpc())?;
    say(format_args!("the chain of {} is at {} until it is stopped", kept.display(), anvil.rpc()));
    stay(processes)?;
    Ok(true)
}

fn start_anvil(work: &Path, witnesses: usize) -> eyre::Result<Anvil> {
    let accounts = (witnesses + 1).to_string();
    let arguments = ["--block-time", "1", "--slots-in-an-epoch", "1", "--accounts", &accounts].map(str::to_owned);
    let anvil = Anvil::start(work, &arguments)?;
    anvil.write_keys(work)?;
    Ok(anvil)
}

impl Smoke<'_> {
    /// Everything after the deployment.
    fn attest(&self, first_block: u64, ledger: Address, begun: Instant) -> eyre::Result<bool> {
        let Settings { witnesses, quorum, tamper, json, .. } = *self.settings;
        let (awaited, shared) = self.awaited()?;
        let copies = Copies::make(self, &shared)?;
        say(format_args!("{} slots, {witnesses} witnesses, quorum {quorum}", awaited.len()));
        let ended = match self.settings.live {
            Some(speed) => live::run(self, &awaited, speed)?,
            None => once::run(self, &copies, &awaited)?,
        };
        let checked = check(self, &awaited)?;
        let totals = totals(&self.rail, first_block, ledger)?;
        let ok = ended && checked.ok;
        report::report(json, awaited.len(), &checked, &totals, begun.elapsed(), ok)?;
        let found = !tamper || report::tampered(self, &copies)?;
        Ok(ok && found)
    }

    /// Leaves what shows all of it in a browser.
    fn leave(&self, is_own_chain: bool) -> eyre::Result<()> {
        let work = self.rail.file("");
        if is_own_chain {
            let state: String =
                self.rail.ask(|chain| async move { chain.raw_request("anvil_dumpState".into(), ()).await })?;
            fs::write(self.rail.file(explorer::STATE), state)?;
        }
        explorer::write(self)?;
        if is_own_chain && !self.settings.stay {
            say(format_args!("look at it: cargo run -p ec-explorer -- --demo {}", work.display()));
        }
        Ok(())
    }

    /// What must become final, and what of it every witness has whole.
    fn awaited(&self) -> eyre::Result<(Vec<Epoch>, Vec<Epoch>)> {
        let own = self.epochs_of(&self.settings.archive, "derived.jsonl")?;
        let late = self.settings.late.as_deref().map(|late| self.epochs_of(late, "derived-late.jsonl")).transpose()?;
        let of = |witness| late.as_ref().filter(|_| self.settings.is_late(witness)).unwrap_or(&own).as_slice();
        let archives: Vec<_> = self.witnesses().map(of).collect();
        let must = awaited(&archives, self.settings.quorum);
        ensure!(
            !must.is_empty(),
            "there is no closed epoch that a quorum of the witnesses has alike, without conflicts"
        );
        if must.len() < own.len() {
            say(format_args!("{} of {} epochs are not alike at a quorum", own.len() - must.len(), own.len()));
        }
        let shared = awaited(&archives, archives.len());
        Ok((must, shared.into_iter().filter(|epoch| epoch.complete).collect()))
    }

    /// What an archive says by itself; how `derive` said it is kept in a file.
    pub(crate) fn epochs_of(&self, archive: &Path, file: &str) -> eyre::Result<Vec<Epoch>> {
        let mut derive = self.rail.command("derive");
        let code = self.answer(derive.arg("--archive").arg(archive).arg("--json"), file)?;
        ensure!(code == 0, "{} has nothing to derive", archive.display());
        let lines = fs::read_to_string(self.rail.file(file))?;
        Ok(lines.lines().map(Epoch::of).filter_map(Result::transpose).collect::<Result<_, _>>()?)
    }

    /// A witness's own archive.
    pub(crate) fn archive(&self, witness: usize) -> PathBuf {
        self.rail.file(&format!("archive{witness}"))
    }

    pub(crate) fn log(&self, witness: usize) -> PathBuf {
        self.rail.file(&format!("run{witness}.log"))
    }

    pub(crate) fn witnesses(&self) -> std::ops::RangeInclusive<usize> {
        1..=self.settings.witnesses
    }

    /// `run` of a witness on its archive.
    pub(crate) fn run_command(&self, witness: usize) -> Command {
        let mut run = self.rail.command_of(witness, "run");
        run.arg("--archive").arg(self.archive(witness)).args(["--poll-ms", &POLL_MS.to_string(), "--log", "info"]);
        // an archive that is old in whole is what it is about, and nobody else pays for the chain's blocks
        run.args(["--catch-up-percent", "0"]);
        if let (1, Some(also)) = (witness, &self.settings.also_rpc) {
            run.env("EC_WITNESS_RPC", format!("{},{also}", self.rail.rpc())).env("EC_WITNESS_RPC_AGREE", "2");
        }
        run
    }

    /// Runs a command to its end and keeps what it prints in a file; its exit code.
    pub(crate) fn answer(&self, command: &mut Command, file: &str) -> eyre::Result<i32> {
        let status = self.rail.processes().spawn(command.stdout(File::create(self.rail.file(file))?))?.wait()?;
        Ok(exit_code(status))
    }

    /// The JSON objects in a file of the working directory.
    pub(crate) fn objects<T: DeserializeOwned>(&self, file: &str) -> eyre::Result<Vec<T>> {
        let text = fs::read_to_string(self.rail.file(file))?;
        let objects = text.lines().map(serde_json::from_str).collect::<Result<_, _>>();
        objects.wrap_err_with(|| file.to_owned())
    }
}

/// The working directory: a new one that is kept, or one that goes with this.
enum Work {
    Kept(PathBuf),
    Passing(TempDir),
}

impl Work {
    fn new(settings: &Settings) -> eyre::Result<Self> {
        if let Some(work) = &settings.work {
            let shown = work.display();
            fs::create_dir(work).wrap_err_with(|| format!("--work {shown}: it must be a new directory"))?;
            return Ok(Self::Kept(work.canonicalize()?));
        }
        let work = tempfile::tempdir()?;
        Ok(if settings.keep { Self::Kept(work.keep()) } else { Self::Passing(work) })
    }

    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Passing(dir) => dir.path(),
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if let Self::Kept(path) = self {
            say(format_args!("kept: {}", path.display()));
        }
    }
}
