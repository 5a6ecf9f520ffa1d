//! What can be told from arguments and variables alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::{Check, Finding};
use crate::{
    stack::{Known, Role, Running, Stack},
    tables::{self, Listener},
};

/// Failure 6.
pub(super) fn history(stack: &Stack) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(geth) = stack.get("op-geth") {
        let archive = geth.value("gcmode").as_deref() == Some("archive");
        let hashed = geth.value("state.scheme").is_none_or(|scheme| scheme == "hash");
        findings.push(match (archive, hashed) {
            (true, true) => Check::History.good("op-geth keeps the state of every block"),
            (false, _) => Check::History.failure(
                "op-geth prunes state: proofs of old withdrawals and the challenger need it",
                "add --gcmode=archive before the first start; a pruned datadir must sync again",
            ),
            (_, false) => Check::History.failure(
                "op-geth's path scheme serves no old proofs",
                "initialise with --state.scheme=hash; a datadir cannot be converted",
            ),
        });
    }
    let node = stack.get("op-node").filter(|_| stack.get("op-challenger").is_some());
    if let Some(node) = node {
        findings.push(match node.value("safedb.path").filter(|path| !path.is_empty()) {
            Some(_) => Check::History.good("op-node records safe heads"),
            None => Check::History.failure(
                "op-node keeps no record of safe heads, which the challenger asks for",
                "add --safedb.path=DIR to op-node; it fills from now on only",
            ),
        });
    }
    findings
}

/// Failure 9.
pub(super) fn settings(stack: &Stack) -> Vec<Finding> {
    let judged = stack.running().filter_map(|running| Some((running, Known::of(running.name)?)));
    let mut findings = judged.flat_map(|(running, known)| unknown(running, known)).collect::<Vec<_>>();
    findings.extend(stack.unset_variables().into_iter().map(|(component, variable, file)| {
        Check::Settings.failure(
            format!("{component}: {variable} comes from {}, which is missing, empty or not readable", file.display()),
            "provide the file, or ask as root",
        )
    }));
    if findings.is_empty() { vec![Check::Settings.good("every flag and variable exists")] } else { findings }
}

fn unknown(running: Running<'_>, known: Known) -> Vec<Finding> {
    // of a version that the tables do not describe, a flag may be new
    let exact = running.version().is_ok_and(|version| Known::is_of(running.name, &version));
    let report = |found: String, fix: String| {
        if exact { Check::Settings.failure(found, fix) } else { Check::Settings.warning(found, fix) }
    };
    let names = running.component.environment.keys().chain(running.component.environment_files.keys());
    let names = names.filter(|name| name.starts_with(known.prefix)).collect::<BTreeSet<_>>().into_iter();
    let variables = names.filter(|name| !known.has_variable(name)).map(|name| {
        let nearest = known.nearest_variable(name).unwrap_or_default();
        report(
            format!("{}: the variable {name} does not exist and is ignored", running.name),
            format!("remove it; perhaps {nearest} was meant"),
        )
    });
    let flags = running.flags().into_iter().filter(|flag| !known.has_flag(flag)).map(|flag| {
        report(
            format!("{}: there is no flag --{flag}: it refuses to start", running.name),
            format!("see {} --help", running.name),
        )
    });
    variables.chain(flags).collect()
}

/// Failure 10, as far as it can be told before the start.
pub(super) fn batcher(stack: &Stack) -> Vec<Finding> {
    let Some(batcher) = stack.get("op-batcher") else { return Vec::new() };
    let duration = batcher.value("max-channel-duration").and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    let mut findings = vec![if duration == 0 {
        Check::Batcher.failure(
            "op-batcher's max-channel-duration is 0: on a quiet chain it posts only near the 12 h window, and the safe head stands still",
            "set --max-channel-duration, in L1 blocks: 25 is five minutes on Sepolia",
        )
    } else {
        Check::Batcher.good(format!("op-batcher posts at least every {duration} L1 blocks"))
    }];
    let throttles = batcher.value("throttle.unsafe-da-bytes-lower-threshold").as_deref() != Some("0");
    let has_api = stack.get("op-geth").is_none_or(|geth| geth.lists("http.api", "miner"));
    if throttles && !has_api {
        findings.push(Check::Batcher.failure(
            "op-batcher throttles through the miner API, which op-geth does not offer: it stops posting",
            "add miner to op-geth's --http.api, or set --throttle.unsafe-da-bytes-lower-threshold=0",
        ));
    }
    let has_admin = stack.get("op-node").is_some_and(|node| node.is_on("sequencer.enabled"));
    if stack.role == Role::Sequencer && !has_admin {
        findings.push(
            Check::Batcher.failure("op-node does not sequence on the sequencer", "add --sequencer.enabled to op-node"),
        );
    }
    findings
}

/// Not among the ten, and what two of them hide behind: listeners open to the world, or on one port.
pub(super) fn listeners(stack: &Stack) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut ports = BTreeMap::<u16, Vec<String>>::new();
    for running in stack.running() {
        let on = |listener: &&Listener| listener.enabled_by.as_ref().is_none_or(|switch| running.is_on(switch));
        let listeners = tables::program(running.name).into_iter().flat_map(|program| &program.listeners);
        for listener in listeners.filter(on) {
            let flag = listener.address_flag();
            let Some(address) = running.value(&flag).or_else(|| listener.address.clone()) else { continue };
            findings.extend(open(running.name, &flag, &address));
            let user = format!("{} --{}", running.name, listener.port_flag());
            ports.entry(running.port(listener)).or_default().push(user);
        }
    }
    let shared = ports.into_iter().filter(|(port, users)| *port != 0 && users.len() > 1);
    findings.extend(shared.map(|(port, users)| {
        Check::Listeners.failure(format!("{} are all {port}", users.join(", ")), "give each a port of its own")
    }));
    if findings.is_empty() {
        vec![Check::Listeners.good("every listener is on loopback, on a port of its own")]
    } else {
        findings
    }
}

fn open(component: &str, flag: &str, address: &str) -> Option<Finding> {
    let loopback = address == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    (!loopback).then(|| {
        Check::Listeners.warning(
            format!("{component}: --{flag} is {address}: anyone who reaches the host reaches it"),
            format!("set --{flag}=127.0.0.1"),
        )
    })
}
