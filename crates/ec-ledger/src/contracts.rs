//! Bindings to the contracts, made from the committed artifacts: calls, events, errors and the code to deploy.

mod quorum;
mod revert;

use ec_observation::{EpochHash, ObservationHash, ObservationHeader, StreamHash};

pub use bindings::{
    EveryChannelObservationLedger, EveryChannelRail, EveryChannelTimelock, EveryChannelWitnessRegistry,
};
pub use quorum::{QuorumError, REGISTRY_CAPACITY, check_quorum};
pub use revert::Revert;

#[allow(missing_docs, clippy::too_many_arguments)]
mod bindings {
    alloy::sol!(
        #[derive(Debug, PartialEq, Eq)]
        #[sol(rpc)]
        EveryChannelObservationLedger,
        "../../contracts/artifacts/EveryChannelObservationLedger.json"
    );
    alloy::sol!(
        #[derive(Debug, PartialEq, Eq)]
        #[sol(rpc)]
        EveryChannelRail,
        "../../contracts/artifacts/EveryChannelRail.json"
    );
    alloy::sol!(
        #[derive(Debug, PartialEq, Eq)]
        #[sol(rpc)]
        EveryChannelTimelock,
        "../../contracts/artifacts/EveryChannelTimelock.json"
    );
    alloy::sol!(
        #[derive(Debug, PartialEq, Eq)]
        #[sol(rpc)]
        EveryChannelWitnessRegistry,
        "../../contracts/artifacts/EveryChannelWitnessRegistry.json"
    );
}

/// The header as the bindings of one contract have it; each contract's artifact brings its own copy of the struct.
macro_rules! header_conversions {
    ($bound:ty) => {
        impl From<ObservationHeader> for $bound {
            fn from(header: ObservationHeader) -> Self {
                Self {
                    streamHash: header.stream_hash.0,
                    epochHash: header.epoch_hash.0,
                    parentObservationHash: header.parent_observation_hash.0,
                    dataRoot: header.data_root,
                    locatorHash: header.locator_hash,
                    observedUnixMs: header.observed_unix_ms,
                    sequence: header.sequence,
                }
            }
        }

        impl From<$bound> for ObservationHeader {
            fn from(header: $bound) -> Self {
                Self {
                    stream_hash: StreamHash(header.streamHash),
                    epoch_hash: EpochHash(header.epochHash),
                    parent_observation_hash: ObservationHash(header.parentObservationHash),
                    data_root: header.dataRoot,
                    locator_hash: header.locatorHash,
                    observed_unix_ms: header.observedUnixMs,
                    sequence: header.sequence,
                }
            }
        }
    };
}

header_conversions!(EveryChannelObservationLedger::ObservationHeader);
header_conversions!(EveryChannelRail::ObservationHeader);

#[cfg(test)]
mod tests {
    use alloy::{primitives::B256, sol_types::SolValue};

    use super::*;

    fn header() -> ObservationHeader {
        ObservationHeader {
            stream_hash: StreamHash(B256::repeat_byte(1)),
            epoch_hash: EpochHash(B256::repeat_byte(2)),
            parent_observation_hash: ObservationHash(B256::repeat_byte(3)),
            data_root: B256::repeat_byte(4),
            locator_hash: B256::repeat_byte(5),
            observed_unix_ms: 6,
            sequence: u64::MAX,
        }
    }

    #[test]
    fn headers_survive_both_bindings() {
        let ledgers = EveryChannelObservationLedger::ObservationHeader::from(header());
        assert_eq!(ObservationHeader::from(ledgers), header());
        let rails = EveryChannelRail::ObservationHeader::from(header());
        assert_eq!(ObservationHeader::from(rails), header());
    }

    #[test]
    fn our_encoding_is_the_bindings() {
        let bound = EveryChannelObservationLedger::ObservationHeader::from(header());
        assert_eq!(bound.abi_encode(), header().abi_encode());
    }

    #[test]
    fn every_contract_can_be_deployed() {
        for code in [
            &EveryChannelObservationLedger::BYTECODE,
            &EveryChannelRail::BYTECODE,
            &EveryChannelTimelock::BYTECODE,
            &EveryChannelWitnessRegistry::BYTECODE,
        ] {
            assert!(code.len() > 1000);
        }
    }
}
