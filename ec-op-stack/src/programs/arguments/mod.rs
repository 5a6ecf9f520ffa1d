//! The command lines of the services, as each of them checks its own before it starts.
//!
//! The rules are those of optimism v1.18.1: `CheckRequired`, `NewConfig` and `CLIConfig.Check` of each service, and of what
//! they share (`op-service`). A later release that takes less or more of a flag is told by its own table of flags, not here.

mod batcher;
mod challenger;
mod execution;
mod monitor;
mod node;
mod proposer;

use std::path::Path;

use super::Refusal;
use crate::{
    reads::flags::{Fault, Parsed},
    stack::{Known, Running},
};

pub use challenger::{GAME_TYPES, Vm, game_types, played};

/// What the rules ask of the host.
pub trait Host {
    /// Whether there is a file at this path, as the component sees it; `None` where that cannot be told from here.
    fn has(&self, path: &Path) -> Option<bool>;
}

/// What keeps the component from starting with its arguments and variables; empty when nothing does. Where one flag cannot be
/// read, they are not judged together.
pub fn judge(running: Running<'_>, host: &dyn Host) -> Vec<Refusal> {
    let parsed = &running.parsed();
    let mut refusals = parsed.faults.iter().map(|fault| told(running.name, fault)).collect::<Vec<_>>();
    let ends = ["help", "h", "version", "v"].into_iter().find(|flag| parsed.switch(flag) == Some(true));
    if let Some(flag) = ends {
        refusals.push(Refusal::new(format!("{}: with --{flag} it prints a text and ends", running.name), "remove it"));
    }
    if refusals.is_empty() {
        let found = match running.name {
            "op-node" => node::check(parsed, host),
            "op-batcher" => batcher::check(parsed),
            "op-proposer" => proposer::check(parsed),
            "op-challenger" => challenger::check(parsed, host),
            "op-dispute-mon" => monitor::check(parsed),
            _ => execution::check(parsed),
        };
        refusals.extend(
            found.err().map(|refusal| Refusal::new(format!("{}: {}", running.name, refusal.found), refusal.fix)),
        );
    }
    refusals
}

fn told(program: &str, fault: &Fault) -> Refusal {
    let nearest = Known::of(program).and_then(|known| known.nearest_flag(fault.what.trim_start_matches('-')));
    let fix = match nearest.filter(|_| fault.is_unknown) {
        Some(nearest) => format!("perhaps --{nearest} was meant; see {program} --help"),
        None => "correct it".to_owned(),
    };
    Refusal::new(format!("{program}: {}: {}", fault.what, fault.reason), fix)
}

type Checked = Result<(), Refusal>;

fn refuse(found: impl Into<String>, fix: impl Into<String>) -> Checked {
    Err(Refusal::new(found, fix))
}

/// The flag must be there, be it empty.
fn required(parsed: &Parsed, flags: &[&str]) -> Checked {
    match flags.iter().find(|flag| !parsed.is_set(flag)) {
        Some(flag) => refuse(format!("--{flag} is missing"), format!("set --{flag}")),
        None => Ok(()),
    }
}

/// The flag must have a text.
fn filled(parsed: &Parsed, flag: &str) -> Checked {
    if parsed.text(flag).unwrap_or_default().is_empty() {
        return refuse(format!("--{flag} is empty"), format!("set --{flag}"));
    }
    Ok(())
}

/// A number or a duration that is set may not be zero.
fn not_zero(parsed: &Parsed, flags: &[&str]) -> Checked {
    let zero = |flag: &&&str| parsed.int(flag) == Some(0) || parsed.nanoseconds(flag) == Some(0);
    match flags.iter().find(zero) {
        Some(flag) => refuse(format!("--{flag} is 0"), "give it a value above zero, or leave it out"),
        None => Ok(()),
    }
}

fn port(parsed: &Parsed, flag: &str) -> Checked {
    match parsed.int(flag) {
        Some(port) if u16::try_from(port).is_err() => refuse(format!("--{flag} is {port}"), "set a port up to 65535"),
        _ => Ok(()),
    }
}

/// `opmetrics.CLIConfig.Check` and `oppprof.CLIConfig.Check`: the ports count where the listener is on.
fn listeners(parsed: &Parsed) -> Checked {
    for (switch, flag) in [("metrics.enabled", "metrics.port"), ("pprof.enabled", "pprof.port")] {
        if parsed.switch(switch) == Some(true) {
            port(parsed, flag)?;
        }
    }
    Ok(())
}

/// `txmgr.CLIConfig.Check`: who sends transactions to L1.
fn transactions(parsed: &Parsed) -> Checked {
    filled(parsed, "l1-eth-rpc")?;
    not_zero(
        parsed,
        &[
            "num-confirmations",
            "network-timeout",
            "fee-limit-multiplier",
            "resubmission-timeout",
            "txmgr.receipt-query-interval",
            "txmgr.not-in-mempool-timeout",
            "safe-abort-nonce-too-low-count",
        ],
    )?;
    let (fee, tip) = ("txmgr.min-basefee", "txmgr.min-tip-cap");
    if parsed.float(fee).unwrap_or(1.0) < parsed.float(tip).unwrap_or(1.0) {
        return refuse(format!("--{fee} is below --{tip}"), "raise the one or lower the other; both are 1 by default");
    }
    if parsed.switch("txmgr.blob-tip-cap-dynamic") == Some(true) {
        let percentile = parsed.int("txmgr.blob-tip-cap-percentile").unwrap_or(60);
        if !(1..=100).contains(&percentile) {
            return refuse(format!("--txmgr.blob-tip-cap-percentile is {percentile}"), "set it between 1 and 100");
        }
        let range = parsed.int("txmgr.blob-tip-cap-range").unwrap_or(20);
        if range < 1 {
            return refuse(format!("--txmgr.blob-tip-cap-range is {range}"), "set it to at least 1");
        }
    }
    let remote = signer(parsed)?;
    let is_filled = |flag: &str| parsed.text(flag).is_some_and(|text| !text.is_empty());
    let ways = [is_filled("private-key"), is_filled("mnemonic"), remote];
    if ways.into_iter().filter(|way| *way).count() > 1 {
        return refuse("more than one of private key, mnemonic and signer is given", "give one of them");
    }
    Ok(())
}

/// `opsigner.CLIConfig.Check`; whether a remote signer is used.
fn signer(parsed: &Parsed) -> Result<bool, Refusal> {
    if parsed.switch("signer.tls.enabled") != Some(false) {
        for flag in ["signer.tls.ca", "signer.tls.cert", "signer.tls.key"] {
            if parsed.text(flag) == Some("") {
                return Err(Refusal::new(
                    format!("--{flag} is empty, and TLS to the signer is on by default"),
                    "name the file, or set --signer.tls.enabled=false",
                ));
            }
        }
    }
    let is_filled = |flag: &str| parsed.text(flag).is_some_and(|text| !text.is_empty());
    let given = ["signer.endpoint", "signer.address"].map(is_filled);
    if given[0] != given[1] {
        return Err(Refusal::new(
            "one of --signer.endpoint and --signer.address is given without the other",
            "give both, or none",
        ));
    }
    Ok(given[0])
}

/// `altda.CLIConfig.Check`
fn alt_da(parsed: &Parsed) -> Checked {
    if parsed.switch("altda.enabled") == Some(true) { filled(parsed, "altda.da-server") } else { Ok(()) }
}

/// An address as go-ethereum's `IsHexAddress` takes it: 40 hex digits, with or without `0x`.
fn is_address(text: &str) -> bool {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    digits.len() == 40 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
}

fn addresses(parsed: &Parsed, flag: &str) -> Checked {
    match parsed.list(flag).into_iter().find(|text| !is_address(text)) {
        Some(text) => refuse(format!("--{flag}: {text:?} is not an address"), "give addresses of 40 hex digits"),
        None => Ok(()),
    }
}

/// A chain of the programs' own registry: not the one that this host's files describe.
fn no_network(parsed: &Parsed) -> Checked {
    match parsed.list("network").into_iter().find(|name| !name.is_empty()) {
        Some(name) => refuse(
            format!("--network is {name}: a chain of the programs' registry, whatever rollup.json says"),
            "remove it: the chain's files say all",
        ),
        None => Ok(()),
    }
}

/// `FactoryAddress` of op-challenger and op-dispute-mon: the factory itself, or a network that has one.
fn factory(parsed: &Parsed) -> Checked {
    let flag = "game-factory-address";
    match parsed.text(flag) {
        Some(text) if !is_address(text) => {
            refuse(format!("--{flag} is {text:?}, which is not an address"), "give the DisputeGameFactory's address")
        }
        Some(text) if text.trim_start_matches("0x").bytes().all(|digit| digit == b'0') => {
            refuse(format!("--{flag} is the zero address"), "give the DisputeGameFactory's address")
        }
        None if parsed.list("network").is_empty() => {
            refuse(format!("--{flag} is missing"), "give the DisputeGameFactory's address")
        }
        _ => Ok(()),
    }
}
