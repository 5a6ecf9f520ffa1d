//! The fields of a record, and the names under which writers state them.

use std::fmt;

use serde::Deserialize;

/// The fields of a record that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// The group's number.
    GroupSequence,
    /// The object's hash.
    Blake3,
    /// The object's length.
    SizeBytes,
    /// The local receive time.
    ReceivedUnixMs,
    /// The broadcast's name.
    Broadcast,
    /// The track's name.
    Track,
}

impl Field {
    /// The canonical name.
    pub fn name(self) -> &'static str {
        match self {
            Self::GroupSequence => "group_sequence",
            Self::Blake3 => "blake3",
            Self::SizeBytes => "size_bytes",
            Self::ReceivedUnixMs => "received_unix_ms",
            Self::Broadcast => "broadcast",
            Self::Track => "track",
        }
    }

    pub(super) fn form(self) -> &'static str {
        match self {
            Self::GroupSequence | Self::SizeBytes | Self::ReceivedUnixMs => "an unsigned integer of at most 64 bits",
            Self::Blake3 => "64 hex digits",
            Self::Broadcast | Self::Track => "a string",
        }
    }

    pub(super) fn is_optional(self) -> bool {
        matches!(self, Self::ReceivedUnixMs | Self::Broadcast | Self::Track)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The names under which writers state each field; a configured list replaces the default one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FieldNames {
    /// Default `group_sequence`, `sequence`, `group_id`.
    pub group_sequence: Vec<String>,
    /// Default `blake3`, `hash`, `digest`.
    pub blake3: Vec<String>,
    /// Default `size_bytes`, `size`, `bytes`.
    pub size_bytes: Vec<String>,
    /// Default `received_unix_ms`, `received_at_ms`.
    pub received_unix_ms: Vec<String>,
    /// Default `broadcast`.
    pub broadcast: Vec<String>,
    /// Default `track`.
    pub track: Vec<String>,
}

impl Default for FieldNames {
    fn default() -> Self {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Self {
            group_sequence: names(&["group_sequence", "sequence", "group_id"]),
            blake3: names(&["blake3", "hash", "digest"]),
            size_bytes: names(&["size_bytes", "size", "bytes"]),
            received_unix_ms: names(&["received_unix_ms", "received_at_ms"]),
            broadcast: names(&["broadcast"]),
            track: names(&["track"]),
        }
    }
}

impl FieldNames {
    pub(super) fn of(&self, field: Field) -> &[String] {
        match field {
            Field::GroupSequence => &self.group_sequence,
            Field::Blake3 => &self.blake3,
            Field::SizeBytes => &self.size_bytes,
            Field::ReceivedUnixMs => &self.received_unix_ms,
            Field::Broadcast => &self.broadcast,
            Field::Track => &self.track,
        }
    }
}
