//! One line of the index: a record, or the reason why it is none (protocol §2). Pure over the line's bytes.

mod bad;
mod field;
mod json;
mod plain;

use ec_observation::Record;

pub use self::{
    bad::{BadLine, MAX_DEPTH, MAX_LINE_LEN, Reason},
    field::{Field, FieldNames},
    plain::Shape,
};
use self::{json::TopLevel, plain::PlainLines};

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
        let object = TopLevel::parse(line).map_err(unreadable)?;
        let group_sequence = self.value(&object, Field::GroupSequence, u64_of);
        let readable = group_sequence.clone().ok().flatten();
        self.judge(&object, group_sequence).map_err(|reason| BadLine { reason, group_sequence: readable })
    }

    fn judge(&self, object: &TopLevel, group_sequence: Result<Option<u64>, Reason>) -> Result<Record, Reason> {
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
        object: &TopLevel,
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
    (digits.len() == 64).then(|| alloy_primitives::hex::decode_to_slice(digits, &mut bytes).ok()).flatten()?;
    Some(bytes)
}

fn string_of(raw: &str) -> Option<String> {
    serde_json::from_str(raw).ok()
}

#[cfg(test)]
mod tests;
