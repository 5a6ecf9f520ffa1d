//! A report: the verdict first, then what is wrong with what helps, then what is well in one line, then facts.

use std::time::Duration;

use indicatif::HumanDuration;
use textwrap::core::display_width;

use crate::{Screen, Tone};

/// Something that is not as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trouble<'a> {
    /// How bad it is, in a word.
    pub word: &'a str,
    /// The same, by colour.
    pub tone: Tone,
    /// What it is about.
    pub name: &'a str,
    /// Why.
    pub reason: &'a str,
    /// What helps; empty where nothing is to be done.
    pub fix: &'a str,
}

impl Screen {
    /// The verdict, in a word, and of what.
    pub fn headline(&self, tone: Tone, word: &str, rest: &str) -> String {
        self.begins_with(tone, word, &self.paragraph("", &format!("{word}: {rest}")))
    }

    /// What is wrong, in the order that is given, each with what helps.
    pub fn troubles(&self, troubles: &[Trouble<'_>]) -> String {
        let widest = |width: fn(&Trouble<'_>) -> usize| troubles.iter().map(width).max().unwrap_or_default();
        let words = widest(|trouble| display_width(trouble.word));
        let names = widest(|trouble| display_width(trouble.name));
        let lines = troubles.iter().map(|&Trouble { word, tone, name, reason, fix }| {
            let told = self.paragraph(&format!("{word:words$}  {name:names$}  "), reason);
            let told = self.begins_with(tone, word, &told);
            let first = format!("{:1$}→ ", "", words + names + 4);
            if fix.is_empty() { told } else { told + "\n" + &self.paragraph(&first, fix) }
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// The names of what is well.
    pub fn healthy(&self, names: &[&str]) -> String {
        self.begins_with(Tone::Good, "ok", &self.fact("ok", &names.join(", ")))
    }

    /// A fact after its name.
    pub fn fact(&self, name: &str, text: &str) -> String {
        self.paragraph(&format!("{name:<6} "), text)
    }

    /// The text, whose first word is in a tone.
    fn begins_with(&self, tone: Tone, word: &str, text: &str) -> String {
        text.strip_prefix(word).map_or_else(|| text.to_owned(), |rest| self.paint(tone, word) + rest)
    }
}

/// How long ago something was, in seconds; rounded, as nobody reads all of them.
pub fn ago(seconds: u64) -> String {
    format!("{:#}", HumanDuration(Duration::from_secs(seconds)))
}

/// A decimal number with so many places at most, and no more than it needs: nobody reads wei.
pub fn short_decimal(text: &str, places: usize) -> &str {
    let Some(point) = text.find('.') else { return text };
    text[..text.len().min(point + 1 + places)].trim_end_matches('0').trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn troubles_stand_below_each_other_each_with_what_helps() {
        let trouble = |word, name, fix| Trouble { word, tone: Tone::Bad, name, reason: "it is broken", fix };
        let troubles = [trouble("FAIL", "disk", "make room"), trouble("unknown", "l1-age", "")];
        let expected = "FAIL     disk    it is broken\n                 → make room\nunknown  l1-age  it is broken";
        assert_eq!(Screen::plain(80).troubles(&troubles), expected);
        let coloured = Screen { width: 80, has_colours: true }.troubles(&troubles[..1]);
        assert!(coloured.starts_with("\u{1b}[31m\u{1b}[1mFAIL\u{1b}[0m  disk  it"), "{coloured:?}");
    }

    #[test]
    fn what_is_well_is_one_line() {
        let screen = Screen::plain(80);
        assert_eq!(screen.headline(Tone::Good, "well", "all of it"), "well: all of it");
        assert_eq!(screen.healthy(&["clock", "disk"]), "ok     clock, disk");
        assert_eq!(screen.fact("funds", "plenty"), "funds  plenty");
    }

    #[test]
    fn decimals_are_cut() {
        for (text, expected) in
            [("0.0", "0"), ("0.000000000000000001", "0"), ("1.50", "1.5"), ("1.23456789", "1.234567"), ("100", "100")]
        {
            assert_eq!(short_decimal(text, 6), expected);
        }
        assert_eq!([ago(3), ago(200)], ["3s", "3m"]);
    }
}
