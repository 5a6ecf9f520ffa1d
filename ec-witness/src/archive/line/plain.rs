//! The lines that writers write, read without a JSON parser.
//!
//! A *plain* line is an object without white space, of strings without escapes and of integers. [`PlainLines`] reads
//! one in a single pass over its bytes, or says nothing at all: every other line, good or bad, is left to
//! [`super::LineRule::record`]'s general path, which judges a plain line alike. So this path is never a judge: it
//! accepts only what is a good record for certain.

mod layout;
mod shape;

use std::ops::Range;

pub use self::shape::Shape;
use self::shape::{Value, Values};
use super::{Field, FieldNames, MAX_LINE_LEN, Record};

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

/// Not a character of a plain string: its end, an escape, a control character, or not ASCII.
fn ends_plain(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\' || byte >= 0x80
}

/// A plain string up to its quotation mark, and what follows that.
fn string(text: &[u8]) -> Option<(&[u8], &[u8])> {
    const STEP: usize = 32;
    let mut len = 0;
    for step in text.chunks_exact(STEP) {
        // without a branch, so that it is done with vectors
        if step.iter().fold(false, |any, &byte| any | ends_plain(byte)) {
            break;
        }
        len += STEP;
    }
    while let Some(&word) = text[len..].first_chunk::<8>() {
        let end = first_end(u64::from_le_bytes(word));
        len += end;
        if end < 8 {
            return (text[len] == b'"').then(|| (&text[..len], &text[len + 1..]));
        }
    }
    len += text[len..].iter().position(|&byte| ends_plain(byte))?;
    (text[len] == b'"').then(|| (&text[..len], &text[len + 1..]))
}

/// Where among eight bytes the first is that [ends a plain string](ends_plain); 8 if none does.
fn first_end(word: u64) -> usize {
    // a byte's high bit where the byte is zero; only the lowest is certain, a borrow may set the next ones
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word;
    let quote = zeros(word ^ (ONES * u64::from(b'"')));
    let escape = zeros(word ^ (ONES * u64::from(b'\\')));
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    ((quote | escape | control | word) & (ONES * 0x80)).trailing_zeros() as usize / 8
}

/// `0|[1-9][0-9]*` of at most 2^64−1, and what follows it, which is neither digit, sign, fraction nor exponent.
fn integer(text: &[u8]) -> Option<(u64, &[u8])> {
    let (mut value, mut len) = (0u64, 0);
    loop {
        let (digits, count) = leading_digits(text.get(len..)?);
        // at most 16 digits cannot overflow
        value = match len {
            0 | 8 => value * POWERS[count] + digits,
            _ => value.checked_mul(POWERS[count])?.checked_add(digits)?,
        };
        len += count;
        if count < 8 {
            break;
        }
    }
    let canonical = len == 1 || (len > 1 && text[0] != b'0');
    (canonical && matches!(text.get(len), Some(b',' | b'}'))).then(|| (value, &text[len..]))
}

const POWERS: [u64; 9] = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// The value and the number of the digits, eight at most, that `text` begins with.
fn leading_digits(text: &[u8]) -> (u64, usize) {
    let Some(&bytes) = text.first_chunk::<8>() else {
        let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        return (text[..count].iter().fold(0, |value, byte| value * 10 + u64::from(byte - b'0')), count);
    };
    let word = u64::from_le_bytes(bytes) ^ (ONES * u64::from(b'0'));
    let count = above_nine(word).trailing_zeros() as usize / 8;
    if count == 0 {
        return (0, 0);
    }
    (number(word << (64 - count * 8)), count)
}

/// The high bit of each byte that is above 9.
fn above_nine(bytes: u64) -> u64 {
    (((bytes & (ONES * 0x7f)) + ONES * 0x76) | bytes) & (ONES * 0x80)
}

/// What eight bytes below 10 say as digits, the lowest byte first.
fn number(digits: u64) -> u64 {
    // pairs, fours and all eight added up
    let pairs = (digits * 10 + (digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    (fours * 10_000 + (fours >> 32)) & 0xffff_ffff
}

const ONES: u64 = u64::from_ne_bytes([1; 8]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_end_where_they_should() {
        let read = |text: &str| integer(text.as_bytes()).map(|(value, rest)| (value, rest.len()));
        for digits in 1..=19 {
            let value = u64::MAX / 10u64.pow(20 - digits);
            assert_eq!(read(&format!("{value},\"")), Some((value, 2)), "{value}");
            assert_eq!(read(&format!("{value}}}{}", "5".repeat(12))), Some((value, 13)), "{value}");
        }
        assert_eq!(read("0,"), Some((0, 1)));
        assert_eq!(read("18446744073709551615}"), Some((u64::MAX, 1)));
        for bad in ["", "0", "7", ",", "00,", "01,", "-1,", "1.5,", "1e3,", "1 ,", "18446744073709551616,"] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert_eq!(read(&format!("{},", "9".repeat(60))), None);
    }

    #[test]
    fn strings_end_at_their_quotation_mark() {
        for len in 0..100 {
            let text = "x".repeat(len);
            assert_eq!(string(format!("{text}\",").as_bytes()), Some((text.as_bytes(), &b","[..])));
            for other in ["\\", "\n", "é", "\u{1f}", ""] {
                assert_eq!(string(format!("{text}{other}{}", "y".repeat(40)).as_bytes()), None, "{len} {other:?}");
            }
        }
    }
}
