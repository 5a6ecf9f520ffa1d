//! What runs on a host: the components, and the very arguments and variables that each is started with.
//!
//! A file without secrets, rendered by whatever starts the components. `doctor` and `status` read it, so they judge what
//! really runs and need no settings of their own.

mod known;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use alloy::primitives::{Address, U256, uint};
use serde::Deserialize;
use url::Url;

use crate::{
    reads::flags::Parsed,
    tables::{self, Listener},
    version::{Version, VersionError},
};

pub use known::Known;

/// Below this an account that sends transactions on L1 is as good as empty: about a day of batches on a quiet Sepolia, in wei.
pub(crate) const LOW_BALANCE_WEI: U256 = uint!(50_000_000_000_000_000_U256);

/// What the host is in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Makes the blocks.
    Sequencer,
    /// Follows them.
    Verifier,
}

/// The chain's files on this host.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// `rollup.json`
    pub rollup: PathBuf,
    /// `genesis.json`
    pub genesis: PathBuf,
    /// op-deployer's `state.json`, where it is kept.
    pub state: Option<PathBuf>,
}

/// The addresses that send transactions on L1.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Accounts {
    /// Of op-batcher.
    pub batcher: Option<Address>,
    /// Of op-proposer.
    pub proposer: Option<Address>,
    /// Of op-challenger.
    pub challenger: Option<Address>,
}

impl Accounts {
    /// Those that are set, by name.
    pub fn named(&self) -> Vec<(&'static str, Address)> {
        let all = [("batcher", self.batcher), ("proposer", self.proposer), ("challenger", self.challenger)];
        all.into_iter().filter_map(|(name, address)| Some((name, address?))).collect()
    }
}

/// One program, as it is started.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Component {
    /// Its release.
    pub version: String,
    /// Its arguments, `--flag=value` or `--flag`, `value`.
    #[serde(default)]
    pub args: Vec<String>,
    /// Its variables. A secret's value is null.
    #[serde(default)]
    pub environment: BTreeMap<String, Option<String>>,
    /// Variables that get the first line of a file at the start: an L1 URL with an API key, what the bootstrap finds out.
    #[serde(default)]
    pub environment_files: BTreeMap<String, PathBuf>,
    /// Whether it runs in a container with programs of its own: paths of programs are that container's then.
    #[serde(default)]
    pub contained: bool,
}

/// Everything that runs on a host.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stack {
    /// What the host is in the chain.
    pub role: Role,
    /// The chain's files.
    pub files: Files,
    /// Who sends transactions.
    #[serde(default)]
    pub accounts: Accounts,
    /// By program: `op-geth` or `op-reth`, `op-node`, `op-batcher`, `op-proposer`, `op-challenger`, `op-dispute-mon`.
    pub components: BTreeMap<String, Component>,
}

/// A component with its name, to ask for its settings.
#[derive(Clone, Copy, Debug)]
pub struct Running<'a> {
    /// The program's name.
    pub name: &'a str,
    /// How it is started.
    pub component: &'a Component,
}

impl Stack {
    /// Reads the files that variables come from. One that cannot be read stays unset.
    pub fn read_environment(&mut self) {
        for component in self.components.values_mut() {
            for (variable, file) in &component.environment_files {
                if let Some(value) = first_line(file) {
                    component.environment.insert(variable.clone(), Some(value));
                }
            }
        }
    }

    /// The variables that are still without their value: component, variable, file.
    pub fn unset_variables(&self) -> Vec<(&str, &str, &Path)> {
        let all = self.components.iter().flat_map(|(name, component)| {
            let files = component.environment_files.iter();
            let unset = files.filter(|(variable, _)| !component.environment.contains_key(*variable));
            unset.map(|(variable, file)| (name.as_str(), variable.as_str(), file.as_path()))
        });
        all.collect()
    }

    /// The component of this name, if it runs here.
    pub fn get(&self, name: &str) -> Option<Running<'_>> {
        self.components.get_key_value(name).map(|(name, component)| Running { name, component })
    }

    /// The execution client: op-geth or op-reth.
    pub fn execution(&self) -> Option<Running<'_>> {
        self.get("op-geth").or_else(|| self.get("op-reth"))
    }

    /// All, by name.
    pub fn running(&self) -> impl Iterator<Item = Running<'_>> {
        self.components.iter().map(|(name, component)| Running { name, component })
    }

    /// What each component is told to use of L1, as it reaches it.
    pub fn l1_texts(&self) -> Vec<(&'static str, String)> {
        let flags = [
            ("op-node", "l1"),
            ("op-batcher", "l1-eth-rpc"),
            ("op-proposer", "l1-eth-rpc"),
            ("op-challenger", "l1-eth-rpc"),
            ("op-dispute-mon", "l1-eth-rpc"),
        ];
        flags.into_iter().filter_map(|(name, flag)| Some((name, self.get(name)?.value(flag)?))).collect()
    }

    /// The L1 endpoints that can be asked, each once.
    pub fn l1_urls(&self) -> Vec<Url> {
        let mut urls = Vec::new();
        for url in self.l1_texts().into_iter().filter_map(|(_, text)| text.parse::<Url>().ok()) {
            if matches!(url.scheme(), "http" | "https") && !urls.contains(&url) {
                urls.push(url);
            }
        }
        urls
    }
}

fn first_line(file: &Path) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().next().map(str::to_owned).filter(|line| !line.is_empty())
}

impl Running<'_> {
    /// The parsed release.
    pub fn version(&self) -> Result<Version, VersionError> {
        self.component.version.parse()
    }

    /// What reaches the program of its arguments and variables. Of a program without a table nothing is known.
    pub fn parsed(&self) -> Parsed {
        let Some(known) = Known::of(self.name) else { return Parsed::default() };
        let mut variables = self.component.environment.clone();
        // what comes from a file that cannot be read here is there all the same
        for variable in self.component.environment_files.keys() {
            variables.entry(variable.clone()).or_default();
        }
        // op-reth's first word is the command that runs the node
        let args = match self.component.args.as_slice() {
            [first, rest @ ..] if self.name == "op-reth" && first == "node" => rest,
            args => args,
        };
        Parsed::parse(known.style, known.definitions, args, &variables)
    }

    /// What a flag is set to, by an argument or else by its variable; `true` for a bare switch. A secret is not told.
    pub fn value(&self, flag: &str) -> Option<String> {
        self.parsed().value(flag)
    }

    /// A value of several, separated by commas, is in the flag.
    pub fn lists(&self, flag: &str, item: &str) -> bool {
        self.value(flag).is_some_and(|list| list.split(',').any(|one| one.trim() == item))
    }

    /// A switch is on.
    pub fn is_on(&self, flag: &str) -> bool {
        self.parsed().switch(flag).unwrap_or(false)
    }

    /// The URL of this component's own listener, such as `rpc`, by the flags that set address and port.
    pub fn listener(&self, name: &str) -> Option<Url> {
        let listener = tables::program(self.name)?.listener(name)?;
        let host = match self.value(&listener.address_flag()).as_deref() {
            None | Some("0.0.0.0" | "::" | "") => "127.0.0.1".to_owned(),
            Some(host) => host.to_owned(),
        };
        format!("http://{host}:{}", self.port(listener)).parse().ok()
    }

    /// The port of a listener, by its flag or by default.
    pub(crate) fn port(&self, listener: &Listener) -> u16 {
        self.value(&listener.port_flag()).and_then(|port| port.parse().ok()).unwrap_or(listener.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(args: &[&str], environment: &[(&str, &str)]) -> Stack {
        let environment =
            environment.iter().map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned()))).collect();
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        let component = Component { version: "v1.16.7".to_owned(), args, environment, ..Component::default() };
        let files = Files { rollup: "r".into(), genesis: "g".into(), state: None };
        let components = BTreeMap::from([("op-node".to_owned(), component)]);
        Stack { role: Role::Verifier, files, accounts: Accounts::default(), components }
    }

    #[test]
    fn accounts_are_of_the_programs_that_have_one() {
        let address = Some(Address::ZERO);
        let named = Accounts { batcher: address, proposer: address, challenger: address }.named();
        let accounts = tables::programs().iter().filter_map(|program| program.account.as_deref());
        assert!(accounts.eq(named.into_iter().map(|(name, _)| name)));
    }

    #[test]
    fn a_value_comes_from_arguments_then_from_the_environment() {
        let stack = stack(
            &["--l1=http://a", "--l2", "http://b", "--sequencer.enabled", "--l1.rpckind=standard"],
            &[("OP_NODE_L1_ETH_RPC", "http://c"), ("OP_NODE_SAFEDB_PATH", "/db")],
        );
        let node = stack.get("op-node").unwrap();
        let values = ["l1", "l2", "safedb.path", "sequencer.enabled", "rpc.port"].map(|flag| node.value(flag));
        assert_eq!(values.map(Option::unwrap_or_default), ["http://a", "http://b", "/db", "true", ""]);
        assert_eq!(node.parsed().named, ["l1", "l2", "sequencer.enabled", "l1.rpckind"]);
        assert_eq!(node.listener("rpc").unwrap().as_str(), "http://127.0.0.1:9545/");
    }
}
