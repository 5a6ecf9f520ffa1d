//! Logging, JSON lines and progress: how every command speaks.

use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
};

use clap::{Args, ValueEnum};
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
    /// Log filter: a level, or `module=level` pairs.
    #[arg(long, global = true, env = "EC_WITNESS_LOG", default_value = "warn", value_name = "FILTER")]
    log: String,

    /// Shape of log lines.
    #[arg(long, global = true, env = "EC_WITNESS_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

impl LogArgs {
    /// Installs the process-wide subscriber. A filter that cannot be parsed is reported and replaced by `warn`.
    pub(crate) fn start(&self) {
        let filter = EnvFilter::try_new(&self.log).unwrap_or_else(|error| {
            eprintln!("warning: --log {:?}: {error}; logging at `warn`", self.log);
            EnvFilter::new("warn")
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
