//! What a check can find.

use std::fmt;

use blake3::Hash;
use serde::{Serialize, Serializer};

/// An index record: the object that one group of a track names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The broadcast's name, the path below `manifests/`.
    pub broadcast: String,
    /// The track's name, as `video0.m4s`.
    pub track: String,
    /// The group's number on the broadcast's timeline.
    pub group_sequence: u64,
    /// The object's name.
    #[serde(serialize_with = "hex")]
    pub blake3: Hash,
    /// The object's size in bytes, as the index has it.
    pub size_bytes: u64,
}

/// One result of a check. Only [`Finding::Unreferenced`] is information, all others are problems.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum Finding {
    /// The object is not in the store.
    Missing {
        #[serde(flatten)]
        entry: Entry,
        cas_path: String,
    },
    /// The object's file has another size; it was not hashed.
    SizeDiffers {
        #[serde(flatten)]
        entry: Entry,
        cas_path: String,
        found_size_bytes: u64,
    },
    /// The object's bytes hash to something else than its name.
    HashDiffers {
        #[serde(flatten)]
        entry: Entry,
        cas_path: String,
        #[serde(serialize_with = "hex")]
        found_blake3: Hash,
    },
    /// The operating system could not read the object.
    Unreadable {
        #[serde(flatten)]
        entry: Entry,
        cas_path: String,
        error: String,
    },
    /// Two records name one group with different content.
    Conflict {
        #[serde(flatten)]
        entry: Entry,
        #[serde(serialize_with = "hex")]
        other_blake3: Hash,
        other_size_bytes: u64,
    },
    /// A complete line that is no record.
    BadLine { file: String, line: u64, reason: String },
    /// A file in the store that no record names.
    Unreferenced { cas_path: String },
}

impl Finding {
    /// Whether the archive is not as it should be.
    pub(crate) fn is_problem(&self) -> bool {
        !matches!(self, Self::Unreferenced { .. })
    }
}

fn hex<S: Serializer>(hash: &Hash, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hash.to_hex())
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} group {}", self.broadcast, self.track, self.group_sequence)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { entry, cas_path } => write!(f, "missing: {cas_path} ({entry})"),
            Self::SizeDiffers { entry, cas_path, found_size_bytes } => {
                write!(f, "size differs: {cas_path} has {found_size_bytes} bytes, not {} ({entry})", entry.size_bytes)
            }
            Self::HashDiffers { entry, cas_path, found_blake3 } => {
                write!(f, "hash differs: {cas_path} holds {found_blake3} ({entry})")
            }
            Self::Unreadable { entry, cas_path, error } => write!(f, "unreadable: {cas_path}: {error} ({entry})"),
            Self::Conflict { entry, other_blake3, other_size_bytes } => {
                let Entry { blake3, size_bytes, .. } = entry;
                write!(f, "conflict: {entry} is {blake3} of {size_bytes} bytes and ")?;
                write!(f, "{other_blake3} of {other_size_bytes} bytes")
            }
            Self::BadLine { file, line, reason } => write!(f, "bad line: {file}:{line}: {reason}"),
            Self::Unreferenced { cas_path } => write!(f, "unreferenced: {cas_path}"),
        }
    }
}
