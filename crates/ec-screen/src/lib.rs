//! What a person sees at a terminal: paragraphs, rows and colours that fit its width.
//!
//! Everything here makes text; nothing writes it. A screen of a known width without colours makes the same text anywhere, so
//! that what is shown can be tested as it is seen.

mod report;
mod rows;
mod spark;

use std::env;

use console::Style;
use textwrap::{Options, WordSplitter};

pub use report::{Trouble, ago, short_decimal};
pub use rows::{Column, Rows};
pub use spark::spark;

/// Clears a terminal and begins at its top.
pub const CLEAR: &str = "\x1b[2J\x1b[H";
/// Columns where stdout is no terminal and `COLUMNS` is not set: as wide as a log line.
pub const WIDTH_ELSEWHERE: usize = 120;
/// Below this nothing is fitted any more.
const LEAST_WIDTH: usize = 40;

/// Where text is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screen {
    /// How many columns it has.
    pub width: usize,
    /// Whether it shows colours.
    pub has_colours: bool,
}

/// How a piece of text is meant. Words say the same: a tone is never the only sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// To be looked at.
    Warn,
    /// Wrong.
    Bad,
    /// Beside the point.
    Dim,
    /// The point.
    Bold,
}

impl Screen {
    /// A screen of this width without colours.
    pub const fn plain(width: usize) -> Self {
        Self { width, has_colours: false }
    }

    /// The terminal at stdout, with colours unless `NO_COLOR` is set; elsewhere as wide as `COLUMNS` says, without colours.
    pub fn of_stdout() -> Self {
        let terminal = console::Term::stdout();
        let columns = || env::var("COLUMNS").ok()?.parse().ok();
        let width = terminal.size_checked().map(|(_, columns)| usize::from(columns)).or_else(columns);
        Self {
            width: width.unwrap_or(WIDTH_ELSEWHERE).max(LEAST_WIDTH),
            has_colours: terminal.is_term() && terminal.features().colors_supported() && may_colour(),
        }
    }

    /// The text in a tone.
    pub fn paint(&self, tone: Tone, text: &str) -> String {
        if !self.has_colours || text.is_empty() {
            return text.to_owned();
        }
        let style = match tone {
            Tone::Good => Style::new().green(),
            Tone::Warn => Style::new().yellow(),
            Tone::Bad => Style::new().red().bold(),
            Tone::Dim => Style::new().dim(),
            Tone::Bold => Style::new().bold(),
        };
        style.force_styling(true).apply_to(text).to_string()
    }

    /// The text in lines of whole words, the first after `first`, the others below its end. A command in backquotes is one word,
    /// so that it can be pasted, and a word that is longer than a line is not broken.
    pub fn paragraph(&self, first: &str, text: &str) -> String {
        let indent = " ".repeat(textwrap::core::display_width(first));
        let options = Options::new(self.width)
            .initial_indent(first)
            .subsequent_indent(&indent)
            .break_words(false)
            .word_splitter(WordSplitter::NoHyphenation);
        textwrap::fill(&joined(text), options).replace(JOINT, " ")
    }
}

/// Whether the user has nothing against colours (`NO_COLOR`, no-color.org).
pub fn may_colour() -> bool {
    env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// What no line is broken at.
const JOINT: char = '\u{a0}';

/// The text with commands in backquotes joined to one word each.
fn joined(text: &str) -> String {
    let join =
        |(at, part): (usize, &str)| if at % 2 == 1 { part.replace(' ', &JOINT.to_string()) } else { part.to_owned() };
    text.split('`').enumerate().map(join).collect::<Vec<_>>().join("`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paragraph_hangs_below_its_first_words() {
        let screen = Screen::plain(40);
        let text = "no process holds the store; start it with `ec-witness run`";
        assert_eq!(
            screen.paragraph("FAIL  process  ", text),
            "FAIL  process  no process holds the\n               store; start it with\n               `ec-witness run`"
        );
        assert_eq!(
            screen.paragraph("", "stop it; then start it with `ec-witness run`"),
            "stop it; then start it with\n`ec-witness run`"
        );
        let path = "/".repeat(50);
        assert_eq!(screen.paragraph("- ", &format!("see {path} there")), format!("- see\n  {path}\n  there"));
    }

    #[test]
    fn colours_are_for_screens_that_have_them() {
        assert_eq!(Screen::plain(80).paint(Tone::Bad, "x"), "x");
        let coloured = Screen { width: 80, has_colours: true };
        assert_eq!(coloured.paint(Tone::Good, "x"), "\u{1b}[32mx\u{1b}[0m");
        assert_eq!(coloured.paint(Tone::Good, ""), "");
    }
}
