//! Failure 3: versions that do not belong together.

use super::{Check, Facts, Finding};
use crate::{
    games,
    stack::{Running, Stack},
    tables::{self, Release},
    version::Version,
};

/// The first op-node whose default engine is op-reth.
const RETH_BY_DEFAULT: (u64, u64, u64) = (1, 19, 0);

pub(super) fn versions(stack: &Stack, facts: &Facts) -> Vec<Finding> {
    let mut findings = stack.running().filter_map(unreadable).collect::<Vec<_>>();
    let (Some(node), Some(client)) = (stack.get("op-node"), stack.execution()) else {
        findings.push(
            Check::Versions
                .failure("op-node and an execution client must both run", "configure op-node, and op-geth or op-reth"),
        );
        return findings;
    };
    if let Some(release) = tables::release(client.name) {
        if let (Ok(node_version), Ok(client_version)) = (node.version(), client.version()) {
            findings.push(pairing(client.name, release, &node_version, &client_version));
            findings.extend(engine_kind(node, &node_version, client.name, release));
        }
        findings.extend(support(client.name, release, facts));
    }
    findings.extend(super_roots(stack, client.name));
    findings.extend(deployer(stack, facts));
    findings
}

fn unreadable(running: Running<'_>) -> Option<Finding> {
    let error = running.version().err()?;
    Some(
        Check::Versions
            .failure(format!("{}: {error}", running.name), "pin a release, in the stack file and in the image"),
    )
}

fn pairing(client: &str, release: &Release, node: &Version, version: &Version) -> Finding {
    let pair = release.pairs.iter().rev().find(|pair| node.is_at_least(pair.node.release()));
    match pair.map(|pair| &pair.client) {
        None => Check::Versions.warning(
            format!("op-node {node} with {client} {version}: no pairing is on record, so whether they fit is not judged"),
            format!("see the release notes, or run a pair of ec-op-stack/data/releases.json ({})", recorded(release)),
        ),
        Some(oldest) if !version.is_at_least(oldest.release()) => Check::Versions.failure(
            format!("op-node {node} belongs to {client} {oldest} or newer, not to {version}: the engine API breaks at the next fork"),
            format!("pin {client} {oldest}"),
        ),
        Some(_) => Check::Versions.good(format!("op-node {node} with {client} {version}")),
    }
}

/// The pairs on record, in words.
fn recorded(release: &Release) -> String {
    let pairs = release.pairs.iter().map(|pair| format!("op-node {} with {}", pair.node, pair.client));
    pairs.collect::<Vec<_>>().join(", ")
}

/// What takes super roots, from the release on that the table names.
fn super_roots(stack: &Stack, client: &str) -> Vec<Finding> {
    let respected = super::facts::game_type(stack);
    if !games::is_super(respected) {
        return Vec::new();
    }
    let old =
        tables::release(client).into_iter().flat_map(|release| &release.super_roots).filter_map(|(name, oldest)| {
            let running = stack.get(name)?;
            let version = running.version().ok()?;
            (!version.is_at_least(oldest.release())).then(|| {
                Check::Versions.failure(
                    format!("{name} {version} does not take super roots, which games of type {respected} carry"),
                    format!("run {name} {oldest} or newer"),
                )
            })
        });
    old.collect()
}

fn engine_kind(node: Running<'_>, version: &Version, client: &str, release: &Release) -> Option<Finding> {
    let default = if version.is_at_least(RETH_BY_DEFAULT) { "reth" } else { "geth" };
    let kind = node.value("l2.enginekind").unwrap_or_else(|| default.to_owned());
    let wanted = &release.engine_kind;
    (kind != *wanted).then(|| {
        Check::Versions.failure(
            format!("op-node's l2.enginekind is {kind}, the execution client is {client}"),
            format!("set --l2.enginekind={wanted}"),
        )
    })
}

/// Of a client that knows Karst and is maintained there is nothing to say.
fn support(client: &str, release: &Release, facts: &Facts) -> Option<Finding> {
    let karst = facts.chain.rollup.as_ref().ok().and_then(|rollup| rollup.get::<u64>(&["karst_time"]));
    if let Some(time) = karst.filter(|_| !release.karst) {
        return Some(Check::Versions.failure(
            format!("rollup.json schedules Karst (karst_time {time}), which {client} does not know"),
            "change to op-reth and --l2.enginekind=reth",
        ));
    }
    release.end_of_support.as_ref().map(|end| {
        Check::Versions.warning(
            format!("{client}'s support ended on {end}; it cannot follow the Karst fork"),
            "plan the change to op-reth",
        )
    })
}

/// Each minor release of op-deployer belongs to one release of the contracts.
fn deployer(stack: &Stack, facts: &Facts) -> Option<Finding> {
    let pinned = stack.get("op-deployer")?.component.version.parse::<Version>().ok()?;
    let wrote = facts.deployer.as_ref()?.parse::<Version>().ok()?;
    (pinned != wrote).then(|| {
        Check::Versions.warning(
            format!("state.json was written by op-deployer {wrote}, pinned is {pinned}: an unknown selector would mean other contracts"),
            "use the op-deployer that deployed the chain",
        )
    })
}
