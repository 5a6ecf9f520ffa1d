//! Which calls are forced: the lowest nonces, as a deposit uses the one that comes. One decision, no I/O.

use alloy::primitives::Address;

use crate::sender::Stuck;

/// Why a call is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Left {
    /// Repeating it could do something twice.
    #[error("it is no call to the ledger; the sequencer has to take it, or the key that signs it has to be replaced")]
    NoVote,
    /// It may still be taken.
    #[error("it has been out for {out_ms} ms, and force_after_ms is {force_after_ms}")]
    Recent {
        /// How long it has been out, milliseconds.
        out_ms: u64,
        /// As configured.
        force_after_ms: u64,
    },
    /// A deposit would use the lower nonce.
    #[error("nonce {nonce} comes before it and is left alone")]
    Behind {
        /// The lower nonce.
        nonce: u64,
    },
}

/// What to force, lowest nonce first, and what not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// To be forced, in this order.
    pub forced: Vec<Stuck>,
    /// Left alone.
    pub left: Vec<(Stuck, Left)>,
}

/// Chooses among what is stuck, lowest nonce first, at this Unix time in milliseconds.
pub fn choose(stuck: Vec<Stuck>, ledger: Address, force_after_ms: u64, now_unix_ms: u64) -> Choice {
    let mut choice = Choice::default();
    for one in stuck {
        let out_ms = now_unix_ms.saturating_sub(one.signed_unix_ms);
        let why = match choice.left.first() {
            Some((first, _)) => Some(Left::Behind { nonce: first.nonce }),
            None if one.to != ledger => Some(Left::NoVote),
            None if out_ms < force_after_ms => Some(Left::Recent { out_ms, force_after_ms }),
            None => None,
        };
        match why {
            Some(why) => choice.left.push((one, why)),
            None => choice.forced.push(one),
        }
    }
    choice
}

#[cfg(test)]
mod tests {
    use alloy::primitives::Bytes;

    use super::*;

    const LEDGER: Address = Address::repeat_byte(1);
    const NOW_UNIX_MS: u64 = 1_000_000;

    /// A nonce, what it calls, and for how many milliseconds it has been out.
    type Out = (u64, Address, u64);

    /// The nonces that are forced of these, and the reasons why the others are not.
    fn chosen(of: &[Out]) -> (Vec<u64>, Vec<Left>) {
        let (hash, input, gas) = Default::default();
        let stuck = |&(nonce, to, out_ms)| {
            let signed_unix_ms = NOW_UNIX_MS - out_ms;
            Stuck { nonce, hash, to, input: Bytes::clone(&input), gas, signed_unix_ms }
        };
        let Choice { forced, left } = choose(of.iter().map(stuck).collect(), LEDGER, 100, NOW_UNIX_MS);
        (forced.iter().map(|one| one.nonce).collect(), left.into_iter().map(|(_, why)| why).collect())
    }

    #[test]
    fn the_lowest_are_forced_up_to_the_first_that_is_left() {
        let recent = Left::Recent { out_ms: 99, force_after_ms: 100 };
        let cases = [
            (vec![], (vec![], vec![])),
            (vec![(5, LEDGER, 101), (6, LEDGER, 100)], (vec![5, 6], vec![])),
            (
                vec![(5, LEDGER, 100), (6, LEDGER, 99), (7, LEDGER, 200)],
                (vec![5], vec![recent, Left::Behind { nonce: 6 }]),
            ),
            (
                vec![(5, Address::ZERO, 200), (6, LEDGER, 200), (7, LEDGER, 200)],
                (vec![], vec![Left::NoVote, Left::Behind { nonce: 5 }, Left::Behind { nonce: 5 }]),
            ),
        ];
        for (of, expected) in cases {
            assert_eq!(chosen(&of), expected, "{of:?}");
        }
    }
}
