//! Names of tracks.

use std::{fmt, str::FromStr};

/// The longest name that leaves room for the ending of its file, bytes; file systems take 255.
const LONGEST: usize = 240;

/// A track's name, which is also its file's below the broadcast's directory, less `.jsonl`.
///
/// It is one part of a path, does not begin with a dot and has no control character: names come from a catalog that
/// anybody may have written, and none of them leads out of the index or hides in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrackName(String);

/// Why a name cannot be a track's in an archive.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "track name {0:?} cannot be a file's: it is empty or too long, begins with `.`, or has `/` or a control character"
)]
pub struct TrackNameError(String);

impl TrackName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TrackName {
    type Err = TrackNameError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let fits = !name.is_empty() && name.len() <= LONGEST && !name.starts_with('.');
        if !fits || name.chars().any(|c| c == '/' || c.is_control()) {
            return Err(TrackNameError(name.to_owned()));
        }
        Ok(Self(name.to_owned()))
    }
}

impl fmt::Display for TrackName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_visible_part_of_a_path() {
        for name in ["0.m4s", "video0.m4s", "catalog.json", "a b", "Ü"] {
            assert_eq!(name.parse::<TrackName>().unwrap().as_str(), name);
        }
        for name in ["", ".", "..", ".hidden", "a/b", "/etc/passwd", "../0.m4s", "a\nb", "a\0", &"x".repeat(241)] {
            assert!(name.parse::<TrackName>().is_err(), "{name:?}");
        }
    }
}
