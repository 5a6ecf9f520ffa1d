//! The archives grow from nothing while the witnesses run.

use std::{
    fs::{self, OpenOptions},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    thread::{self, ScopedJoinHandle},
    time::{Duration, Instant},
};

use ec_testing::{
    archive::{
        files,
        lines::Line,
        schedule::{Due, beginnings, schedule},
    },
    processes::{Process, Processes, exit_code},
    supervisor::Supervisor,
};

use crate::{epochs::Epoch, once::too_few, progress::look, run::Smoke, say};

/// The archives grow for so long before the witnesses come.
const HEAD_START: Duration = Duration::from_secs(2);

/// The last slots are waited for so long.
const PATIENCE: Duration = Duration::from_secs(300);

/// How often it is said what is waited for.
const SAY_EVERY: Duration = Duration::from_secs(10);

/// A witness that is kept running.
struct Watched {
    witness: usize,
    supervisor: Supervisor,
    /// It has ended by itself, or was ended.
    has_ended: AtomicBool,
}

/// Whether all witnesses ended well.
pub(crate) fn run(smoke: &Smoke<'_>, awaited: &[Epoch], speed: u64) -> eyre::Result<bool> {
    let mut growth = Vec::new();
    for witness in smoke.witnesses() {
        growth.push((smoke.archive(witness).join("manifests"), empty(smoke, witness)?));
    }
    let of = |witness| Watched { witness, supervisor: Supervisor::default(), has_ended: AtomicBool::new(false) };
    let watched: Vec<_> = smoke.witnesses().map(of).collect();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let over = &over;
        let processes = smoke.rail.processes();
        let feeders: Vec<_> = growth
            .iter()
            .map(|(manifests, growth)| scope.spawn(move || feed(processes, manifests, growth, speed, over)))
            .collect();
        let mut witnesses = Vec::new();
        let until_final = || -> eyre::Result<()> {
            processes.sleep(HEAD_START)?;
            for watched in &watched {
                smoke.rail.init(watched.witness, &smoke.archive(watched.witness))?;
                witnesses.push(scope.spawn(move || watched.watch(smoke)));
            }
            if !await_whole(smoke, &watched, feeders)? {
                return Ok(());
            }
            say("the archives are whole; waiting for the last slots");
            await_final(smoke, &watched, awaited)
        };
        // the threads end before the scope does, also where something went wrong
        let waited = until_final();
        over.store(true, Ordering::Relaxed);
        watched.iter().for_each(|watched| watched.supervisor.end());
        let mut ok = true;
        for (watched, witness) in watched.iter().zip(witnesses) {
            let code = witness.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            say(format_args!("witness {}: exit {code}", watched.witness));
            ok &= code == 0;
        }
        waited?;
        Ok(ok)
    })
}

/// The witnesses that run, or too few of them, which it says.
fn running(smoke: &Smoke<'_>, watched: &[Watched]) -> Option<Vec<usize>> {
    let lives = |watched: &&Watched| !watched.has_ended.load(Ordering::Relaxed);
    let running: Vec<_> = watched.iter().filter(lives).map(|watched| watched.witness).collect();
    (!too_few(smoke, watched.len() - running.len())).then_some(running)
}

/// Waits until all lines are appended. Whether enough witnesses still run.
fn await_whole(
    smoke: &Smoke<'_>,
    watched: &[Watched],
    feeders: Vec<ScopedJoinHandle<'_, eyre::Result<()>>>,
) -> eyre::Result<bool> {
    while !feeders.iter().all(ScopedJoinHandle::is_finished) {
        if running(smoke, watched).is_none() {
            return Ok(false);
        }
        smoke.rail.processes().sleep(Duration::from_millis(250))?;
    }
    for feeder in feeders {
        feeder.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    }
    Ok(true)
}

/// Takes the lines out of a witness's archive; when each is due.
fn empty(smoke: &Smoke<'_>, witness: usize) -> eyre::Result<Vec<Due>> {
    let (manifests, source) = (smoke.archive(witness).join("manifests"), smoke.rail.file(&format!("source{witness}")));
    fs::rename(&manifests, &source)?;
    fs::create_dir(&manifests)?;
    let names = &smoke.configuration.names;
    let begins = beginnings(&files_of(&smoke.settings.archive.join("manifests"))?, names);
    Ok(schedule(files_of(&source)?, &begins, names))
}

/// The index files below `manifests`, with their lines.
fn files_of(manifests: &Path) -> eyre::Result<Vec<(PathBuf, Vec<Line>)>> {
    let mut files = Vec::new();
    for track in files::tracks(manifests)? {
        files.push((track.clone(), files::read(&manifests.join(&track))?));
    }
    Ok(files)
}

/// Appends each line when it is due, until it is over.
fn feed(processes: &Processes, manifests: &Path, growth: &[Due], speed: u64, over: &AtomicBool) -> eyre::Result<()> {
    let begun = Instant::now();
    for due in growth {
        if over.load(Ordering::Relaxed) {
            return Ok(());
        }
        let at = begun + Duration::from_micros(due.after_ms * 1000 / speed);
        processes.sleep(at.saturating_duration_since(Instant::now()))?;
        files::append(&manifests.join(&due.file), &due.line)?;
    }
    Ok(())
}

impl Watched {
    /// Keeps it running; its exit code in the end. Its process is in `pid<W>`, its log in `run<W>.log`.
    fn watch(&self, smoke: &Smoke<'_>) -> eyre::Result<i32> {
        let witness = self.witness;
        let start = || -> eyre::Result<Process> {
            let log = OpenOptions::new().create(true).append(true).open(smoke.log(witness))?;
            let process = smoke.rail.processes().spawn(smoke.run_command(witness).stderr(log))?;
            fs::write(smoke.rail.file(&format!("pid{witness}")), format!("{}\n", process.id()))?;
            Ok(process)
        };
        let killed = || say(format_args!("witness {witness}: killed; it is started again"));
        let ended = self.supervisor.run(start, killed);
        self.has_ended.store(true, Ordering::Relaxed);
        Ok(exit_code(ended?))
    }
}

/// Waits until all awaited slots are final and equal; gives up after five minutes, or with too few witnesses.
fn await_final(smoke: &Smoke<'_>, watched: &[Watched], awaited: &[Epoch]) -> eyre::Result<()> {
    let begun = Instant::now();
    let mut said = begun;
    while begun.elapsed() < PATIENCE {
        let Some(running) = running(smoke, watched) else { return Ok(()) };
        let progress = look(smoke, awaited)?;
        if progress.is_final() {
            return Ok(());
        }
        if said.elapsed() >= SAY_EVERY {
            said = Instant::now();
            say(progress.waits_for(&running));
        }
        smoke.rail.processes().sleep(Duration::from_secs(1))?;
    }
    say("the slots are not all final after five minutes");
    Ok(())
}
