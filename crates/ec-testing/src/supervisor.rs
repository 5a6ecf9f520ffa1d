//! A process that is started again whenever it is killed.

use std::{
    os::unix::process::ExitStatusExt,
    process::ExitStatus,
    sync::{Mutex, MutexGuard, PoisonError},
};

use rustix::process::Signal;

use crate::processes::{Process, ProcessError, Signals};

/// Keeps one process running.
#[derive(Debug, Default)]
pub struct Supervisor(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    over: bool,
    current: Option<Signals>,
}

impl Supervisor {
    /// Starts the process, and again after SIGKILL, until it ends by itself or [`Self::end`] is called; how it ended.
    /// `killed` is called before each new start.
    ///
    /// # Errors
    ///
    /// It cannot be started, or this program was told to stop.
    pub fn run<E: From<ProcessError>>(
        &self,
        mut start: impl FnMut() -> Result<Process, E>,
        mut killed: impl FnMut(),
    ) -> Result<ExitStatus, E> {
        loop {
            let mut process = start()?;
            self.became(&process);
            let status = process.wait()?;
            if status.signal() != Some(Signal::KILL.as_raw()) || self.state().over {
                return Ok(status);
            }
            killed();
        }
    }

    /// Asks the process to end, and starts it no more.
    pub fn end(&self) {
        let mut state = self.state();
        state.over = true;
        if let Some(current) = &state.current {
            current.send(Signal::TERM);
        }
    }

    /// Another process runs; one that was started too late is told to end at once.
    fn became(&self, process: &Process) {
        let mut state = self.state();
        state.current = Some(process.signals());
        if state.over {
            process.signal(Signal::TERM);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::processes::Processes;
    use std::{
        process::Command,
        sync::{Arc, mpsc},
        thread,
        time::Duration,
    };

    #[test]
    fn what_is_killed_is_started_again_and_what_ends_is_not() {
        let processes = Arc::new(Processes::default());
        let (mut starts, mut kills) = (0, 0);
        let start = || {
            starts += 1;
            processes.spawn(Command::new("sh").args(["-c", if starts < 3 { "kill -KILL $$" } else { "exit 7" }]))
        };
        let status = Supervisor::default().run::<ProcessError>(start, || kills += 1).unwrap();
        assert_eq!((status.code(), starts, kills), (Some(7), 3, 2));
    }

    #[test]
    fn it_ends_the_process_that_runs() {
        let processes = Arc::new(Processes::default());
        let supervisor = Supervisor::default();
        let (tell, told) = mpsc::channel();
        thread::scope(|scope| {
            let running = scope.spawn(|| {
                let start = || {
                    let process = processes.spawn(Command::new("sleep").arg("600"))?;
                    tell.send(()).unwrap();
                    Ok::<_, ProcessError>(process)
                };
                supervisor.run(start, || unreachable!()).unwrap()
            });
            told.recv().unwrap();
            thread::sleep(Duration::from_millis(50));
            supervisor.end();
            assert_eq!(running.join().unwrap().signal(), Some(Signal::TERM.as_raw()));
        });
    }
}
