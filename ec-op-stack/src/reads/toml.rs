//! Go's `BurntSushi/toml` into structs: keys match without case, what a struct does not have is passed over, a number of 64
//! bits takes a negative one too.

use alloy::primitives::{Address, U256};
use toml_edit::{Item, TableLike, Value};

use super::{is_url, json::bytes, same_name};

/// What a field takes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// `uint64`, `uint32`, `uint16` by the largest value that is checked; `uint64` is not checked at all.
    Unsigned(Option<i64>),
    /// `bool`
    Bool,
    /// `string`
    Text,
    /// `common.Address`: text of 0x and 40 hex digits.
    Address,
    /// `common.Hash`: text of 0x and 64 hex digits.
    Hash,
    /// `hexutil.Big`: text of 0x and hex digits without leading zeros.
    Big,
    /// op-deployer's `artifacts.Locator`.
    Locator,
    /// A struct, or a pointer to one.
    Table(&'static [Field]),
    /// A list of structs.
    Tables(&'static [Field]),
    /// A map with keys that are no strings, which this reader cannot fill.
    Unreadable,
    /// Anything.
    Any,
}

/// A field of a struct: its name, and what it takes.
pub(crate) type Field = (&'static str, Kind);

/// A table with its values by their names without case.
#[derive(Clone, Copy)]
pub(crate) struct View<'a>(pub(crate) &'a dyn TableLike);

impl<'a> View<'a> {
    /// The value of this name; of several that differ in case alone, the one that is written so.
    pub(crate) fn get(self, name: &str) -> Option<&'a Item> {
        let present = |key: &str| self.0.get(key).filter(|item| !item.is_none());
        present(name)
            .or_else(|| self.0.iter().find(|(key, item)| same_name(key, name) && !item.is_none()).map(|(_, item)| item))
    }

    /// The table of this name.
    pub(crate) fn table(self, name: &str) -> Option<Self> {
        self.get(name)?.as_table_like().map(View)
    }

    /// The tables of a list.
    pub(crate) fn tables(self, name: &str) -> Vec<Self> {
        let Some(item) = self.get(name) else { return Vec::new() };
        match item {
            Item::ArrayOfTables(tables) => tables.iter().map(|table| View(table)).collect(),
            Item::Value(Value::Array(array)) => {
                array.iter().filter_map(Value::as_inline_table).map(|table| View(table)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Text; empty where there is none.
    pub(crate) fn text(self, name: &str) -> &'a str {
        self.get(name).and_then(Item::as_str).unwrap_or_default()
    }

    /// An address; zero where there is none.
    pub(crate) fn address(self, name: &str) -> Address {
        self.get(name).and_then(Item::as_str).and_then(address).unwrap_or_default()
    }

    /// Whether the number is absent or zero.
    pub(crate) fn is_zero(self, name: &str) -> bool {
        self.get(name).and_then(Item::as_integer).unwrap_or(0) == 0
    }

    /// Whether the switch is on.
    pub(crate) fn is_true(self, name: &str) -> bool {
        self.get(name).and_then(Item::as_bool).unwrap_or(false)
    }
}

/// An address as go-ethereum reads it from text: with 0x, and all of it.
pub(crate) fn address(text: &str) -> Option<Address> {
    bytes(text).and_then(|bytes| Address::try_from(bytes.as_slice()).ok())
}

/// What cannot be read of a table, each as a field and the reason.
pub(crate) fn misread(table: &dyn TableLike, path: &str, fields: &[Field]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (key, item) in table.iter().filter(|(_, item)| !item.is_none()) {
        let Some((name, kind)) = fields.iter().find(|(name, _)| same_name(name, key)) else { continue };
        let full = if path.is_empty() { (*name).to_owned() } else { format!("{path}.{name}") };
        match kind {
            Kind::Table(inner) => match item.as_table_like() {
                Some(table) => found.extend(misread(table, &full, inner)),
                None => found.push((full, "is not a table".to_owned())),
            },
            Kind::Tables(inner) => found.extend(list(item, &full, inner)),
            kind => {
                if let Err(expected) = value(*kind, item) {
                    let text = item
                        .as_value()
                        .map_or_else(|| "a table".to_owned(), |value| value.to_string().trim().to_owned());
                    found.push((full, format!("is {text}, not {expected}")));
                }
            }
        }
    }
    found
}

fn list(item: &Item, path: &str, fields: &[Field]) -> Vec<(String, String)> {
    match item {
        Item::ArrayOfTables(tables) => {
            tables.iter().enumerate().flat_map(|(i, table)| misread(table, &format!("{path}[{i}]"), fields)).collect()
        }
        Item::Value(Value::Array(array)) => array
            .iter()
            .enumerate()
            .flat_map(|(i, value)| match value.as_inline_table() {
                Some(table) => misread(table, &format!("{path}[{i}]"), fields),
                None => vec![(format!("{path}[{i}]"), "is not a table".to_owned())],
            })
            .collect(),
        _ => vec![(path.to_owned(), "is not a list of tables".to_owned())],
    }
}

fn value(kind: Kind, item: &Item) -> Result<(), &'static str> {
    let text = item.as_str();
    let fits = |good: bool, expected: &'static str| if good { Ok(()) } else { Err(expected) };
    match kind {
        Kind::Unsigned(most) => fits(
            item.as_integer().is_some_and(|number| most.is_none_or(|most| (0..=most).contains(&number))),
            "a whole number that fits",
        ),
        Kind::Bool => fits(item.is_bool(), "true or false"),
        Kind::Text => fits(text.is_some(), "text"),
        Kind::Address => fits(text.and_then(address).is_some(), "an address: \"0x\" and 40 hex digits"),
        Kind::Hash => fits(
            text.and_then(bytes).is_some_and(|bytes| bytes.len() == 32),
            "a hash, as ids are too: \"0x\" and 64 hex digits",
        ),
        Kind::Big => fits(text.is_some_and(is_big), "a number: \"0x\" and hex digits, without leading zeros"),
        Kind::Locator => fits(text.is_some_and(is_locator), "\"embedded\", or a file://, http:// or https:// URL"),
        Kind::Unreadable => Err("what op-deployer can read here"),
        Kind::Table(_) | Kind::Tables(_) | Kind::Any => Ok(()),
    }
}

fn is_big(text: &str) -> bool {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or_default();
    let well_formed = !digits.is_empty() && (digits == "0" || !digits.starts_with('0'));
    well_formed && digits.bytes().all(|digit| digit.is_ascii_hexdigit()) && U256::from_str_radix(digits, 16).is_ok()
}

fn is_locator(text: &str) -> bool {
    text == "embedded" || (["file:", "http:", "https:"].iter().any(|scheme| text.starts_with(scheme)) && is_url(text))
}
