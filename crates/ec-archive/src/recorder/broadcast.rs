//! Names of broadcasts.

use std::{fmt, str::FromStr};

/// A broadcast's name, which is also the path of its index below `manifests/`.
///
/// It may have several components (`la/nbc`), none of them empty or beginning with a dot, so it can neither leave the
/// index nor be skipped by its readers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BroadcastName(String);

/// Why a name cannot be a broadcast's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BroadcastNameError {
    /// The name, or a part of it between slashes, is empty; so are absolute paths.
    #[error("broadcast name {0:?} has an empty part; write it without leading, trailing or double `/`")]
    EmptyPart(String),
    /// A part begins with a dot, as in `..` and hidden files.
    #[error("broadcast name {0:?} has a part beginning with `.`; readers of the index skip such names")]
    LeadingDot(String),
    /// A control character.
    #[error("broadcast name {0:?} has a control character")]
    Control(String),
}

impl BroadcastName {
    /// The name, with `/` between its parts.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BroadcastName {
    type Err = BroadcastNameError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        if name.split('/').any(str::is_empty) {
            return Err(BroadcastNameError::EmptyPart(name.to_owned()));
        }
        if name.split('/').any(|part| part.starts_with('.')) {
            return Err(BroadcastNameError::LeadingDot(name.to_owned()));
        }
        if name.chars().any(char::is_control) {
            return Err(BroadcastNameError::Control(name.to_owned()));
        }
        Ok(Self(name.to_owned()))
    }
}

impl fmt::Display for BroadcastName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_below_the_index() {
        for name in ["la-nbc", "la/nbc", "a.b", "Ünïcode", "x/y/z.1"] {
            assert_eq!(name.parse::<BroadcastName>().unwrap().as_str(), name);
        }
        for name in ["", "/", "/etc", "a/", "a//b", ".", "..", "../a", "a/..", "a/.b", ".a", "a\nb", "a\0"] {
            assert!(name.parse::<BroadcastName>().is_err(), "{name:?}");
        }
    }
}
