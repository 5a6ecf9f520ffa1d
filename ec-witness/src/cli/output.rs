//! JSON lines and progress: how every command speaks.

use std::{
    fmt::{self, Display},
    io::{self, IsTerminal, Write},
    num::NonZeroUsize,
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use clap::Args;
use indicatif::{DecimalBytes, HumanCount, HumanDuration, ProgressBar, ProgressState, ProgressStyle};
use serde::Serialize;

/// `--json`, for every command that prints facts.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct JsonArg {
    /// Print one JSON object per line instead of text.
    #[arg(long, env = "EC_WITNESS_JSON")]
    pub(crate) json: bool,
}

/// Writes `value` as one line of JSON to stdout.
pub(crate) fn json_line(value: &impl Serialize) -> eyre::Result<()> {
    let mut line = Vec::new();
    push_json_line(&mut line, value)?;
    Ok(io::stdout().lock().write_all(&line)?)
}

/// Adds `value` to `lines` as one line of JSON.
pub(crate) fn push_json_line(lines: &mut Vec<u8>, value: &impl Serialize) -> eyre::Result<()> {
    serde_json::to_writer(&mut *lines, value)?;
    lines.push(b'\n');
    Ok(())
}

/// How many threads work.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct JobsArg {
    /// Threads that read and hash [default: one per processor].
    #[arg(long, env = "EC_WITNESS_JOBS", value_name = "N")]
    jobs: Option<NonZeroUsize>,
}

impl JobsArg {
    pub(crate) fn count(self) -> NonZeroUsize {
        self.jobs.or_else(|| thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN)
    }
}

/// How often progress is written where it cannot be drawn.
const PROGRESS_PERIOD: Duration = Duration::from_secs(10);

/// Progress on stderr: a bar on a terminal, elsewhere a plain line now and then, nothing for short work.
#[derive(Debug)]
pub(crate) enum Progress {
    /// A terminal.
    Bar(ProgressBar),
    /// A file, a pipe or a journal.
    Lines {
        /// What is being done.
        what: &'static str,
        /// What is counted.
        unit: Unit,
        /// When work began.
        start: Instant,
        /// When the last line was written, or work began.
        last: Mutex<Instant>,
    },
}

/// What progress counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Bytes that are read.
    Bytes,
    /// Records whose objects are checked.
    Records,
    /// Slots that have an outcome.
    Slots,
}

impl Unit {
    /// So many of it per second.
    fn rate(self, per_second: u64) -> String {
        match self {
            Self::Bytes => format!("{}/s", DecimalBytes(per_second)),
            Self::Records => format!("{} records/s", HumanCount(per_second)),
            Self::Slots => format!("{} slots/s", HumanCount(per_second)),
        }
    }
}

impl Progress {
    /// Starts progress of `what`, as in "checking objects".
    pub(crate) fn start(what: &'static str, unit: Unit) -> Self {
        if !io::stderr().is_terminal() {
            let start = Instant::now();
            return Self::Lines { what, unit, start, last: Mutex::new(start) };
        }
        let style = ProgressStyle::with_template("{msg} {wide_bar} {percent:>3} %, {rate}, {eta} left");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        let rate = move |state: &ProgressState, out: &mut dyn fmt::Write| {
            // a terminal that cannot be written to shows no rate
            let _ = out.write_str(&unit.rate(state.per_sec() as u64));
        };
        Self::Bar(ProgressBar::new(0).with_style(style.with_key("rate", rate)).with_message(what))
    }

    /// Shows that `done` of `of` parts are done. May be called from several threads.
    pub(crate) fn set(&self, done: u64, of: u64) {
        match self {
            Self::Bar(bar) => {
                bar.set_length(of);
                bar.set_position(done);
            }
            Self::Lines { what, unit, start, last } => {
                let Ok(mut last) = last.try_lock() else { return };
                if last.elapsed() >= PROGRESS_PERIOD {
                    *last = Instant::now();
                    eprintln!("{what}: {}", line(done, of, *unit, start.elapsed()));
                }
            }
        }
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }

    /// Runs `print` with the bar out of the way.
    pub(crate) fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        match self {
            Self::Bar(bar) => bar.suspend(print),
            Self::Lines { .. } => print(),
        }
    }
}

/// How far the work is, how fast it goes, and how long it will take at that rate.
fn line(done: u64, of: u64, unit: Unit, elapsed: Duration) -> String {
    let percent = u128::from(done) * 100 / u128::from(of.max(1));
    let per_second = done as f64 / elapsed.as_secs_f64().max(f64::MIN_POSITIVE);
    let rate = unit.rate(per_second as u64);
    let left = Duration::try_from_secs_f64(of.saturating_sub(done) as f64 / per_second);
    match left {
        Ok(left) => format!("{percent} %, {rate}, {} left", HumanDuration(left)),
        Err(_) => format!("{percent} %, {rate}"),
    }
}

/// Writes `value` to stdout: as one line of JSON, or as its text and a newline.
pub(crate) fn fact(json: bool, value: &(impl Serialize + Display)) -> eyre::Result<()> {
    if json {
        return json_line(value);
    }
    writeln!(io::stdout().lock(), "{value}")?;
    Ok(())
}

/// The time that a mark is, for people.
pub(crate) fn mark_time(mark: u64) -> String {
    let time = i64::try_from(mark).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    time.map_or_else(|| mark.to_string(), |time| format!("{time:.3}"))
}

/// Whether the reader of our stdout went away, which ends a command without an error, as in `| head`.
pub(crate) fn is_broken_pipe(report: &eyre::Report) -> bool {
    report
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_tells_rate_and_time_left() {
        let after = Duration::from_secs(10);
        let bytes = line(5_000_000_000, 20_000_000_000, Unit::Bytes, after);
        assert_eq!(bytes, "25 %, 500.00 MB/s, 30 seconds left");
        assert_eq!(line(10_000, 610_000, Unit::Records, after), "1 %, 1,000 records/s, 10 minutes left");
        assert_eq!(line(0, 7, Unit::Records, after), "0 %, 0 records/s");
        assert_eq!(line(0, 0, Unit::Records, Duration::ZERO), "0 %, 0 records/s");
    }
}
