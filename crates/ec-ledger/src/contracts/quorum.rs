//! The registry's rule on its quorum, so that a change that breaks it is refused before anything is sent.

use std::collections::BTreeSet;

use alloy::primitives::Address;

/// How many addresses can have an index over the life of a registry: the contract's `CAPACITY`.
pub const REGISTRY_CAPACITY: usize = 120;

/// Why a set of witnesses and a quorum cannot be a registry's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QuorumError {
    /// The quorum is no strict majority, or larger than the set.
    #[error(
        "a quorum of {quorum} does not fit {witness_count} witnesses: it must be more than half of them and not more \
         than all, {}", range(*.witness_count)
    )]
    Quorum {
        /// The quorum asked for.
        quorum: u8,
        /// The number of witnesses.
        witness_count: usize,
    },
    /// There are no indexes for so many.
    #[error("{0} witnesses are too many: a registry has room for {REGISTRY_CAPACITY}")]
    TooMany(usize),
    /// An address is in the set twice.
    #[error("witness {0} is given twice; name each once")]
    Twice(Address),
    /// The zero address is in the set.
    #[error("the zero address cannot be a witness")]
    Zero,
}

/// The quorums that are right for so many witnesses, in words.
fn range(witness_count: usize) -> String {
    match witness_count {
        0 => "so 0".to_owned(),
        1 => "so 1".to_owned(),
        n => format!("so {} to {n}", n / 2 + 1),
    }
}

/// Checks a registry's first set: `witnessCount/2 < quorum ≤ witnessCount`, or both 0.
///
/// # Errors
///
/// A quorum outside of that, more witnesses than a registry has room for, an address given twice, the zero address.
pub fn check_quorum(quorum: u8, witnesses: &[Address]) -> Result<(), QuorumError> {
    let mut seen = BTreeSet::new();
    for &witness in witnesses {
        if witness.is_zero() {
            return Err(QuorumError::Zero);
        }
        if !seen.insert(witness) {
            return Err(QuorumError::Twice(witness));
        }
    }
    let witness_count = witnesses.len();
    if witness_count > REGISTRY_CAPACITY {
        return Err(QuorumError::TooMany(witness_count));
    }
    let majority = witness_count < 2 * usize::from(quorum) && usize::from(quorum) <= witness_count;
    let nothing = witness_count == 0 && quorum == 0;
    if majority || nothing { Ok(()) } else { Err(QuorumError::Quorum { quorum, witness_count }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn witnesses(count: u8) -> Vec<Address> {
        (1..=count).map(Address::repeat_byte).collect()
    }

    #[test]
    fn a_strict_majority_up_to_all_passes_and_nothing_else() {
        for (count, right) in [(0, 0..=0), (1, 1..=1), (2, 2..=2), (3, 2..=3), (4, 3..=4), (5, 3..=5), (120, 61..=120)]
        {
            for quorum in 0..=u8::MAX {
                let passes = check_quorum(quorum, &witnesses(count)).is_ok();
                assert_eq!(passes, right.contains(&quorum), "{quorum} of {count}");
            }
        }
    }

    #[test]
    fn the_refusal_names_the_right_range() {
        let error = check_quorum(1, &witnesses(3)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a quorum of 1 does not fit 3 witnesses: it must be more than half of them and not more than all, so 2 to 3"
        );
    }

    #[test]
    fn a_set_holds_each_address_once_and_never_zero() {
        let twice = [Address::repeat_byte(1), Address::repeat_byte(1)];
        assert_eq!(check_quorum(2, &twice), Err(QuorumError::Twice(twice[0])));
        assert_eq!(check_quorum(1, &[Address::ZERO]), Err(QuorumError::Zero));
        assert_eq!(check_quorum(61, &witnesses(121)), Err(QuorumError::TooMany(121)));
    }
}
