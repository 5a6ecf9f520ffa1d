//! Where values stand in a line. A writer's lines are mostly as long as those before, with their values in the same
//! places: such a line is compared as a whole, and its values are read where they must be.

use std::ops::Range;

use ec_observation::Record;

use super::{
    super::field::Field,
    scan::{above_nine, ends_plain, integer, number},
    value::Value,
};
use crate::cas::OBJECTS_DIR;

/// Bytes that are compared at once.
const CHUNK: usize = 32;

/// The digits of an integer that are read in their place: a word. Those before change once in a hundred million.
const LOW_DIGITS: usize = 8;

/// The digits of a hash.
const HASH_LEN: usize = 64;

/// How a line that was plain and good is laid out. Another line with the same bytes around values of the same kinds is
/// plain and good as well.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    len: usize,
    /// All bytes that are not a value's.
    around: Vec<Chunk>,
    values: Vec<ValueAt>,
}

/// Bytes of a line at `start`; those that are a value's do not count.
#[derive(Clone, Debug)]
struct Chunk {
    start: usize,
    bytes: [u8; CHUNK],
    /// All bits of the bytes that count.
    counts: [u8; CHUNK],
}

#[derive(Clone, Debug)]
enum ValueAt {
    /// An integer, and what it states: its last digits, and what those before them say.
    Integer { field: Option<Field>, end: usize, digits: usize, high: u64 },
    /// The digits of the object's hash.
    Hash(usize),
    /// The path of the object whose hash stands at `hash`: the first two of its digits, and all.
    Path { hash: usize, directory: usize, name: usize },
    /// A string that is not judged.
    Text(Range<usize>),
}

impl Layout {
    /// The layout of a good line with these values, if its lines can be read by it.
    pub(super) fn of(line: &[u8], values: &[(Value, Range<usize>)]) -> Option<Self> {
        let mut counts = vec![0xff; line.len()];
        let mut values_at = Vec::with_capacity(values.len());
        let mut hash = None;
        for (value, range) in values {
            // the quotation mark at a string's end is none of the value
            let text = range.start..range.end - 1;
            let value_at = match *value {
                Value::Integer(field) => {
                    let digits = range.len().min(LOW_DIGITS);
                    let (value, _) = integer(&line[range.start..])?;
                    counts[range.end - digits..range.end].fill(0);
                    ValueAt::Integer {
                        field,
                        end: range.end,
                        digits,
                        high: value - value % 10u64.pow(LOW_DIGITS as u32),
                    }
                }
                Value::Hash => {
                    hash = Some(range.start);
                    counts[text].fill(0);
                    ValueAt::Hash(range.start)
                }
                Value::Text => match hash.and_then(|hash| path(line, hash, text.clone())) {
                    Some((directory, name, path)) => {
                        [directory, name].into_iter().for_each(|digits| counts[digits].fill(0));
                        path
                    }
                    None => {
                        counts[text.clone()].fill(0);
                        ValueAt::Text(text)
                    }
                },
            };
            values_at.push(value_at);
        }
        let last = line.len().checked_sub(CHUNK)?;
        let chunks = (0..last).step_by(CHUNK).chain([last]).map(|start| Chunk {
            start,
            bytes: std::array::from_fn(|at| line[start + at] & counts[start + at]),
            counts: std::array::from_fn(|at| counts[start + at]),
        });
        let around = chunks.filter(|chunk| chunk.counts != [0; CHUNK]).collect();
        Some(Self { len: line.len(), around, values: values_at })
    }

    /// The record that `text` begins with, and its length, if it is laid out like this.
    #[inline]
    pub(super) fn record(&self, text: &[u8]) -> Option<(Record, usize)> {
        let line = text.get(..self.len)?;
        let mut differing = [0; CHUNK];
        for Chunk { start, bytes, counts } in &self.around {
            let found: &[u8; CHUNK] = line.get(*start..)?.first_chunk()?;
            // without a branch, so that it is done with vectors
            for at in 0..CHUNK {
                differing[at] |= (found[at] & counts[at]) ^ bytes[at];
            }
        }
        (differing == [0; CHUNK]).then_some(())?;
        // a good line states all of them but the last
        let mut record = Record { group_sequence: 0, blake3: [0; 32], size_bytes: 0, received_unix_ms: None };
        for value_at in &self.values {
            match *value_at {
                ValueAt::Integer { field, end, digits, high } => {
                    let value = high.checked_add(low(line, end, digits, high == 0)?)?;
                    match field {
                        Some(Field::GroupSequence) => record.group_sequence = value,
                        Some(Field::SizeBytes) => record.size_bytes = value,
                        Some(Field::ReceivedUnixMs) => record.received_unix_ms = Some(value),
                        _ => {}
                    }
                }
                ValueAt::Hash(start) => {
                    let digits: &[u8; HASH_LEN] = digits(line, start)?;
                    alloy_primitives::hex::decode_to_slice(digits, &mut record.blake3).ok()?;
                }
                ValueAt::Path { hash, directory, name } => {
                    let named = digits::<HASH_LEN>(line, name)? == digits(line, hash)?;
                    (named && digits::<2>(line, directory)? == digits(line, hash)?).then_some(())?;
                }
                ValueAt::Text(ref range) => {
                    (!line.get(range.clone())?.iter().any(|&byte| ends_plain(byte))).then_some(())?;
                }
            }
        }
        Some((record, self.len))
    }
}

#[inline(always)]
fn digits<const N: usize>(line: &[u8], start: usize) -> Option<&[u8; N]> {
    line.get(start..)?.first_chunk()
}

/// Where the digits stand in the path of the object whose hash stands at `hash`, if this text is it.
fn path(line: &[u8], hash: usize, text: Range<usize>) -> Option<(Range<usize>, Range<usize>, ValueAt)> {
    let digits = &line[hash..hash + HASH_LEN];
    let path = [OBJECTS_DIR.as_bytes(), b"/", &digits[..2], b"/", digits, b".bin"].concat();
    let directory = text.start + OBJECTS_DIR.len() + 1;
    let name = directory + 3;
    (line[text] == path).then_some(())?;
    Some((directory..directory + 2, name..name + HASH_LEN, ValueAt::Path { hash, directory, name }))
}

/// What the digits before `end` say; those of a whole integer begin with no zero, unless they are it.
#[inline(always)]
fn low(line: &[u8], end: usize, count: usize, whole: bool) -> Option<u64> {
    let word = u64::from_le_bytes(*line.get(end.checked_sub(LOW_DIGITS)?..end)?.first_chunk()?);
    let digits = (word ^ u64::from_ne_bytes([b'0'; LOW_DIGITS])) & (u64::MAX << (64 - 8 * count));
    let canonical = !whole || count == 1 || line[end - count] != b'0';
    (canonical && above_nine(digits) == 0).then(|| number(digits))
}

#[cfg(test)]
mod tests {
    use super::super::Shape;
    use crate::line::{FieldNames, LineRule};

    const HASH: &str = "d130011793521491dc006beb010aa36179e5fd8cf8f4e2f06ef66f5c0b9d63c6";

    fn line(sequence: &str, size: &str, hash: &str, path: &str) -> String {
        format!(
            "{{\"broadcast\":\"la-nbc\",\"group_sequence\":{sequence},\"size_bytes\":{size},\"blake3\":\"{hash}\",\
             \"host\":\"a\",\"cas_path\":\"{path}\"}}"
        )
    }

    fn path(hash: &str) -> String {
        format!("objects/blake3/{}/{hash}.bin", &hash[..2])
    }

    /// Its shape is learned from the first time a line is read, its layout from the second.
    fn learned(rule: &LineRule, line: &str) -> Shape {
        let mut shape = Shape::default();
        (0..2).for_each(|_| assert!(rule.plain_record(line.as_bytes(), &mut shape).is_some()));
        shape
    }

    /// After one line, others are read by its layout exactly as they are read without one.
    #[test]
    fn another_line_is_read_as_without_a_layout() {
        let rule = LineRule::new(FieldNames::default(), "la-nbc", "video0.m4s");
        let other = HASH.replace('d', "0");
        let first = line("886412340", "480000", HASH, &path(HASH));
        for (text, fits) in [
            (line("886412341", "499999", &other, &path(&other)), true),
            (line("899999999", "100000", &other.to_uppercase(), &path(&other.to_uppercase())), true),
            (line("999999999", "100000", HASH, &path(HASH)), false),
            (line("086412341", "480000", HASH, &path(HASH)), false),
            (line("886412341", "48000/", HASH, &path(HASH)), false),
            (line("886412341", "48000:", HASH, &path(HASH)), false),
            (line("88641234 ", "480000", HASH, &path(HASH)), false),
            (line("886412341", "48.000", HASH, &path(HASH)), false),
            (line("8864123410", "48000", HASH, &path(HASH)), false),
            (line("886412341", "480000", HASH, &path(&other)), false),
            (line("886412341", "480000", &HASH.replace('d', "g"), &path(HASH)), false),
            (line("886412341", "480000", HASH, &path(HASH)).replace("la-nbc", "la-cbc"), false),
            (line("886412341", "480000", HASH, &path(HASH)).replace("\"a\"", "\"b\""), true),
            (line("886412341", "480000", HASH, &path(HASH)).replace("\"a\"", "\"\\\""), false),
            (line("886412341", "480000", HASH, &path(HASH)).replace('}', "]"), false),
        ] {
            let mut shape = learned(&rule, &first);
            let found = shape.laid_out(text.as_bytes());
            assert_eq!(found.is_some(), fits, "{text}");
            let judged = rule.record_of_any(text.as_bytes());
            for (record, len) in found.into_iter().chain(rule.plain_record(text.as_bytes(), &mut shape)) {
                assert_eq!((Ok(record), len), (judged.clone(), text.len()), "{text}");
            }
        }
    }

    #[test]
    fn integers_of_every_length_are_read_in_their_places() {
        let rule = LineRule::new(FieldNames::default(), "la-nbc", "video0.m4s");
        let text = |sequence: u64| line(&sequence.to_string(), "1", HASH, &path(HASH));
        for digits in 1..=20 {
            let first = u64::MAX / 10u64.pow(20 - digits);
            let shape = learned(&rule, &text(first));
            for other in [first - 1, first - first % 10, first] {
                let found = shape.laid_out(text(other).as_bytes()).map(|(record, _)| record.group_sequence);
                let same_high = other / 100_000_000 == first / 100_000_000;
                assert_eq!(
                    found,
                    (same_high && text(other).len() == text(first).len()).then_some(other),
                    "{other} as {first}"
                );
            }
        }
        let above = text(u64::MAX).replace(&u64::MAX.to_string(), "18446744073709551616");
        assert_eq!(learned(&rule, &text(u64::MAX)).laid_out(above.as_bytes()), None);
    }
}
