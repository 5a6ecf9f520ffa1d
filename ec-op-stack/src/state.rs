//! op-deployer's `state.json`: is a chain's deployment applied, and where are its contracts?
//!
//! A placeholder, as `op-deployer init` writes it, and a deployment that stopped half-way have null or zero fields: neither
//! is applied. Keys are compared without case, underscores and a trailing `Address`, so `SystemConfigProxy`,
//! `systemConfigProxyAddress` and `system_config_proxy` are one.

use std::collections::BTreeMap;

use alloy::primitives::{Address, Bytes};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    chain_id,
    rpc::{CallError, Endpoint},
};

/// The contracts without which nothing can be started.
const NEEDED: [&str; 4] =
    ["systemConfigProxy", "optimismPortalProxy", "disputeGameFactoryProxy", "l1StandardBridgeProxy"];
/// The contracts that are worth knowing.
const KNOWN: [&str; 10] = [
    "systemConfigProxy",
    "optimismPortalProxy",
    "disputeGameFactoryProxy",
    "l1StandardBridgeProxy",
    "anchorStateRegistryProxy",
    "l1CrossDomainMessengerProxy",
    "l1Erc721BridgeProxy",
    "optimismMintableErc20FactoryProxy",
    "permissionedDisputeGameImpl",
    "faultDisputeGameImpl",
];
/// What `op-deployer inspect` needs beside them; it is written when the deployment is complete.
const RECORDED: [&str; 2] = ["allocs", "startBlock"];

/// Why a state file says nothing about a deployment.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// Thrown when it is no JSON object.
    #[error("not a state of op-deployer: {0}")]
    NotAState(String),
}

/// Whether a chain is deployed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Deployment {
    /// All that a start needs is there.
    pub applied: bool,
    /// Contracts by their present name in camel case.
    pub contracts: BTreeMap<&'static str, Address>,
    /// What is null, zero or absent, when it is not applied.
    pub missing: Vec<String>,
}

impl Deployment {
    /// Reads the state's text for the chain with this id.
    pub fn read(text: &str, chain_id: u64) -> Result<Self, StateError> {
        let state = serde_json::from_str::<Map<String, Value>>(text)
            .map_err(|error| StateError::NotAState(format!("{error}; expected op-deployer's state.json")))?;
        let chains = find(&state, "opChainDeployments").and_then(Value::as_array);
        let chain =
            chains.into_iter().flatten().filter_map(Value::as_object).find(|chain| id_of(chain) == Some(chain_id));
        Ok(match chain {
            None => Self { applied: false, contracts: BTreeMap::new(), missing: vec![format!("chain {chain_id}")] },
            Some(chain) => Self::of(chain, &state),
        })
    }

    /// Asks L1 for the code of the contracts that are needed. Where one has none, the deployment is not applied: a state of
    /// `apply --deployment-target calldata` or `noop` looks like any other.
    pub async fn look_for_code(&mut self, l1: &Endpoint) -> Result<(), CallError> {
        for name in NEEDED {
            let Some(address) = self.contracts.get(name) else { continue };
            if l1.call::<Bytes>("eth_getCode", (address, "latest")).await?.is_empty() {
                self.missing.push(format!("{name} on L1: there is no code at {address}"));
            }
        }
        self.applied = self.missing.is_empty();
        Ok(())
    }

    fn of(chain: &Map<String, Value>, state: &Map<String, Value>) -> Self {
        let contracts =
            KNOWN.into_iter().filter_map(|name| Some((name, contract(chain, name)?))).collect::<BTreeMap<_, _>>();
        let contracts_missing = NEEDED.into_iter().filter(|name| !contracts.contains_key(name));
        let records_missing = RECORDED.into_iter().filter(|name| is_null(find(chain, name)));
        let mut missing = contracts_missing.chain(records_missing).map(str::to_owned).collect::<Vec<_>>();
        if is_null(find(state, "appliedIntent")) {
            missing.push("appliedIntent".to_owned());
        }
        // calls that somebody was to send
        if find(state, "DeploymentCalldata").and_then(Value::as_array).is_some_and(|calls| !calls.is_empty()) {
            missing.push("transactions: it was made as calldata, which op-deployer does not send".to_owned());
        }
        // since v0.7 a chain can be prepared and not deployed
        if chain.get("deployed") == Some(&Value::Bool(false)) {
            missing.push("deployed".to_owned());
        }
        Self { applied: missing.is_empty(), contracts, missing }
    }
}

fn contract(chain: &Map<String, Value>, name: &str) -> Option<Address> {
    // the implementations' keys had no suffix before
    let bare = name.strip_suffix("Impl").unwrap_or(name);
    let value = find(chain, name).or_else(|| find(chain, bare))?;
    value.as_str()?.parse().ok().filter(|address| *address != Address::ZERO)
}

fn is_null(value: Option<&Value>) -> bool {
    value.is_none_or(Value::is_null)
}

fn find<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let wanted = plain(name);
    object.iter().find(|(key, _)| plain(key) == wanted).map(|(_, value)| value)
}

fn plain(key: &str) -> String {
    let lower = key.replace('_', "").to_ascii_lowercase();
    lower.strip_suffix("address").map_or_else(|| lower.clone(), str::to_owned)
}

fn id_of(chain: &Map<String, Value>) -> Option<u64> {
    let id = find(chain, "id")?;
    id.as_u64().or_else(|| chain_id::parse(id.as_str()?))
}
