//! Screens as pictures of text: what a person sees, committed and held.

use std::{env, fs, path::Path};

/// Set, the pictures are written anew, to be looked at before they are committed.
const DRAW: &str = "EC_DRAW_SCREENS";
/// A window, a wide one, and all of a screen, in columns.
const WIDTHS: [usize; 3] = [80, 120, 200];

/// Draws a screen at each width and compares it with the picture `NAME-WIDTH.txt` of a directory.
///
/// # Panics
///
/// When they differ, or a line is wider than the screen.
pub fn hold(directory: &Path, name: &str, draw: impl Fn(usize) -> String) {
    for width in WIDTHS {
        let shown = draw(width) + "\n";
        let widest = shown.lines().map(|line| line.chars().count()).max().unwrap_or_default();
        assert!(widest <= width, "{name} has a line of {widest} columns at {width}:\n{shown}");
        let picture = directory.join(format!("{name}-{width}.txt"));
        if env::var_os(DRAW).is_some()
            && let Err(error) = fs::write(&picture, &shown)
        {
            panic!("{}: {error}", picture.display());
        }
        let drawn = fs::read_to_string(&picture).unwrap_or_default();
        assert_eq!(shown, drawn, "{} is of before; with {DRAW}=1 it is drawn anew", picture.display());
    }
}

/// The text of a screen that has colours.
pub fn without_colours(text: &str) -> String {
    let mut parts = text.split('\x1b');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or(part, |(_, rest)| rest))
}
