//! Filling an intent, and finding what contradicts the roles.

use std::num::TryFromIntError;

use alloy::primitives::Address;
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, Value};

use super::{
    Change, Layout, Roles,
    document::{Section, address, chain_id, chain_id_hash, without_decor},
};

/// Gas limit of a new chain, op-deployer's standard.
const GAS_LIMIT: i64 = 60_000_000;
/// EIP-1559 parameters of a new chain, op-deployer's standard: zeros make an invalid chain.
const EIP1559: [(&str, i64); 3] =
    [("eip1559DenominatorCanyon", 250), ("eip1559Denominator", 50), ("eip1559Elasticity", 6)];

/// Why an intent cannot be repaired.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IntentError {
    /// Thrown when a field that must be a table, or a list of them, is something else.
    #[error("{0} is not a table: remove it or write it as one")]
    NotATable(String),
    /// Thrown when a chain id does not fit into TOML's integers.
    #[error("l1ChainID {0} does not fit into TOML: {1}")]
    ChainId(u64, TryFromIntError),
}

/// What the intent shall ask for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Chain id of the L1.
    pub l1_chain_id: u64,
    /// Chain id of the L2 that the roles are for. Other chains in the file are left alone.
    pub l2_chain_id: u64,
    /// Who holds which role.
    pub roles: Roles,
}

/// What a repair did and what it could not.
#[derive(Clone, Debug)]
pub struct Repair {
    /// The layout that was found, or chosen for an empty file.
    pub layout: Layout,
    /// What was written, in order.
    pub changes: Vec<Change>,
    /// What contradicts the wanted and was left as it is, with the fix.
    pub problems: Vec<String>,
}

/// Fills what is missing or zero. Values that contradict `wanted` stay and become problems. Doing it twice changes
/// nothing more.
pub fn repair(document: &mut DocumentMut, wanted: &Wanted) -> Result<Repair, IntentError> {
    let mut repair = Repair { layout: Layout::of(document), changes: Vec::new(), problems: Vec::new() };
    let l1 = i64::try_from(wanted.l1_chain_id).map_err(|error| IntentError::ChainId(wanted.l1_chain_id, error))?;

    let mut root = Section { path: String::new(), table: document.as_table_mut(), inline: false };
    repair.text(&mut root, "configType", "custom");
    repair.number(&mut root, "l1ChainID", l1, true);
    repair.default(&mut root, "fundDevAccounts", false);
    repair.locators(&mut root);
    repair.superchain(&mut root, &wanted.roles)?;

    with_chain(document, wanted.l2_chain_id, |mut chain, is_new| {
        if is_new {
            repair.changes.push(chain.write("id", chain_id_hash(wanted.l2_chain_id)));
        }
        repair.chain(&mut chain, &wanted.roles)
    })?;
    Ok(repair)
}

impl Repair {
    fn locators(&mut self, root: &mut Section<'_>) {
        for key in ["l1ContractsLocator", "l2ContractsLocator"] {
            let now = root.value(key).and_then(Value::as_str).unwrap_or_default();
            // the old deployers have no other default than a tag, the present ones refuse one
            let replace = now.is_empty() || (self.layout == Layout::Pascal && now.starts_with("tag://"));
            if replace {
                self.changes.push(root.write(key, "embedded"));
            }
        }
    }

    fn superchain(&mut self, root: &mut Section<'_>, roles: &Roles) -> Result<(), IntentError> {
        let shared = root.value("opcmAddress").and_then(address).is_some_and(|opcm| opcm != Address::ZERO);
        if shared {
            if root.table.contains_key("superchainRoles") {
                self.problems.push("superchainRoles must not be set beside opcmAddress: remove one".to_owned());
            }
            return Ok(());
        }
        let mut section = root.section("superchainRoles").map_err(IntentError::NotATable)?;
        for (key, wanted) in roles.superchain(self.layout == Layout::Camel) {
            self.address(&mut section, key, wanted);
        }
        Ok(())
    }

    fn chain(&mut self, chain: &mut Section<'_>, roles: &Roles) -> Result<(), IntentError> {
        for (key, wanted) in roles.vaults() {
            self.address(chain, key, wanted);
        }
        for (key, wanted) in EIP1559 {
            self.number(chain, key, wanted, false);
        }
        self.number(chain, "gasLimit", GAS_LIMIT, false);
        let mut section = chain.section("roles").map_err(IntentError::NotATable)?;
        for (key, wanted) in roles.chain() {
            self.address(&mut section, key, wanted);
        }
        Ok(())
    }

    fn address(&mut self, section: &mut Section<'_>, key: &str, wanted: Address) {
        match section.value(key).map(|value| (address(value), without_decor(value))) {
            Some((Some(now), _)) if now == wanted => {}
            Some((now, text)) if now != Some(Address::ZERO) && text != "\"\"" => {
                self.contradiction(section, key, &text, &wanted.to_string());
            }
            _ => self.changes.push(section.write(key, wanted.to_string())),
        }
    }

    /// Fills zero. What is there must equal `wanted` if it is `fixed`.
    fn number(&mut self, section: &mut Section<'_>, key: &str, wanted: i64, fixed: bool) {
        match section.value(key).map(|value| (value.as_integer(), without_decor(value))) {
            None | Some((Some(0), _)) => self.changes.push(section.write(key, wanted)),
            Some((Some(now), _)) if now == wanted || !fixed => {}
            Some((_, text)) => self.contradiction(section, key, &text, &wanted.to_string()),
        }
    }

    fn text(&mut self, section: &mut Section<'_>, key: &str, wanted: &str) {
        match section.value(key).map(|value| (value.as_str(), without_decor(value))) {
            None | Some((Some(""), _)) => self.changes.push(section.write(key, wanted)),
            Some((Some(now), _)) if now == wanted => {}
            Some((_, text)) => self.contradiction(section, key, &text, wanted),
        }
    }

    fn default(&mut self, section: &mut Section<'_>, key: &str, wanted: bool) {
        if section.value(key).is_none() {
            self.changes.push(section.write(key, wanted));
        }
    }

    fn contradiction(&mut self, section: &Section<'_>, key: &str, now: &str, wanted: &str) {
        let dot = if section.path.is_empty() { "" } else { "." };
        self.problems.push(format!(
            "{}{dot}{key} is {now}, wanted is {wanted}: correct the intent, or what it is compared with",
            section.path
        ));
    }
}

/// Calls `edit` with the chain's table, made if there is none, and whether it was made.
fn with_chain<T>(
    document: &mut DocumentMut,
    id: u64,
    edit: impl FnOnce(Section<'_>, bool) -> Result<T, IntentError>,
) -> Result<T, IntentError> {
    let not_a_table = || IntentError::NotATable("chains".to_owned());
    let is_empty = document.get("chains").and_then(Item::as_array).is_some_and(toml_edit::Array::is_empty);
    if is_empty || !document.contains_key("chains") {
        document.insert("chains", Item::ArrayOfTables(ArrayOfTables::new()));
    }
    let chains = document.get_mut("chains").ok_or_else(not_a_table)?;
    let has_id = |item: Option<&Value>| item.and_then(chain_id) == Some(id);
    match chains {
        Item::ArrayOfTables(tables) => {
            let found = tables.iter().position(|table| has_id(table.get("id").and_then(Item::as_value)));
            let index = found.unwrap_or_else(|| {
                tables.push(Table::new());
                tables.len() - 1
            });
            let table = tables.get_mut(index).ok_or_else(not_a_table)?;
            edit(Section { path: format!("chains[{index}]"), table, inline: false }, found.is_none())
        }
        Item::Value(Value::Array(array)) => {
            let found =
                array.iter().position(|value| has_id(value.as_inline_table().and_then(|table| table.get("id"))));
            let index = found.unwrap_or_else(|| {
                array.push(toml_edit::InlineTable::new());
                array.len() - 1
            });
            let table = array.get_mut(index).and_then(Value::as_inline_table_mut).ok_or_else(not_a_table)?;
            edit(Section { path: format!("chains[{index}]"), table, inline: true }, found.is_none())
        }
        _ => Err(not_a_table()),
    }
}
