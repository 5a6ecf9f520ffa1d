//! One line of the index: a record, or the reason why it is none (protocol §2). Pure over the line's bytes.

mod json;
mod plain;

use std::fmt;

use serde::Deserialize;

pub use self::plain::Shape;
use self::{json::Object, plain::PlainLines};

/// The longest line that is read, bytes, without its line ending.
pub const MAX_LINE_LEN: usize = 1 << 20;

/// How deep a record may nest, itself included.
pub const MAX_DEPTH: usize = 64;

/// Characters of a key that a [`Reason`] repeats.
const MAX_SHOWN_KEY: usize = 64;

/// One media group, as the index states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    /// The group's number on the broadcast's timeline.
    pub group_sequence: u64,
    /// BLAKE3 of the stored bytes.
    pub blake3: [u8; 32],
    /// Number of stored bytes.
    pub size_bytes: u64,
    /// When this host received the group, Unix milliseconds.
    pub received_unix_ms: Option<u64>,
}

/// A complete line that is no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// What is wrong with it.
    pub reason: Reason,
    /// The sequence the line states, where that can be read.
    pub group_sequence: Option<u64>,
}

/// What makes a line bad.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// Longer than [`MAX_LINE_LEN`].
    #[error("the line is longer than {MAX_LINE_LEN} bytes")]
    TooLong,
    /// Not UTF-8, not JSON, or not an object.
    #[error("not a JSON object: {0}")]
    Json(String),
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// A `\u` escape that is half a character.
    #[error("a lone surrogate in a string")]
    LoneSurrogate,
    /// One key twice in the record; of a long one only the beginning is kept.
    #[error("the key {0:?} stands twice")]
    DuplicateKey(String),
    /// None of a required field's names is there.
    #[error("`{0}` is missing")]
    Missing(Field),
    /// A value that is not of the field's form.
    #[error("`{0}` is not {form}", form = .0.form())]
    Form(Field),
    /// Two names of one field with different values.
    #[error("`{0}` is stated twice, differently")]
    Disagree(Field),
    /// A `broadcast` or `track` other than the file's path says.
    #[error("`{0}` contradicts the file's path")]
    Misplaced(Field),
}

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

    fn form(self) -> &'static str {
        match self {
            Self::GroupSequence | Self::SizeBytes | Self::ReceivedUnixMs => "an unsigned integer of at most 64 bits",
            Self::Blake3 => "64 hex digits",
            Self::Broadcast | Self::Track => "a string",
        }
    }

    fn is_optional(self) -> bool {
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
    fn of(&self, field: Field) -> &[String] {
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

/// What the lines of one track's file are judged by.
#[derive(Clone, Debug)]
pub struct LineRule {
    names: FieldNames,
    broadcast: String,
    track: String,
    plain: Option<PlainLines>,
}

impl LineRule {
    /// The rule for the file of this broadcast's track, whose writer uses these names.
    pub fn new(names: FieldNames, broadcast: &str, track: &str) -> Self {
        let plain = PlainLines::new(&names, broadcast, track);
        Self { names, broadcast: broadcast.to_owned(), track: track.to_owned(), plain }
    }

    /// Judges one line without its line ending; blank lines are the caller's to leave out.
    ///
    /// # Errors
    ///
    /// The line is bad.
    pub fn record(&self, line: &[u8]) -> Result<Record, BadLine> {
        match self.plain.as_ref().and_then(|plain| plain.of_any_shape(line, |_, _| {})) {
            Some((record, len)) if len == line.len() => Ok(record),
            _ => self.record_of_any(line),
        }
    }

    /// The record that `text` begins with, and its length, if it is plain (most are); fastest where the line has the
    /// `shape` of those before it. What follows must be the line's end, else it is no record.
    #[inline]
    pub fn plain_record(&self, text: &[u8], shape: &mut Shape) -> Option<(Record, usize)> {
        self.plain.as_ref()?.record(text, shape)
    }

    /// Judges a line of any form: what [`Self::record`] says, slowly.
    ///
    /// # Errors
    ///
    /// The line is bad.
    pub fn record_of_any(&self, line: &[u8]) -> Result<Record, BadLine> {
        let unreadable = |reason| BadLine { reason, group_sequence: None };
        let object = Object::parse(line).map_err(unreadable)?;
        let group_sequence = self.value(&object, Field::GroupSequence, u64_of);
        let readable = group_sequence.clone().ok().flatten();
        self.judge(&object, group_sequence).map_err(|reason| BadLine { reason, group_sequence: readable })
    }

    fn judge(&self, object: &Object, group_sequence: Result<Option<u64>, Reason>) -> Result<Record, Reason> {
        object.no_key_twice()?;
        let record = Record {
            group_sequence: group_sequence?.ok_or(Reason::Missing(Field::GroupSequence))?,
            blake3: self.value(object, Field::Blake3, blake3_of)?.ok_or(Reason::Missing(Field::Blake3))?,
            size_bytes: self.value(object, Field::SizeBytes, u64_of)?.ok_or(Reason::Missing(Field::SizeBytes))?,
            received_unix_ms: self.value(object, Field::ReceivedUnixMs, u64_of)?,
        };
        for (field, expected) in [(Field::Broadcast, &self.broadcast), (Field::Track, &self.track)] {
            if self.value(object, field, string_of)?.is_some_and(|stated| stated != *expected) {
                return Err(Reason::Misplaced(field));
            }
        }
        Ok(record)
    }

    /// The one value that all present names of a field state.
    fn value<T: PartialEq>(
        &self,
        object: &Object,
        field: Field,
        decode: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Reason> {
        let names = self.names.of(field);
        let stated =
            object.entries().filter(|(key, raw)| names.contains(key) && !(field.is_optional() && *raw == "null"));
        let mut values = stated.map(|(_, raw)| decode(raw).ok_or(Reason::Form(field)));
        let Some(first) = values.next().transpose()? else { return Ok(None) };
        for value in values {
            if value? != first {
                return Err(Reason::Disagree(field));
            }
        }
        Ok(Some(first))
    }
}

/// `0|[1-9][0-9]*`, as a number or as a string, at most 2^64−1.
fn u64_of(raw: &str) -> Option<u64> {
    if raw.starts_with('"') { digits(&string_of(raw)?) } else { digits(raw) }
}

fn digits(text: &str) -> Option<u64> {
    let canonical = text == "0" || !text.starts_with('0');
    (canonical && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

/// 64 hex digits of either case, with or without `blake3:` before them.
fn blake3_of(raw: &str) -> Option<[u8; 32]> {
    let text = string_of(raw)?;
    let digits = text.strip_prefix("blake3:").unwrap_or(&text);
    let mut bytes = [0; 32];
    // `decode_to_slice` would also take a `0x` prefix
    (digits.len() == 64).then(|| alloy::hex::decode_to_slice(digits, &mut bytes).ok()).flatten()?;
    Some(bytes)
}

fn string_of(raw: &str) -> Option<String> {
    serde_json::from_str(raw).ok()
}

#[cfg(test)]
mod tests;
