//! The smoke from the beginning to its result.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    sync::Arc,
    time::Instant,
};

use alloy::primitives::Address;
use ec_testing::{
    anvil::{Anvil, last_lines},
    processes::{Process, Processes, exit_code},
    rail::{Rail, witness_program},
};
use eyre::{WrapErr, ensure};
use serde::de::DeserializeOwned;
use tempfile::TempDir;

use crate::{
    args::Settings,
    check::{Expected, check},
    configuration::{Configuration, GRACE_MS, LATE_MS, PROPOSE_STAGGER_MS},
    copies::Copies,
    live, report, say,
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
        "shortened for the demonstration: propose_stagger_ms={PROPOSE_STAGGER_MS} late_ms={LATE_MS} grace_ms={GRACE_MS} poll_ms={POLL_MS}"
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
    let configuration = Configuration::of_environment()?;
    let mut rail = Rail::at(processes, &program, work, keys, rpc)?;
    let first_block = rail.head()?;
    let expected = derive_reference(&rail, &settings.archive)?;
    let ledger = rail.deploy(settings.witnesses, settings.quorum, &configuration.settings()?)?;
    let smoke = Smoke { settings, configuration, rail };
    smoke.attest(&expected, first_block, ledger, begun)
}

fn start_anvil(work: &Path, witnesses: usize) -> eyre::Result<Anvil> {
    let accounts = (witnesses + 1).to_string();
    let arguments = ["--block-time", "1", "--slots-in-an-epoch", "1", "--accounts", &accounts].map(str::to_owned);
    let anvil = Anvil::start(work, &arguments)?;
    anvil.write_keys(work)?;
    Ok(anvil)
}

/// What the archive says by itself: the reference for all comparisons.
fn derive_reference(rail: &Rail, archive: &Path) -> eyre::Result<Vec<Expected>> {
    let derived = rail.file("derived.jsonl");
    let mut derive = rail.command("derive");
    derive.arg("--archive").arg(archive).arg("--json").stdout(File::create(&derived)?);
    ensure!(rail.processes().spawn(&mut derive)?.wait()?.success(), "the archive has nothing to derive");
    let text = fs::read_to_string(&derived)?;
    let mut expected = Vec::new();
    let mut kept = String::new();
    for line in text.lines() {
        if let Some(slot) = Expected::of(line)? {
            expected.push(slot);
            kept += line;
            kept.push('\n');
        }
    }
    fs::write(rail.file("expected.jsonl"), kept)?;
    ensure!(!expected.is_empty(), "the archive has no closed epoch without conflicts");
    Ok(expected)
}

impl Smoke<'_> {
    /// Everything after the deployment.
    fn attest(&self, expected: &[Expected], first_block: u64, ledger: Address, begun: Instant) -> eyre::Result<bool> {
        let Settings { witnesses, quorum, tamper, json, .. } = *self.settings;
        let copies = Copies::make(self, expected)?;
        say(format_args!("{} slots, {witnesses} witnesses, quorum {quorum}", expected.len()));
        let ended =
            if let Some(speed) = self.settings.live { live::run(self, speed)? } else { self.run_once(&copies)? };
        let checked = check(self, expected)?;
        let totals = totals(&self.rail, first_block, ledger)?;
        let ok = ended && checked.ok;
        report::report(json, expected.len(), &checked, &totals, begun.elapsed(), ok)?;
        let found = !tamper || report::tampered(self, &copies)?;
        Ok(ok && found)
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
        if let (1, Some(also)) = (witness, &self.settings.also_rpc) {
            run.env("EC_WITNESS_RPC", format!("{},{also}", self.rail.rpc())).env("EC_WITNESS_RPC_AGREE", "2");
        }
        run
    }

    /// Every witness runs once on its archive, all at the same time; whether all ended as they should.
    fn run_once(&self, copies: &Copies) -> eyre::Result<bool> {
        for witness in self.witnesses() {
            self.rail.init(witness, &self.archive(witness))?;
        }
        let start = |witness| -> eyre::Result<Process> {
            let mut run = self.run_command(witness);
            run.args(["--once", "--until", "finalized", "--json"]);
            run.stdout(File::create(self.rail.file(&format!("run{witness}.jsonl")))?);
            Ok(self.rail.processes().spawn(run.stderr(File::create(self.log(witness))?))?)
        };
        let mut running = self.witnesses().map(start).collect::<eyre::Result<Vec<_>>>()?;
        let mut ok = true;
        for (witness, process) in self.witnesses().zip(&mut running) {
            ok &= self.ended_well(witness, process.wait()?, copies)?;
        }
        Ok(ok)
    }

    /// Whether a witness ended as it should: with `no` only where its archive differs.
    fn ended_well(&self, witness: usize, status: ExitStatus, copies: &Copies) -> eyre::Result<bool> {
        let (code, differs) = (exit_code(status), copies.differs(witness));
        say(format_args!("witness {witness}: exit {code}{}", differs.unwrap_or_default()));
        if code > 1 {
            say(last_lines(&fs::read_to_string(self.log(witness))?, 5));
        }
        Ok(code == 0 || code == 1 && differs.is_some())
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

    /// Whether a command ends with yes; all that it says goes to `log`.
    pub(crate) fn agrees(&self, command: &mut Command, log: &Path) -> eyre::Result<bool> {
        let log = File::create(log)?;
        let command = command.stdout(log.try_clone()?).stderr(Stdio::from(log));
        Ok(self.rail.processes().spawn(command)?.wait()?.success())
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
