//! Where values stand in a line. A writer's lines are mostly as long as those before, with their values in the same
//! places: such a line is compared as a whole, and its values are read where they must be.

use std::ops::Range;

use super::{super::Field, Record, above_nine, ends_plain, number, shape::Value};

/// Bytes that are compared at once.
const STEP: usize = 32;

/// The most digits of an integer that is read in its place: two words of eight.
const MAX_DIGITS: usize = 16;

/// The digits of a hash.
const HASH_LEN: usize = 64;

/// How a line that was plain and good is laid out. Another line with the same bytes around values of the same kinds is
/// plain and good as well.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    len: usize,
    /// All bytes that are not a value's.
    around: Vec<Step>,
    values: Vec<Place>,
}

/// Bytes of a line at `start`; those that are a value's do not count.
#[derive(Clone, Debug)]
struct Step {
    start: usize,
    bytes: [u8; STEP],
    /// All bits of the bytes that count.
    counts: [u8; STEP],
}

#[derive(Clone, Debug)]
enum Place {
    /// An integer, what it states, and its number of digits.
    Integer { field: Option<Field>, end: usize, digits: usize },
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
        let mut places = Vec::with_capacity(values.len());
        let mut hash = None;
        for (value, range) in values {
            // the quotation mark at a string's end is none of the value
            let text = range.start..range.end - 1;
            let place = match *value {
                Value::Integer(field) => {
                    (range.len() <= MAX_DIGITS && range.end >= MAX_DIGITS).then_some(())?;
                    counts[range.clone()].fill(0);
                    Place::Integer { field, end: range.end, digits: range.len() }
                }
                Value::Hash => {
                    hash = Some(range.start);
                    counts[text].fill(0);
                    Place::Hash(range.start)
                }
                Value::Text => match hash.and_then(|hash| path(line, hash, text.clone())) {
                    Some((directory, name, path)) => {
                        [directory, name].into_iter().for_each(|digits| counts[digits].fill(0));
                        path
                    }
                    None => {
                        counts[text.clone()].fill(0);
                        Place::Text(text)
                    }
                },
            };
            places.push(place);
        }
        let last = line.len().checked_sub(STEP)?;
        let steps = (0..last).step_by(STEP).chain([last]).map(|start| Step {
            start,
            bytes: std::array::from_fn(|at| line[start + at] & counts[start + at]),
            counts: std::array::from_fn(|at| counts[start + at]),
        });
        let around = steps.filter(|step| step.counts != [0; STEP]).collect();
        Some(Self { len: line.len(), around, values: places })
    }

    /// The record that `text` begins with, and its length, if it is laid out like this.
    #[inline]
    pub(super) fn record(&self, text: &[u8]) -> Option<(Record, usize)> {
        let line = text.get(..self.len)?;
        let mut differing = [0; STEP];
        for Step { start, bytes, counts } in &self.around {
            let found: &[u8; STEP] = line.get(*start..)?.first_chunk()?;
            // without a branch, so that it is done with vectors
            for at in 0..STEP {
                differing[at] |= (found[at] & counts[at]) ^ bytes[at];
            }
        }
        (differing == [0; STEP]).then_some(())?;
        // a good line states all of them but the last
        let mut record = Record { group_sequence: 0, blake3: [0; 32], size_bytes: 0, received_unix_ms: None };
        for place in &self.values {
            match *place {
                Place::Integer { field, end, digits } => {
                    let value = integer(line, end, digits)?;
                    match field {
                        Some(Field::GroupSequence) => record.group_sequence = value,
                        Some(Field::SizeBytes) => record.size_bytes = value,
                        Some(Field::ReceivedUnixMs) => record.received_unix_ms = Some(value),
                        _ => {}
                    }
                }
                Place::Hash(start) => {
                    let digits: &[u8; HASH_LEN] = digits(line, start)?;
                    alloy::hex::decode_to_slice(digits, &mut record.blake3).ok()?;
                }
                Place::Path { hash, directory, name } => {
                    let named = digits::<HASH_LEN>(line, name)? == digits(line, hash)?;
                    (named && digits::<2>(line, directory)? == digits(line, hash)?).then_some(())?;
                }
                Place::Text(ref range) => {
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
fn path(line: &[u8], hash: usize, text: Range<usize>) -> Option<(Range<usize>, Range<usize>, Place)> {
    const OBJECTS: &[u8] = b"objects/blake3/";
    let digits = &line[hash..hash + HASH_LEN];
    let path = [OBJECTS, &digits[..2], b"/", digits, b".bin"].concat();
    let directory = text.start + OBJECTS.len();
    let name = directory + 3;
    (line[text] == path).then_some(())?;
    Some((directory..directory + 2, name..name + HASH_LEN, Place::Path { hash, directory, name }))
}

/// The integer of so many digits that ends there, if it is one in its only form.
#[inline(always)]
fn integer(line: &[u8], end: usize, digits: usize) -> Option<u64> {
    let low = last_digits(line, end, digits.min(8))?;
    let high = if digits > 8 { last_digits(line, end - 8, digits - 8)? } else { 0 };
    (digits == 1 || line[end - digits] != b'0').then_some(high * 100_000_000 + low)
}

/// What these digits, eight at most, say.
#[inline(always)]
fn last_digits(line: &[u8], end: usize, count: usize) -> Option<u64> {
    let word = u64::from_le_bytes(*line.get(end - 8..end)?.first_chunk()?);
    let digits = (word ^ u64::from_ne_bytes([b'0'; 8])) & (u64::MAX << (64 - 8 * count));
    (above_nine(digits) == 0).then(|| number(digits))
}

#[cfg(test)]
mod tests {
    use super::{super::super::FieldNames, *};
    use crate::archive::line::{LineRule, Shape};

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

    /// After one line, others are read by its layout exactly as they are read without one.
    #[test]
    fn another_line_is_read_as_without_a_layout() {
        let rule = LineRule::new(FieldNames::default(), "la-nbc", "video0.m4s");
        let other = HASH.replace('d', "0");
        let first = line("886412340", "480000", HASH, &path(HASH));
        for (text, fits) in [
            (line("886412341", "499999", &other, &path(&other)), true),
            (line("999999999", "100000", &other.to_uppercase(), &path(&other.to_uppercase())), true),
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
            let mut shape = Shape::default();
            for _ in 0..2 {
                assert!(rule.plain_record(first.as_bytes(), &mut shape).is_some());
            }
            let found = shape.layout().and_then(|layout| layout.record(text.as_bytes()));
            assert_eq!(found.is_some(), fits, "{text}");
            let judged = rule.record_of_any(text.as_bytes());
            for (record, len) in found.into_iter().chain(rule.plain_record(text.as_bytes(), &mut shape)) {
                assert_eq!((Ok(record), len), (judged.clone(), text.len()), "{text}");
            }
        }
    }

    #[test]
    fn integers_of_every_length_are_read_in_their_places() {
        for digits in 1..=MAX_DIGITS {
            let value = u64::MAX / 10u64.pow(20 - digits as u32);
            let text = format!("{{\"x\":0,\"group_sequence\":{value},");
            assert_eq!(integer(text.as_bytes(), text.len() - 1, digits), Some(value));
        }
        assert_eq!(integer(b"0123456789abcdef0,", 17, 1), Some(0));
        assert_eq!(integer(b"0123456789abcde00,", 17, 2), None);
    }
}
