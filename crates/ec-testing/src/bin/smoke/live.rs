//! The archives grow from nothing while the witnesses run.

use std::{
    fs::{self, OpenOptions},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use ec_testing::{
    anvil::last_lines,
    archive::{
        files,
        schedule::{Due, schedule},
    },
    processes::{Process, Processes, exit_code},
    supervisor::Supervisor,
};

use crate::{run::Smoke, say};

/// The archives grow for so long before the witnesses come.
const HEAD_START: Duration = Duration::from_secs(2);

/// How often it is asked whether the last slots are final, at most.
const PATIENCE: usize = 300;

/// A witness that is kept running.
struct Watched {
    witness: usize,
    supervisor: Supervisor,
}

/// Whether all witnesses ended well.
pub(crate) fn run(smoke: &Smoke<'_>, speed: u64) -> eyre::Result<bool> {
    let mut growth = Vec::new();
    for witness in smoke.witnesses() {
        growth.push((smoke.archive(witness).join("manifests"), empty(smoke, witness)?));
    }
    let watched: Vec<_> =
        smoke.witnesses().map(|witness| Watched { witness, supervisor: Supervisor::default() }).collect();
    thread::scope(|scope| {
        let processes = smoke.rail.processes();
        let feeders: Vec<_> = growth
            .iter()
            .map(|(manifests, growth)| scope.spawn(move || feed(processes, manifests, growth, speed)))
            .collect();
        let mut witnesses = Vec::new();
        let until_final = || -> eyre::Result<()> {
            processes.sleep(HEAD_START)?;
            for watched in &watched {
                smoke.rail.init(watched.witness, &smoke.archive(watched.witness))?;
                witnesses.push(scope.spawn(move || watched.watch(smoke)));
            }
            for feeder in feeders {
                feeder.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            }
            say("the archives are whole; waiting for the last slots");
            await_final(smoke)
        };
        // the threads end before the scope does, also where something went wrong
        let waited = until_final();
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

/// Takes the lines out of a witness's archive; when each is due.
fn empty(smoke: &Smoke<'_>, witness: usize) -> eyre::Result<Vec<Due>> {
    let (manifests, source) = (smoke.archive(witness).join("manifests"), smoke.rail.file(&format!("source{witness}")));
    fs::rename(&manifests, &source)?;
    fs::create_dir(&manifests)?;
    let mut tracks = Vec::new();
    for track in files::tracks(&source)? {
        tracks.push((track.clone(), files::read(&source.join(&track))?));
    }
    Ok(schedule(tracks, &smoke.configuration.names))
}

/// Appends each line when it is due.
fn feed(processes: &Processes, manifests: &Path, growth: &[Due], speed: u64) -> eyre::Result<()> {
    let begun = Instant::now();
    for due in growth {
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
        Ok(exit_code(self.supervisor.run(start, killed)?))
    }
}

/// Waits until all slots of the whole archive are final and equal; gives up after five minutes.
fn await_final(smoke: &Smoke<'_>) -> eyre::Result<()> {
    let log = smoke.rail.file("await.log");
    for _ in 0..PATIENCE {
        let mut verify = smoke.rail.command("verify");
        verify.arg("--archive").arg(&smoke.settings.archive).arg("--require-final");
        if smoke.agrees(&mut verify, &log)? {
            return Ok(());
        }
        smoke.rail.processes().sleep(Duration::from_secs(1))?;
    }
    let last = last_lines(&fs::read_to_string(&log)?, 1);
    say(format_args!("the slots are not all final after five minutes: {last}"));
    Ok(())
}
