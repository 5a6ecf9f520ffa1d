//! Rows of short cells below a line of names, one row a thing.

use textwrap::core::display_width;

use crate::{Screen, Tone};

/// Columns between two cells.
const GAP: usize = 2;

/// A column of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// Where not all fit, those with the highest number go first. 0 stays.
    pub rank: u8,
    /// Whether its cells are numbers, which end below each other.
    pub is_number: bool,
}

impl Column {
    /// A column of words.
    pub const fn words(name: &'static str, rank: u8) -> Self {
        Self { name, rank, is_number: false }
    }

    /// A column of numbers.
    pub const fn number(name: &'static str, rank: u8) -> Self {
        Self { name, rank, is_number: true }
    }
}

/// Rows of cells.
#[derive(Clone, Debug)]
pub struct Rows {
    columns: Vec<Column>,
    rows: Vec<Vec<(String, Option<Tone>)>>,
}

impl Rows {
    /// No rows yet.
    pub fn new(columns: impl Into<Vec<Column>>) -> Self {
        Self { columns: columns.into(), rows: Vec::new() }
    }

    /// Adds a row, a cell for each column.
    pub fn add(&mut self, row: impl IntoIterator<Item = (String, Option<Tone>)>) {
        self.rows.push(row.into_iter().collect());
    }

    /// The lines, and last the names of what there was no room for.
    pub fn fit(&self, screen: &Screen) -> String {
        let widths: Vec<_> = (0..self.columns.len()).map(|at| self.width(at)).collect();
        let mut shown: Vec<_> = (0..self.columns.len()).collect();
        let total =
            |shown: &[usize]| shown.iter().map(|&at| widths[at]).sum::<usize>() + GAP * (shown.len().max(1) - 1);
        let mut left_out = Vec::new();
        while total(&shown) > screen.width
            && let Some(at) = shown.iter().copied().max_by_key(|&at| (self.columns[at].rank, at))
            && self.columns[at].rank > 0
        {
            shown.retain(|&other| other != at);
            left_out.push(at);
        }
        let line = |cell: &dyn Fn(usize) -> (String, Option<Tone>)| {
            let mut line = String::new();
            for &at in &shown {
                let (text, tone) = cell(at);
                let room = " ".repeat(widths[at].saturating_sub(display_width(&text)));
                let text = tone.map_or_else(|| text.clone(), |tone| screen.paint(tone, &text));
                let cell = if self.columns[at].is_number { room + &text } else { text + &room };
                line.push_str(&cell);
                line.push_str(&" ".repeat(GAP));
            }
            line.trim_end().to_owned()
        };
        let mut lines = vec![line(&|at| (self.columns[at].name.to_owned(), Some(Tone::Dim)))];
        lines.extend(self.rows.iter().map(|row| line(&|at| row.get(at).cloned().unwrap_or_default())));
        if !left_out.is_empty() {
            left_out.sort_unstable();
            let names: Vec<_> = left_out.into_iter().map(|at| self.columns[at].name).collect();
            let said = screen.paragraph("", &format!("({} on a wider screen)", names.join(", ")));
            lines.push(screen.paint(Tone::Dim, &said));
        }
        lines.join("\n")
    }

    fn width(&self, at: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(at)).map(|(text, _)| display_width(text));
        cells.max().unwrap_or(0).max(display_width(self.columns[at].name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Rows {
        let mut rows =
            Rows::new([Column::words("stream", 0), Column::number("final", 1), Column::words("the last hour", 2)]);
        rows.add([("la-nbc".into(), None), ("7".into(), None), ("████".into(), Some(Tone::Good))]);
        rows.add([("tv".into(), None), ("1200".into(), None), ("".into(), None)]);
        rows
    }

    #[test]
    fn cells_stand_below_each_other() {
        let expected = ["stream  final  the last hour", "la-nbc      7  ████", "tv       1200"];
        assert_eq!(rows().fit(&Screen::plain(80)).lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let expected = ["stream  final", "la-nbc      7", "tv       1200", "(the last hour on a", "wider screen)"];
        assert_eq!(rows().fit(&Screen::plain(20)).lines().collect::<Vec<_>>(), expected);
        let narrow = rows().fit(&Screen::plain(1));
        assert!(narrow.starts_with("stream\nla-nbc\ntv\n"), "{narrow}");
    }

    #[test]
    fn colours_take_no_room() {
        let coloured = rows().fit(&Screen { width: 28, has_colours: true });
        assert!(coloured.contains("la-nbc      7  \u{1b}[32m████\u{1b}[0m"), "{coloured}");
    }
}
