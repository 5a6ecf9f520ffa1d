//! The `[run]` settings: how often the witness looks, and how it sends.

use std::{num::NonZeroUsize, str::FromStr, time::Duration};

use clap::Args;
use ec_witness::sender::{FeeRule, PaceRule, SendRule, SpendRule};
use serde::Deserialize;

use super::defaults::with_default;

/// Milliseconds between two polls of the ledger where nothing else is configured: half an OP Stack block.
const DEFAULT_POLL_MS: u64 = 1_000;
/// The most that is paid for a unit of gas where nothing else is configured.
const DEFAULT_MAX_FEE_GWEI: u64 = 100;
/// The least tip where nothing else is configured: what op-geth suggests at least
/// (`--gpo.minsuggestedpriorityfee`), 0.001 gwei.
const DEFAULT_MIN_TIP_WEI: u64 = 1_000_000;
/// Blocks that a transaction may wait before its fees are raised: op-service resubmits after 48 s, four blocks of L1.
const BUMP_AFTER_BLOCKS: u64 = 4;
/// The block time that is taken where none is configured: the OP Stack's.
const DEFAULT_BLOCK_TIME_MS: u64 = 2_000;
/// Blocks that a transaction may wait before its bytes are sent again.
const RESEND_AFTER_BLOCKS: u64 = 3;
/// What geth's pool guarantees to an account (`--txpool.accountslots`).
const DEFAULT_MAX_IN_FLIGHT: usize = 16;
/// As many votes as slots of one stream are judged at once: 10.3 million gas, where EIP-7825 allows 16.8.
const DEFAULT_MAX_BATCH: usize = 64;

/// Transactions that carry votes of one slot, ever: a vote, some repetitions after reorgs and stale proposals, and a move in
/// each of a dozen rounds.
const DEFAULT_MAX_SENDS_PER_SLOT: usize = 16;
/// Of what blocks take without getting dearer, percent, for votes on old epochs of all witnesses together: half, so that
/// others' transactions and the votes on new epochs find room below the target, too.
const DEFAULT_CATCH_UP_PERCENT: Percent = Percent(50);

/// Gas within an hour: 37 000 proposals in batches or 180 000 attestations, which is a day of fifty streams caught up
/// with in an hour, and 0.002 ether at an OP Stack chain's least fees.
const DEFAULT_MAX_GAS_PER_HOUR: u64 = 2_000_000_000;

const GWEI: u128 = 1_000_000_000;

/// How the daemon goes about its work; nothing here needs to be equal at all witnesses.
#[derive(Clone, Copy, Debug, Default, Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[command(next_help_heading = "Run")]
pub(crate) struct RunSettingsArgs {
    #[arg(help = with_default("Milliseconds between two polls of the ledger", DEFAULT_POLL_MS))]
    #[arg(long, env = "EC_WITNESS_POLL_MS", value_name = "MS", value_parser = clap::value_parser!(u64).range(1..))]
    poll_ms: Option<u64>,

    #[arg(help = with_default("The most that is paid for a unit of gas", DEFAULT_MAX_FEE_GWEI))]
    #[arg(long, env = "EC_WITNESS_MAX_FEE_GWEI", value_name = "GWEI")]
    max_fee_gwei: Option<u64>,

    #[arg(help = with_default("The least tip for a unit of gas", DEFAULT_MIN_TIP_WEI))]
    #[arg(long, env = "EC_WITNESS_MIN_TIP_WEI", value_name = "WEI", hide_short_help = true)]
    min_tip_wei: Option<u64>,

    #[arg(help = with_default(
        "How long a pool may hold a transaction before its fees are raised",
        format_args!("{BUMP_AFTER_BLOCKS} blocks")
    ))]
    #[arg(long, env = "EC_WITNESS_BUMP_AFTER_MS", value_name = "MS", hide_short_help = true)]
    bump_after_ms: Option<u64>,

    #[arg(help = with_default(
        "How long a transaction may wait before its bytes are sent again",
        format_args!("{RESEND_AFTER_BLOCKS} blocks")
    ))]
    #[arg(long, env = "EC_WITNESS_RESEND_AFTER_MS", value_name = "MS", hide_short_help = true)]
    resend_after_ms: Option<u64>,

    #[arg(help = with_default("Transactions that may wait for execution at once", DEFAULT_MAX_IN_FLIGHT))]
    #[arg(long, env = "EC_WITNESS_MAX_IN_FLIGHT", value_name = "N", hide_short_help = true)]
    max_in_flight: Option<NonZeroUsize>,

    #[arg(help = with_default("Votes in one transaction, where a block's gas allows it", DEFAULT_MAX_BATCH))]
    #[arg(long, env = "EC_WITNESS_MAX_BATCH", value_name = "N", hide_short_help = true)]
    max_batch: Option<NonZeroUsize>,

    #[arg(help = with_default("Transactions that may carry votes of one slot, ever", DEFAULT_MAX_SENDS_PER_SLOT))]
    #[arg(long, env = "EC_WITNESS_MAX_SENDS_PER_SLOT", value_name = "N", hide_short_help = true)]
    max_sends_per_slot: Option<NonZeroUsize>,

    #[arg(help = with_default("Gas that may be spent within an hour", DEFAULT_MAX_GAS_PER_HOUR))]
    #[arg(long, env = "EC_WITNESS_MAX_GAS_PER_HOUR", value_name = "GAS")]
    max_gas_per_hour: Option<u64>,

    #[arg(help = with_default(
        "Of the gas that blocks take without getting dearer, how much goes into votes on old epochs, of all witnesses \
         together, percent; 0: as fast as it goes",
        DEFAULT_CATCH_UP_PERCENT.0
    ))]
    #[arg(long, env = "EC_WITNESS_CATCH_UP_PERCENT", value_name = "PERCENT")]
    catch_up_percent: Option<Percent>,
}

/// A part of a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u64")]
struct Percent(u8);

impl TryFrom<u64> for Percent {
    type Error = String;

    fn try_from(percent: u64) -> Result<Self, String> {
        match u8::try_from(percent) {
            Ok(percent) if percent <= 100 => Ok(Self(percent)),
            _ => Err(format!("{percent} percent is more than the whole; write a number from 0 to 100")),
        }
    }
}

impl FromStr for Percent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse::<u64>().map_err(|error| error.to_string())?.try_into()
    }
}

impl RunSettingsArgs {
    /// These settings, and the file's where these say nothing.
    pub(crate) fn or(self, file: Self) -> Self {
        Self {
            poll_ms: self.poll_ms.or(file.poll_ms),
            max_fee_gwei: self.max_fee_gwei.or(file.max_fee_gwei),
            min_tip_wei: self.min_tip_wei.or(file.min_tip_wei),
            bump_after_ms: self.bump_after_ms.or(file.bump_after_ms),
            resend_after_ms: self.resend_after_ms.or(file.resend_after_ms),
            max_in_flight: self.max_in_flight.or(file.max_in_flight),
            max_batch: self.max_batch.or(file.max_batch),
            max_sends_per_slot: self.max_sends_per_slot.or(file.max_sends_per_slot),
            max_gas_per_hour: self.max_gas_per_hour.or(file.max_gas_per_hour),
            catch_up_percent: self.catch_up_percent.or(file.catch_up_percent),
        }
    }

    /// The time between two polls of the ledger.
    pub(crate) fn poll(&self) -> Duration {
        Duration::from_millis(self.poll_ms.unwrap_or(DEFAULT_POLL_MS))
    }

    /// How votes are sent on a chain of this block time.
    pub(crate) fn sending(&self, block_time: Option<Duration>) -> SendRule {
        let block_time_ms = block_time.map_or(DEFAULT_BLOCK_TIME_MS, |time| time.as_millis() as u64);
        SendRule {
            fees: FeeRule {
                cap: u128::from(self.max_fee_gwei.unwrap_or(DEFAULT_MAX_FEE_GWEI)) * GWEI,
                min_tip: self.min_tip_wei.unwrap_or(DEFAULT_MIN_TIP_WEI).into(),
            },
            bump_after_ms: self.bump_after_ms.unwrap_or(BUMP_AFTER_BLOCKS * block_time_ms),
            resend_after_ms: self.resend_after_ms.unwrap_or(RESEND_AFTER_BLOCKS * block_time_ms),
            max_in_flight: self.max_in_flight.map_or(DEFAULT_MAX_IN_FLIGHT, NonZeroUsize::get),
            max_batch: self.max_batch.map_or(DEFAULT_MAX_BATCH, NonZeroUsize::get),
            spending: SpendRule {
                max_sends_per_slot: self.max_sends_per_slot.map_or(DEFAULT_MAX_SENDS_PER_SLOT, NonZeroUsize::get),
                max_gas_per_hour: self.max_gas_per_hour.unwrap_or(DEFAULT_MAX_GAS_PER_HOUR),
            },
            pace: PaceRule { catch_up_percent: self.catch_up_percent.unwrap_or(DEFAULT_CATCH_UP_PERCENT).0.into() },
        }
    }
}
