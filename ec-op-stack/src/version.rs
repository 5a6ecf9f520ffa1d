//! Versions of OP Stack components, as tags, images and operators write them.

use std::str::FromStr;

use serde::Deserialize;

/// A version that is none: what was given, and why.
#[derive(Debug, thiserror::Error)]
#[error("{given:?} is no version such as v1.16.7 or op-node/v1.16.7: {source}")]
pub struct VersionError {
    given: String,
    source: semver::Error,
}

/// A component's version. `v1.16.7`, `1.16.7`, `op-node/v1.16.7` and `op-node:v1.16.7` are the same one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Version(semver::Version);

impl Version {
    /// Whether this is the release `(major, minor, patch)` or later. A pre-release counts as its release: the candidates
    /// of a version have its file formats.
    pub fn is_at_least(&self, release: (u64, u64, u64)) -> bool {
        self.release() >= release
    }

    /// Major, minor, patch.
    pub(crate) fn release(&self) -> (u64, u64, u64) {
        (self.0.major, self.0.minor, self.0.patch)
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(given: &str) -> Result<Self, VersionError> {
        let tag = given.rsplit(['/', ':']).next().unwrap_or(given);
        let digits = tag.strip_prefix('v').unwrap_or(tag);
        semver::Version::parse(digits).map(Self).map_err(|source| VersionError { given: given.to_owned(), source })
    }
}

impl TryFrom<String> for Version {
    type Error = VersionError;

    fn try_from(given: String) -> Result<Self, VersionError> {
        given.parse()
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "v{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_version_is_the_same_one() {
        for given in ["v1.16.7", "1.16.7", "op-node/v1.16.7", "example.org/images/op-node:v1.16.7"] {
            assert_eq!(given.parse::<Version>().unwrap().to_string(), "v1.16.7", "{given}");
        }
        assert!("latest".parse::<Version>().is_err());
    }

    #[test]
    fn a_candidate_counts_as_its_release() {
        let candidate = "v1.101608.0-rc.1".parse::<Version>().unwrap();
        assert!(candidate.is_at_least((1, 101_608, 0)));
        assert!(!candidate.is_at_least((1, 101_608, 1)));
    }
}
