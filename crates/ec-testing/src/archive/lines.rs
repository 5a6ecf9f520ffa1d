//! One line of an index: its fields are found where they stand in the text.

use std::{fmt, ops::Range};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::names::FieldNames;

/// At the beginning of a file it belongs to no line.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A line with its ending, which the last one of a file may lack. It need not be a record, nor text at all.
#[derive(Clone, PartialEq, Eq)]
pub struct Line(Vec<u8>);

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Line").field(&String::from_utf8_lossy(&self.0)).finish()
    }
}

impl Line {
    /// The lines of a file.
    pub fn all(text: &[u8]) -> Vec<Self> {
        text.split_inclusive(|&byte| byte == b'\n').map(|line| Self(line.to_vec())).collect()
    }

    /// The text, with its ending.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether it has its ending, so that what follows it is another line.
    pub fn is_whole(&self) -> bool {
        self.0.ends_with(b"\n")
    }

    /// The group's number.
    pub fn group(&self, names: &FieldNames) -> Option<u64> {
        self.number(&names.group_sequence)
    }

    /// When it was received, Unix milliseconds.
    pub fn received(&self, names: &FieldNames) -> Option<u64> {
        self.number(&names.received_unix_ms)
    }

    /// Whether it is an object of which no field stands under a known name: a copy of it cannot differ.
    pub fn is_foreign(&self, names: &FieldNames) -> bool {
        let known = [&names.group_sequence, &names.blake3, &names.received_unix_ms];
        self.fields().is_some_and(|_| known.into_iter().all(|names| self.values(names).is_empty()))
    }

    /// With another group number.
    #[must_use]
    pub fn with_group(&self, names: &FieldNames, change: impl Fn(u64) -> u64) -> Self {
        self.with_number(&names.group_sequence, change)
    }

    /// Received at another time.
    #[must_use]
    pub fn with_received(&self, names: &FieldNames, change: impl Fn(u64) -> u64) -> Self {
        self.with_number(&names.received_unix_ms, change)
    }

    /// With another first digit in its hash.
    #[must_use]
    pub fn with_flipped_hash(&self, names: &FieldNames) -> Self {
        self.with(&names.blake3, |value| {
            let digits = value.find(':').map_or(1, |colon| colon + 1);
            let digit = value.get(digits..=digits).filter(|digit| *digit != "\"")?;
            Some([&value[..digits], if digit == "0" { "1" } else { "0" }, &value[digits + 1..]].concat())
        })
    }

    /// Of another broadcast, where it names one.
    #[must_use]
    pub fn with_broadcast(&self, names: &FieldNames, broadcast: &str) -> Self {
        self.with(&names.broadcast, |_| serde_json::to_string(broadcast).ok())
    }

    fn number(&self, names: &[String]) -> Option<u64> {
        self.values(names).into_iter().find_map(|value| number(self.text(value)?))
    }

    fn with_number(&self, names: &[String], change: impl Fn(u64) -> u64) -> Self {
        self.with(names, |value| {
            let changed = change(number(value)?);
            Some(if value.starts_with('"') { format!("\"{changed}\"") } else { changed.to_string() })
        })
    }

    /// Every value of one field is replaced; one that is not as it should be stays.
    fn with(&self, names: &[String], change: impl Fn(&str) -> Option<String>) -> Self {
        let (mut text, mut done) = (Vec::with_capacity(self.0.len() + 8), 0);
        for at in self.values(names) {
            if let Some(changed) = self.text(at.clone()).and_then(&change) {
                text.extend_from_slice(&self.0[done..at.start]);
                text.extend_from_slice(changed.as_bytes());
                done = at.end;
            }
        }
        text.extend_from_slice(&self.0[done..]);
        Self(text)
    }

    fn text(&self, at: Range<usize>) -> Option<&str> {
        str::from_utf8(self.0.get(at)?).ok()
    }

    /// Where the values of a field stand. A writer may state it under several of its names.
    fn values(&self, names: &[String]) -> Vec<Range<usize>> {
        let begin = self.0.as_ptr() as usize;
        let known = self.fields().into_iter().flatten().filter(|(name, _)| names.contains(name));
        known
            .map(|(_, value)| {
                let start = value.get().as_ptr() as usize - begin;
                start..start + value.get().len()
            })
            .collect()
    }

    /// The names and values of the top level, in their order; `None` for what is no object.
    fn fields(&self) -> Option<Vec<(String, &RawValue)>> {
        let text = self.0.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&self.0);
        serde_json::from_slice(text).ok().map(|Fields(fields)| fields)
    }
}

/// An unsigned number, or a string of one.
fn number(value: &str) -> Option<u64> {
    serde_json::from_str(value).ok().or_else(|| serde_json::from_str::<String>(value).ok()?.parse().ok())
}

/// An object's fields, as they stand in the text.
struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Object).map(Fields)
    }
}

struct Object;

impl<'de> Visitor<'de> for Object {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line {
        Line(text.as_bytes().to_vec())
    }

    fn names() -> FieldNames {
        FieldNames::default()
    }

    #[test]
    fn lines_keep_their_endings() {
        let lines = Line::all(b"a\r\n\n\xff\nb");
        assert_eq!(lines.iter().map(Line::as_bytes).collect::<Vec<_>>(), [&b"a\r\n"[..], b"\n", b"\xff\n", b"b"]);
        assert_eq!(lines.iter().map(Line::is_whole).collect::<Vec<_>>(), [true, true, true, false]);
    }

    #[test]
    fn a_change_leaves_everything_else_as_it_was_written() {
        let written = " { \"x\" : {\"group_id\":3}, \"group_id\" :  \"7\",\"received_at_ms\":1000 } \r\n";
        assert_eq!(line(written).group(&names()), Some(7));
        assert_eq!(
            line(written).with_group(&names(), |group| group + 100),
            line(&written.replace("\"7\"", "\"107\"")),
            "only of the top level, and a string stays a string"
        );
        assert_eq!(line(written).with_received(&names(), |ms| ms - 1), line(&written.replace("1000", "999")));
    }

    #[test]
    fn every_name_of_a_field_is_changed() {
        let both = line(r#"{"sequence":7,"group\u005fid":"7"}"#);
        assert_eq!(both.with_group(&names(), |_| 8), line(r#"{"sequence":8,"group\u005fid":"8"}"#));
        let own = FieldNames { group_sequence: vec!["n".into()], ..names() };
        assert_eq!(line(r#"{"n":1,"sequence":1}"#).with_group(&own, |_| 2), line(r#"{"n":2,"sequence":1}"#));
    }

    #[test]
    fn a_hash_gets_another_first_digit() {
        for (from, to) in [("0a", "1a"), ("1a", "0a"), ("blake3:fa", "blake3:0a")] {
            let of = |hash| line(&format!("{{\"digest\":\"{hash}\"}}\n"));
            assert_eq!(of(from).with_flipped_hash(&names()), of(to));
        }
        for none in [r#"{"hash":""}"#, r#"{"hash":7}"#, r#"{"hash":"blake3:"}"#] {
            assert_eq!(line(none).with_flipped_hash(&names()), line(none));
        }
    }

    #[test]
    fn what_is_no_record_stays() {
        for text in
            ["", "\n", "not JSON\n", "[1]\n", "{\"sequence\":1} x\n", "{\"sequence\":1.5}\n", "{\"sequence\":null}\n"]
        {
            assert_eq!(line(text).group(&names()), None, "{text}");
            assert_eq!(line(text).with_group(&names(), |_| 9), line(text));
        }
        let no_text = Line(b"{\"sequence\":\xff}\n".to_vec());
        assert_eq!(no_text.with_group(&names(), |_| 9), no_text);
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_line() {
        let marked = line("\u{feff}{\"sequence\":1}\n");
        assert_eq!(marked.group(&names()), Some(1));
        assert_eq!(marked.with_group(&names(), |_| 22), line("\u{feff}{\"sequence\":22}\n"));
    }

    #[test]
    fn a_foreign_line_has_no_field_under_a_known_name() {
        assert!(line(r#"{"n":1,"t":2,"b3":"00"}"#).is_foreign(&names()));
        assert!(!line(r#"{"n":1,"digest":"00"}"#).is_foreign(&names()));
        assert!(!line("no record").is_foreign(&names()));
    }

    #[test]
    fn a_broadcast_is_named_anew_where_it_is_named() {
        let renamed = line(r#"{"broadcast":"la-nbc","track":"la-nbc"}"#).with_broadcast(&names(), "copy-1");
        assert_eq!(renamed, line(r#"{"broadcast":"copy-1","track":"la-nbc"}"#));
        assert_eq!(line("{}").with_broadcast(&names(), "copy-1"), line("{}"));
    }
}
