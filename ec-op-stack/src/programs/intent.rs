//! `intent.toml`, as op-deployer reads and checks it before it deploys (`Intent.Check`, `ChainIntent.Check`).

use alloy::primitives::Address;
use serde::Serialize;
use toml_edit::{DocumentMut, TableLike};

use super::Refusal;
use crate::reads::{
    same_name,
    toml::{Field, Kind, View, misread},
};

/// The names of the superchain's roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// `proxyAdminOwner`: op-deployer up to v0.3.
    Camel,
    /// `SuperchainProxyAdminOwner`: since then.
    Pascal,
}

impl Layout {
    /// The layout of a document; a document without roles is of the present one.
    pub fn of(document: &DocumentMut) -> Self {
        let roles = View(document.as_table()).table("superchainRoles");
        let camel =
            roles.is_some_and(|roles| ["proxyAdminOwner", "guardian"].iter().any(|key| roles.get(key).is_some()));
        if camel { Self::Camel } else { Self::Pascal }
    }
}

const NUMBER: Kind = Kind::Unsigned(None);

/// The superchain's roles. op-deployer's struct names them so, and its parser knows no case.
pub(crate) const SUPERCHAIN_ROLES: [&str; 4] =
    ["SuperchainProxyAdminOwner", "SuperchainGuardian", "ProtocolVersionsOwner", "Challenger"];

const SUPERCHAIN: &[Field] = &[
    (SUPERCHAIN_ROLES[0], Kind::Address),
    (SUPERCHAIN_ROLES[1], Kind::Address),
    (SUPERCHAIN_ROLES[2], Kind::Address),
    (SUPERCHAIN_ROLES[3], Kind::Address),
];

/// A chain's roles.
const CHAIN_ROLES: [&str; 7] = [
    "l1ProxyAdminOwner",
    "l2ProxyAdminOwner",
    "systemConfigOwner",
    "unsafeBlockSigner",
    "batcher",
    "proposer",
    "challenger",
];

const ROLES: &[Field] = &[
    (CHAIN_ROLES[0], Kind::Address),
    (CHAIN_ROLES[1], Kind::Address),
    (CHAIN_ROLES[2], Kind::Address),
    (CHAIN_ROLES[3], Kind::Address),
    (CHAIN_ROLES[4], Kind::Address),
    (CHAIN_ROLES[5], Kind::Address),
    (CHAIN_ROLES[6], Kind::Address),
];

const VAULTS: [&str; 4] =
    ["baseFeeVaultRecipient", "l1FeeVaultRecipient", "sequencerFeeVaultRecipient", "operatorFeeVaultRecipient"];
const EIP1559: [&str; 3] = ["eip1559DenominatorCanyon", "eip1559Denominator", "eip1559Elasticity"];

const ALT_DA: &[Field] = &[
    ("useAltDA", Kind::Bool),
    ("daCommitmentType", Kind::Text),
    ("daChallengeWindow", NUMBER),
    ("daResolveWindow", NUMBER),
    ("daBondSize", NUMBER),
    ("daResolverRefundPercentage", NUMBER),
];

const GAS_TOKEN: &[Field] = &[
    ("name", Kind::Text),
    ("symbol", Kind::Text),
    ("initialLiquidity", Kind::Big),
    ("liquidityControllerOwner", Kind::Address),
];

const GAME: &[Field] = &[
    ("respectedGameType", Kind::Unsigned(Some(u32::MAX as i64))),
    ("faultGameAbsolutePrestate", Kind::Hash),
    ("faultGameMaxDepth", NUMBER),
    ("faultGameSplitDepth", NUMBER),
    ("faultGameClockExtension", NUMBER),
    ("faultGameMaxClockDuration", NUMBER),
    ("dangerouslyAllowCustomDisputeParameters", Kind::Bool),
    ("VMType", Kind::Text),
    ("MakeRespected", Kind::Bool),
];

const CHAIN: &[Field] = &[
    ("id", Kind::Hash),
    (VAULTS[0], Kind::Address),
    (VAULTS[1], Kind::Address),
    (VAULTS[2], Kind::Address),
    (VAULTS[3], Kind::Address),
    (EIP1559[0], NUMBER),
    (EIP1559[1], NUMBER),
    (EIP1559[2], NUMBER),
    ("gasLimit", NUMBER),
    ("roles", Kind::Table(ROLES)),
    ("deployOverrides", Kind::Any),
    ("dangerousAltDAConfig", Kind::Table(ALT_DA)),
    ("dangerousAdditionalDisputeGames", Kind::Tables(GAME)),
    ("operatorFeeScalar", Kind::Unsigned(Some(u32::MAX as i64))),
    ("operatorFeeConstant", NUMBER),
    ("l1StartBlockHash", Kind::Hash),
    ("useRevenueShare", Kind::Bool),
    ("chainFeesRecipient", Kind::Address),
    ("minBaseFee", NUMBER),
    ("daFootprintGasScalar", Kind::Unsigned(Some(u16::MAX as i64))),
    ("customGasToken", Kind::Table(GAS_TOKEN)),
    ("l2DevGenesisParams", Kind::Table(&[("prefund", Kind::Unreadable)])),
];

const INTENT: &[Field] = &[
    ("configType", Kind::Text),
    ("opDeployerVersion", Kind::Text),
    ("l1ChainID", NUMBER),
    ("opcmAddress", Kind::Address),
    ("superchainConfigProxy", Kind::Address),
    ("superchainRoles", Kind::Table(SUPERCHAIN)),
    ("fundDevAccounts", Kind::Bool),
    ("l1ContractsLocator", Kind::Locator),
    ("l2ContractsLocator", Kind::Locator),
    ("chains", Kind::Tables(CHAIN)),
    ("globalDeployOverrides", Kind::Any),
];

/// What op-deployer refuses of the intent, and where keys contradict each other; empty when it deploys it.
///
/// The rules are those of op-deployer v1.18.1, and what v1.16.7 wanted besides: which one reads the file is not known. The layout
/// of old belongs to other programs, of which only the roles are known.
pub fn judge(document: &DocumentMut) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    twice(document.as_table(), "", INTENT, &mut refusals);
    if Layout::of(document) == Layout::Camel {
        return refusals;
    }
    let unreadable = misread(document.as_table(), "", INTENT);
    if !unreadable.is_empty() {
        let told = |(field, reason): (String, String)| Refusal::new(format!("{field} {reason}"), "correct the intent");
        refusals.extend(unreadable.into_iter().map(told));
        return refusals;
    }
    refusals.extend(check(View(document.as_table())));
    refusals
}

/// Keys that are one for op-deployer: it takes either, as chance has it.
fn twice(table: &dyn TableLike, path: &str, fields: &[Field], refusals: &mut Vec<Refusal>) {
    let keys = table.iter().filter(|(_, item)| !item.is_none()).map(|(key, _)| key).collect::<Vec<_>>();
    for (i, key) in keys.iter().enumerate() {
        if let Some(other) = keys[..i].iter().find(|other| same_name(other, key)) {
            let dot = if path.is_empty() { "" } else { "." };
            refusals.push(Refusal::new(
                format!(
                    "{path}{dot}{other} and {path}{dot}{key} are one key for op-deployer, which takes either by chance"
                ),
                "remove one of them",
            ));
        }
    }
    let view = View(table);
    for (name, kind) in fields {
        let dot = if path.is_empty() { "" } else { "." };
        match kind {
            Kind::Table(inner) => {
                if let Some(table) = view.table(name) {
                    twice(table.0, &format!("{path}{dot}{name}"), inner, refusals);
                }
            }
            Kind::Tables(inner) => {
                for (i, table) in view.tables(name).into_iter().enumerate() {
                    twice(table.0, &format!("{path}{dot}{name}[{i}]"), inner, refusals);
                }
            }
            _ => {}
        }
    }
}

fn check(intent: View<'_>) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let mut refuse = |found: String, fix: &str| refusals.push(Refusal::new(found, fix));
    if intent.is_zero("l1ChainID") {
        refuse("l1ChainID is missing or 0".to_owned(), "set it to the L1's chain id");
    }
    for locator in ["l1ContractsLocator", "l2ContractsLocator"] {
        if intent.get(locator).is_none() {
            refuse(format!("{locator} is missing"), "set it to \"embedded\"");
        }
    }
    match intent.text("configType") {
        "custom" | "standard-overrides" => {}
        "standard" => refuse(
            "configType is standard: whether its values are the standard's cannot be judged here".to_owned(),
            "set it to \"custom\", or let op-deployer judge",
        ),
        other => refuse(format!("configType is {other:?}"), "set it to \"custom\""),
    }
    match (intent.get("opcmAddress").is_some(), intent.table("superchainRoles")) {
        (true, Some(_)) => refuse("superchainRoles is set beside opcmAddress".to_owned(), "remove one of them"),
        (true, None) => {}
        (false, None) => refuse("superchainRoles is missing".to_owned(), "name the superchain's roles"),
        (false, Some(roles)) => {
            for role in SUPERCHAIN_ROLES {
                if roles.address(role) == Address::ZERO {
                    refuse(format!("superchainRoles.{role} is missing or zero"), "name an account");
                }
            }
        }
    }
    let chains = intent.tables("chains");
    if chains.is_empty() {
        refuse("chains has no chain".to_owned(), "describe the chain that is to be deployed");
    }
    for (i, chain) in chains.into_iter().enumerate() {
        refusals.extend(chain_check(chain, &format!("chains[{i}]")));
    }
    refusals
}

fn chain_check(chain: View<'_>, path: &str) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let mut refuse = |found: String, fix: &str| refusals.push(Refusal::new(found, fix));
    if chain.text("id").trim_start_matches("0x").bytes().all(|digit| digit == b'0') {
        refuse(format!("{path}.id is missing or zero"), "set it to the chain's id, as a hash");
    }
    let roles = chain.table("roles");
    for role in CHAIN_ROLES {
        if roles.is_none_or(|roles| roles.address(role) == Address::ZERO) {
            refuse(format!("{path}.roles.{role} is missing or zero"), "name an account");
        }
    }
    for parameter in EIP1559.into_iter().chain(["gasLimit"]) {
        if chain.is_zero(parameter) {
            refuse(format!("{path}.{parameter} is missing or 0"), "set it: the chain cannot run with zero");
        }
    }
    for vault in VAULTS {
        if chain.address(vault) == Address::ZERO {
            refuse(format!("{path}.{vault} is missing or zero"), "name who receives the fees");
        }
    }
    if let Some(token) = chain.table("customGasToken") {
        let texts = ["name", "symbol"].map(|field| !token.text(field).is_empty());
        let other =
            token.get("initialLiquidity").is_some() || token.address("liquidityControllerOwner") != Address::ZERO;
        if (other || texts.contains(&true)) && texts != [true, true] {
            refuse(
                format!("{path}.customGasToken is set in part: it needs both name and symbol"),
                "set both, or remove all of it",
            );
        }
    }
    if let Some(alt_da) = chain.table("dangerousAltDAConfig").filter(|alt_da| alt_da.is_true("useAltDA")) {
        match alt_da.text("daCommitmentType") {
            "GenericCommitment" => {}
            "KeccakCommitment" => {
                for window in ["daChallengeWindow", "daResolveWindow"] {
                    if alt_da.is_zero(window) {
                        refuse(format!("{path}.dangerousAltDAConfig.{window} is missing or 0"), "set it");
                    }
                }
            }
            other => refuse(
                format!("{path}.dangerousAltDAConfig.daCommitmentType is {other:?}"),
                "set it to \"KeccakCommitment\" or \"GenericCommitment\"",
            ),
        }
        // op-deployer looks no further here
        return refusals;
    }
    if chain.is_true("useRevenueShare") && chain.address("chainFeesRecipient") == Address::ZERO {
        refuse(
            format!("{path}.useRevenueShare is on, and chainFeesRecipient is missing or zero"),
            "name the recipient",
        );
    }
    refusals
}
