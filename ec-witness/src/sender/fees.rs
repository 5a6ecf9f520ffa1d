//! What to pay for a unit of gas: first, and again when that was not enough.

/// What a replacement must pay more than what it replaces, percent, in both fields: `PriceBump` of geth's pool, and
/// op-geth's.
const PRICE_BUMP_PERCENT: u128 = 10;

/// Base fees that a first offer pays for. It grows by an eighth a block at most, so twice is enough for five full ones.
const BASE_FEES: u128 = 2;

/// The two fields of an EIP-1559 transaction, wei a unit of gas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fees {
    /// `maxFeePerGas`: the most that is paid, the tip included.
    pub max: u128,
    /// `maxPriorityFeePerGas`: what of it goes to who builds the block.
    pub tip: u128,
}

/// What blocks cost now, wei a unit of gas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Market {
    /// The base fee of the latest block.
    pub base_fee: u128,
    /// The tip that the endpoint suggests.
    pub tip: u128,
}

/// What this witness is ready to pay, wei a unit of gas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeeRule {
    /// The most, ever.
    pub cap: u128,
    /// The least tip, whatever the endpoint suggests.
    pub min_tip: u128,
}

impl FeeRule {
    /// A first offer; `None` while the market is above the cap.
    pub fn first(&self, market: Market) -> Option<Fees> {
        self.reaches(market).then(|| self.capped(self.wanted(market)))
    }

    /// An offer that replaces `last`: what the market asks, and in both fields at least what a pool accepts. `None`
    /// when the cap leaves no room for it, or the market is above the cap.
    pub fn next(&self, last: Fees, market: Market) -> Option<Fees> {
        let wanted = self.wanted(market);
        let least = Fees { max: bumped(last.max), tip: bumped(last.tip) };
        let next = self.capped(Fees { max: wanted.max.max(least.max), tip: wanted.tip.max(least.tip) });
        (self.reaches(market) && next.max >= least.max && next.tip >= least.tip).then_some(next)
    }

    /// Whether the cap is enough for the next block.
    fn reaches(&self, market: Market) -> bool {
        market.base_fee.saturating_add(self.min_tip) <= self.cap
    }

    fn wanted(&self, market: Market) -> Fees {
        let tip = market.tip.max(self.min_tip);
        Fees { max: market.base_fee.saturating_mul(BASE_FEES).saturating_add(tip), tip }
    }

    fn capped(&self, fees: Fees) -> Fees {
        let max = fees.max.min(self.cap);
        Fees { max, tip: fees.tip.min(max) }
    }
}

/// The least that replaces `fee`: a tenth more, rounded up, and one wei more where that is nothing.
fn bumped(fee: u128) -> u128 {
    let tenth = fee.saturating_mul(PRICE_BUMP_PERCENT).div_ceil(100);
    fee.saturating_add(tenth.max(1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RULE: FeeRule = FeeRule { cap: 1000, min_tip: 2 };

    fn market(base_fee: u128, tip: u128) -> Market {
        Market { base_fee, tip }
    }

    #[test]
    fn a_first_offer_is_twice_the_base_fee_and_the_tip_up_to_the_cap() {
        let cases = [
            (market(100, 5), Some(Fees { max: 205, tip: 5 })),
            (market(100, 0), Some(Fees { max: 202, tip: 2 })),
            (market(600, 5), Some(Fees { max: 1000, tip: 5 })),
            (market(10, 5000), Some(Fees { max: 1000, tip: 1000 })),
            (market(998, 5), Some(Fees { max: 1000, tip: 5 })),
            (market(999, 5), None),
        ];
        for (market, fees) in cases {
            assert_eq!(RULE.first(market), fees, "{market:?}");
        }
    }

    #[test]
    fn a_replacement_follows_the_market_and_pays_a_tenth_more_at_least() {
        let last = Fees { max: 205, tip: 5 };
        let cases = [
            (last, market(100, 5), Some(Fees { max: 226, tip: 6 })),
            (last, market(200, 9), Some(Fees { max: 409, tip: 9 })),
            (Fees { max: 200, tip: 0 }, market(0, 0), Some(Fees { max: 220, tip: 2 })),
            (Fees { max: 910, tip: 5 }, market(100, 5), None),
            (Fees { max: 909, tip: 5 }, market(100, 5), Some(Fees { max: 1000, tip: 6 })),
            (last, market(999, 5), None),
        ];
        for (last, market, fees) in cases {
            assert_eq!(RULE.next(last, market), fees, "{last:?} {market:?}");
        }
    }

    proptest! {
        #[test]
        fn offers_stay_below_the_cap_and_replacements_satisfy_a_pool(
            cap in 0u128..1_000_000, min_tip in 0u128..1000, base_fee in 0u128..1_000_000, tip in 0u128..10_000,
            max in 0u128..1_000_000, last_tip in 0u128..10_000,
        ) {
            let rule = FeeRule { cap, min_tip };
            let last = Fees { max, tip: last_tip.min(max) };
            for fees in [rule.first(market(base_fee, tip)), rule.next(last, market(base_fee, tip))].into_iter().flatten() {
                prop_assert!(fees.max <= cap && fees.tip <= fees.max && fees.max >= base_fee);
            }
            if let Some(next) = rule.next(last, market(base_fee, tip)) {
                // geth's rule, core/txpool/legacypool/list.go
                prop_assert!(next.max > last.max && next.tip > last.tip);
                prop_assert!(next.max >= last.max * 110 / 100 && next.tip >= last.tip * 110 / 100);
            }
        }
    }
}
