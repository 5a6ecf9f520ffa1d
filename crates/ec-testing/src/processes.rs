//! Everything that a program has started ends with it, also when it is told to stop or killed.

use std::{
    fs, io,
    os::unix::process::ExitStatusExt,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use tokio::signal::unix::{SignalKind, signal};

use crate::lifeline::ends_with_parent;

/// How long a process may take to end when it is asked to; then it is killed.
const PATIENCE: Duration = Duration::from_secs(30);

/// The most memory that a process had resident so far (VmHWM), bytes; `None` once it has ended.
pub fn most_memory(process: u32) -> Option<u64> {
    memory_in(&fs::read_to_string(format!("/proc/{process}/status")).ok()?, "VmHWM:")
}

/// That without the pages of its program and libraries: as many of those are mapped with the one that is asked for as lie
/// together in the system's cache, megabytes more or less from one machine to the next. `None` once it has ended.
pub fn most_own_memory(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    memory_in(&status, "VmHWM:")?.checked_sub(memory_in(&status, "RssFile:")?)
}

/// A figure of a process's status, bytes.
fn memory_in(status: &str, figure: &str) -> Option<u64> {
    let kib = status.lines().find_map(|line| line.strip_prefix(figure)?.trim().strip_suffix(" kB"))?;
    Some(kib.parse::<u64>().ok()? * 1024)
}

/// Waits for a process's end; the most memory that it had, bytes, as `measure` tells it, and how it ended.
///
/// # Errors
///
/// It cannot be waited for.
pub fn memory_to_the_end(child: &mut Child, measure: fn(u32) -> Option<u64>) -> io::Result<(u64, ExitStatus)> {
    let mut most = 0;
    loop {
        // what is gone once the process has ended
        most = most.max(measure(child.id()).unwrap_or_default());
        if let Some(status) = child.try_wait()? {
            return Ok((most, status));
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// The processes of one program that run. After [`Processes::stop`] there will be no more of them.
#[derive(Debug, Default)]
pub struct Processes {
    state: Mutex<State>,
    stopped: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Started and not yet waited for, so that their ids are theirs.
    running: Vec<Pid>,
    /// The signal that told this program to stop.
    told: Option<Signal>,
}

/// A running process. When it is dropped it is asked to end, and waited for.
#[derive(Debug)]
pub struct Process {
    processes: Arc<Processes>,
    child: Child,
    id: Pid,
    status: Option<ExitStatus>,
}

/// Why there is no process, or nothing of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// This program was told to stop.
    #[error("stopped by {0:?}")]
    Stopped(Signal),
    /// It cannot be started or waited for.
    #[error("{program}: {source}")]
    Io {
        /// The program's path.
        program: String,
        /// Why.
        source: io::Error,
    },
}

impl Processes {
    /// Stops at SIGTERM and SIGINT.
    ///
    /// # Errors
    ///
    /// The signals cannot be listened to.
    pub fn stop_on_signals(self: &Arc<Self>) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let (mut terminate, mut interrupt) = {
            let _entered = runtime.enter();
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?)
        };
        let processes = Arc::clone(self);
        thread::spawn(move || {
            runtime.block_on(async {
                loop {
                    tokio::select! {
                        _ = terminate.recv() => processes.stop(Signal::TERM),
                        _ = interrupt.recv() => processes.stop(Signal::INT),
                    }
                }
            });
        });
        Ok(())
    }

    /// Asks all processes to end and starts no more; who waits for one, or sleeps, hears of it.
    pub fn stop(&self, told: Signal) {
        let mut state = self.state();
        state.told.get_or_insert(told);
        for id in &state.running {
            let _ = kill_process(*id, Signal::TERM);
        }
        self.stopped.notify_all();
    }

    /// An error once this program was told to stop.
    ///
    /// # Errors
    ///
    /// That it was.
    pub fn go_on(&self) -> Result<(), ProcessError> {
        self.state().told.map_or(Ok(()), |told| Err(ProcessError::Stopped(told)))
    }

    /// Waits, but not longer than until this program is told to stop.
    ///
    /// # Errors
    ///
    /// That it was.
    pub fn sleep(&self, time: Duration) -> Result<(), ProcessError> {
        let state = self.state();
        let waited = self.stopped.wait_timeout_while(state, time, |state| state.told.is_none());
        drop(waited.unwrap_or_else(PoisonError::into_inner));
        self.go_on()
    }

    /// Starts a process, without input. It ends with the thread that starts it.
    ///
    /// # Errors
    ///
    /// This program was told to stop, or it cannot be started.
    pub fn spawn(self: &Arc<Self>, command: &mut Command) -> Result<Process, ProcessError> {
        let mut state = self.state();
        if let Some(told) = state.told {
            return Err(ProcessError::Stopped(told));
        }
        let child = ends_with_parent(command.stdin(Stdio::null())).spawn().map_err(|source| failed(command, source))?;
        let id = Pid::from_child(&child);
        state.running.push(id);
        Ok(Process { processes: Arc::clone(self), child, id, status: None })
    }

    /// Runs a process to its end; its standard output is kept.
    ///
    /// # Errors
    ///
    /// This program was told to stop, or it cannot be run.
    pub fn output(self: &Arc<Self>, command: &mut Command) -> Result<Output, ProcessError> {
        let mut process = self.spawn(command.stdout(Stdio::piped()))?;
        let mut stdout = Vec::new();
        if let Some(mut pipe) = process.child.stdout.take() {
            io::copy(&mut pipe, &mut stdout).map_err(|source| failed(command, source))?;
        }
        Ok(Output { status: process.wait()?, stdout, stderr: Vec::new() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Process {
    /// The process's id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal, if it has not ended.
    pub fn signal(&self, signal: Signal) {
        send(&self.processes, self.id, signal);
    }

    /// What sends it signals, for another thread.
    pub fn signals(&self) -> Signals {
        Signals { processes: Arc::clone(&self.processes), id: self.id }
    }

    /// Waits for its end.
    ///
    /// # Errors
    ///
    /// This program was told to stop, and then the process has ended too; or it cannot be waited for.
    pub fn wait(&mut self) -> Result<ExitStatus, ProcessError> {
        let status = self.end().map_err(|source| ProcessError::Io { program: self.id.to_string(), source })?;
        self.processes.go_on()?;
        Ok(status)
    }

    fn end(&mut self) -> io::Result<ExitStatus> {
        if let Some(status) = self.status {
            return Ok(status);
        }
        // its id stays its own until it is taken from the list
        while let Err(error) = waitid(WaitId::Pid(self.id), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            if error != rustix::io::Errno::INTR {
                return Err(error.into());
            }
        }
        let mut state = self.processes.state();
        state.running.retain(|id| *id != self.id);
        let status = self.child.wait()?;
        self.status = Some(status);
        Ok(status)
    }

    fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        self.status.is_some() || !matches!(waitid(WaitId::Pid(self.id), options), Ok(None))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.status.is_some() {
            return;
        }
        self.signal(Signal::TERM);
        let begun = Instant::now();
        while !self.has_ended() && begun.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(10));
        }
        if !self.has_ended() {
            self.signal(Signal::KILL);
        }
        let _ = self.end();
    }
}

/// Sends signals to a process that another thread waits for.
#[derive(Clone, Debug)]
pub struct Signals {
    processes: Arc<Processes>,
    id: Pid,
}

impl Signals {
    /// Sends a signal, if the process has not ended.
    pub fn send(&self, signal: Signal) {
        send(&self.processes, self.id, signal);
    }
}

fn send(processes: &Processes, id: Pid, signal: Signal) {
    let state = processes.state();
    if state.running.contains(&id) {
        let _ = kill_process(id, signal);
    }
}

fn failed(command: &Command, source: io::Error) -> ProcessError {
    ProcessError::Io { program: command.get_program().to_string_lossy().into_owned(), source }
}

/// The exit code as a shell tells it: 128 and the signal for what a signal ended.
pub fn exit_code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn sleeping(processes: &Arc<Processes>) -> Process {
        processes.spawn(Command::new("sleep").arg("600")).unwrap()
    }

    fn lives(id: u32) -> bool {
        Path::new(&format!("/proc/{id}")).exists()
    }

    #[test]
    fn a_process_ends_with_its_value() {
        let processes = Arc::new(Processes::default());
        let process = sleeping(&processes);
        let id = process.id();
        assert!(lives(id));
        drop(process);
        assert!(!lives(id));
        assert_eq!(processes.state().running, []);
    }

    #[test]
    fn one_that_does_not_listen_to_the_request_is_still_ended_by_a_signal() {
        let processes = Arc::new(Processes::default());
        let mut process = processes.spawn(Command::new("sh").args(["-c", "trap '' TERM; exec sleep 600"])).unwrap();
        process.signal(Signal::KILL);
        assert_eq!(exit_code(process.wait().unwrap()), 137);
    }

    #[test]
    fn told_to_stop_it_ends_all_wakes_all_and_starts_none() {
        let processes = Arc::new(Processes::default());
        let mut process = sleeping(&processes);
        thread::scope(|scope| {
            let waits = scope.spawn(|| process.wait());
            let sleeps = scope.spawn(|| processes.sleep(Duration::from_secs(600)));
            thread::sleep(Duration::from_millis(50));
            processes.stop(Signal::INT);
            assert!(matches!(waits.join().unwrap(), Err(ProcessError::Stopped(Signal::INT))));
            assert!(matches!(sleeps.join().unwrap(), Err(ProcessError::Stopped(Signal::INT))));
        });
        assert!(matches!(processes.spawn(&mut Command::new("true")), Err(ProcessError::Stopped(_))));
        assert!(!lives(process.id()));
    }

    #[test]
    fn standard_output_is_kept_and_the_exit_code_told() {
        let processes = Arc::new(Processes::default());
        let output = processes.output(Command::new("sh").args(["-c", "echo said; exit 3"])).unwrap();
        assert_eq!((output.stdout.as_slice(), exit_code(output.status)), (&b"said\n"[..], 3));
        assert!(
            processes
                .output(&mut Command::new("/no/such/program"))
                .unwrap_err()
                .to_string()
                .starts_with("/no/such/program: ")
        );
    }
}
