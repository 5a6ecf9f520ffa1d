//! One line of the index: a record, or the reason why it is none (protocol §2). Pure over the line's bytes.

use std::{
    collections::HashSet,
    fmt,
    io::{self, ErrorKind},
};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;
use serde_jsonlines::JsonLinesReader;

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
    /// Field names.
    pub names: FieldNames,
    /// The broadcast that the file's path names.
    pub broadcast: String,
    /// The track that the file's name names.
    pub track: String,
}

impl LineRule {
    /// Judges one line without its line ending; blank lines are the caller's to leave out.
    ///
    /// # Errors
    ///
    /// The line is bad.
    pub fn record(&self, line: &[u8]) -> Result<Record, BadLine> {
        let unreadable = |reason| BadLine { reason, group_sequence: None };
        let object = parse(line).map_err(unreadable)?;
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
            object.0.iter().filter(|(key, raw)| names.contains(key) && !(field.is_optional() && raw.get() == "null"));
        let mut values = stated.map(|(_, raw)| decode(raw.get()).ok_or(Reason::Form(field)));
        let Some(first) = values.next().transpose()? else { return Ok(None) };
        for value in values {
            if value? != first {
                return Err(Reason::Disagree(field));
            }
        }
        Ok(Some(first))
    }
}

/// A record's top level: keys in order, values as they stand.
struct Object(Vec<(String, Box<RawValue>)>);

impl Object {
    fn no_key_twice(&self) -> Result<(), Reason> {
        let mut seen = HashSet::with_capacity(self.0.len());
        match self.0.iter().find(|(key, _)| !seen.insert(key)) {
            Some((key, _)) => Err(Reason::DuplicateKey(key.chars().take(MAX_SHOWN_KEY).collect())),
            None => Ok(()),
        }
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut entries = Vec::with_capacity(8);
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Object(entries))
            }
        }

        deserializer.deserialize_map(Entries)
    }
}

/// Parses a line. Values stay unparsed, so an unknown field may hold a number of any size; nesting and escapes, which
/// that leaves unchecked, are checked over the whole text.
fn parse(line: &[u8]) -> Result<Object, Reason> {
    if line.len() > MAX_LINE_LEN {
        return Err(Reason::TooLong);
    }
    let object = JsonLinesReader::new(line).read::<Object>().map_err(|error| Reason::Json(json_message(&error)))?;
    let object = object.ok_or_else(|| Reason::Json("empty".into()))?;
    check_text(line)?;
    Ok(object)
}

fn json_message(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::InvalidData if error.get_ref().is_none_or(|inner| !inner.is::<serde_json::Error>()) => {
            "not valid UTF-8".into()
        }
        _ => error.to_string(),
    }
}

/// Checks nesting and surrogates of text that is valid JSON.
fn check_text(text: &[u8]) -> Result<(), Reason> {
    let (mut depth, mut in_string) = (0usize, false);
    let mut rest = text;
    while let [byte, tail @ ..] = rest {
        rest = tail;
        match (byte, in_string) {
            (b'"', _) => in_string = !in_string,
            (b'\\', true) => rest = skip_escape(tail)?,
            (b'{' | b'[', false) => depth += 1,
            (b'}' | b']', false) => depth -= 1,
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(Reason::TooDeep);
        }
    }
    Ok(())
}

/// Passes over what follows a backslash: one character, four hex digits, or a whole surrogate pair.
fn skip_escape(tail: &[u8]) -> Result<&[u8], Reason> {
    match (code_unit(tail), tail.get(5..)) {
        (None, _) => Ok(tail.get(1..).unwrap_or_default()),
        (Some(0xd800..=0xdbff), Some([b'\\', second @ ..])) if is_low_surrogate(second) => Ok(&second[5..]),
        (Some(0xd800..=0xdfff), _) => Err(Reason::LoneSurrogate),
        (Some(_), rest) => Ok(rest.unwrap_or_default()),
    }
}

fn is_low_surrogate(tail: &[u8]) -> bool {
    matches!(code_unit(tail), Some(0xdc00..=0xdfff))
}

/// The UTF-16 code unit of `uXXXX` at the start of `tail`.
fn code_unit(tail: &[u8]) -> Option<u16> {
    let digits = tail.strip_prefix(b"u")?.get(..4)?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
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
mod tests {
    use super::*;

    const HASH: &str = "d130011793521491dc006beb010aa36179e5fd8cf8f4e2f06ef66f5c0b9d63c6";

    fn rule() -> LineRule {
        LineRule { names: FieldNames::default(), broadcast: "la-nbc".into(), track: "video0.m4s".into() }
    }

    fn judge(line: &str) -> Result<Record, BadLine> {
        rule().record(line.replace("HASH", HASH).as_bytes())
    }

    fn good(line: &str) -> Record {
        judge(line).unwrap_or_else(|bad| panic!("{line}: {bad:?}"))
    }

    fn bad(line: &str) -> (Reason, Option<u64>) {
        let bad = judge(line).expect_err(line);
        (bad.reason, bad.group_sequence)
    }

    #[test]
    fn the_canonical_line_and_its_aliases() {
        let canonical = good(
            r#"{"broadcast":"la-nbc","track":"video0.m4s","group_sequence":7,"received_unix_ms":5,"size_bytes":9,"blake3":"HASH","cas_path":"objects/x"}"#,
        );
        let blake3 = alloy::hex::FromHex::from_hex(HASH).unwrap();
        assert_eq!(canonical, Record { group_sequence: 7, blake3, size_bytes: 9, received_unix_ms: Some(5) });
        for line in [
            r#"{"sequence":7,"received_at_ms":5,"size":9,"hash":"HASH"}"#,
            r#"{"group_id":"7","received_at_ms":"5","bytes":"9","digest":"blake3:HASH"}"#,
            r#" { "group_sequence" : 7 , "sequence":"7", "received_unix_ms":5, "size_bytes":9, "blake3":"HASH", "hash":"blake3:HASH" } "#,
            r#"{"group_sequence":"\u0037","received_unix_ms":5,"size_bytes":9,"blake3":"HASH","x":1e999,"y":[{"a":[]}],"cas_path":7}"#,
        ] {
            assert_eq!(good(line), canonical, "{line}");
        }
        assert_eq!(good(&format!(r#"{{"sequence":7,"size":9,"hash":"{}"}}"#, HASH.to_uppercase())).blake3, blake3);
    }

    #[test]
    fn optional_fields_may_be_null() {
        let record = good(
            r#"{"group_sequence":7,"received_unix_ms":null,"received_at_ms":3,"size_bytes":9,"blake3":"HASH","track":null,"broadcast":null}"#,
        );
        assert_eq!(record.received_unix_ms, Some(3));
    }

    #[test]
    fn integers_have_one_form() {
        for value in ["0", "18446744073709551615", "\"18446744073709551615\""] {
            good(&format!(r#"{{"group_sequence":{value},"size_bytes":0,"blake3":"HASH"}}"#));
        }
        for value in [
            "-1",
            "-0",
            "1.0",
            "1e3",
            "18446744073709551616",
            "\"07\"",
            "\"\"",
            "\"+1\"",
            "\" 1\"",
            "null",
            "true",
            "[1]",
        ] {
            let (reason, sequence) = bad(&format!(r#"{{"group_sequence":{value},"size_bytes":0,"blake3":"HASH"}}"#));
            assert_eq!((reason, sequence), (Reason::Form(Field::GroupSequence), None), "{value}");
            let (reason, sequence) = bad(&format!(r#"{{"group_sequence":4,"size_bytes":{value},"blake3":"HASH"}}"#));
            assert_eq!((reason, sequence), (Reason::Form(Field::SizeBytes), Some(4)), "{value}");
        }
    }

    #[test]
    fn a_bad_line_tells_its_sequence_where_it_can() {
        let line = |fields: &str| bad(&format!(r#"{{"group_sequence":4,{fields}}}"#));
        for (fields, reason) in [
            (r#""size_bytes":1"#, Reason::Missing(Field::Blake3)),
            (r#""blake3":"HASH""#, Reason::Missing(Field::SizeBytes)),
            (r#""blake3":"0xHASH","size_bytes":1"#, Reason::Form(Field::Blake3)),
            (r#""blake3":"BLAKE3:HASH","size_bytes":1"#, Reason::Form(Field::Blake3)),
            (r#""blake3":7,"size_bytes":1"#, Reason::Form(Field::Blake3)),
            (r#""blake3":"HASH","size_bytes":1,"size":2"#, Reason::Disagree(Field::SizeBytes)),
            (r#""blake3":"HASH","size_bytes":1,"track":"audio0.m4s""#, Reason::Misplaced(Field::Track)),
            (r#""blake3":"HASH","size_bytes":1,"broadcast":"LA-NBC""#, Reason::Misplaced(Field::Broadcast)),
            (r#""blake3":"HASH","size_bytes":1,"broadcast":7"#, Reason::Form(Field::Broadcast)),
            (r#""blake3":"HASH","size_bytes":1,"received_unix_ms":1.5"#, Reason::Form(Field::ReceivedUnixMs)),
            (r#""blake3":"HASH","size_bytes":1,"x":0,"x":0"#, Reason::DuplicateKey("x".into())),
        ] {
            assert_eq!(line(fields), (reason, Some(4)), "{fields}");
        }
        assert_eq!(
            bad(r#"{"group_sequence":4,"sequence":5,"size_bytes":1,"blake3":"HASH"}"#),
            (Reason::Disagree(Field::GroupSequence), None)
        );
        assert_eq!(
            bad(r#"{"group_sequence":4,"group_sequence":4,"size_bytes":1,"blake3":"HASH"}"#),
            (Reason::DuplicateKey("group_sequence".into()), Some(4))
        );
    }

    #[test]
    fn text_that_is_no_object_is_unreadable() {
        for line in [
            "[]",
            "7",
            "null",
            "{",
            r#"{"group_sequence":4"#,
            r#"{"a":NaN}"#,
            r#"{"a":1} x"#,
            "{\"a\":\"\0\"}",
            "\u{feff}{}",
        ] {
            assert!(matches!(bad(line), (Reason::Json(_), None)), "{line}");
        }
        let invalid = rule().record(b"{\"a\":\"\xff\"}").unwrap_err();
        assert_eq!(invalid.reason, Reason::Json("not valid UTF-8".into()));
        assert_eq!(rule().record(&vec![b' '; MAX_LINE_LEN + 1]).unwrap_err().reason, Reason::TooLong);
    }

    #[test]
    fn nesting_and_surrogates_are_checked_in_unknown_fields() {
        let nested = |levels: usize| {
            format!(
                r#"{{"group_sequence":4,"size_bytes":1,"blake3":"HASH","x":{}{}}}"#,
                "[".repeat(levels),
                "]".repeat(levels)
            )
        };
        good(&nested(MAX_DEPTH - 1));
        assert_eq!(bad(&nested(MAX_DEPTH)).0, Reason::TooDeep);
        assert_eq!(bad(&nested(100_000)).0, Reason::TooDeep);
        let escaped = |text: &str| format!(r#"{{"group_sequence":4,"size_bytes":1,"blake3":"HASH","x":"{text}"}}"#);
        for text in [r"\ud83d\ude00", r"\\ud83d", r"[[\u0041{{", r#"\""#] {
            good(&escaped(text));
        }
        for text in [r"\ud83d", r"\ude00", r"\ud83dx", r"\ud83d\u0041", r"\ude00\ud83d", r"\ud83d\n"] {
            assert_eq!(bad(&escaped(text)).0, Reason::LoneSurrogate, "{text}");
        }
        assert!(matches!(bad(r#"{"\ud83d":1}"#).0, Reason::Json(_)), "serde_json decodes keys");
    }

    #[test]
    fn many_keys_are_no_burden() {
        let keys: String = (0..60_000).map(|i| format!(r#""k{i}":{i},"#)).collect();
        good(&format!(r#"{{{keys}"group_sequence":4,"size_bytes":1,"blake3":"HASH"}}"#));
    }
}
