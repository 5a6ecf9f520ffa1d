//! How far a long copy is: a bar on a terminal, elsewhere a plain line now and then, nothing for short work.

use std::{
    io::{self, IsTerminal},
    time::{Duration, Instant},
};

use indicatif::{DecimalBytes, ProgressBar, ProgressStyle};

/// How often a line is written where nothing can be drawn.
const PERIOD: Duration = Duration::from_secs(10);

/// Progress on stderr.
#[derive(Debug)]
pub(super) enum Progress {
    /// A terminal.
    Bar(ProgressBar),
    /// A file, a pipe or a journal.
    Lines {
        /// What is being done.
        what: &'static str,
        /// When the last line was written, or work began.
        last: Instant,
    },
}

impl Progress {
    /// Of `what`, as in "copying".
    pub(super) fn start(what: &'static str) -> Self {
        if !io::stderr().is_terminal() {
            return Self::Lines { what, last: Instant::now() };
        }
        let style = ProgressStyle::with_template("{msg} {wide_bar} {percent:>3} %, {bytes_per_sec}, {eta} left");
        Self::Bar(
            ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())).with_message(what),
        )
    }

    /// So many bytes of so many are done.
    pub(super) fn set(&mut self, done: u64, of: u64) {
        match self {
            Self::Bar(bar) => {
                bar.set_length(of);
                bar.set_position(done);
            }
            Self::Lines { what, last } => {
                if last.elapsed() >= PERIOD {
                    *last = Instant::now();
                    eprintln!("{what}: {} of {}", DecimalBytes(done), DecimalBytes(of));
                }
            }
        }
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}
