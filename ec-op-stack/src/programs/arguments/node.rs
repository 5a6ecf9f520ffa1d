//! op-node: `CheckRequired`, `NewConfig`, `Config.Check`, without the rollup file, which [`rollup`](crate::programs::rollup)
//! judges.

use std::path::Path;

use super::{Checked, Host, alt_da, filled, listeners, no_network, refuse, required};
use crate::reads::flags::Parsed;

/// The most that a parameter of the gossip mesh may be.
const MOST_MESH: i128 = 1000;

pub(super) fn check(parsed: &Parsed, host: &dyn Host) -> Checked {
    required(parsed, &["l1", "l2", "l2.jwt-secret"])?;
    no_network(parsed)?;
    let path = parsed.text("rollup.config").unwrap_or_default();
    if path.is_empty() {
        return refuse("--rollup.config is missing", "give the path of rollup.json");
    }
    if host.has(Path::new(path)) == Some(false) {
        return refuse(format!("--rollup.config: there is no {path}"), "give the path of rollup.json");
    }
    signing(parsed)?;
    peers(parsed)?;
    // a file that is missing is made, with a secret that the execution client does not know: jwt's check says so
    if parsed.text("l2.jwt-secret").unwrap_or_default().trim().is_empty() {
        return refuse("--l2.jwt-secret is empty", "give the path of the secret that the execution client has");
    }
    sync(parsed)?;
    endpoints(parsed)?;
    listeners(parsed)?;
    match parsed.text("rollup.halt").unwrap_or_default() {
        "" | "none" | "major" | "minor" | "patch" => {}
        other => {
            return refuse(format!("--rollup.halt is {other:?}"), "set none, major, minor or patch, or leave it out");
        }
    }
    if parsed.switch("conductor.enabled") == Some(true) && parsed.switch("sequencer.enabled") != Some(true) {
        return refuse("--conductor.enabled is set on a node that does not sequence", "set --sequencer.enabled");
    }
    alt_da(parsed)
}

/// Who signs unsafe blocks: at most one way.
fn signing(parsed: &Parsed) -> Checked {
    let is_filled = |flag: &str| parsed.text(flag).is_some_and(|text| !text.is_empty());
    let remote = is_filled("signer.endpoint") && is_filled("signer.address");
    if is_filled("p2p.sequencer.key") && remote {
        return refuse("both --p2p.sequencer.key and a remote signer are given", "give one of them");
    }
    if let Some(key) = parsed.value("p2p.sequencer.key").filter(|key| !key.is_empty() && !remote) {
        let digits = key.strip_prefix("0x").unwrap_or(&key);
        if digits.len() != 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return refuse("--p2p.sequencer.key is not a key of 64 hex digits", "give the key that SystemConfig names");
        }
    }
    Ok(())
}

/// `p2p.Config.Check`, as far as numbers go.
fn peers(parsed: &Parsed) -> Checked {
    if parsed.switch("p2p.disable") == Some(true) {
        return Ok(());
    }
    for flag in ["p2p.listen.tcp", "p2p.listen.udp", "p2p.advertise.tcp", "p2p.advertise.udp"] {
        if let Some(port) = parsed.int(flag).filter(|port| *port != 0 && !(1024..=65_535).contains(port)) {
            return refuse(format!("--{flag} is {port}"), "set a port between 1024 and 65535, or 0");
        }
    }
    let (low, high) = (parsed.int("p2p.peers.lo").unwrap_or(20), parsed.int("p2p.peers.hi").unwrap_or(30));
    if low == 0 || high == 0 || low > high {
        return refuse(
            format!("--p2p.peers.lo is {low}, --p2p.peers.hi {high}"),
            "set both above zero, the second not below the first",
        );
    }
    for flag in ["p2p.gossip.mesh.d", "p2p.gossip.mesh.lo", "p2p.gossip.mesh.dhi", "p2p.gossip.mesh.dlazy"] {
        if parsed.int(flag).is_some_and(|number| number == 0 || number > MOST_MESH) {
            return refuse(format!("--{flag} is 0 or above {MOST_MESH}"), "leave it out: it has a default");
        }
    }
    Ok(())
}

/// `NewSyncConfig`
fn sync(parsed: &Parsed) -> Checked {
    if parsed.is_set("l2.engine-sync") && parsed.is_set("syncmode") {
        return refuse("both --l2.engine-sync and --syncmode are set", "remove --l2.engine-sync");
    }
    if parsed.switch("p2p.sync.req-resp") == Some(false) && parsed.switch("syncmode.req-resp") != Some(false) {
        return refuse(
            "--p2p.sync.req-resp is off, and --syncmode.req-resp on, its default",
            "set --syncmode.req-resp=false too",
        );
    }
    let offset = parsed.nanoseconds("syncmode.offset-el-safe").unwrap_or(0);
    let is_by_execution =
        parsed.text("syncmode") == Some("execution-layer") || parsed.switch("l2.engine-sync") == Some(true);
    if offset < 0 || offset > 0 && !is_by_execution {
        return refuse(
            "--syncmode.offset-el-safe is below 0, or set without --syncmode=execution-layer",
            "leave it out",
        );
    }
    Ok(())
}

/// `Check` of the endpoints' configurations.
fn endpoints(parsed: &Parsed) -> Checked {
    let number = |flag: &str, default: i128| parsed.int(flag).unwrap_or(default);
    if !(1..=500).contains(&number("l1.rpc-max-batch-size", 20)) {
        return refuse("--l1.rpc-max-batch-size is not between 1 and 500", "leave it out: 20 is the default");
    }
    if parsed.float("l1.rpc-rate-limit").is_some_and(|limit| limit < 0.0) {
        return refuse("--l1.rpc-rate-limit is negative", "leave it out, or set requests a second");
    }
    if number("l1.max-concurrency", 10) < 1 {
        return refuse("--l1.max-concurrency is below 1", "leave it out: 10 is the default");
    }
    if number("l1.cache-size", 0) > 1_000_000 {
        return refuse("--l1.cache-size is above 1000000", "leave it out");
    }
    filled(parsed, "l2")?;
    if parsed.text("l1.beacon").unwrap_or_default().is_empty() && parsed.switch("l1.beacon.ignore") != Some(true) {
        return refuse("--l1.beacon is missing", "set it, or --l1.beacon.ignore where no batch was ever a blob");
    }
    let interop = parsed.text("interop.rpc.addr").unwrap_or_default();
    if !interop.is_empty() && parsed.text("interop.jwt-secret").unwrap_or_default().is_empty() {
        return refuse("--interop.rpc.addr is set without --interop.jwt-secret", "set both, or none");
    }
    Ok(())
}
