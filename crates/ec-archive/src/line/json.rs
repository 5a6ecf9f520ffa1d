//! A line's text: one JSON object, its values unparsed.

use std::{collections::HashSet, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::bad::{MAX_DEPTH, MAX_LINE_LEN, MAX_SHOWN_KEY, Reason};

/// A record's top level: keys in order, values as they stand.
pub(super) struct TopLevel(Vec<(String, Box<RawValue>)>);

impl TopLevel {
    /// Parses a line. Values stay unparsed, so an unknown field may hold a number of any size; nesting and escapes, which
    /// that leaves unchecked, are checked over the whole text.
    pub(super) fn parse(line: &[u8]) -> Result<Self, Reason> {
        if line.len() > MAX_LINE_LEN {
            return Err(Reason::TooLong);
        }
        let text = str::from_utf8(line).map_err(|_| Reason::Json("not valid UTF-8".into()))?;
        let object = serde_json::from_str(text).map_err(|error| Reason::Json(error.to_string()))?;
        check_text(line)?;
        Ok(object)
    }

    /// Keys with their values' text.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&String, &str)> {
        self.0.iter().map(|(key, raw)| (key, raw.get()))
    }

    pub(super) fn no_key_twice(&self) -> Result<(), Reason> {
        let mut seen = HashSet::with_capacity(self.0.len());
        match self.0.iter().find(|(key, _)| !seen.insert(key)) {
            Some((key, _)) => Err(Reason::DuplicateKey(key.chars().take(MAX_SHOWN_KEY).collect())),
            None => Ok(()),
        }
    }
}

impl<'de> Deserialize<'de> for TopLevel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = TopLevel;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TopLevel, A::Error> {
                let mut entries = Vec::with_capacity(8);
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(TopLevel(entries))
            }
        }

        deserializer.deserialize_map(Entries)
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
