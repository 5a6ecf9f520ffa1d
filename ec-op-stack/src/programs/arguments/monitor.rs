//! op-dispute-mon: `CheckRequired`, `NewConfigFromCLI`, `Config.Check`.

use super::{Checked, addresses, factory, filled, listeners, no_network, not_zero, refuse, required};
use crate::reads::flags::Parsed;

pub(super) fn check(parsed: &Parsed) -> Checked {
    required(parsed, &["l1-eth-rpc"])?;
    if parsed.list("rollup-rpc").is_empty() && parsed.list("supernode-rpc").is_empty() {
        return refuse("neither --rollup-rpc nor --supernode-rpc is set", "set --rollup-rpc");
    }
    no_network(parsed)?;
    factory(parsed)?;
    for flag in ["honest-actors", "ignored-games"] {
        addresses(parsed, flag)?;
    }
    not_zero(parsed, &["max-concurrency"])?;
    filled(parsed, "l1-eth-rpc")?;
    listeners(parsed)
}
