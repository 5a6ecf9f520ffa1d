//! Every witness runs once on its archive, all at the same time.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    process::ExitStatus,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use ec_testing::{
    anvil::last_lines,
    processes::{Process, ProcessError, Signals, exit_code},
};
use rustix::process::Signal;
use serde::Deserialize;

use crate::{copies::Copies, epochs::Epoch, progress::look, run::Smoke, say};

/// How often it is said what is waited for.
const SAY_EVERY: Duration = Duration::from_secs(10);

/// Whether all ended as they should.
pub(crate) fn run(smoke: &Smoke<'_>, copies: &Copies, awaited: &[Epoch]) -> eyre::Result<bool> {
    for witness in smoke.witnesses() {
        smoke.rail.init(witness, &smoke.archive(witness))?;
    }
    let started = smoke.witnesses().map(|witness| start(smoke, witness)).collect::<eyre::Result<Vec<_>>>()?;
    let mut running: BTreeMap<_, _> = smoke.witnesses().zip(started.iter().map(Process::signals)).collect();
    thread::scope(|scope| {
        let (tell, told) = mpsc::channel();
        for (witness, mut process) in smoke.witnesses().zip(started) {
            let tell = tell.clone();
            // nobody listens any more where this has failed
            scope.spawn(move || tell.send((witness, process.wait())).ok());
        }
        drop(tell);
        let watched = watch(smoke, copies, awaited, &told, &mut running);
        // where something went wrong, the threads wait for them
        running.values().for_each(|signals| signals.send(Signal::TERM));
        watched
    })
}

fn start(smoke: &Smoke<'_>, witness: usize) -> eyre::Result<Process> {
    let mut run = smoke.run_command(witness);
    run.args(["--once", "--until", "finalized", "--json"]);
    run.stdout(File::create(smoke.rail.file(&format!("run{witness}.jsonl")))?);
    Ok(smoke.rail.processes().spawn(run.stderr(File::create(smoke.log(witness))?))?)
}

/// Waits until all have ended, or too few are left.
fn watch(
    smoke: &Smoke<'_>,
    copies: &Copies,
    awaited: &[Epoch],
    told: &mpsc::Receiver<(usize, Result<ExitStatus, ProcessError>)>,
    running: &mut BTreeMap<usize, Signals>,
) -> eyre::Result<bool> {
    let mut failed = 0;
    loop {
        match told.recv_timeout(SAY_EVERY) {
            Ok((witness, status)) => {
                running.remove(&witness);
                failed += usize::from(!ended_well(smoke, copies, witness, status?)?);
                if too_few(smoke, failed) {
                    return Ok(false);
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                let witnesses: Vec<_> = running.keys().copied().collect();
                say(look(smoke, awaited)?.waits_for(&witnesses));
            }
            Err(RecvTimeoutError::Disconnected) => return Ok(failed == 0),
        }
    }
}

/// Whether the witnesses that have not failed are no quorum; then it says so.
pub(crate) fn too_few(smoke: &Smoke<'_>, failed: usize) -> bool {
    let (witnesses, quorum) = (smoke.settings.witnesses, smoke.settings.quorum);
    let too_few = witnesses - failed < quorum;
    if too_few {
        say(format_args!("{failed} of {witnesses} witnesses ended too early: the others are no quorum of {quorum}"));
    }
    too_few
}

/// Whether a witness ended as it should. With `no` where not all of its epochs are final, as of one that no quorum has
/// alike; but other content than it has whole may only be final where its archive was changed.
fn ended_well(smoke: &Smoke<'_>, copies: &Copies, witness: usize, status: ExitStatus) -> eyre::Result<bool> {
    #[derive(Deserialize)]
    struct Judged {
        state: String,
    }
    let (code, differs) = (exit_code(status), copies.differs(smoke, witness));
    say(format_args!("witness {witness}: exit {code}{differs}"));
    if code > 1 {
        say(last_lines(&fs::read_to_string(smoke.log(witness))?, 5));
        return Ok(false);
    }
    let judged: Vec<Judged> = smoke.objects(&format!("run{witness}.jsonl"))?;
    let mismatches = judged.iter().filter(|judged| judged.state == "mismatch").count();
    let may_differ = copies.tampered.is_some_and(|(tampered, _)| tampered == witness);
    if mismatches > 0 && !may_differ {
        say(format_args!("witness {witness}: {mismatches} slots are final with other content than its archive has"));
        return Ok(false);
    }
    Ok(true)
}
