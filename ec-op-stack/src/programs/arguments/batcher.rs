//! op-batcher: `batcher.CLIConfig.Check`.

use super::{Checked, filled, listeners, not_zero, port, refuse, required, transactions};
use crate::reads::flags::Parsed;

/// The most blobs of a transaction, by Prague's configuration.
const MOST_BLOBS: i128 = 9;
const COMPRESSORS: [&str; 3] = ["ratio", "none", "shadow"];
const CONTROLLERS: [&str; 4] = ["step", "linear", "quadratic", "pid"];

pub(super) fn check(parsed: &Parsed) -> Checked {
    actions(parsed)?;
    required(parsed, &["l1-eth-rpc", "l2-eth-rpc", "rollup-rpc"])?;
    filled(parsed, "l1-eth-rpc")?;
    let (engines, nodes) = (parsed.list("l2-eth-rpc").len(), parsed.list("rollup-rpc").len());
    if engines != nodes {
        return refuse(
            format!("--l2-eth-rpc has {engines} URLs, --rollup-rpc {nodes}"),
            "give as many of the one as of the other, in the same order",
        );
    }
    not_zero(parsed, &["poll-interval"])?;
    if parsed.int("max-l1-tx-size-bytes").is_some_and(|size| size <= 1) {
        return refuse("--max-l1-tx-size-bytes is not above 1", "leave it out: 120000 is the default");
    }
    let frames = parsed.int("target-num-frames").unwrap_or(1);
    let blobs = parsed.text("data-availability-type").is_some_and(|kind| kind != "calldata");
    if frames < 1 {
        return refuse(format!("--target-num-frames is {frames}"), "set it to at least 1");
    }
    if parsed.text("compressor") == Some("ratio") {
        let ratio = parsed.float("approx-compr-ratio").unwrap_or(0.6);
        if ratio <= 0.0 || ratio > 1.0 {
            return refuse(format!("--approx-compr-ratio is {ratio}"), "set it above 0 and up to 1");
        }
    }
    if parsed.int("batch-type").is_some_and(|kind| kind > 1) {
        return refuse("--batch-type is neither 0 nor 1", "set 0 for singular batches, 1 for span batches");
    }
    if parsed.int("check-recent-txs-depth").is_some_and(|depth| depth > 128) {
        return refuse("--check-recent-txs-depth is above 128", "set op-node's --verifier.l1-confs");
    }
    if blobs && frames > MOST_BLOBS {
        return refuse(
            format!("--target-num-frames is {frames}, and a transaction carries at most {MOST_BLOBS} blobs"),
            format!("set it to {MOST_BLOBS} or less"),
        );
    }
    throttle(parsed)?;
    listeners(parsed)?;
    transactions(parsed)?;
    port(parsed, "rpc.port")
}

/// What flags check by themselves when they are given.
fn actions(parsed: &Parsed) -> Checked {
    for (flag, allowed) in [("compressor", &COMPRESSORS[..]), ("throttle.controller-type", &CONTROLLERS[..])] {
        if let Some(text) = parsed.text(flag).filter(|text| !allowed.contains(text)) {
            return refuse(format!("--{flag} is {text:?}"), format!("set one of {}", allowed.join(", ")));
        }
    }
    for flag in ["throttle.pid-kp", "throttle.pid-ki", "throttle.pid-kd"] {
        if parsed.float(flag).is_some_and(|gain| gain < 0.0) {
            return refuse(format!("--{flag} is negative"), "leave it out: it has a default");
        }
    }
    let most = |flag: &str, most: f64| parsed.float(flag).is_some_and(|value| value <= 0.0 || value > most);
    if most("throttle.pid-integral-max", f64::INFINITY) || most("throttle.pid-output-max", 1.0) {
        return refuse(
            "--throttle.pid-integral-max or --throttle.pid-output-max is out of range",
            "set the first above 0, the second above 0 and up to 1",
        );
    }
    Ok(())
}

/// `ThrottleConfig.Check`
fn throttle(parsed: &Parsed) -> Checked {
    let number = |flag: &str, default: i128| parsed.int(flag).unwrap_or(default);
    let pairs = [
        ("throttle.unsafe-da-bytes-lower-threshold", 3_200_000, "throttle.unsafe-da-bytes-upper-threshold", 12_800_000),
        ("throttle.block-size-lower-limit", 2_000, "throttle.block-size-upper-limit", 130_000),
        ("throttle.tx-size-lower-limit", 150, "throttle.tx-size-upper-limit", 20_000),
    ];
    for (lower, low, upper, high) in pairs {
        if lower.starts_with("throttle.tx") && parsed.text("throttle.controller-type") == Some("step") {
            continue;
        }
        let (low, high) = (number(lower, low), number(upper, high));
        if low > 0 && low >= high {
            return refuse(
                format!("--{lower} is {low}, --{upper} {high}"),
                "set the second above the first, or the first to 0",
            );
        }
    }
    Ok(())
}
