//! Logging, JSON lines and progress: how every command speaks.

use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
    sync::Mutex,
    time::{Duration, Instant},
};

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use tracing_subscriber::EnvFilter;

/// The shape of log lines on stderr.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    /// One readable line per event.
    Text,
    /// One JSON object per event.
    Json,
}

/// How much is logged to stderr, and in which shape.
#[derive(Debug, Args)]
#[command(next_help_heading = "Logging")]
pub(crate) struct LogArgs {
    /// Log filter: a level, or `module=level` pairs [default: info for the daemon, else warn].
    #[arg(long, global = true, env = "EC_WITNESS_LOG", value_name = "FILTER")]
    log: Option<String>,

    /// Shape of log lines.
    #[arg(long, global = true, env = "EC_WITNESS_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

impl LogArgs {
    /// Installs the process-wide subscriber. A filter that cannot be parsed is reported and replaced by `default`.
    pub(crate) fn start(&self, default: &str) {
        let asked = self.log.as_deref().unwrap_or(default);
        let filter = EnvFilter::try_new(asked).unwrap_or_else(|error| {
            eprintln!("warning: --log {asked:?}: {error}; logging at `{default}`");
            EnvFilter::new(default)
        });
        let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
        match self.log_format {
            LogFormat::Text => builder.with_ansi(io::stderr().is_terminal()).with_target(false).init(),
            LogFormat::Json => builder.json().flatten_event(true).init(),
        }
    }
}

/// `--json`, for every command that prints facts.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct JsonArg {
    /// Print one JSON object per line instead of text.
    #[arg(long, env = "EC_WITNESS_JSON")]
    pub(crate) json: bool,
}

/// Writes `value` as one line of JSON to stdout.
pub(crate) fn json_line(value: &impl Serialize) -> eyre::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    io::stdout().lock().write_all(&line)?;
    Ok(())
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
        /// When the last line was written, or work began.
        last: Mutex<Instant>,
    },
}

impl Progress {
    /// Starts progress of `what`, as in "checking objects".
    pub(crate) fn start(what: &'static str) -> Self {
        if !io::stderr().is_terminal() {
            return Self::Lines { what, last: Mutex::new(Instant::now()) };
        }
        let style = ProgressStyle::with_template("{msg} {wide_bar} {percent:>3} % {eta}");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        Self::Bar(ProgressBar::new(0).with_style(style).with_message(what))
    }

    /// Shows that `done` of `of` parts are done. May be called from several threads.
    pub(crate) fn set(&self, done: u64, of: u64) {
        match self {
            Self::Bar(bar) => {
                bar.set_length(of);
                bar.set_position(done);
            }
            Self::Lines { what, last } => {
                let Ok(mut last) = last.try_lock() else { return };
                if last.elapsed() >= PROGRESS_PERIOD {
                    *last = Instant::now();
                    let percent = u128::from(done) * 100 / u128::from(of.max(1));
                    eprintln!("{what}: {percent} %");
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

/// Writes `value` to stdout: as one line of JSON, or as its text and a newline.
pub(crate) fn fact(json: bool, value: &(impl Serialize + Display)) -> eyre::Result<()> {
    if json {
        return json_line(value);
    }
    writeln!(io::stdout().lock(), "{value}")?;
    Ok(())
}

/// Whether the reader of our stdout went away, which ends a command without an error, as in `| head`.
pub(crate) fn is_broken_pipe(report: &eyre::Report) -> bool {
    report
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
