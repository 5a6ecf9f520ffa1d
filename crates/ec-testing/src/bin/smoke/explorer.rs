//! What `ec-explorer` needs to show what a smoke made: the chain's state, and a configuration.

use std::{
    fs,
    path::{Path, absolute},
};

use eyre::{OptionExt, WrapErr};
use toml::{Table, Value};

use crate::run::Smoke;

/// The file with the state of the chain.
pub(crate) const STATE: &str = "chain.state";

/// The explorer's configuration.
const CONFIG: &str = "explorer.toml";

/// Writes the configuration: the witnesses' own, with the archive that was copied and each witness's copy.
pub(crate) fn write(smoke: &Smoke<'_>) -> eyre::Result<()> {
    let witnesses = fs::read_to_string(smoke.rail.file("chain.toml"))?.parse::<Table>()?;
    let copies = smoke.witnesses().map(|witness| (format!("witness-{witness}"), smoke.archive(witness)));
    let archives: Vec<_> = [("sample".to_owned(), smoke.settings.archive.clone())].into_iter().chain(copies).collect();
    let addresses: Vec<Value> =
        fs::read_to_string(smoke.rail.file("addresses")).map(|text| names(&text)).unwrap_or_default();
    let mut table = of(&witnesses, &archives)?;
    set_rpc(&mut table, smoke.rail.rpc())?;
    if !addresses.is_empty() {
        table.insert("witness".into(), addresses.into());
    }
    replace(&smoke.rail.file(CONFIG), &table)
}

/// Names the chain that is there now in the configuration of a smoke that was kept.
pub(crate) fn point_to(kept: &Path, rpc: &str) -> eyre::Result<()> {
    // the demo waits for the file, so one of before is kept under another name
    let written = kept.join(format!("{CONFIG}.kept"));
    let shown = written.display().to_string();
    let mut table: Table = fs::read_to_string(&written).wrap_err(shown)?.parse()?;
    set_rpc(&mut table, rpc)?;
    replace(&kept.join(CONFIG), &table)
}

fn set_rpc(table: &mut Table, rpc: &str) -> eyre::Result<()> {
    let chain = table.get_mut("chain").and_then(Value::as_table_mut).ok_or_eyre("chain.toml has no [chain]")?;
    chain.insert("rpc".into(), rpc.into());
    Ok(())
}

/// The witnesses' addresses, a line each after the deployer's, with a name for each.
fn names(text: &str) -> Vec<Value> {
    let named = text.lines().skip(1).enumerate().map(|(at, address)| {
        let name = format!("witness {}", at + 1);
        Table::from_iter([("address".to_owned(), address.into()), ("name".to_owned(), name.into())]).into()
    });
    named.collect()
}

/// The explorer's settings by the witnesses': each archive is read by the same rules.
fn of(witnesses: &Table, archives: &[(String, std::path::PathBuf)]) -> eyre::Result<Table> {
    let rules = witnesses.get("archive").and_then(Value::as_table).cloned().unwrap_or_default();
    let archive = |(name, dir): &(String, std::path::PathBuf)| {
        let mut table = rules.clone();
        table.insert("name".into(), name.as_str().into());
        let dir = absolute(dir)?;
        table.insert("dir".into(), dir.to_str().ok_or_eyre("the archive's path is not UTF-8")?.into());
        Ok::<_, eyre::Report>(Value::from(table))
    };
    let archives: Vec<_> = archives.iter().map(archive).collect::<Result<_, _>>()?;
    let mut table = Table::new();
    for section in ["chain", "stream"] {
        if let Some(found) = witnesses.get(section) {
            table.insert(section.into(), found.clone());
        }
    }
    table.insert("archive".into(), archives.into());
    Ok(table)
}

/// Writes a file whole, and another one for when it is opened again.
fn replace(path: &Path, table: &Table) -> eyre::Result<()> {
    let text = toml::to_string(table)?;
    fs::write(path.with_extension("toml.kept"), &text)?;
    let new = path.with_extension("toml.new");
    fs::write(&new, text)?;
    Ok(fs::rename(new, path)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_archive_is_read_by_the_witnesses_rules() {
        let witnesses = "[chain]\nrpc = 'http://a'\nchain_id = 1\n[archive]\ngroups_per_epoch = 10\n[agreement]\nlate_ms = 1\n\
                         [[stream]]\nbroadcast = 'x'\n";
        let archives = [("one".to_owned(), "/a".into()), ("two".to_owned(), "/b".into())];
        let mut table = of(&witnesses.parse().unwrap(), &archives).unwrap();
        set_rpc(&mut table, "http://b").unwrap();
        assert_eq!(table["chain"]["rpc"].as_str(), Some("http://b"));
        assert_eq!(table["archive"][1]["dir"].as_str(), Some("/b"));
        assert_eq!(table["archive"][0]["groups_per_epoch"].as_integer(), Some(10));
        assert_eq!(table["stream"][0]["broadcast"].as_str(), Some("x"));
        assert!(!table.contains_key("agreement"));
        assert_eq!(names("0x00\n0x01\n").len(), 1);
    }
}
