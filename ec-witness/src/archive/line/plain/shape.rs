//! The shape of plain lines: what stands around their values. A writer's lines share it, so a line is mostly compared.

use std::ops::Range;

use super::{super::Field, MAX_LINE_LEN, Record, integer, layout::Layout, string};
use crate::cas::OBJECTS_DIR;

/// Lines of another shape before the shape is learned anew.
const MAX_MISSES: u32 = 8;

/// Lines of this shape and another layout before the layout is learned anew.
const MAX_LAYOUT_MISSES: u32 = 32;

/// What a value is that may differ from line to line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::archive::line) enum Value {
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

/// The shape of a line that was plain and good. Another line of this shape, with values of the same kinds, is as well.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    /// Each value, and what stands before it.
    values: Vec<(Box<[u8]>, Value)>,
    /// What stands after the last one.
    end: Box<[u8]>,
    misses: u32,
    /// Where the values of the lines before stood.
    layout: Option<Layout>,
    layout_misses: u32,
}

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
                alloy::hex::decode_to_slice(digits, &mut bytes).ok()?;
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

impl Shape {
    /// The record that `text` begins with, and its length, if it is laid out as the lines before.
    #[inline]
    pub(super) fn laid_out(&self, text: &[u8]) -> Option<(Record, usize)> {
        self.layout.as_ref()?.record(text)
    }

    /// The record that `text` begins with, and its length, if it has this shape.
    pub(super) fn record(&mut self, text: &[u8]) -> Option<(Record, usize)> {
        let found = self.walk(text, |_, _| {})?;
        if self.layout_misses.is_multiple_of(MAX_LAYOUT_MISSES) {
            let mut lesson = Lesson::new();
            self.walk(text, |value, place| lesson.push((value, place)))?;
            self.layout = Layout::of(&text[..found.1], &lesson);
        }
        self.layout_misses = self.layout_misses.wrapping_add(1);
        Some(found)
    }

    /// Reads from value to value, and tells where they stand.
    #[inline(always)]
    fn walk(&self, text: &[u8], mut found: impl FnMut(Value, Range<usize>)) -> Option<(Record, usize)> {
        let mut values = Values::default();
        let mut rest = text;
        // without a value there is no record: nothing was learned yet
        for (before, value) in &self.values {
            let start = rest.strip_prefix(&**before)?;
            rest = value.read(start, &mut values)?;
            found(*value, text.len() - start.len()..text.len() - rest.len());
        }
        let len = text.len() - rest.strip_prefix(&*self.end)?.len();
        Some((values.record()?, len)).filter(|_| len <= MAX_LINE_LEN)
    }

    /// Notes a line of another shape; where to note its values, if it is one to learn from.
    pub(super) fn lesson(&mut self) -> Option<Lesson> {
        let learns = self.misses.is_multiple_of(MAX_MISSES);
        self.misses = self.misses.wrapping_add(1);
        learns.then(Lesson::new)
    }

    /// Takes the shape of a plain line.
    pub(super) fn learn(&mut self, line: &[u8], lesson: Option<Lesson>) {
        let Some(lesson) = lesson else { return };
        let mut from = 0;
        let values = lesson.into_iter().map(|(value, place)| {
            let before = line[from..place.start].into();
            from = place.end;
            (before, value)
        });
        self.values = values.collect();
        self.end = line[from..].into();
        (self.layout, self.layout_misses) = (None, 0);
    }
}
