//! The command line. What it finds goes to stdout, everything else to stderr. Exit codes: 0 ended as it was asked to, 2 error.

mod demo;
mod run;

use std::{
    io::{self, IsTerminal, Write},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand, ValueEnum, error::ErrorKind};
use ec_explorer::settings::{DEFAULT_LISTEN, Overrides};
use ec_screen::may_colour;
use tracing_subscriber::EnvFilter;

/// Shows what was broadcast, who says so, and how anyone can check it: an API and a page over ledgers and archives.
///
/// Exit codes: 0 ended as it was asked to, 2 error.
#[derive(Debug, Parser)]
#[command(name = "ec-explorer", version, max_term_width = 110, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    /// Let witnesses agree on the sample archive on a chain of its own, and show what they made. With a directory that the
    /// smoke kept, show that.
    #[arg(long, value_name = "DIR", num_args = 0..=1, default_missing_value = "-", conflicts_with = "config")]
    demo: Option<PathBuf>,

    #[command(flatten)]
    serve: ServeArgs,

    #[command(flatten)]
    log: LogArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Follow the ledgers, read the archives and serve, until SIGINT or SIGTERM.
    Serve,

    /// Print the OpenAPI document of the API.
    Openapi,
}

/// What is served, and where.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Serving")]
struct ServeArgs {
    /// TOML file with the settings; a witness's own is enough.
    #[arg(long, global = true, env = "EC_EXPLORER_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,

    #[arg(help = format!("Where the API and the page are served [default: {DEFAULT_LISTEN}]"))]
    #[arg(long, global = true, env = "EC_EXPLORER_LISTEN", value_name = "ADDRESS")]
    listen: Option<SocketAddr>,

    /// Directory of the databases, which are made again where it is empty.
    #[arg(long, global = true, env = "EC_EXPLORER_DIR", value_name = "DIR")]
    dir: Option<PathBuf>,

    /// Serve the archives' media, too.
    #[arg(long, global = true, env = "EC_EXPLORER_SERVE_MEDIA")]
    serve_media: bool,

    /// Throw the databases away first.
    #[arg(long, global = true)]
    anew: bool,

    /// Say where it listens as a line of JSON.
    #[arg(long, global = true, env = "EC_EXPLORER_JSON")]
    json: bool,
}

impl ServeArgs {
    fn overrides(&self) -> Overrides {
        Overrides { listen: self.listen, directory: self.dir.clone(), serve_media: self.serve_media }
    }
}

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
struct LogArgs {
    /// Log filter: a level, or `module=level` pairs.
    #[arg(long, global = true, env = "EC_EXPLORER_LOG", value_name = "FILTER", default_value = "info")]
    log: String,

    /// Shape of log lines.
    #[arg(long, global = true, env = "EC_EXPLORER_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

impl LogArgs {
    /// Installs the process-wide subscriber. A filter that cannot be parsed is reported and replaced.
    fn start(&self) {
        let filter = EnvFilter::try_new(&self.log).unwrap_or_else(|error| {
            eprintln!("warning: --log {:?}: {error}; logging at `info`", self.log);
            EnvFilter::new("info")
        });
        let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
        match self.log_format {
            LogFormat::Text => {
                builder.with_ansi(io::stderr().is_terminal() && may_colour()).with_target(false).init();
            }
            LogFormat::Json => builder.json().flatten_event(true).init(),
        }
    }
}

/// Parses the command line, runs the command and maps its outcome to an exit code.
pub(crate) fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return ExitCode::from(if asked { 0 } else { 2 });
        }
    };
    cli.log.start();
    let outcome = match (cli.command, cli.demo) {
        (Some(Command::Openapi), _) => {
            io::stdout().write_all(ec_explorer::api::document().as_bytes()).map_err(Into::into)
        }
        (None, Some(directory)) => demo::demo(&cli.serve, Some(&*directory).filter(|dir| dir.as_os_str() != "-")),
        (Some(Command::Serve) | None, _) => run::serve(&cli.serve),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(report) => {
            eprintln!("error: {}", ec_rpc::in_one_line(report.as_ref()));
            ExitCode::from(2)
        }
    }
}
