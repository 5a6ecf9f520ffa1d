//! The lines that writers write, read without a JSON parser.
//!
//! A *plain* line is an object without white space, of strings without escapes and of integers. [`PlainLines`] reads
//! one in a single pass over its bytes, or says nothing at all: every other line, good or bad, is left to
//! [`super::LineRule::record`]'s general path, which judges a plain line alike. So this path is never a judge: it
//! accepts only what is a good record for certain.

use super::{Field, FieldNames, MAX_LINE_LEN, Record};

/// Unknown keys that are told apart; a line with more is not plain.
const MAX_UNKNOWN: usize = 4;

/// The optional key of the canonical record that is never judged.
const CAS_PATH: &str = "cas_path";

/// What a plain line is read by.
#[derive(Clone, Debug)]
pub(super) struct PlainLines {
    /// In the order in which canonical writers state them.
    keys: Vec<Key>,
    /// The values that `broadcast` and `track` must have, with the quotation mark after them.
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

/// Which key followed which in the line before: a guess that only saves time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Habit {
    next: [u8; 32],
}

/// What a line has stated so far.
#[derive(Default)]
struct Stated<'a> {
    group_sequence: Option<u64>,
    blake3: Option<[u8; 32]>,
    size_bytes: Option<u64>,
    received_unix_ms: Option<u64>,
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
        (distinct && plain && keys.len() < Habit::default().next.len()).then(|| Self {
            keys: keys.into_iter().map(|(name, field)| Key { text: format!("{name}\":").into(), field }).collect(),
            broadcast: format!("{broadcast}\"").into(),
            track: format!("{track}\"").into(),
        })
    }

    /// The record that `text` begins with, and its length, if it is plain and good.
    pub(super) fn record(&self, text: &[u8], habit: &mut Habit) -> Option<(Record, usize)> {
        let mut stated = Stated::default();
        let mut rest = text.strip_prefix(b"{\"")?;
        let mut last = self.keys.len();
        loop {
            rest = match self.key(rest, last, habit) {
                Some(found) => {
                    last = found;
                    let key = &self.keys[found];
                    stated.once(found, key.field)?;
                    self.value(rest.get(key.text.len()..)?, key.field, &mut stated)?
                }
                None => stated.unknown(rest)?,
            };
            rest = match rest {
                [b',', b'"', rest @ ..] => rest,
                [b'}', rest @ ..] => {
                    let len = text.len() - rest.len();
                    return (len <= MAX_LINE_LEN).then_some((stated.record()?, len));
                }
                _ => return None,
            };
        }
    }

    /// The known key that `rest` begins with. The one that came after the last one before is tried first.
    fn key(&self, rest: &[u8], last: usize, habit: &mut Habit) -> Option<usize> {
        let guess = usize::from(habit.next[last]);
        if self.keys.get(guess).is_some_and(|key| rest.starts_with(&key.text)) {
            return Some(guess);
        }
        // writers that keep to the canonical order are near
        let (before, after) = self.keys.split_at((last + 1) % (self.keys.len() + 1));
        let is_here = |key: &Key| rest.starts_with(&key.text);
        let found =
            after.iter().position(is_here).map(|at| before.len() + at).or_else(|| before.iter().position(is_here))?;
        habit.next[last] = u8::try_from(found).ok()?;
        Some(found)
    }

    /// Reads a known key's value; returns what follows it.
    fn value<'a>(&self, rest: &'a [u8], field: Option<Field>, stated: &mut Stated<'_>) -> Option<&'a [u8]> {
        let integer = |slot: &mut Option<u64>| {
            let (value, rest) = integer(rest)?;
            *slot = Some(value);
            Some(rest)
        };
        match field {
            Some(Field::GroupSequence) => integer(&mut stated.group_sequence),
            Some(Field::SizeBytes) => integer(&mut stated.size_bytes),
            Some(Field::ReceivedUnixMs) => integer(&mut stated.received_unix_ms),
            Some(Field::Broadcast) => rest.strip_prefix(b"\"")?.strip_prefix(self.broadcast.as_slice()),
            Some(Field::Track) => rest.strip_prefix(b"\"")?.strip_prefix(self.track.as_slice()),
            Some(Field::Blake3) => {
                let (digits, rest) = rest.strip_prefix(b"\"")?.split_at_checked(64)?;
                let mut bytes = [0; 32];
                alloy::hex::decode_to_slice(digits, &mut bytes).ok()?;
                stated.blake3 = Some(bytes);
                rest.strip_prefix(b"\"")
            }
            None => string(rest.strip_prefix(b"\"")?).map(|(_, rest)| rest),
        }
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

    /// Passes over an unknown key and its value.
    fn unknown(&mut self, rest: &'a [u8]) -> Option<&'a [u8]> {
        let (key, rest) = string(rest)?;
        if self.unknown[..self.unknown_count].contains(&key) {
            return None;
        }
        *self.unknown.get_mut(self.unknown_count)? = key;
        self.unknown_count += 1;
        let rest = rest.strip_prefix(b":")?;
        match rest {
            [b'"', rest @ ..] => string(rest).map(|(_, rest)| rest),
            _ => integer(rest).map(|(_, rest)| rest),
        }
    }

    fn record(&self) -> Option<Record> {
        Some(Record {
            group_sequence: self.group_sequence?,
            blake3: self.blake3?,
            size_bytes: self.size_bytes?,
            received_unix_ms: self.received_unix_ms,
        })
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
    len += text[len..].iter().position(|&byte| ends_plain(byte))?;
    (text[len] == b'"').then(|| (&text[..len], &text[len + 1..]))
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
    let word = u64::from_le_bytes(bytes) ^ ONES * u64::from(b'0');
    // a byte's high bit where the byte is above 9
    let others = ((word & ONES * 0x7f) + ONES * 0x76 | word) & ONES * 0x80;
    let count = others.trailing_zeros() as usize / 8;
    if count == 0 {
        return (0, 0);
    }
    // the digits, after zeros, then pairs, fours and all eight added up
    let word = word << (64 - count * 8);
    let word = (word * 10 + (word >> 8)) & 0x00ff_00ff_00ff_00ff;
    let word = (word * 100 + (word >> 16)) & 0x0000_ffff_0000_ffff;
    let word = (word * 10_000 + (word >> 32)) & 0xffff_ffff;
    (word, count)
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
