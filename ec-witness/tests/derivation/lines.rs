//! Lines of any bytes: nothing panics, which lines are good is what a slow, strict reference says, and the fast path for
//! plain lines says what the general one says, reasons of bad lines included.
//!
//! A longer run: `PROPTEST_CASES=1000000 cargo test --release -p ec-witness --test derivation lines`.

use ec_archive::{
    FieldNames, TrackFile,
    line::{LineRule, MAX_DEPTH, MAX_LINE_LEN},
};
use ec_observation::Record;
use proptest::prelude::*;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::{Value, error::Category};

use super::*;

const HASH: &str = "D130011793521491dc006beb010aa36179e5fd8cf8f4e2f06ef66f5c0b9d63c6";

fn rule() -> LineRule {
    LineRule::new(FieldNames::default(), "x", "v")
}

/// An object with its repeated keys, values decoded.
struct Entries(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Entries;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(entries) => 1 + entries.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn number(value: &Value) -> Option<u64> {
    match value {
        // an integer that does not fit, a fraction or an exponent makes a float of it
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok().filter(|number: &u64| number.to_string() == *text),
        _ => None,
    }
}

fn hash(value: &Value) -> Option<[u8; 32]> {
    let text = value.as_str()?;
    let digits = text.strip_prefix("blake3:").unwrap_or(text);
    let is_hex = digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let byte = |at: usize| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap();
    is_hex.then(|| std::array::from_fn(byte))
}

/// What all present names state alike: `Some(None)` without any, `None` when one is malformed or they disagree.
fn stated<T: PartialEq>(
    entries: &[(String, Value)],
    names: &[&str],
    required: bool,
    decode: impl Fn(&Value) -> Option<T>,
) -> Option<Option<T>> {
    let values = entries.iter().filter(|(key, value)| names.contains(&key.as_str()) && (required || !value.is_null()));
    let values: Vec<T> = values.map(|(_, value)| decode(value)).collect::<Option<_>>()?;
    let agree = values.windows(2).all(|pair| pair[0] == pair[1]);
    agree.then(|| values.into_iter().next())
}

/// The record of a good line, `None` for a bad one; an error where serde_json's values are of no help.
fn reference(line: &[u8]) -> Result<Option<Record>, ()> {
    if line.len() > MAX_LINE_LEN {
        return Ok(None);
    }
    let Ok(text) = std::str::from_utf8(line) else { return Ok(None) };
    let entries = match serde_json::from_str::<Entries>(text) {
        Err(error) if error.classify() == Category::Syntax && error.to_string().contains("out of range") => {
            return Err(());
        }
        Err(_) => return Ok(None),
        Ok(Entries(entries)) => entries,
    };
    Ok(record(&entries))
}

fn record(entries: &[(String, Value)]) -> Option<Record> {
    let twice = |at: usize| entries[..at].iter().any(|(key, _)| *key == entries[at].0);
    let too_deep = entries.iter().any(|(_, value)| 1 + depth(value) > MAX_DEPTH);
    if too_deep || (0..entries.len()).any(twice) {
        return None;
    }
    let text = |value: &Value| value.as_str().map(str::to_owned);
    for (name, expected) in [("broadcast", "x"), ("track", "v")] {
        if stated(entries, &[name], false, text)?.is_some_and(|said| said != expected) {
            return None;
        }
    }
    Some(Record {
        group_sequence: stated(entries, &["group_sequence", "sequence", "group_id"], true, number)??,
        blake3: stated(entries, &["blake3", "hash", "digest"], true, hash)??,
        size_bytes: stated(entries, &["size_bytes", "size", "bytes"], true, number)??,
        received_unix_ms: stated(entries, &["received_unix_ms", "received_at_ms"], false, number)?,
    })
}

#[track_caller]
fn assert_judged_alike(line: &[u8]) {
    let found = rule().record(line);
    assert_eq!(found, rule().record_of_any(line), "{}", String::from_utf8_lossy(line));
    let found = found.ok();
    if let Ok(expected) = reference(line) {
        assert_eq!(found, expected, "{}", String::from_utf8_lossy(line));
    }
}

/// Names that are read, then others.
const KEYS: [&str; 2] = [
    r"group_sequence sequence group_id blake3 hash digest size_bytes size bytes received_unix_ms received_at_ms broadcast track",
    r"cas_path x \u0073ize \ud83d\ude00 \ud83d GROUP_SEQUENCE \n \",
];

/// Values, good and bad.
const VALUES: &str = r#"0 1 7 "7" "07" 07 -0 -1 1.0 1e3 1E-2 18446744073709551615 18446744073709551616 1e999 null true NaN
    "18446744073709551615" "18446744073709551616" Infinity "x" "v" "" "\u0037" "\ud800" "\udc00" "\udc00\ud800" "\ud83d\ude00" "\x"
    [] {} [1,] {"a":1,"a":2} [[{}]] 'x' é "é" "#;

fn word(words: &'static str) -> impl Strategy<Value = String> {
    prop::sample::select(words.split_whitespace().collect::<Vec<_>>()).prop_map_into()
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![8 => word(KEYS[0]), 1 => word(KEYS[1])]
}

fn value() -> impl Strategy<Value = String> {
    let hashes = ["", "blake3:", "blake3:blake3:", "0x", "0"];
    let hash = prop::sample::select(hashes.to_vec()).prop_map(|prefix| format!("\"{prefix}{HASH}\""));
    let control = (0u8..0x80).prop_map(|byte| format!("\"{}\"", byte as char));
    let deep = (55usize..70).prop_map(|levels| "[".repeat(levels) + &"]".repeat(levels));
    let number = any::<u64>().prop_map(|number| number.to_string());
    prop_oneof![4 => hash, 6 => word(VALUES), 1 => control, 1 => deep, 4 => number]
}

/// Something like an object: mostly the required fields, and others.
fn object() -> impl Strategy<Value = String> {
    let required = Just(vec![
        ("group_sequence".to_owned(), "7".to_owned()),
        ("blake3".to_owned(), format!("\"{HASH}\"")),
        ("size_bytes".to_owned(), "9".to_owned()),
    ]);
    let fields = (required, prop::collection::vec((key(), value()), 0..4), 0usize..8);
    let fields = fields.prop_flat_map(|(mut required, more, kept)| {
        required.truncate(kept);
        Just([required, more].concat()).prop_shuffle()
    });
    (fields, prop::sample::select(&["", " ", "\t", "\r"][..])).prop_map(|(fields, space)| {
        let fields: Vec<_> = fields.iter().map(|(key, value)| format!("\"{key}\"{space}:{space}{value}")).collect();
        format!("{space}{{{}}}{space}", fields.join(&format!("{space},")))
    })
}

/// Bytes of a line with some of them replaced, put in or taken out.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let damage = (any::<prop::sample::Index>(), any::<u8>(), 0usize..3);
    (object(), prop::collection::vec(damage, 1..4)).prop_map(|(text, damage)| {
        let mut bytes = text.into_bytes();
        for (at, byte, kind) in damage.into_iter().take(bytes.len()) {
            let at = at.index(bytes.len());
            let with: &[u8] = if kind == 2 { &[] } else { &[byte] };
            bytes.splice(at..at + usize::from(kind > 0), with.iter().copied());
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16 * ProptestConfig::default().cases))]

    #[test]
    fn any_bytes(line in prop::collection::vec(any::<u8>(), 0..200)) {
        assert_judged_alike(&line);
    }

    #[test]
    fn any_text(line in "\\PC{0,60}") {
        assert_judged_alike(line.as_bytes());
    }

    #[test]
    fn json_in_pieces(pieces in prop::collection::vec(prop_oneof![
        value(), key(), prop::sample::select(&["{", "}", "[", "]", ":", ",", "\"", "\\"][..]).prop_map_into()
    ], 0..20)) {
        assert_judged_alike(pieces.concat().as_bytes());
    }

    #[test]
    fn objects(line in object()) {
        assert_judged_alike(line.as_bytes());
    }

    #[test]
    fn damaged_objects(line in damaged()) {
        assert_judged_alike(&line);
    }
}

proptest! {
    #[test]
    fn files_of_any_bytes(pieces in prop::collection::vec(prop_oneof![
        4 => object().prop_map(String::into_bytes),
        1 => damaged(),
        4 => prop::sample::select(&["\n", "\r\n", "\n\n", "\r", " ", "\u{feff}"][..]).prop_map(|text| text.into()),
        1 => prop::collection::vec(any::<u8>(), 0..20),
    ], 0..30)) {
        let bytes = pieces.concat();
        let archive = TestArchive::new([("x/v.jsonl", &bytes)]);
        let file = TrackFile::new(&archive.open().broadcast("x"), "v", FieldNames::default());
        let mut found = Vec::new();
        let lengths = file.for_each_line(|line| found.push((line.offset, line.end, line.said.map(Result::ok)))).unwrap();

        let mut expected = Vec::new();
        let mut offset = 0;
        for raw in bytes.split_inclusive(|&byte| byte == b'\n').filter(|raw| raw.ends_with(b"\n")) {
            let end = offset + raw.len() as u64;
            let text = &raw[..raw.len() - 1];
            let text = text.strip_suffix(b"\r").unwrap_or(text);
            let text = if offset == 0 { text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text) } else { text };
            let is_blank = text.iter().all(|byte| b" \t\r".contains(byte));
            expected.push((offset, end, (!is_blank).then(|| rule().record(text).ok())));
            offset = end;
        }
        prop_assert_eq!(found, expected);
        prop_assert_eq!(lengths, (offset, bytes.len() as u64));
    }
}

#[test]
fn the_reference_knows_good_lines() {
    let good = format!(r#"{{"sequence":"7","hash":"blake3:{HASH}","bytes":9,"track":"v","x":[[]]}}"#);
    assert!(reference(good.as_bytes()).unwrap().is_some());
    assert_judged_alike(good.as_bytes());
    assert_judged_alike(good.replace(',', "\n,").as_bytes());
    let longest = format!("{good}{}", " ".repeat(MAX_LINE_LEN - good.len()));
    assert!(rule().record(longest.as_bytes()).is_ok() && reference(longest.as_bytes()).unwrap().is_some());
    assert!(rule().record(format!("{longest} ").as_bytes()).is_err());
}
