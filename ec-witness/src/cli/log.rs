//! The log on stderr: which events, and how a line of it looks.

use std::{
    fmt,
    io::{self, IsTerminal},
};

use clap::{Args, ValueEnum};
use ec_screen::may_colour;
use jiff::Timestamp;
use tracing::field::{Field, Visit};
use tracing_subscriber::{
    EnvFilter,
    field::RecordFields,
    fmt::{FormatFields, format::Writer, time::FormatTime},
};

use super::defaults::with_default;

/// Digits of a hash or an address that tell it from others in a line of text.
const DIGITS: usize = 8;

/// What kind of run logs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Logger {
    Daemon,
    Recorder,
    /// Every other command: what it finds goes to stdout, and it ends while somebody looks.
    Command,
}

impl Logger {
    /// The log filter where none is given.
    pub(crate) const fn filter(self) -> &'static str {
        match self {
            Self::Daemon => "info",
            // the libraries below it tell again what it tells itself
            Self::Recorder => "info,moq_net=error,moq_tokio=error,web_transport_moq=error",
            // boxes that its parser does not know are recorded as they are
            Self::Command => "warn,mp4_atom=error",
        }
    }
}

/// The shape of log lines on stderr.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    /// One line per event, hashes and addresses cut short.
    Text,
    /// One JSON object per event, with all in full.
    Json,
}

/// How much is logged to stderr, and in which shape.
#[derive(Debug, Args)]
#[command(next_help_heading = "Logging")]
pub(crate) struct LogArgs {
    #[arg(help = with_default(
        "Log filter: a level, or `module=level` pairs",
        format_args!("{} for the daemon, else {}", Logger::Daemon.filter(), Logger::Command.filter())
    ))]
    #[arg(long, global = true, env = "EC_WITNESS_LOG", value_name = "FILTER")]
    log: Option<String>,

    /// Shape of log lines.
    #[arg(long, global = true, env = "EC_WITNESS_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

impl LogArgs {
    /// Installs the process-wide subscriber. A filter that cannot be parsed is reported and replaced by the default.
    pub(crate) fn start(&self, logger: Logger) {
        let default = logger.filter();
        let asked = self.log.as_deref().unwrap_or(default);
        let filter = EnvFilter::try_new(asked).unwrap_or_else(|error| {
            eprintln!("warning: --log {asked:?}: {error}; logging at `{default}`");
            EnvFilter::new(default)
        });
        let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
        match self.log_format {
            LogFormat::Text => {
                let builder = builder
                    .with_ansi(io::stderr().is_terminal() && may_colour())
                    .with_target(false)
                    .fmt_fields(TextFields);
                match logger {
                    Logger::Command => builder.without_time().init(),
                    Logger::Daemon | Logger::Recorder => builder.with_timer(Seconds).init(),
                }
            }
            LogFormat::Json => builder.json().flatten_event(true).init(),
        }
    }
}

/// The time of an event, to the second.
struct Seconds;

impl FormatTime for Seconds {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        write!(writer, "{}", Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ"))
    }
}

/// The fields of an event in a line of text: what happened, then what it is about. Hashes and addresses are cut short. An epoch of a session
/// is written as `verify --epoch` takes it, `MARK/INDEX`, and a slot that an epoch tells already is left out.
struct TextFields;

impl<'writer> FormatFields<'writer> for TextFields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut texts = Texts::default();
        fields.record(&mut texts);
        texts.write(&mut writer)
    }
}

/// What an event says, as text.
#[derive(Default)]
struct Texts {
    message: String,
    session: Option<String>,
    fields: Vec<(&'static str, String)>,
}

impl Texts {
    fn add(&mut self, field: &Field, text: String) {
        match field.name() {
            "message" => self.message = text,
            "session" => self.session = Some(text),
            name => self.fields.push((name, shortened(text))),
        }
    }

    fn write(self, writer: &mut Writer<'_>) -> fmt::Result {
        let Self { message, session, fields } = self;
        let (dim, plain) = if writer.has_ansi_escapes() { ("\x1b[2m", "\x1b[0m") } else { ("", "") };
        let has_epoch = fields.iter().any(|(name, _)| *name == "epoch");
        write!(writer, "{message}")?;
        for (name, text) in fields.iter().filter(|(name, _)| !(has_epoch && *name == "slot")) {
            let session = session.as_ref().filter(|_| *name == "epoch");
            let of = if session.is_some() { "/" } else { "" };
            let session = session.map_or("", String::as_str);
            write!(writer, " {dim}{name}={plain}{session}{of}{text}")?;
        }
        Ok(())
    }
}

impl Visit for Texts {
    fn record_str(&mut self, field: &Field, value: &str) {
        // what could be taken for several fields, or end the line, is quoted
        let is_plain =
            field.name() == "message" || !value.is_empty() && value.chars().all(|c| c.is_ascii_graphic() && c != '"');
        self.add(field, if is_plain { value.to_owned() } else { format!("{value:?}") });
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // an event is one line, whatever an endpoint put into its error
        self.add(field, format!("{value:?}").replace(char::is_control, " "));
    }
}

/// A hash or an address by its first digits.
fn shortened(text: String) -> String {
    let is_long = |digits: &str| matches!(digits.len(), 40 | 64) && digits.bytes().all(|c| c.is_ascii_hexdigit());
    if text.strip_prefix("0x").is_some_and(is_long) { format!("{}…", &text[..2 + DIGITS]) } else { text }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// What is logged meanwhile, as text.
    fn logged(ansi: bool, events: impl FnOnce()) -> String {
        #[derive(Clone, Default)]
        struct Written(Arc<Mutex<Vec<u8>>>);

        impl io::Write for Written {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.lock().unwrap().write(bytes)
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        let written = Written::default();
        let writer = written.clone();
        let builder = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(ansi);
        let subscriber = builder.with_target(false).without_time().fmt_fields(TextFields).finish();
        tracing::subscriber::with_default(subscriber, events);
        String::from_utf8(written.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn lines_name_what_happened_first_and_cut_hashes_short() {
        let hash = format!("0x{}", "ab".repeat(32));
        let line = logged(false, || {
            tracing::info!(tx = %hash, nonce = 7, votes = 2, error = "no\nroom", track = "0.m4s", "transaction signed");
        });
        assert_eq!(line, " INFO transaction signed tx=0xabababab… nonce=7 votes=2 error=\"no\\nroom\" track=0.m4s\n");
    }

    #[test]
    fn a_slot_is_told_by_its_epoch_where_there_is_one() {
        let hash = format!("0x{}", "01".repeat(32));
        let line = logged(false, || {
            let session = Some(1_772_824_680_000u64);
            tracing::info!(stream = "tv", session, epoch = 12, slot = %hash, "vote");
            tracing::info!(stream = "tv", session = None::<u64>, epoch = 12, slot = %hash, "vote");
            tracing::warn!(slot = %hash, error = %"bad\r\ngateway", "left alone");
        });
        let expected = [
            " INFO vote stream=tv epoch=1772824680000/12",
            " INFO vote stream=tv epoch=12",
            " WARN left alone slot=0x01010101… error=bad  gateway",
        ];
        assert_eq!(line.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn names_are_dim_on_a_terminal() {
        let line = logged(true, || tracing::info!(nonce = 7, "sent"));
        assert!(line.contains("sent \x1b[2mnonce=\x1b[0m7"), "{line:?}");
    }
}
