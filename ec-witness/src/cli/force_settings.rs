//! The `[force]` settings: L1, and when a transaction is sent through it.

use clap::Args;
use ec_witness::sender::FeeRule;
use eyre::OptionExt;
use serde::Deserialize;
use url::Url;

use super::defaults::with_default;

/// The most that is paid for a unit of gas on L1 where nothing else is configured.
const DEFAULT_L1_MAX_FEE_GWEI: u64 = 100;
/// For how long a transaction must have stayed out where nothing else is configured: it is for the operator to judge, and
/// nothing is said of it.
const DEFAULT_FORCE_AFTER_MS: u64 = 0;
/// The least tip on L1: the least that geth's miner takes (`--miner.gasprice`), 0.001 gwei.
const L1_MIN_TIP_WEI: u128 = 1_000_000;

const GWEI: u128 = 1_000_000_000;

/// For how long a transaction may stay out, where nothing else of L1 is needed.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Force")]
pub(crate) struct ForceAfterArg {
    #[arg(help = force_after_help())]
    #[arg(long, env = "EC_WITNESS_FORCE_AFTER_MS", value_name = "MS", hide_short_help = true)]
    force_after_ms: Option<u64>,
}

impl ForceAfterArg {
    /// Milliseconds: this, else the file's.
    pub(crate) fn or(self, file: &ForceSettingsArgs) -> u64 {
        self.force_after_ms.unwrap_or_else(|| file.force_after_ms())
    }
}

fn force_after_help() -> String {
    let help = "Milliseconds for which a transaction must have stayed out before `force` takes it, and after which the log \
                and `status` say so unless it is 0";
    with_default(help, DEFAULT_FORCE_AFTER_MS)
}

/// How a witness gets around a sequencer.
#[derive(Clone, Default, Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[command(next_help_heading = "Force")]
pub(crate) struct ForceSettingsArgs {
    /// URL of a JSON-RPC endpoint of the L1, http or https.
    #[arg(long, env = "EC_WITNESS_L1_RPC", value_name = "URL", hide_env_values = true)]
    l1_rpc: Option<Url>,

    #[arg(help = with_default("The most that is paid for a unit of gas on L1", DEFAULT_L1_MAX_FEE_GWEI))]
    #[arg(long, env = "EC_WITNESS_L1_MAX_FEE_GWEI", value_name = "GWEI")]
    l1_max_fee_gwei: Option<u64>,

    #[arg(help = force_after_help())]
    #[arg(long, env = "EC_WITNESS_FORCE_AFTER_MS", value_name = "MS")]
    force_after_ms: Option<u64>,
}

/// The URL's path and query may be secret.
impl std::fmt::Debug for ForceSettingsArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ForceSettingsArgs").field("force_after_ms", &self.force_after_ms).finish_non_exhaustive()
    }
}

impl ForceSettingsArgs {
    /// These settings, and the file's where these say nothing.
    pub(crate) fn or(self, file: Self) -> Self {
        Self {
            l1_rpc: self.l1_rpc.or(file.l1_rpc),
            l1_max_fee_gwei: self.l1_max_fee_gwei.or(file.l1_max_fee_gwei),
            force_after_ms: self.force_after_ms.or(file.force_after_ms),
        }
    }

    pub(super) fn l1_rpc(&self) -> eyre::Result<Url> {
        let unset = "l1_rpc is not set: give --l1-rpc URL, EC_WITNESS_L1_RPC, or l1_rpc in [force]";
        self.l1_rpc.clone().ok_or_eyre(unset)
    }

    /// What is paid on L1.
    pub(super) fn fees(&self) -> FeeRule {
        let cap = u128::from(self.l1_max_fee_gwei.unwrap_or(DEFAULT_L1_MAX_FEE_GWEI)) * GWEI;
        FeeRule { cap, min_tip: L1_MIN_TIP_WEI }
    }

    /// For how long a transaction must have stayed out, milliseconds.
    pub(crate) fn force_after_ms(&self) -> u64 {
        self.force_after_ms.unwrap_or(DEFAULT_FORCE_AFTER_MS)
    }
}
