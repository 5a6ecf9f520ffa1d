//! The lines that writers write, read without a JSON parser.
//!
//! A *plain* line is an object without white space, of strings without escapes and of integers. [`PlainLines`] reads
//! one in a single pass over its bytes, or says nothing at all: every other line, good or bad, is left to
//! [`super::LineRule::record`]'s general path, which judges a plain line alike. So this path is never a judge: it
//! accepts only what is a good record for certain.

mod layout;
mod scan;
mod shape;
mod value;

use std::ops::Range;

use ec_observation::Record;

pub use self::shape::Shape;
use self::{
    scan::{ends_plain, string},
    value::{Value, Values},
};
use super::{
    bad::MAX_LINE_LEN,
    field::{Field, FieldNames},
};

/// Unknown keys that are told apart; a line with more is not plain.
const MAX_UNKNOWN: usize = 4;

/// Known keys at most: a bit for each.
const MAX_KEYS: usize = 64;

/// The optional key of the canonical record that is never judged.
const CAS_PATH: &str = "cas_path";

/// What a plain line is read by.
#[derive(Clone, Debug)]
pub(super) struct PlainLines {
    /// In the order in which canonical writers state them.
    keys: Vec<Key>,
    /// The values that `broadcast` and `track` must have, with their quotation marks.
    broadcast: Vec<u8>,
    track: Vec<u8>,
}

/// A key that is known.
#[derive(Clone, Debug)]
struct Key {
    /// `name":`, as it stands after the quotation mark.
    text: Vec<u8>,
    /// What it states; `None` for a key that is never judged.
    field: Option<Field>,
}

/// What a line has stated so far.
#[derive(Default)]
struct Stated<'a> {
    values: Values<'a>,
    /// One bit for each known key, and one for each field.
    keys: u64,
    fields: u8,
    unknown: [&'a [u8]; MAX_UNKNOWN],
    unknown_count: usize,
}

impl PlainLines {
    /// `None` where no line is plain: a name or value would need an escape, or one name states two fields.
    pub(super) fn new(names: &FieldNames, broadcast: &str, track: &str) -> Option<Self> {
        let mut keys = Vec::new();
        // the order is that of the canonical record
        for field in [
            Field::Broadcast,
            Field::Track,
            Field::GroupSequence,
            Field::ReceivedUnixMs,
            Field::SizeBytes,
            Field::Blake3,
        ] {
            keys.extend(names.of(field).iter().map(|name| (name.as_str(), Some(field))));
        }
        if keys.iter().all(|(name, _)| *name != CAS_PATH) {
            keys.push((CAS_PATH, None));
        }
        let distinct = keys.iter().enumerate().all(|(i, (name, _))| keys[..i].iter().all(|(other, _)| other != name));
        let plain = keys.iter().map(|(name, _)| *name).chain([broadcast, track]).all(is_plain);
        (distinct && plain && keys.len() <= MAX_KEYS).then(|| Self {
            keys: keys.into_iter().map(|(name, field)| Key { text: format!("{name}\":").into(), field }).collect(),
            broadcast: format!("\"{broadcast}\"").into(),
            track: format!("\"{track}\"").into(),
        })
    }

    /// The record that `text` begins with, and its length, if it is plain and good. Lines laid out alike are read fastest,
    /// then those of one shape.
    #[inline]
    pub(super) fn record(&self, text: &[u8], shape: &mut Shape) -> Option<(Record, usize)> {
        shape.laid_out(text).or_else(|| self.learn(text, shape))
    }

    #[cold]
    fn learn(&self, text: &[u8], shape: &mut Shape) -> Option<(Record, usize)> {
        shape.record(text).or_else(|| {
            let mut lesson = shape.lesson();
            let (record, len) = self.of_any_shape(text, |value, place| {
                lesson.iter_mut().for_each(|lesson| lesson.push((value, place.clone())));
            })?;
            shape.learn(&text[..len], lesson);
            Some((record, len))
        })
    }

    /// Reads a line of any shape, and tells where its values stand.
    pub(super) fn of_any_shape(
        &self,
        text: &[u8],
        mut found: impl FnMut(Value, Range<usize>),
    ) -> Option<(Record, usize)> {
        let mut stated = Stated::default();
        let mut rest = text.strip_prefix(b"{\"")?;
        let mut last = 0;
        loop {
            let field;
            (field, rest) = match self.key(rest, last) {
                Some(found) => {
                    let Key { text, field } = &self.keys[found];
                    stated.once(found, *field)?;
                    last = found + 1;
                    (*field, rest.get(text.len()..)?)
                }
                None => (None, stated.unknown(rest)?),
            };
            rest = match (field, rest) {
                (Some(Field::Broadcast), rest) => rest.strip_prefix(self.broadcast.as_slice())?,
                (Some(Field::Track), rest) => rest.strip_prefix(self.track.as_slice())?,
                (field, rest) => {
                    let (value, rest) = Value::at(field, rest)?;
                    let after = value.read(rest, &mut stated.values)?;
                    found(value, text.len() - rest.len()..text.len() - after.len());
                    after
                }
            };
            rest = match rest {
                [b',', b'"', rest @ ..] => rest,
                [b'}', rest @ ..] => {
                    let len = text.len() - rest.len();
                    return (len <= MAX_LINE_LEN).then_some((stated.values.record()?, len));
                }
                _ => return None,
            };
        }
    }

    /// The known key that `rest` begins with. Writers that keep to the canonical order are at `next` or near.
    fn key(&self, rest: &[u8], next: usize) -> Option<usize> {
        let is_here = |key: &Key| rest.starts_with(&key.text);
        let (before, after) = self.keys.split_at(next);
        after.iter().position(is_here).map(|at| next + at).or_else(|| before.iter().position(is_here))
    }
}

impl<'a> Stated<'a> {
    /// Notes a known key; `None` when it or another name of its field was there before.
    fn once(&mut self, key: usize, field: Option<Field>) -> Option<()> {
        let field = field.map_or(0, |field| 1 << field as u8);
        let new = self.keys & (1 << key) == 0 && self.fields & field == 0;
        self.keys |= 1 << key;
        self.fields |= field;
        new.then_some(())
    }

    /// Passes over an unknown key.
    fn unknown(&mut self, rest: &'a [u8]) -> Option<&'a [u8]> {
        let (key, rest) = string(rest)?;
        if self.unknown[..self.unknown_count].contains(&key) {
            return None;
        }
        *self.unknown.get_mut(self.unknown_count)? = key;
        self.unknown_count += 1;
        rest.strip_prefix(b":")
    }
}

/// Whether text stands in JSON as it is, and as ASCII.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| !ends_plain(byte))
}
