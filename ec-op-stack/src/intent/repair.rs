//! Filling an intent, and finding what contradicts the roles.

use std::num::TryFromIntError;

use alloy::primitives::Address;
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, Value};

use super::{
    Change, Layout, Roles,
    document::{Section, address, chain_id, chain_id_hash, without_decor},
};
use crate::{
    programs::intent as rules,
    reads::{same_name, toml::View},
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
    /// What stands in no one's way and cannot be changed once it is deployed.
    pub notes: Vec<String>,
}

/// Fills what is missing or zero. Values that contradict `wanted`, and whatever else op-deployer would refuse, stay and become
/// problems. Doing it twice changes nothing more.
pub fn repair(document: &mut DocumentMut, wanted: &Wanted) -> Result<Repair, IntentError> {
    let mut repair =
        Repair { layout: Layout::of(document), changes: Vec::new(), problems: Vec::new(), notes: Vec::new() };
    let l1 = i64::try_from(wanted.l1_chain_id).map_err(|error| IntentError::ChainId(wanted.l1_chain_id, error))?;

    let mut root = Section { path: String::new(), table: document.as_table_mut(), inline: false };
    repair.text(&mut root, "configType", "custom");
    repair.number(&mut root, "l1ChainID", l1, true);
    repair.default(&mut root, "fundDevAccounts", false);
    repair.locators(&mut root);
    repair.superchain(&mut root, &wanted.roles)?;

    with_chain(document, wanted.l2_chain_id, |mut chain, is_new| {
        // the same number in another form: op-deployer reads a hash only
        let id = chain_id_hash(wanted.l2_chain_id);
        if is_new || chain.value("id").and_then(Value::as_str).is_none_or(|now| !now.eq_ignore_ascii_case(&id)) {
            repair.changes.push(chain.write("id", id));
        }
        repair.chain(&mut chain, &wanted.roles)
    })?;
    repair.refusals(document);
    repair.notes.extend(prestate_note(document));
    Ok(repair)
}

impl Repair {
    fn locators(&mut self, root: &mut Section<'_>) {
        for key in ["l1ContractsLocator", "l2ContractsLocator"] {
            let now = root.value(key).and_then(Value::as_str).unwrap_or_default();
            match self.layout {
                // the present deployers refuse a tag
                Layout::Pascal if now.is_empty() || now.starts_with("tag://") => {
                    self.changes.push(root.write(key, "embedded"));
                }
                // those of old have nothing embedded, and which contracts are meant nobody can guess
                Layout::Camel if now.is_empty() || now == "embedded" => self.problems.push(format!(
                    "{key} is {now:?}, and this layout is of op-deployer up to v0.3, which takes a tag only: set \
                     \"tag://op-contracts/…\", or make the intent anew with the op-deployer that you run"
                )),
                _ => {}
            }
        }
    }

    /// What op-deployer would refuse, beside what is told already.
    fn refusals(&mut self, document: &DocumentMut) {
        for refusal in rules::judge(document) {
            let field = refusal.found.split(' ').next().unwrap_or_default();
            let told = self
                .problems
                .iter()
                .any(|problem| problem.split(' ').next().is_some_and(|other| same_name(other, field)));
            if !told || refusal.found.contains(" are one key ") {
                self.problems.push(refusal.to_string());
            }
        }
    }

    fn superchain(&mut self, root: &mut Section<'_>, roles: &Roles) -> Result<(), IntentError> {
        // to op-deployer it is there as soon as the key is
        if root.has("opcmAddress") {
            if root.value("opcmAddress").and_then(address) == Some(Address::ZERO) {
                self.problems.push("opcmAddress is zero, which is not the same as absent: remove it".to_owned());
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

/// The games' prestate is fixed by `apply`, and is op-deployer's own unless the intent names another.
fn prestate_note(document: &DocumentMut) -> Option<String> {
    let field = "faultGameAbsolutePrestate";
    let root = View(document.as_table());
    let chains = root.tables("chains").into_iter().filter_map(|chain| chain.table("deployOverrides"));
    let set = root.table("globalDeployOverrides").into_iter().chain(chains).any(|table| table.get(field).is_some());
    (!set).then(|| {
        format!(
            "globalDeployOverrides.{field} is not set: the games get op-deployer's own prestate, and keep it; where you run a \
             challenger with another (ec-op-stack prestate), set it before apply"
        )
    })
}

/// Calls `edit` with the chain's table, made if there is none, and whether it was made.
fn with_chain<T>(
    document: &mut DocumentMut,
    id: u64,
    edit: impl FnOnce(Section<'_>, bool) -> Result<T, IntentError>,
) -> Result<T, IntentError> {
    let not_a_table = || IntentError::NotATable("chains".to_owned());
    let key = document.iter().map(|(key, _)| key).find(|key| same_name(key, "chains")).unwrap_or("chains").to_owned();
    let is_empty = document.get(&key).and_then(Item::as_array).is_some_and(toml_edit::Array::is_empty);
    if is_empty || !document.contains_key(&key) {
        document.insert(&key, Item::ArrayOfTables(ArrayOfTables::new()));
    }
    let chains = document.get_mut(&key).ok_or_else(not_a_table)?;
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
