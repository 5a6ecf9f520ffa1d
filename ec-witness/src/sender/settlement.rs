//! The call that settles final observations on the rail.

use alloy::{primitives::Bytes, sol_types::SolCall};
use ec_ledger::contracts::EveryChannelRail as Rail;
use ec_observation::ObservationHeader;

use super::batch::{fitting, tx_gas};

/// Gas that one header may use, its calldata included. `contracts/snapshots` has 125 000 for one alone, intrinsic gas included,
/// and 102 000 in a batch: a pointer is four words, 22 100 each. So it is about half as much again as what is used, and what is
/// not used is not paid.
const SETTLE_GAS: u64 = 150_000;

/// The call of a rail that settles these headers. One alone goes by the call that has no list to pay for, and that every rail
/// has.
pub fn settlement(headers: &[ObservationHeader]) -> Bytes {
    match headers {
        [header] => Rail::settleCall { header: (*header).into() }.abi_encode().into(),
        headers => {
            let headers = headers.iter().copied().map(Into::into).collect();
            Rail::settleBatchCall { headers }.abi_encode().into()
        }
    }
}

/// How many headers one transaction settles at most, on a chain with such blocks.
pub fn settlements_in_one(block_gas_limit: u64) -> usize {
    fitting(SETTLE_GAS, tx_gas(block_gas_limit)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_go_together_as_gas_and_pools_allow() {
        assert_eq!([60_000_000, 30_000_000, 0].map(settlements_in_one), [111, 99, 1]);
        let header = ObservationHeader::abi_decode(&[0; ec_observation::HEADER_LEN]).unwrap();
        assert!(settlement(&[header; 111]).len() < 128 * 1024, "geth's pool takes no more, `txMaxSize`");
        assert_eq!(settlement(&[header])[..4], Rail::settleCall::SELECTOR);
        let batch = Rail::settleBatchCall::abi_decode(&settlement(&[header; 3])).unwrap();
        assert_eq!(batch.headers.len(), 3);
    }
}
