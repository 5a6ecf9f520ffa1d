//! What transactions need: funds, nonces, pools; and disks.

use alloy::primitives::{U256, utils::format_ether};
use ec_screen::short_decimal;

use super::{
    super::facts::{Account, Disk, Fact, Status},
    Judgement, Relation,
    games::interval_s,
    log_of, with,
};
use crate::stack::{LOW_BALANCE_WEI, Stack};

/// A slot of L1, in seconds.
const L1_SLOT_S: u64 = 12;
/// op-service sends a transaction again, dearer, after 48 s. One that waits this long is stuck, in seconds.
const STUCK_S: u64 = 600;
/// geth's default for what its pool holds of transactions that can go into a block.
const POOL_SLOTS: u64 = 5120;
/// Below this a disk is full soon, in bytes.
const LITTLE_FREE_BYTES: u64 = 5 << 30;
/// Below this it is as good as full, in bytes. op-geth stops at 512 MiB.
const LEAST_FREE_BYTES: u64 = 1 << 30;

/// A row with a finding for each account.
macro_rules! by_account {
    ($name:literal, $holds:literal, $rests_on:expr, $follows_from:expr, $rule:expr) => {
        Relation {
            name: $name,
            holds: $holds,
            rests_on: $rests_on,
            follows_from: $follows_from,
            rule: |stack, status| {
                let rule: fn(&Stack, &Status, &Account) -> Option<Judgement> = $rule;
                let judged = status
                    .accounts
                    .iter()
                    .filter_map(|account| rule(stack, status, account).map(|judgement| judgement.of(account.role)));
                judged.collect()
            },
        }
    };
}

pub(super) const FUNDS: Relation = by_account!(
    "funds",
    "each account that sends transactions has 0.05 ETH on L1",
    &["l1"],
    &["l1-limits"],
    |_, _, account| with(&account.balance_wei, |wei| Some(funds(account, wei)))
);

fn funds(account: &Account, wei: &str) -> Judgement {
    let Ok(balance) = wei.parse::<U256>() else { return Judgement::unknown(format!("{wei} is no balance"), "") };
    let ether = format_ether(balance);
    let ether = short_decimal(&ether, 18);
    if balance < LOW_BALANCE_WEI {
        let found = format!("the {} has only {ether} ETH on L1", account.role);
        Judgement::failure(found, format!("send ETH to {}", account.address))
    } else {
        Judgement::good(format!("{ether} ETH"))
    }
}

pub(super) const NONCES: Relation = by_account!(
    "nonces",
    "L1's pool knows all of an account's transactions that are in blocks",
    &["l1"],
    &["l1-limits"],
    |_, _, account| with(&account.nonce, |latest| with(&account.nonce_pending, |pending| Some(nonces(
        account, *latest, *pending
    ))))
);

fn nonces(account: &Account, latest: u64, pending: u64) -> Judgement {
    if pending < latest {
        Judgement::failure(
            format!(
                "L1's endpoint has {latest} transactions of the {} in blocks, and {pending} with its pool: it is many nodes",
                account.role
            ),
            "give the components' L1 settings one node, or a service that answers as one",
        )
    } else {
        Judgement::good(format!("{} under way", pending - latest))
    }
}

pub(super) const STUCK: Relation = by_account!(
    "stuck",
    "what an account has sent gets into a block of L1 within ten minutes",
    &["l1", "nonces"],
    &["l1-limits", "l1-age", "funds"],
    stuck
);

/// How long something waits is known by having watched, or by when the account, which has a rhythm, sent its last.
fn stuck(stack: &Stack, status: &Status, account: &Account) -> Option<Judgement> {
    let pending = account.pending()?;
    let watched = account.pending_since_unix_s.map(|since| status.unix_s.saturating_sub(since));
    let overdue = account.last_post.age_s().zip(rhythm_s(stack, account.role));
    let overdue = overdue.map(|(age, rhythm)| age.saturating_sub(rhythm));
    let seconds = watched.max(overdue).unwrap_or_default();
    Some(if pending > 0 && seconds > STUCK_S {
        let unit = format!("op-{}", account.role);
        Judgement::failure(
            format!("{pending} transactions of the {} wait in L1's pool, for {seconds} s or longer", account.role),
            format!("{}: underpriced, or another service sends from {}", log_of(&unit), account.address),
        )
    } else {
        Judgement::good(format!("{pending} under way"))
    })
}

/// At the latest so long after its last transaction an account sends the next one.
fn rhythm_s(stack: &Stack, role: &str) -> Option<u64> {
    match role {
        "batcher" => {
            let blocks = stack.get("op-batcher")?.value("max-channel-duration")?.parse::<u64>().ok()?;
            Some(blocks.saturating_mul(L1_SLOT_S)).filter(|seconds| *seconds > 0)
        }
        "proposer" => Some(interval_s(stack.get("op-proposer")?)),
        _ => None,
    }
}

pub(super) const POOL: Relation = Relation {
    name: "pool",
    holds: "the execution client's pool is not four fifths full",
    rests_on: &["execution"],
    follows_from: &["unsafe-age"],
    rule: |stack, status| pool(stack, status).into_iter().collect(),
};

fn pool(stack: &Stack, status: &Status) -> Option<Judgement> {
    let slots = stack.execution().and_then(|client| client.value("txpool.globalslots")?.parse().ok());
    let slots: u64 = slots.unwrap_or(POOL_SLOTS);
    with(&status.pool, |pool| {
        Some(if pool.pending > slots / 5 * 4 {
            Judgement::warning(
                format!(
                    "{} transactions wait in the L2's pool, which holds {slots}: blocks do not take them",
                    pool.pending
                ),
                format!(
                    "the batcher limits blocks where it lags: {}; or somebody floods the chain",
                    log_of("op-batcher")
                ),
            )
        } else {
            Judgement::good(format!("{} pending, {} queued", pool.pending, pool.queued))
        })
    })
}

pub(super) const DISK: Relation = Relation {
    name: "disk",
    holds: "there are 5 GiB left where a component writes; below 1 GiB it is a failure",
    rests_on: &[],
    follows_from: &[],
    rule: |_, status| status.disks.iter().filter_map(disk).collect(),
};

fn disk(disk: &Disk) -> Option<Judgement> {
    let judge = |free: u64| {
        let found = format!("{} MiB are left below {}", free >> 20, disk.path);
        let fix = format!("make room: `df -h {}`", disk.path);
        if free < LEAST_FREE_BYTES {
            Judgement::failure(found, fix)
        } else if free < LITTLE_FREE_BYTES {
            Judgement::warning(found, fix)
        } else {
            Judgement::good(found)
        }
    };
    let judgement = match &disk.free_bytes {
        Fact::Unknown(silence) => Judgement::unknown(silence.why.clone(), "run it as root"),
        fact => judge(*fact.known()?),
    };
    Some(judgement.of(disk.component.clone()))
}
