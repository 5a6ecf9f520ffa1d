//! Reading and changing TOML in place, whether its tables are written out or inline.

use alloy::primitives::{Address, B256};
use serde::Serialize;
use toml_edit::{InlineTable, Item, Table, TableLike, Value};

use crate::{
    chain_id,
    reads::{same_name, toml},
};

/// One value that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Where, such as `chains[0].roles.batcher`.
    pub field: String,
    /// What was there, as TOML; null if nothing was.
    pub from: Option<String>,
    /// What is there now, as TOML.
    pub to: String,
}

/// A table of the document, written out or inline, and what was changed in it. Keys are op-deployer's: its parser knows no
/// case, so a key that is there in another case is the same one, and is written as it was.
pub(super) struct Section<'a> {
    pub(super) path: String,
    pub(super) table: &'a mut dyn TableLike,
    pub(super) inline: bool,
}

impl Section<'_> {
    fn field(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The key as the document writes it.
    fn actual(&self, key: &str) -> String {
        let mut keys = self.table.iter().map(|(key, _)| key);
        if self.table.contains_key(key) {
            return key.to_owned();
        }
        keys.find(|other| same_name(other, key)).unwrap_or(key).to_owned()
    }

    /// Writes `value`, keeping the comments and spaces around what was there.
    pub(super) fn write(&mut self, key: &str, value: impl Into<Value>) -> Change {
        let mut value = value.into();
        let to = value.to_string().trim().to_owned();
        let key = &self.actual(key);
        let field = self.field(key);
        let old = self.table.get_mut(key).and_then(Item::as_value_mut);
        let from = old.as_ref().map(|old| without_decor(old));
        match old {
            Some(old) => {
                *value.decor_mut() = old.decor().clone();
                *old = value;
            }
            None => drop(self.table.insert(key, Item::Value(value))),
        }
        Change { field, from, to }
    }

    /// What is at `key`: a value, or nothing.
    pub(super) fn value(&self, key: &str) -> Option<&Value> {
        self.table.get(&self.actual(key)).and_then(Item::as_value)
    }

    /// Whether there is anything at `key`.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(&self.actual(key))
    }

    /// The table at `key`, made if there is none; the error names a field that is no table.
    pub(super) fn section(&mut self, key: &str) -> Result<Section<'_>, String> {
        let key = &self.actual(key);
        let path = self.field(key);
        if !self.table.contains_key(key) {
            let item = if self.inline {
                Item::Value(Value::InlineTable(InlineTable::new()))
            } else {
                Item::Table(Table::new())
            };
            self.table.insert(key, item);
        }
        let inline = self.inline || self.value(key).is_some();
        match self.table.get_mut(key).and_then(Item::as_table_like_mut) {
            Some(table) => Ok(Section { path, table, inline }),
            None => Err(path),
        }
    }
}

/// The value as TOML, without the comments around it.
pub(super) fn without_decor(value: &Value) -> String {
    let mut bare = value.clone();
    bare.decor_mut().clear();
    bare.to_string()
}

/// An address as op-deployer reads it; `None` if it is none.
pub(super) fn address(value: &Value) -> Option<Address> {
    toml::address(value.as_str()?)
}

/// A chain id in any way that is clear; op-deployer reads a hash only.
pub(super) fn chain_id(value: &Value) -> Option<u64> {
    match value.as_integer() {
        Some(number) => u64::try_from(number).ok(),
        None => chain_id::parse(value.as_str()?),
    }
}

/// A chain id as op-deployer writes it.
pub(super) fn chain_id_hash(id: u64) -> String {
    B256::left_padding_from(&id.to_be_bytes()).to_string()
}
