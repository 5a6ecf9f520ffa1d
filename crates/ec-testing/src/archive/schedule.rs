//! When each line of an archive came, so that it can grow again as it once did.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{lines::Line, names::FieldNames};

/// A line, and when it is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Milliseconds after the beginning.
    pub after_ms: u64,
    /// The file, below `manifests/`.
    pub file: PathBuf,
    /// What is appended to it.
    pub line: Line,
}

/// When each broadcast began, by its directory: its first time, Unix milliseconds.
pub type Beginnings = BTreeMap<PathBuf, u64>;

/// When the broadcasts of these files began.
pub fn beginnings(files: &[(PathBuf, Vec<Line>)], names: &FieldNames) -> Beginnings {
    let mut begins = Beginnings::new();
    for (file, lines) in files {
        if let Some(first) = lines.iter().filter_map(|line| line.received(names)).min() {
            let begin = begins.entry(broadcast_of(file)).or_insert(first);
            *begin = first.min(*begin);
        }
    }
    begins
}

/// All lines, by the time they were received. The broadcasts begin together, each at its beginning. What states no time
/// comes with the line before it in its file; before all times, at the beginning.
pub fn schedule(
    files: impl IntoIterator<Item = (PathBuf, Vec<Line>)>,
    begins: &Beginnings,
    names: &FieldNames,
) -> Vec<Due> {
    let mut due = Vec::new();
    for (file, lines) in files {
        let begin = begins.get(&broadcast_of(&file)).copied().unwrap_or(0);
        let mut after_ms = 0;
        for line in lines {
            after_ms = line.received(names).map_or(after_ms, |received| received.saturating_sub(begin));
            due.push(Due { after_ms, file: file.clone(), line });
        }
    }
    // stable: lines of one time stay in their order
    due.sort_by_key(|due| due.after_ms);
    due
}

fn broadcast_of(file: &Path) -> PathBuf {
    file.parent().map(PathBuf::from).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broadcasts_begin_together_and_lines_come_by_their_times() {
        let at = |ms: u64| format!("{{\"received_unix_ms\":{ms}}}\n");
        let file = |name: &str, text: String| (PathBuf::from(name), Line::all(text.as_bytes()));
        let files = [
            file("a/v", at(1000) + "bad\n" + &at(3000)),
            file("a/w", "bad\n".to_owned() + &at(2000) + &at(2000)),
            file("b/v", at(9000) + &at(8500)),
        ];
        let names = FieldNames::default();
        let begins = beginnings(&files, &names);
        let due = schedule(files, &begins, &names);
        let shown: Vec<_> = due
            .iter()
            .map(|due| (due.after_ms, due.file.to_str().unwrap(), str::from_utf8(due.line.as_bytes()).unwrap()))
            .collect();
        assert_eq!(
            shown,
            [
                (0, "a/v", &*at(1000)),
                (0, "a/v", "bad\n"),
                (0, "a/w", "bad\n"),
                (0, "b/v", &*at(8500)),
                (500, "b/v", &*at(9000)),
                (1000, "a/w", &*at(2000)),
                (1000, "a/w", &*at(2000)),
                (2000, "a/v", &*at(3000)),
            ]
        );
    }
}
