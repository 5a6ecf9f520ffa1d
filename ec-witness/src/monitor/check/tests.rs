use std::collections::BTreeMap;

use super::*;

const NOW: u64 = 1_000_000;

fn fine() -> Snapshot {
    Snapshot {
        ledger: LedgerStanding {
            live: true,
            polled_unix_s: Some(NOW - 1),
            member: true,
            witness_count: 3,
            quorum: 2,
            agree: 1,
            endpoints: vec![EndpointStanding { up: true, ..EndpointStanding::default() }],
            ..LedgerStanding::default()
        },
        streams: vec![StreamStanding { stream_id: "tv".into(), ..StreamStanding::default() }],
        sending: Some(SendingStanding::default()),
        store: Some(Ok(StoreStanding { writable: true, free_bytes: 1 << 40, ..StoreStanding::default() })),
        ..Snapshot::default()
    }
}

/// The checks that are not well.
fn wrong(snapshot: &Snapshot) -> Vec<(String, Level)> {
    checks(snapshot, NOW).into_iter().filter(|c| c.level != Level::Ok).map(|c| (c.name.into_owned(), c.level)).collect()
}

fn but(change: impl FnOnce(&mut Snapshot)) -> Vec<(String, Level)> {
    let mut snapshot = fine();
    change(&mut snapshot);
    wrong(&snapshot)
}

fn with_store(change: impl FnOnce(&mut StoreStanding)) -> Vec<(String, Level)> {
    but(|s| change(s.store.as_mut().unwrap().as_mut().unwrap()))
}

#[test]
fn each_fault_is_found_alone() {
    let f = |name: &str| (name.to_owned(), Level::Fail);
    let w = |name: &str| (name.to_owned(), Level::Warn);
    assert_eq!(wrong(&fine()), []);
    assert_eq!(but(|s| s.ledger.error = Some("reset".into())), [], "one failed poll is nothing yet");
    let silent = |s: &mut Snapshot| {
        s.ledger.error = Some("reset".into());
        s.ledger.polled_unix_s = Some(NOW - 16);
    };
    assert_eq!(but(silent), [f("rpc")]);
    let syncing = |s: &mut Snapshot| {
        s.ledger.error = Some("syncing".into());
        s.ledger.live = false;
    };
    assert_eq!(but(syncing), [f("rpc")]);
    assert_eq!(but(|s| s.ledger.member = false), [f("member")]);
    assert_eq!(but(|s| s.ledger.quorum = 0), [w("member")]);
    assert_eq!(but(|s| s.streams.clear()), [f("streams")]);
    let waiting = Reading::Waiting("the file is gone".into());
    assert_eq!(but(|s| s.streams[0].reading = waiting.clone()), [f("streams")]);
    let one_of_two = |s: &mut Snapshot| {
        s.streams.push(StreamStanding { reading: waiting.clone(), ..StreamStanding::default() });
    };
    assert_eq!(but(one_of_two), [w("streams")]);
    assert_eq!(but(|s| s.streams[0].withheld_epochs = 1), [w("withheld")]);
    assert_eq!(but(|s| s.index_files = Some(IndexFiles { held: 3, unheld: 0 })), []);
    assert_eq!(but(|s| s.index_files = Some(IndexFiles { held: 3, unheld: 1 })), [w("files")]);
    assert_eq!(but(|s| s.archive_trouble = Some("manifests/ is missing".into())), [w("archive")]);
    assert_eq!(but(|s| s.ledger.finality_stalled_ms = Some(1)), [w("finality")]);
    assert_eq!(but(|s| s.ledger.head_times.latest = NOW + 300), [], "a sequencer's clock may be ahead a little");
    assert_eq!(but(|s| s.ledger.head_times.latest = NOW + 301), [w("clock")]);
    assert_eq!(but(|s| s.ledger.endpoints[0].up = false), [w("endpoints")]);
    assert_eq!(with_store(|s| s.no_room = true), [f("store")]);
    assert_eq!(with_store(|s| s.halt = Some("deep reorg".into())), [f("halt")]);
    assert_eq!(with_store(|s| s.writable = false), [f("store")]);
    assert_eq!(with_store(|s| s.free_bytes = 1 << 20), [f("store")]);
    assert_eq!(with_store(|s| s.free_bytes = 100 << 20), [w("store")]);
    assert_eq!(but(|s| s.store = Some(Err("gone".into()))), [f("store")]);
    let old = i64::try_from(NOW - 301).unwrap() * 1000;
    assert_eq!(with_store(|s| s.oldest_pending_unix_ms = Some(old)), [w("transactions")]);
    assert_eq!(with_store(|s| s.forced_transactions = 1), [f("transactions")]);
    assert_eq!(but(|s| s.sending.as_mut().unwrap().held = Some("funds".into())), [f("sending")]);
    let sending = |change: &dyn Fn(&mut SendingStanding)| but(|s| change(s.sending.as_mut().unwrap()));
    assert_eq!(sending(&|sending| sending.gas = Some((80, 100))), []);
    assert_eq!(sending(&|sending| sending.gas = Some((81, 100))), [w("spending")]);
    assert_eq!(sending(&|sending| (sending.gas, sending.spent_slots) = (Some((0, 100)), 1)), [w("spending")]);
    let contradicted = Some((2, "slot 0x12: a candidate is final".to_owned()));
    assert_eq!(
        sending(&|sending| (sending.gas, sending.contradicted) = (Some((0, 100)), contradicted.clone())),
        [f("log")]
    );
    let unvoted = |s: &mut Snapshot, for_s: u64| s.streams[0].unvoted_since_unix_s = Some(NOW - for_s);
    assert_eq!(but(|s| unvoted(s, 180)), []);
    assert_eq!(but(|s| unvoted(s, 181)), [f("voting")], "nothing is voted on");
    let one_of_two = |s: &mut Snapshot| {
        unvoted(s, 181);
        s.streams.push(StreamStanding::default());
    };
    assert_eq!(but(one_of_two), [w("voting")]);
    let funds = |balance: u64| {
        but(|s| {
            let sending = s.sending.as_mut().unwrap();
            (sending.balance_wei, sending.vote_cost_wei) = (Some(U256::from(balance)), Some(U256::from(10)));
        })
    };
    assert_eq!((funds(9), funds(9_999), funds(10_000)), (vec![f("funds")], vec![w("funds")], vec![]));
    let behind = |s: &mut Snapshot| {
        (s.streams[0].newest_closed, s.streams[0].newest_final.latest) = (Some(100), Some(35));
    };
    assert_eq!(but(behind), [w("lag")]);
    let mismatch = |s: &mut Snapshot| s.streams[0].slots = BTreeMap::from([(SlotState::Mismatch, 1)]);
    assert_eq!(but(mismatch), [w("agreement")]);
    assert_eq!(but(|s| (s.sending, s.store) = (None, None)), [], "a dry run has neither");
}
