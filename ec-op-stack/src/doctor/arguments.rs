//! What can be told from arguments and variables alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
};

use super::{Check, Facts, Finding, Severity};
use crate::{
    programs::arguments,
    reads::flags::Parsed,
    stack::{Known, Role, Running, Stack},
    tables::{self, Listener},
};

/// Flags whose value is a secret: every user of the host can read the arguments of a process.
const SECRETS: [&str; 9] = [
    "private-key",
    "mnemonic",
    "p2p.sequencer.key",
    "p2p.priv.raw",
    "signer.header",
    "l1.beacon-header",
    "nodekeyhex",
    "p2p-secret-key-hex",
    "rpc.jwtsecret",
];

/// Forks that can be moved on the command line of op-node and of op-geth alike.
const OVERRIDES: [&str; 8] = ["canyon", "ecotone", "fjord", "granite", "holocene", "isthmus", "jovian", "interop"];

/// Failure 9, and with it all that keeps a program from starting as it was meant.
pub(super) fn settings(stack: &Stack, facts: &Facts) -> Vec<Finding> {
    let mut findings = stack.running().flat_map(|running| component(running, facts)).collect::<Vec<_>>();
    findings.extend(stack.unset_variables().into_iter().map(|(component, variable, file)| {
        Check::Settings.failure(
            format!("{component}: {variable} comes from {}, which is missing, empty or not readable", file.display()),
            "provide the file, or ask as root",
        )
    }));
    findings.extend(overrides(stack));
    if findings.is_empty() {
        vec![Check::Settings.good("every flag and variable exists, and each program starts with its own")]
    } else {
        findings
    }
}

fn component(running: Running<'_>, facts: &Facts) -> Vec<Finding> {
    let Some(known) = Known::of(running.name) else {
        return vec![Check::Settings.warning(
            format!("{}: its flags are not on record: nothing about its arguments is judged", running.name),
            format!("compare them with {} --help", running.name),
        )];
    };
    // of a version that the tables do not describe, a flag may be new, and a rule another
    let exact = running.version().is_ok_and(|version| Known::is_of(running.name, &version));
    let severity = if exact { Severity::Failure } else { Severity::Warning };
    let parsed = running.parsed();
    let mut findings = Vec::new();
    for refusal in arguments::judge(running, facts) {
        findings.push(Finding { check: Check::Settings, verdict: severity, found: refusal.found, fix: refusal.fix });
    }
    findings.extend(dropped(running, &parsed));
    findings.extend(secrets(running, &parsed));
    findings.extend(variables(running, known, severity));
    if !exact && running.version().is_ok() {
        findings.push(Check::Settings.warning(
            format!(
                "{} {}: its flags and rules are not on record: judged by those of another release",
                running.name, running.component.version
            ),
            format!("see {} --help for what this release changed", running.name),
        ));
    }
    findings
}

/// Words that a program of Go takes for no flags: it starts, and never sees what stands behind them.
fn dropped(running: Running<'_>, parsed: &Parsed) -> Option<Finding> {
    let (first, rest) = parsed.dropped.split_first().filter(|_| running.name != "op-geth")?;
    let behind = if rest.is_empty() { String::new() } else { format!(", and {} words behind it,", rest.len()) };
    Some(Check::Settings.failure(
        format!("{}: {first:?} is no flag: it{behind} never reach the program", running.name),
        "write a value behind its flag, with =, and without a space",
    ))
}

fn secrets(running: Running<'_>, parsed: &Parsed) -> Vec<Finding> {
    let given = SECRETS.into_iter().filter(|flag| parsed.named.iter().any(|named| named == flag));
    given
        .map(|flag| {
            Check::Settings.failure(
                format!(
                    "{}: --{flag} is a secret among the arguments, which every user of the host can read",
                    running.name
                ),
                "give it by the flag's variable, from a file",
            )
        })
        .collect()
}

fn variables(running: Running<'_>, known: Known, severity: Severity) -> Vec<Finding> {
    let Some(prefix) = known.prefix else { return Vec::new() };
    let names = running.component.environment.keys().chain(running.component.environment_files.keys());
    let names = names.filter(|name| name.starts_with(prefix)).collect::<BTreeSet<_>>().into_iter();
    names
        .filter(|name| !known.has_variable(name))
        .map(|name| {
            let nearest = known.nearest_variable(name).unwrap_or_default();
            Finding {
                check: Check::Settings,
                verdict: severity,
                found: format!("{}: the variable {name} does not exist and is ignored", running.name),
                fix: format!("remove it; perhaps {nearest} was meant"),
            }
        })
        .collect()
}

/// A fork that is moved on one side only: the two disagree about every block from the earlier time on.
fn overrides(stack: &Stack) -> Vec<Finding> {
    let (Some(node), Some(client)) = (stack.get("op-node"), stack.execution()) else { return Vec::new() };
    let (node, engine) = (node.parsed(), client.parsed());
    let apart = OVERRIDES.into_iter().filter(|fork| {
        let flag = format!("override.{fork}");
        node.int(&flag) != engine.int(&flag)
    });
    apart
        .map(|fork| {
            Check::Settings.failure(
                format!(
                    "--override.{fork} is not the same on op-node and {}: they disagree from that fork on",
                    client.name
                ),
                "set it alike on both, or on none: rollup.json and genesis.json have the forks",
            )
        })
        .collect()
}

/// Failure 10, as far as it can be told before the start.
pub(super) fn batcher(stack: &Stack) -> Vec<Finding> {
    let Some(batcher) = stack.get("op-batcher") else { return Vec::new() };
    let batcher = batcher.parsed();
    let duration = batcher.int("max-channel-duration").unwrap_or(0);
    let mut findings = vec![if duration <= 0 {
        Check::Batcher.failure(
            "op-batcher's max-channel-duration is 0: on a quiet chain it posts only near the 12 h window, and the safe head stands still",
            "set --max-channel-duration, in L1 blocks: 25 is five minutes on Sepolia",
        )
    } else {
        Check::Batcher.good(format!("op-batcher posts at least every {duration} L1 blocks"))
    }];
    let throttles = batcher.int("throttle.unsafe-da-bytes-lower-threshold") != Some(0);
    let without = stack.execution().filter(|client| throttles && !client.lists("http.api", "miner"));
    if let Some(client) = without {
        findings.push(Check::Batcher.failure(
            format!(
                "op-batcher throttles through the miner API, which {} does not offer: it stops posting",
                client.name
            ),
            format!("add miner to {}'s --http.api, or set --throttle.unsafe-da-bytes-lower-threshold=0", client.name),
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
        // op-reth's metrics are one flag, address and port
        if let Some(place) = running.value("metrics").and_then(|text| text.parse::<SocketAddr>().ok()) {
            findings.extend(open(running.name, "metrics", &place.ip().to_string()));
            ports.entry(place.port()).or_default().push(format!("{} --metrics", running.name));
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
