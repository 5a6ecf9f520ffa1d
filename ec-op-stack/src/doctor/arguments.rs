//! What can be told from arguments and variables alone.

use std::collections::{BTreeMap, BTreeSet};

use super::{Check, Finding};
use crate::stack::{Known, Role, Running, Stack};

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

/// A listener: the flags of its address and port, the default port, and the switch that turns it on.
struct Listener {
    address: &'static str,
    port: &'static str,
    default_port: u16,
    switch: Option<&'static str>,
}

const fn listener(
    address: &'static str,
    port: &'static str,
    default_port: u16,
    switch: Option<&'static str>,
) -> Listener {
    Listener { address, port, default_port, switch }
}

const METRICS: Listener = listener("metrics.addr", "metrics.port", 7300, Some("metrics.enabled"));
const PPROF: Listener = listener("pprof.addr", "pprof.port", 6060, Some("pprof.enabled"));

fn listeners_of(component: &str) -> Vec<Listener> {
    match component {
        "op-geth" => vec![
            listener("http.addr", "http.port", 8545, Some("http")),
            listener("ws.addr", "ws.port", 8546, Some("ws")),
            listener("authrpc.addr", "authrpc.port", 8551, None),
        ],
        "op-node" => vec![listener("rpc.addr", "rpc.port", 9545, None), METRICS, PPROF],
        "op-batcher" | "op-proposer" => vec![listener("rpc.addr", "rpc.port", 8545, None), METRICS, PPROF],
        "op-challenger" | "op-dispute-mon" => vec![METRICS, PPROF],
        _ => Vec::new(),
    }
}

/// Not among the ten, and what two of them hide behind: listeners open to the world, or on one port.
pub(super) fn listeners(stack: &Stack) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut ports = BTreeMap::<u16, Vec<String>>::new();
    for running in stack.running() {
        let on = |listener: &Listener| listener.switch.is_none_or(|switch| running.is_on(switch));
        for listener in listeners_of(running.name).into_iter().filter(on) {
            findings.extend(open(running, &listener));
            let port = running.value(listener.port).and_then(|port| port.parse().ok()).unwrap_or(listener.default_port);
            ports.entry(port).or_default().push(format!("{} --{}", running.name, listener.port));
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

fn open(running: Running<'_>, listener: &Listener) -> Option<Finding> {
    let is_geth = running.name == "op-geth";
    let address =
        running.value(listener.address).unwrap_or_else(|| if is_geth { "127.0.0.1" } else { "0.0.0.0" }.to_owned());
    let loopback = matches!(address.as_str(), "127.0.0.1" | "::1" | "localhost");
    (!loopback).then(|| {
        Check::Listeners.warning(
            format!("{}: --{} is {address}: anyone who reaches the host reaches it", running.name, listener.address),
            format!("set --{}=127.0.0.1", listener.address),
        )
    })
}
