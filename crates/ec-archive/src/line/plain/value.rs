//! The values of plain lines, and how each is read.

use std::ops::Range;

use ec_observation::Record;

use super::{
    super::field::Field,
    scan::{integer, string},
};
use crate::cas::OBJECTS_DIR;

/// What a value is that may differ from line to line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::line) enum Value {
    /// An integer, and what it states.
    Integer(Option<Field>),
    /// A BLAKE3 hash, without its quotation marks.
    Hash,
    /// A string that is not judged, after its first quotation mark.
    Text,
}

/// The values of one line.
#[derive(Debug, Default)]
pub(super) struct Values<'a> {
    group_sequence: Option<u64>,
    blake3: Option<[u8; 32]>,
    /// The digits of `blake3`, as they stand.
    digits: &'a [u8],
    size_bytes: Option<u64>,
    received_unix_ms: Option<u64>,
}

/// Where values stood in a line.
pub(super) type Lesson = Vec<(Value, Range<usize>)>;

impl Value {
    /// What stands after a key of this field (`None`: one that is not judged), and the text from the value on.
    pub(super) fn at(field: Option<Field>, rest: &[u8]) -> Option<(Self, &[u8])> {
        match (field, rest) {
            (Some(Field::Blake3), [b'"', rest @ ..]) => Some((Self::Hash, rest)),
            (None, [b'"', rest @ ..]) => Some((Self::Text, rest)),
            (Some(Field::Blake3), _) => None,
            (field, rest) => Some((Self::Integer(field), rest)),
        }
    }

    /// Reads one; returns what follows it.
    #[inline(always)]
    pub(super) fn read<'a>(self, rest: &'a [u8], values: &mut Values<'a>) -> Option<&'a [u8]> {
        match self {
            Self::Integer(field) => {
                let (value, rest) = integer(rest)?;
                match field {
                    Some(Field::GroupSequence) => values.group_sequence = Some(value),
                    Some(Field::SizeBytes) => values.size_bytes = Some(value),
                    Some(Field::ReceivedUnixMs) => values.received_unix_ms = Some(value),
                    _ => {}
                }
                Some(rest)
            }
            Self::Hash => {
                let (digits, rest) = rest.split_at_checked(64)?;
                let mut bytes = [0; 32];
                alloy_primitives::hex::decode_to_slice(digits, &mut bytes).ok()?;
                (values.blake3, values.digits) = (Some(bytes), digits);
                rest.strip_prefix(b"\"")
            }
            Self::Text => values.object_path(rest).or_else(|| string(rest).map(|(_, rest)| rest)),
        }
    }
}

impl Values<'_> {
    /// Passes over the path of the object that the line names: what most texts are, and no character of it is new.
    #[inline(always)]
    fn object_path<'a>(&self, rest: &'a [u8]) -> Option<&'a [u8]> {
        let (directory, rest) =
            rest.strip_prefix(OBJECTS_DIR.as_bytes())?.strip_prefix(b"/")?.split_first_chunk::<2>()?;
        let (name, rest) = rest.strip_prefix(b"/")?.split_first_chunk::<64>()?;
        let digits: &[u8; 64] = self.digits.try_into().ok()?;
        (digits[..2] == *directory && digits == name).then_some(())?;
        rest.strip_prefix(b".bin\"")
    }

    pub(super) fn record(&self) -> Option<Record> {
        Some(Record {
            group_sequence: self.group_sequence?,
            blake3: self.blake3?,
            size_bytes: self.size_bytes?,
            received_unix_ms: self.received_unix_ms,
        })
    }
}
