//! The tables of `data/`, which nix/lib and the scripts read too; `data/README.md` says what stands in them.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::{Deserialize, de::IgnoredAny};

use crate::version::Version;

static PROGRAMS: LazyLock<Vec<Program>> =
    LazyLock::new(|| serde_json::from_str(include_str!("../data/programs.json")).expect("a test reads this table"));

static RELEASES: LazyLock<BTreeMap<String, Release>> =
    LazyLock::new(|| serde_json::from_str(include_str!("../data/releases.json")).expect("a test reads this table"));

/// One of the OP Stack's programs.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Program {
    /// As it is called on the command line and in a stack file.
    pub(crate) name: String,
    /// What the names of its variables begin with, where there is a table of them.
    pub(crate) variables: Option<String>,
    /// Whose key it signs L1 transactions with.
    pub(crate) account: Option<String>,
    /// Where it listens.
    pub(crate) listeners: Vec<Listener>,
    /// For nix and the scripts.
    #[serde(rename = "component")]
    _component: IgnoredAny,
    #[serde(rename = "package")]
    _package: IgnoredAny,
}

/// A listener of a program, with the program's own defaults.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Listener {
    /// What its flags begin with.
    pub(crate) name: String,
    /// The flag that turns it on; without one it always is.
    pub(crate) enabled_by: Option<String>,
    /// Where it listens unless a flag says otherwise; without one only where a flag does.
    pub(crate) address: Option<String>,
    /// Its port unless a flag says otherwise.
    pub(crate) port: u16,
    /// For nix.
    #[serde(rename = "option")]
    _option: IgnoredAny,
}

/// The versions that belong together around one execution client.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Release {
    /// What op-node calls the client.
    pub(crate) engine_kind: String,
    /// Whether the client knows the Karst fork.
    pub(crate) karst: bool,
    /// The day of the client's last fix.
    pub(crate) end_of_support: Option<String>,
    /// Which client belongs to which op-node, by the latter's version.
    pub(crate) pairs: Vec<Pair>,
    /// The first release of a program that takes super roots, where there was one without.
    pub(crate) super_roots: BTreeMap<String, Version>,
    /// The versions of what this project builds, of which there are tables of flags.
    pub(crate) built: BTreeMap<String, Version>,
    /// For nix and the scripts.
    #[serde(rename = "flagsFromProgram")]
    _flags_from_program: IgnoredAny,
    #[serde(rename = "images")]
    _images: IgnoredAny,
}

/// An op-node, and the oldest execution client for it and for what comes after it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pair {
    /// op-node's version.
    pub(crate) node: Version,
    /// The client's version.
    pub(crate) client: Version,
}

impl Program {
    /// The listener of this name.
    pub(crate) fn listener(&self, name: &str) -> Option<&Listener> {
        self.listeners.iter().find(|listener| listener.name == name)
    }
}

impl Listener {
    /// The flag of its address.
    pub(crate) fn address_flag(&self) -> String {
        format!("{}.addr", self.name)
    }

    /// The flag of its port.
    pub(crate) fn port_flag(&self) -> String {
        format!("{}.port", self.name)
    }
}

/// All programs.
pub(crate) fn programs() -> &'static [Program] {
    &PROGRAMS
}

/// The program of this name.
pub(crate) fn program(name: &str) -> Option<&'static Program> {
    PROGRAMS.iter().find(|program| program.name == name)
}

/// The release set of an execution client.
pub(crate) fn release(client: &str) -> Option<&'static Release> {
    RELEASES.get(client)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_read() {
        let names = programs().iter().map(|program| program.name.as_str()).collect::<Vec<_>>();
        assert_eq!((names[0], names.len()), ("op-geth", 10));
        let batcher = program("op-batcher").unwrap();
        assert_eq!((batcher.account.as_deref(), batcher.listener("rpc").unwrap().port), (Some("batcher"), 8545));
        assert!(program("op-erigon").is_none() && release("op-erigon").is_none());
        assert!(release("op-reth").unwrap().super_roots.keys().all(|name| program(name).is_some()));
    }

    #[test]
    fn pairs_are_in_the_order_of_op_nodes_versions() {
        for client in ["op-geth", "op-reth"] {
            let release = release(client).unwrap();
            assert!(release.pairs.is_sorted_by(|a, b| a.node < b.node), "{client}");
            assert_eq!(client.strip_prefix("op-"), Some(release.engine_kind.as_str()));
        }
    }
}
