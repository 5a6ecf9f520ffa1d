//! op-proposer: `proposer.CLIConfig.Check`.

use super::{Checked, filled, listeners, port, refuse, required, transactions};
use crate::reads::flags::Parsed;

/// Game types that want a rollup node.
const OF_ONE_CHAIN: [i128; 8] = [0, 1, 2, 3, 6, 254, 255, 1337];
/// Game types that want super roots.
const OF_SUPER_ROOTS: [i128; 2] = [4, 5];

pub(super) fn check(parsed: &Parsed) -> Checked {
    required(parsed, &["l1-eth-rpc"])?;
    port(parsed, "rpc.port")?;
    listeners(parsed)?;
    transactions(parsed)?;
    filled(parsed, "game-factory-address")?;
    // zero is the default here, and the program refuses its own default
    if parsed.nanoseconds("proposal-interval").unwrap_or(0) == 0 {
        return refuse("--proposal-interval is missing or 0", "set it, such as to 1h");
    }
    let rollup = parsed.text("rollup-rpc").is_some_and(|url| !url.is_empty());
    // either has super roots; the second since v1.17
    let supers = ["supervisor-rpcs", "supernode-rpcs"].map(|flag| !parsed.list(flag).is_empty());
    let is_super = supers.contains(&true);
    // the program keeps 32 bits of it
    let kind = parsed.int("game-type").unwrap_or(0) & i128::from(u32::MAX);
    if usize::from(rollup) + supers.iter().filter(|set| **set).count() > 1 {
        return refuse(
            "more than one of --rollup-rpc, --supervisor-rpcs and --supernode-rpcs is set",
            "set the one that the game type wants",
        );
    }
    if OF_ONE_CHAIN.contains(&kind) && !rollup {
        return refuse(format!("--rollup-rpc is missing, which games of type {kind} want"), "set --rollup-rpc");
    }
    if OF_SUPER_ROOTS.contains(&kind) && !is_super {
        return refuse(
            format!("--supervisor-rpcs or --supernode-rpcs is missing, which games of type {kind} want"),
            "set one of them; releases after Upgrade 20 call it --superroot-rpcs",
        );
    }
    if !rollup && !is_super {
        return refuse(
            "none of --rollup-rpc, --supervisor-rpcs and --supernode-rpcs is set",
            "set the one that the game type wants",
        );
    }
    Ok(())
}
