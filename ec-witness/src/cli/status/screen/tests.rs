use std::{collections::BTreeMap, path::Path};

use alloy::primitives::Address;
use ec_ledger::Heads;
use ec_rpc::HeadTimes;
use ec_testing::pictures;
use ec_witness::{
    clock,
    standing::{AtHeads, EndpointStanding, Reading},
    store::StoreStanding,
};

use super::*;

const MARK: u64 = 1_772_824_680_000;

fn slots(states: impl IntoIterator<Item = SlotState>) -> NewestSlots {
    let timed = |(at, state): (usize, SlotState)| (Some(MARK + at as u64 * 60_000), state);
    NewestSlots(states.into_iter().enumerate().map(timed).collect())
}

fn stream(stream_id: &str, now_s: u64, newest: &NewestSlots) -> StreamStanding {
    let mut counts = BTreeMap::new();
    newest.0.iter().for_each(|(_, state)| *counts.entry(*state).or_default() += 1);
    StreamStanding {
        stream_id: stream_id.into(),
        reading: Reading::Current,
        newest_record_unix_s: Some(now_s - 3),
        newest_closed: Some(1059),
        newest_voted: Some(1059),
        newest_final: AtHeads { latest: Some(1058), safe: Some(1057), finalized: Some(1042) },
        slots: counts,
        ..StreamStanding::default()
    }
}

fn snapshot(now_s: u64, streams: Vec<StreamStanding>) -> Snapshot {
    let ledger = LedgerStanding {
        live: true,
        polled_unix_s: Some(now_s),
        heads: Heads { latest: 52_910, safe: 52_890, finalized: 52_410 },
        head_times: HeadTimes { latest: now_s - 1, safe: now_s - 42, finalized: now_s - 960 },
        witness: Address::repeat_byte(0x70),
        member: true,
        witness_count: 4,
        quorum: 3,
        agree: 1,
        endpoints: vec![EndpointStanding {
            endpoint: "http://127.0.0.1:8545".into(),
            up: true,
            ..EndpointStanding::default()
        }],
        ..LedgerStanding::default()
    };
    let store = StoreStanding {
        votes: 50_000,
        pending_transactions: 0,
        oldest_pending_unix_ms: None,
        forced_transactions: 0,
        size_bytes: 90 << 20,
        free_bytes: 50 << 30,
        writable: true,
        no_room: false,
        last_commit_unix_s: now_s,
        halt: None,
    };
    let sending = SendingStanding {
        balance_wei: Some(U256::from(250_000_000_000_000_000u64)),
        vote_cost_wei: Some(U256::from(2_000_000_000_000u64)),
        ..SendingStanding::default()
    };
    Snapshot { ledger, streams, store: Some(Ok(store)), sending: Some(sending), ..Snapshot::default() }
}

/// A witness of two streams on the timeline, of which nothing is wrong.
fn fine(now_s: u64) -> Summary {
    let final_but_the_last = (0..60).map(|at| if at < 59 { SlotState::Finalized } else { SlotState::Voted });
    let newest = [slots(final_but_the_last.clone()), slots(final_but_the_last.take(12))];
    let streams = vec![stream("la-nbc", now_s, &newest[0]), stream("la-kcet", now_s, &newest[1])];
    Summary::of_running(snapshot(now_s, streams), newest.into())
}

/// A witness of lanes, of which much is wrong.
fn in_trouble(now_s: u64) -> Summary {
    let broken = |at| match at {
        20 => SlotState::Mismatch,
        30..33 => SlotState::Superseded,
        50.. => SlotState::Open,
        _ => SlotState::Finalized,
    };
    let newest = [slots((0..60).map(broken)), slots([])];
    let lane = |track: &str| LaneStanding {
        track: track.into(),
        segments: 12,
        segments_last_hour: 2,
        session: Some(MARK),
        ..LaneStanding::default()
    };
    let mut streams = vec![
        stream("tv.every.channel/la-nbc/video0.m4s", now_s, &newest[0]),
        StreamStanding { stream_id: "tv.every.channel/la-nbc/audio0.m4s".into(), ..StreamStanding::default() },
    ];
    streams[0].lane = Some(lane("video0.m4s"));
    streams[0].newest_final = AtHeads { latest: Some(MARK + 49), ..AtHeads::default() };
    (streams[0].newest_closed, streams[0].newest_voted) = (Some(MARK + 58), Some(MARK + 49));
    streams[1].lane = Some(LaneStanding { session: None, ..lane("audio0.m4s") });
    streams[1].reading = Reading::Waiting("audio0.m4s.jsonl: the file is gone".into());
    let mut snapshot = snapshot(now_s, streams);
    snapshot.sending.as_mut().unwrap().balance_wei = Some(U256::from(1_000_000_000_000u64));
    Summary::of_running(snapshot, newest.into())
}

#[test]
fn screens_look_as_they_were_drawn() {
    let now_s = clock::unix_s();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/status/screen");
    for (name, summary) in [("fine", fine(now_s)), ("trouble", in_trouble(now_s))] {
        pictures::hold(&directory, name, |width| show(&summary, &Screen::plain(width), now_s));
    }
}

#[test]
fn colours_change_nothing_else() {
    let now_s = clock::unix_s();
    for summary in [fine(now_s), in_trouble(now_s)] {
        let coloured = show(&summary, &Screen { width: 80, has_colours: true }, now_s);
        assert!(coloured.contains("\x1b["), "{coloured}");
        assert_eq!(pictures::without_colours(&coloured), show(&summary, &Screen::plain(80), now_s));
    }
}
