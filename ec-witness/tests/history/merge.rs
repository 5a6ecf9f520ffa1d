//! Merging is a union: in any order the same, or in any order refused.

use std::collections::BTreeSet;

use alloy::primitives::B256;
use ec_observation::{EpochHash, ObservationHash, ObservationHeader, StreamHash};
use ec_witness::store::{
    VoteStore,
    history::{HISTORY_VERSION, History, HistoryError, Imported, SlotVotes},
};
use proptest::prelude::*;

use super::Whose;

const WHOSE: Whose =
    Whose { chain_id: 1, ledger: alloy::primitives::Address::ZERO, witness: alloy::primitives::Address::ZERO };

fn header(epoch: u8, content: u8, time: u64) -> ObservationHeader {
    ObservationHeader {
        stream_hash: StreamHash(B256::ZERO),
        epoch_hash: EpochHash(B256::with_last_byte(epoch)),
        parent_observation_hash: ObservationHash::ZERO,
        data_root: B256::with_last_byte(content),
        locator_hash: B256::ZERO,
        observed_unix_ms: time,
        sequence: epoch.into(),
    }
}

fn history(headers: &[ObservationHeader]) -> History {
    let Whose { chain_id, ledger, witness } = WHOSE;
    let votes =
        headers.iter().map(|header| SlotVotes { slot: header.slot(), content: None, headers: vec![*header] }).collect();
    History { v: HISTORY_VERSION, chain_id, ledger, witness, votes }
}

fn held(store: &VoteStore) -> BTreeSet<ObservationHash> {
    let votes = store.export().unwrap().votes;
    votes.iter().flat_map(|slot| &slot.headers).map(ObservationHeader::hash).collect()
}

/// Few slots and mostly one content, so that histories overlap, and contradict each other now and then.
fn headers() -> impl Strategy<Value = Vec<ObservationHeader>> {
    let one = (0u8..6, prop_oneof![20 => Just(0u8), 1 => Just(1u8)], 0u64..3);
    prop::collection::vec(one.prop_map(|(epoch, content, time)| header(epoch, content, time)), 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_order_of_imports_is_the_same_union_or_the_same_refusal(
        (histories, shuffled) in prop::collection::vec(headers(), 1..5)
            .prop_flat_map(|histories| (Just(histories.clone()), Just(histories).prop_shuffle()))
    ) {
        let all: Vec<_> = histories.concat();
        let contradict = all.iter().any(|a| all.iter().any(|b| a.slot() == b.slot() && a.content() != b.content()));
        let merged = |histories: &[Vec<ObservationHeader>]| {
            let (_dir, mut store) = WHOSE.create();
            let mut refusals = 0;
            for headers in histories {
                let before = held(&store);
                match store.import(&*serde_json::to_vec(&history(headers)).unwrap()) {
                    Ok(Imported { adopted, .. }) => assert_eq!(held(&store).len(), before.len() + adopted),
                    Err(HistoryError::Store(_)) => {
                        refusals += 1;
                        assert_eq!(held(&store), before);
                    }
                    Err(other) => panic!("{other}"),
                }
                assert!(held(&store).is_superset(&before), "a vote was lost");
            }
            (held(&store), refusals > 0)
        };
        let (one, other) = (merged(&histories), merged(&shuffled));
        prop_assert_eq!(one.1, contradict);
        prop_assert_eq!(other.1, contradict);
        if !contradict {
            prop_assert_eq!(&one.0, &other.0);
            prop_assert_eq!(one.0, all.iter().map(ObservationHeader::hash).collect::<BTreeSet<_>>());
        }
    }
}
