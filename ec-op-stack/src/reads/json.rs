//! Go's `encoding/json` into structs, with the number and byte types of go-ethereum.
//!
//! Keys match without case, later ones replace earlier ones, null leaves a field as it is. What a field takes is told by its
//! [`Kind`].

use std::{collections::BTreeMap, fmt};

use alloy::primitives::{Address, B256, U256, hex};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::same_name;

/// A release, as major, minor, patch.
pub(crate) type Release = (u64, u64, u64);

/// What a field takes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// `uint64` or `uint16`, by its largest value: a number without sign, point or exponent. Null is as good as absent.
    Unsigned(u64),
    /// `*big.Int`: a whole number of any size.
    Whole,
    /// `common.Address`, `common.Hash` and others of a fixed size: hex with `0x`. Null is refused, unless `or_null`.
    Bytes {
        /// How many bytes.
        length: usize,
        /// Whether the field is a pointer.
        or_null: bool,
    },
    /// `hexutil.Bytes`: hex with `0x`, of any even number of digits.
    AnyBytes,
    /// `math.HexOrDecimal64`: a number, or text of either system.
    HexOrDecimal64,
    /// `math.HexOrDecimal256`, as above. Negative ones are refused here already.
    HexOrDecimal256,
    /// `string`
    Text,
    /// `bool`
    Bool,
    /// A struct, or a pointer to one.
    Table(&'static [Field]),
    /// A map, whose entries are read by themselves.
    Map,
}

/// A field of a struct.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    /// Its name in the file.
    pub(crate) name: &'static str,
    /// What it takes.
    pub(crate) kind: Kind,
    /// The first release that has it, where not all do.
    pub(crate) since: Option<Release>,
    /// The first release that does not have it any more.
    pub(crate) until: Option<Release>,
}

impl Field {
    /// A field of every release.
    pub(crate) const fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, since: None, until: None }
    }

    /// From this release on.
    pub(crate) const fn since(mut self, release: Release) -> Self {
        self.since = Some(release);
        self
    }

    /// Up to this release, without it.
    pub(crate) const fn until(mut self, release: Release) -> Self {
        self.until = Some(release);
        self
    }

    /// Whether this release has it.
    pub(crate) fn is_in(&self, release: Release) -> bool {
        self.since.is_none_or(|since| release >= since) && self.until.is_none_or(|until| release < until)
    }
}

/// What arrived in a field.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Number(u64),
    /// Its decimal digits with a sign where it is negative.
    Whole(String),
    Bytes(Vec<u8>),
    Big(U256),
    Text(String),
    Bool(bool),
    Table,
    Raw(String),
}

/// Why a file is not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Misread {
    /// The field, with dots; empty for the file itself.
    pub(crate) field: String,
    /// What is wrong with it.
    pub(crate) reason: String,
    /// Whether the only fault is that the program has no such field.
    pub(crate) is_unknown: bool,
}

/// What arrived, by the path of each field.
#[derive(Clone, Debug, Default)]
pub(crate) struct Values(BTreeMap<String, Value>);

/// How it is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    /// Of which release.
    pub(crate) release: Release,
    /// Whether a field that the program does not know is an error.
    pub(crate) strict: bool,
}

impl Values {
    /// Reads an object. All that cannot be read is told, in the order of the file.
    pub(crate) fn read(text: &str, fields: &'static [Field], reading: Reading) -> Result<Self, Vec<Misread>> {
        let mut values = Self::default();
        let mut misread = Vec::new();
        match serde_json::from_str::<Entries<'_>>(text) {
            Ok(entries) => values.fill("", &entries, fields, reading, &mut misread),
            Err(error) => misread.push(Misread { field: String::new(), reason: error.to_string(), is_unknown: false }),
        }
        if misread.is_empty() { Ok(values) } else { Err(misread) }
    }

    fn fill(
        &mut self,
        path: &str,
        entries: &Entries<'_>,
        fields: &'static [Field],
        reading: Reading,
        misread: &mut Vec<Misread>,
    ) {
        for (name, raw) in &entries.0 {
            let known = fields.iter().find(|field| field.is_in(reading.release) && same_name(field.name, name));
            let full = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            let Some(field) = known else {
                if reading.strict {
                    let reason = "there is no such field".to_owned();
                    misread.push(Misread { field: full(name), reason, is_unknown: true });
                }
                continue;
            };
            let full = full(field.name);
            if let (Kind::Table(inner), text) = (field.kind, raw.get())
                && text != "null"
            {
                match serde_json::from_str::<Entries<'_>>(text) {
                    Ok(entries) => {
                        self.0.insert(full.clone(), Value::Table);
                        self.fill(&full, &entries, inner, reading, misread);
                    }
                    Err(_) => misread.push(Misread {
                        field: full,
                        reason: format!("{} is no object", shown(text)),
                        is_unknown: false,
                    }),
                }
                continue;
            }
            match value(field.kind, raw.get()) {
                Ok(Some(value)) => drop(self.0.insert(full, value)),
                Ok(None) => {}
                Err(expected) => {
                    let reason = format!("{} is not {expected}", shown(raw.get()));
                    misread.push(Misread { field: full, reason, is_unknown: false });
                }
            }
        }
    }

    /// Whether something arrived.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    /// An unsigned number, if one arrived.
    pub(crate) fn number(&self, path: &str) -> Option<u64> {
        match self.0.get(path)? {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// A whole number in decimal digits, if one arrived.
    pub(crate) fn whole(&self, path: &str) -> Option<&str> {
        match self.0.get(path)? {
            Value::Whole(digits) => Some(digits),
            _ => None,
        }
    }

    /// A number of up to 256 bits, if one arrived.
    pub(crate) fn big(&self, path: &str) -> Option<U256> {
        match self.0.get(path)? {
            Value::Big(number) => Some(*number),
            _ => None,
        }
    }

    /// Bytes; none where none arrived.
    pub(crate) fn bytes(&self, path: &str) -> &[u8] {
        match self.0.get(path) {
            Some(Value::Bytes(bytes)) => bytes,
            _ => &[],
        }
    }

    /// Whether the bytes are absent or all zero, as a struct has them that nothing was written to.
    pub(crate) fn is_zero(&self, path: &str) -> bool {
        self.bytes(path).iter().all(|byte| *byte == 0)
    }

    /// A hash; zero where none arrived.
    pub(crate) fn hash(&self, path: &str) -> B256 {
        B256::try_from(self.bytes(path)).unwrap_or_default()
    }

    /// An address; zero where none arrived.
    pub(crate) fn address(&self, path: &str) -> Address {
        Address::try_from(self.bytes(path)).unwrap_or_default()
    }

    /// Text; empty where none arrived.
    pub(crate) fn text(&self, path: &str) -> &str {
        match self.0.get(path) {
            Some(Value::Text(text) | Value::Raw(text)) => text,
            _ => "",
        }
    }

    /// Whether true arrived.
    pub(crate) fn is_true(&self, path: &str) -> bool {
        self.0.get(path) == Some(&Value::Bool(true))
    }
}

/// What arrives of a value; nothing of null where that is taken. The error is what was expected.
fn value(kind: Kind, text: &str) -> Result<Option<Value>, &'static str> {
    if text == "null" {
        return match kind {
            Kind::Bytes { or_null: false, .. } => Err("hex with 0x"),
            _ => Ok(None),
        };
    }
    // go-ethereum's own types look at the bytes between the quotes, escapes and all
    let quoted = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let value = match kind {
        Kind::Unsigned(most) => digits(text)
            .and_then(|text| text.parse().ok())
            .filter(|number| *number <= most)
            .map(Value::Number)
            .ok_or("a whole number that fits"),
        Kind::Whole => whole(text).map(Value::Whole).ok_or("a whole number"),
        Kind::Bytes { length, .. } => {
            quoted.and_then(bytes).filter(|bytes| bytes.len() == length).map(Value::Bytes).ok_or(match length {
                20 => "an address: 0x and 40 hex digits",
                32 => "a hash: 0x and 64 hex digits",
                _ => "hex of the right length, with 0x",
            })
        }
        Kind::AnyBytes => quoted
            .and_then(|text| if text.is_empty() { Some(Vec::new()) } else { bytes(text) })
            .map(Value::Bytes)
            .ok_or("bytes in hex, with 0x"),
        Kind::HexOrDecimal64 => hex_or_decimal(quoted.unwrap_or(text))
            .and_then(|number| number.try_into().ok())
            .map(Value::Number)
            .ok_or("a number of 64 bits, in hex with 0x or decimal"),
        Kind::HexOrDecimal256 => hex_or_decimal(quoted.unwrap_or(text))
            .map(Value::Big)
            .ok_or("a number of 256 bits, in hex with 0x or decimal"),
        Kind::Text => serde_json::from_str(text).map(Value::Text).map_err(|_| "text"),
        Kind::Bool => serde_json::from_str(text).map(Value::Bool).map_err(|_| "true or false"),
        Kind::Map if text.starts_with('{') => Ok(Value::Raw(text.to_owned())),
        Kind::Map => Err("an object"),
        Kind::Table(_) => Err("an object"),
    };
    value.map(Some)
}

/// The text if it is nothing but decimal digits.
fn digits(text: &str) -> Option<&str> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then_some(text)
}

/// A JSON number without point or exponent. `-0` is `0`.
fn whole(text: &str) -> Option<String> {
    let (sign, rest) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let digits = digits(rest)?;
    Some(if digits == "0" { digits.to_owned() } else { format!("{sign}{digits}") })
}

/// Bytes as go-ethereum's `hexutil` reads them: `0x` must be there, and there may be no odd digit.
pub(crate) fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?;
    // the decoder would take a second 0x
    digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then(|| hex::decode(digits).ok())?
}

/// go-ethereum's `ParseUint64` and `ParseBig256`: nothing is zero, leading zeros are no fault.
pub(crate) fn hex_or_decimal(text: &str) -> Option<U256> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) if !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_hexdigit()) => {
            U256::from_str_radix(digits, 16).ok()
        }
        Some(_) => None,
        None if text.is_empty() => Some(U256::ZERO),
        None => digits(text).and_then(|digits| U256::from_str_radix(digits, 10).ok()),
    }
}

/// The value as a message shows it.
fn shown(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// An object as it is written: in its order, and every key as often as it is there.
pub(crate) struct Entries<'a>(pub(crate) Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &[Field] = &[
        Field::new("number", Kind::Unsigned(u64::MAX)),
        Field::new("small", Kind::Unsigned(65_535)).since((1, 2, 0)),
        Field::new("big", Kind::Whole),
        Field::new("address", Kind::Bytes { length: 20, or_null: false }),
        Field::new("inner", Kind::Table(&[Field::new("loose", Kind::HexOrDecimal64)])),
    ];

    fn read(text: &str, strict: bool) -> Result<Values, Vec<Misread>> {
        Values::read(text, FIELDS, Reading { release: (1, 2, 3), strict })
    }

    #[test]
    fn keys_have_no_case_and_the_last_one_counts() {
        let values = read(r#"{"NUMBER": 1, "Number": 2, "inner": {"lOOSE": "0x10"}, "big": null}"#, true).unwrap();
        assert_eq!(
            (values.number("number"), values.number("inner.loose"), values.whole("big")),
            (Some(2), Some(16), None)
        );
    }

    #[test]
    fn what_go_does_not_take_is_refused_with_its_field() {
        for (text, field) in [
            (r#"{"number": 1.0}"#, "number"),
            (r#"{"number": "1"}"#, "number"),
            (r#"{"number": -1}"#, "number"),
            (r#"{"number": 18446744073709551616}"#, "number"),
            (r#"{"small": 65536}"#, "small"),
            (r#"{"big": 1e3}"#, "big"),
            (r#"{"big": "1"}"#, "big"),
            (r#"{"address": null}"#, "address"),
            (r#"{"address": "0x00"}"#, "address"),
            (r#"{"inner": []}"#, "inner"),
            (r#"{"inner": {"loose": "0x"}}"#, "inner.loose"),
            ("[]", ""),
        ] {
            assert_eq!(read(text, false).unwrap_err()[0].field, field, "{text}");
        }
        assert!(read(r#"{"inner": {"more": 1}}"#, false).is_ok());
        let unknown = read(r#"{"inner": {"more": 1}}"#, true).unwrap_err();
        assert!(unknown[0].is_unknown && unknown[0].field == "inner.more");
    }

    #[test]
    fn a_field_is_known_from_its_release_on() {
        let reading = Reading { release: (1, 1, 9), strict: true };
        assert!(Values::read(r#"{"small": 1}"#, FIELDS, reading).unwrap_err()[0].is_unknown);
    }
}
