//! How fast votes are sent, so that a witness that catches up does not make its chain dear: decisions alone, no I/O.
//!
//! Blocks above the *target* make the next one dearer (EIP-1559), and whoever fills them for minutes pays for it: so what a
//! witness has on its way is bounded by a part of the target. Nothing else is in a block than what was on its way, so that
//! no block has more of it, however often it is looked and however long a block takes. All witnesses of a set catch up at
//! once, so they share. What the part does not foresee, others' load and a target that nobody told of, shows in the base fee:
//! while that rises, old epochs' votes go slower, down to an eighth, and faster again once it no longer does.
//!
//! Votes on new epochs go first. They may take the set's whole part of the target, and are slowed down to a half of it at
//! most, unless the base fee nears the most that may be paid. Old ones have a quarter of their room for themselves, and one
//! vote goes in any case, so that neither sort waits for ever.

use std::collections::BTreeMap;

/// Blocks' gas limit over their target where the chain does not say: Ethereum's (EIP-1559, `ELASTICITY_MULTIPLIER`), and
/// Anvil's.
const ELASTICITY: u64 = 2;

/// Since when an epoch is old, milliseconds after its time: as many of a minute as the newer half of a stream's window holds
/// (protocol §5.6), the other half of which is for catching up.
const OLD_AFTER_MS: u64 = 32 * 60_000;

/// Full speed, in thousandths.
const FULL: u64 = 1000;
/// The least speed of votes on old epochs.
const LEAST: u64 = FULL / 8;
/// The least speed of votes on new ones.
const LEAST_LIVE: u64 = FULL / 2;
/// What a block that did not get dearer adds.
const FASTER: u64 = FULL / 8;

/// The part of the most that may be paid from which on a base fee is too near to it. It grows by an eighth a block at most:
/// six blocks are left.
const NEAR_CAP: u128 = 2;

/// How fast votes are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaceRule {
    /// Of the gas that blocks may use without getting dearer, how much goes into votes on old epochs, of all witnesses
    /// together, percent; 0: all votes go as fast as they can.
    pub catch_up_percent: u64,
}

/// The newest block, as far as it tells how much room there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) number: u64,
    /// Unix seconds.
    pub(crate) timestamp_s: u64,
    pub(crate) gas_limit: u64,
    /// Wei a unit of gas.
    pub(crate) base_fee: u128,
    /// Its gas limit over its target, where it says so.
    pub(crate) elasticity: Option<u64>,
}

impl Block {
    /// The gas from which on the next block gets dearer.
    fn target(&self) -> u64 {
        self.gas_limit / self.elasticity.unwrap_or(ELASTICITY)
    }

    /// Whether an epoch of this time is a new one.
    pub(super) fn is_live(&self, observed_unix_ms: u64) -> bool {
        observed_unix_ms.saturating_add(OLD_AFTER_MS) >= self.timestamp_s.saturating_mul(1000)
    }
}

/// The elasticity that a block's extra data states, as OP Stack chains have it since [Holocene]: a version, then the
/// denominator and the elasticity, four bytes each; since Jovian eight bytes follow. Anything else says nothing.
///
/// [Holocene]: https://specs.optimism.io/protocol/holocene/exec-engine.html#eip-1559-parameters-in-block-header
pub(super) fn elasticity(extra_data: &[u8]) -> Option<u64> {
    let stated = match extra_data {
        [0, _, _, _, _, stated @ ..] if stated.len() == 4 => stated,
        [1, _, _, _, _, stated @ ..] if stated.len() == 12 => &stated[..4],
        _ => return None,
    };
    let stated: [u8; 4] = stated.try_into().ok()?;
    Some(u32::from_be_bytes(stated).into()).filter(|&elasticity| elasticity > 0)
}

/// Gas of what is on its way, by whether it is of new epochs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct OnItsWay {
    pub(super) live: u64,
    pub(super) old: u64,
}

/// A vote that waits: what it will probably use, and whether its epoch is a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Waiter {
    pub(super) gas: u64,
    pub(super) is_live: bool,
}

/// The speed, by what blocks have cost so far.
#[derive(Debug)]
pub(super) struct Pace {
    rule: PaceRule,
    /// Those who share the target.
    witnesses: u64,
    block: Option<Block>,
    /// Of votes on old epochs, in thousandths.
    speed: u64,
    /// Whether the base fee is near the most that may be paid.
    is_dear: bool,
    /// What was signed by this process, by nonce: the gas that it will probably use, and whether it is of new epochs.
    signed: BTreeMap<u64, Waiter>,
}

impl Pace {
    pub(super) fn new(rule: PaceRule) -> Self {
        Self { rule, witnesses: 1, block: None, speed: FULL, is_dear: false, signed: BTreeMap::new() }
    }

    /// Whether anything is paced.
    pub(super) fn is_on(&self) -> bool {
        self.rule.catch_up_percent > 0
    }

    /// So many witnesses share what there is.
    pub(super) fn among(&mut self, witnesses: usize) {
        self.witnesses = u64::try_from(witnesses).unwrap_or(u64::MAX).max(1);
    }

    /// Takes in the newest block, where no more than `cap` is paid, wei a unit of gas. An older one is passed over: another
    /// endpoint lags.
    pub(super) fn heed(&mut self, block: Block, cap: u128) {
        let before = self.block.unwrap_or(block);
        if block.number < before.number {
            return;
        }
        if block.number > before.number {
            self.speed = speed(self.speed, before.base_fee, block.base_fee);
        }
        self.is_dear = block.base_fee.saturating_mul(NEAR_CAP) >= cap;
        self.block = Some(block);
    }

    /// Whether an epoch of this time is a new one, by the newest block's time.
    pub(super) fn is_live(&self, observed_unix_ms: u64) -> bool {
        self.block.is_none_or(|block| block.is_live(observed_unix_ms))
    }

    /// The newest block's base fee, wei a unit of gas, where one was seen.
    pub(super) fn base_fee(&self) -> Option<u128> {
        self.block.map(|block| block.base_fee)
    }

    /// What part of a block's gas limit so much gas is, where a block was seen.
    pub(super) fn share_of(&self, gas: u64) -> Option<f64> {
        self.block.map(|block| gas as f64 / block.gas_limit.max(1) as f64)
    }

    /// The most gas that votes on new and on old epochs may have on its way; `None` where nothing is bounded, or no block was
    /// seen yet.
    pub(super) fn most(&self) -> Option<OnItsWay> {
        let part = self.block?.target() / self.witnesses;
        let percent = self.is_on().then_some(self.rule.catch_up_percent)?;
        let (live, old) = if self.is_dear { (LEAST, LEAST) } else { (self.speed.max(LEAST_LIVE), self.speed) };
        let at = |gas: u64, speed: u64| gas / FULL * speed;
        Some(OnItsWay { live: at(part, live), old: at(part / 100 * percent.min(100), old) })
    }

    /// Notes what a transaction will probably use.
    pub(super) fn signed(&mut self, nonce: u64, gas: u64, is_live: bool) {
        self.signed.insert(nonce, Waiter { gas, is_live });
    }

    /// What these open nonces will probably use, of which each has its gas limit; what another process signed may use all
    /// of that.
    pub(super) fn on_its_way(&mut self, open: impl Iterator<Item = (u64, u64)>) -> OnItsWay {
        let open: BTreeMap<u64, u64> = open.collect();
        self.signed.retain(|nonce, _| open.contains_key(nonce));
        let mut sum = OnItsWay::default();
        for (nonce, limit) in open {
            match self.signed.get(&nonce) {
                Some(Waiter { gas, is_live: true }) => sum.live = sum.live.saturating_add(*gas),
                Some(Waiter { gas, is_live: false }) => sum.old = sum.old.saturating_add(*gas),
                None => sum.old = sum.old.saturating_add(limit),
            }
        }
        sum
    }

    /// Which of these votes, in their order, go now beside what is on its way: the places of those on new epochs, then of
    /// those on old ones.
    pub(super) fn choose(&self, waiters: &[Waiter], mut on_its_way: OnItsWay) -> (Vec<usize>, Vec<usize>) {
        let places = |is_live| (0..waiters.len()).filter(move |&place| waiters[place].is_live == is_live);
        let Some(most) = self.most() else { return (places(true).collect(), places(false).collect()) };
        let room = most.live.saturating_sub(on_its_way.live);
        let live = fitting(waiters, places(true), room, on_its_way.live == 0);
        on_its_way.live = live.iter().fold(on_its_way.live, |sum, &place| sum.saturating_add(waiters[place].gas));
        let beside = most.old.saturating_sub(on_its_way.live.saturating_add(on_its_way.old));
        let own = (most.old / 4).saturating_sub(on_its_way.old);
        let old = fitting(waiters, places(false), beside.max(own), on_its_way.old == 0);
        (live, old)
    }
}

/// The first of these places whose votes fit in `room`; the first one in any case, where `at_least_one` is to go.
fn fitting(waiters: &[Waiter], places: impl Iterator<Item = usize>, room: u64, at_least_one: bool) -> Vec<usize> {
    let mut left = room;
    let fits = |(count, place): &(usize, usize)| {
        let rest = left.checked_sub(waiters[*place].gas);
        left = rest.unwrap_or_default();
        rest.is_some() || *count == 0 && at_least_one
    };
    places.enumerate().take_while(fits).map(|(_, place)| place).collect()
}

/// The speed after a block with this base fee, where one before it had another: half of it when that rose, and an eighth of
/// full speed more when it did not.
fn speed(speed: u64, before: u128, base_fee: u128) -> u64 {
    if base_fee > before { (speed / 2).max(LEAST) } else { (speed + FASTER).min(FULL) }
}

#[cfg(test)]
mod tests;
