//! The `[agreement]` settings.

use clap::Args;
use ec_witness::witness::decision::Agreement;
use serde::Deserialize;

use super::defaults::with_default;

/// The agreement's constants. They must be equal at all witnesses of a ledger.
#[derive(Clone, Copy, Debug, Default, Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[command(next_help_heading = "Agreement (equal at all witnesses)")]
pub(crate) struct AgreementArgs {
    #[arg(help = with_default("How far two hosts' clocks may be apart", Agreement::default().precision_ms))]
    #[arg(long, env = "EC_WITNESS_PRECISION_MS", value_name = "MS", hide_short_help = true)]
    precision_ms: Option<u64>,

    #[arg(help = with_default("How long a record may take from host to host", Agreement::default().message_delay_ms))]
    #[arg(long, env = "EC_WITNESS_MESSAGE_DELAY_MS", value_name = "MS", hide_short_help = true)]
    message_delay_ms: Option<u64>,

    #[arg(help = with_default(
        "How long a candidate whose time alone is off is not rivalled",
        Agreement::default().time_wait_ms
    ))]
    #[arg(long, env = "EC_WITNESS_TIME_WAIT_MS", value_name = "MS", hide_short_help = true)]
    time_wait_ms: Option<u64>,

    #[arg(help = with_default(
        "How long an incomplete epoch waits for late records before an equal candidate is attested",
        Agreement::default().late_ms
    ))]
    #[arg(long, env = "EC_WITNESS_LATE_MS", value_name = "MS", hide_short_help = true)]
    late_ms: Option<u64>,

    #[arg(help = with_default("The wait between two ranks' turns to propose", Agreement::default().propose_stagger_ms))]
    #[arg(long, env = "EC_WITNESS_PROPOSE_STAGGER_MS", value_name = "MS", hide_short_help = true)]
    propose_stagger_ms: Option<u64>,

    #[arg(help = with_default(
        "How much later an incomplete epoch is proposed",
        Agreement::default().incomplete_delay_ms
    ))]
    #[arg(long, env = "EC_WITNESS_INCOMPLETE_DELAY_MS", value_name = "MS", hide_short_help = true)]
    incomplete_delay_ms: Option<u64>,

    #[arg(help = with_default("When an undecided slot counts as disputed", Agreement::default().disputed_after_ms))]
    #[arg(long, env = "EC_WITNESS_DISPUTED_AFTER_MS", value_name = "MS", hide_short_help = true)]
    disputed_after_ms: Option<u64>,

    #[arg(help = with_default(
        "Final observations that may lie between a header and its parent",
        Agreement::default().parent_window
    ))]
    #[arg(long, env = "EC_WITNESS_PARENT_WINDOW", value_name = "N", hide_short_help = true)]
    #[arg(value_parser = clap::value_parser!(u64).range(..1024))]
    parent_window: Option<u64>,

    #[arg(help = with_default("Slots of one stream that are judged at once", Agreement::default().max_inflight))]
    #[arg(long, env = "EC_WITNESS_MAX_INFLIGHT", value_name = "N", hide_short_help = true)]
    max_inflight: Option<usize>,

    #[arg(help = with_default(
        "How long a slot or a session may be undecided before its rounds begin",
        Agreement::default().round_grace_ms
    ))]
    #[arg(long, env = "EC_WITNESS_ROUND_GRACE_MS", value_name = "MS", hide_short_help = true)]
    round_grace_ms: Option<u64>,

    #[arg(help = with_default("How long a round lasts", Agreement::default().round_ms))]
    #[arg(long, env = "EC_WITNESS_ROUND_MS", value_name = "MS", hide_short_help = true)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    round_ms: Option<u64>,
}

impl AgreementArgs {
    /// The constants: these settings, the file's where these say nothing, else the defaults.
    pub(crate) fn or(self, file: Self) -> Agreement {
        let default = Agreement::default();
        Agreement {
            precision_ms: self.precision_ms.or(file.precision_ms).unwrap_or(default.precision_ms),
            message_delay_ms: self.message_delay_ms.or(file.message_delay_ms).unwrap_or(default.message_delay_ms),
            time_wait_ms: self.time_wait_ms.or(file.time_wait_ms).unwrap_or(default.time_wait_ms),
            late_ms: self.late_ms.or(file.late_ms).unwrap_or(default.late_ms),
            propose_stagger_ms: self
                .propose_stagger_ms
                .or(file.propose_stagger_ms)
                .unwrap_or(default.propose_stagger_ms),
            incomplete_delay_ms: self
                .incomplete_delay_ms
                .or(file.incomplete_delay_ms)
                .unwrap_or(default.incomplete_delay_ms),
            disputed_after_ms: self.disputed_after_ms.or(file.disputed_after_ms).unwrap_or(default.disputed_after_ms),
            parent_window: self.parent_window.or(file.parent_window).unwrap_or(default.parent_window),
            max_inflight: self.max_inflight.or(file.max_inflight).unwrap_or(default.max_inflight),
            round_grace_ms: self.round_grace_ms.or(file.round_grace_ms).unwrap_or(default.round_grace_ms),
            round_ms: self.round_ms.or(file.round_ms).unwrap_or(default.round_ms),
        }
    }
}
