//! Records are a set: order and repetition never matter, any other change does; and each of them can be proven.

use std::num::NonZeroU64;

use alloy::primitives::B256;
use ec_archive::{AtRest, FieldNames, Observation, StreamIndex};
use ec_observation::{EpochRule, Proof, Record, StreamRule, Tracks};
use proptest::prelude::*;

use super::*;

const TRACKS: [&str; 2] = ["audio0.m4s", "video0.m4s"];

fn rule() -> StreamRule {
    StreamRule { epochs: EpochRule::timeline(NonZeroU64::new(4).unwrap()), ..StreamRule::new("x") }
}

fn line(record: &Record) -> String {
    let Record { group_sequence, size_bytes, received_unix_ms, blake3 } = record;
    let (time, hash) = (received_unix_ms.unwrap(), alloy::hex::encode(blake3));
    format!(
        "{{\"group_sequence\":{group_sequence},\"received_unix_ms\":{time},\"size_bytes\":{size_bytes},\
         \"blake3\":\"{hash}\"}}\n"
    )
}

fn derive(files: &[String; 2]) -> Vec<Observation> {
    let archive = TestArchive::new(TRACKS.iter().map(|track| format!("x/{track}.jsonl")).zip(files));
    let index = StreamIndex::read(&archive.open(), "x", rule(), &FieldNames::default(), &mut ()).unwrap();
    AtRest::new(&index).map(Result::unwrap).collect()
}

fn headers(files: &[String; 2]) -> Vec<String> {
    derive(files).iter().map(|epoch| format!("{:?} {:?}", epoch.named.derived, epoch.header)).collect()
}

fn record() -> impl Strategy<Value = Record> {
    (0u64..24, any::<[u8; 32]>(), any::<u64>(), any::<u64>()).prop_map(|(group_sequence, blake3, size_bytes, time)| {
        Record { group_sequence, blake3, size_bytes, received_unix_ms: Some(time) }
    })
}

/// Lines of two tracks; a sequence may stand there twice and then conflicts.
fn tracks() -> impl Strategy<Value = [Vec<String>; 2]> {
    [0, 1].map(|_| prop::collection::vec(record().prop_map(|record| line(&record)), 0..24))
}

/// Records without conflicts, enough of them for a few closed epochs.
fn unconflicting() -> impl Strategy<Value = [Vec<Record>; 2]> {
    let of_track = || {
        prop::collection::vec((record(), prop::bool::weighted(0.8)), 12).prop_map(|records| {
            let numbered = (0..).zip(records).filter(|(_, (_, kept))| *kept);
            numbered.map(|(group_sequence, (record, _))| Record { group_sequence, ..record }).collect::<Vec<_>>()
        })
    };
    [of_track(), of_track()].prop_filter("some epoch is closed", |tracks| {
        let highest = tracks.iter().flatten().map(|record| record.group_sequence).max();
        highest.is_some_and(|highest| tracks.iter().flatten().any(|record| record.group_sequence / 4 < highest / 4))
    })
}

fn texts(tracks: &[Vec<Record>; 2]) -> [String; 2] {
    [0, 1].map(|track: usize| tracks[track].iter().map(line).collect())
}

proptest! {
    #[test]
    fn order_and_repetition_change_no_header(
        (lines, shuffled) in tracks().prop_flat_map(|lines| {
            let shuffled = lines.clone().map(|lines| {
                let repeated = prop::sample::subsequence(lines.clone(), 0..=lines.len());
                repeated.prop_flat_map(move |more| Just([lines.clone(), more].concat()).prop_shuffle())
            });
            (Just(lines), shuffled)
        })
    ) {
        prop_assert_eq!(headers(&lines.map(|lines| lines.concat())), headers(&shuffled.map(|lines| lines.concat())));
    }

    #[test]
    fn every_changed_byte_shows(
        tracks in unconflicting(),
        place in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        byte: u8,
    ) {
        let files = texts(&tracks);
        let before = derive(&files);
        let track = usize::from(tracks[0].is_empty() || (place.index(2) == 1 && !tracks[1].is_empty()));
        let at = at.index(files[track].len());
        let old = files[track].as_bytes()[at];
        // a change of case in a hash and a longer line of white space mean the same
        prop_assume!(byte != old && !byte.eq_ignore_ascii_case(&old));
        let mut changed = files.clone().map(String::into_bytes);
        changed[track][at] = byte;
        let archive = TestArchive::new(TRACKS.iter().map(|name| format!("x/{name}.jsonl")).zip(&changed));
        let index = StreamIndex::read(&archive.open(), "x", rule(), &FieldNames::default(), &mut ()).unwrap();
        let after: Vec<_> = AtRest::new(&index).collect();
        // left alone: receive times, of which only the epoch's smallest counts, and epochs that are still open
        let line_start = files[track][..at].rfind('\n').map_or(0, |newline| newline + 1);
        let (time, size) = ["received", "size"].map(|name| files[track][line_start..].find(name).unwrap()).into();
        let in_time = (time..size).contains(&(at - line_start));
        let sequence = tracks[track][files[track][..at].matches('\n').count()].group_sequence;
        if before.iter().any(|epoch| epoch.named.derived.key.index == sequence / 4) && !in_time {
            let after: Vec<_> = after.into_iter().map(Result::unwrap).collect();
            let hash = |epochs: &[Observation]| {
                epochs.iter().find(|epoch| epoch.named.derived.key.index == sequence / 4).map(Observation::hash)
            };
            prop_assert_ne!(hash(&before), hash(&after));
        }
    }

    #[test]
    fn each_record_is_proven_and_nothing_else_is(
        tracks in unconflicting(),
        (index, leaf_count, size_bytes, group_sequence) in any::<(u64, u64, u64, u64)>(),
        (blake3, hash, bit) in (any::<[u8; 32]>(), any::<[u8; 32]>(), 0usize..256),
    ) {
        for observation in derive(&texts(&tracks)) {
            let header = observation.header.unwrap();
            for (position, object) in observation.records.objects() {
                let track = TRACKS[position.track];
                let proof = Proof::new(&rule(), &observation.records, header, track, position.group_sequence).unwrap();
                prop_assert_eq!((proof.blake3, proof.size_bytes), (object.blake3, object.size_bytes));
                prop_assert_eq!(proof.check(), Ok(()));
                let text = serde_json::to_string(&proof).unwrap();
                prop_assert_eq!(&serde_json::from_str::<Proof>(&text).unwrap(), &proof);

                let mut wrong = Vec::new();
                wrong.extend((0..10).chain([index]).map(|index| Proof { index, ..proof.clone() }));
                wrong.extend((0..10).chain([leaf_count]).map(|leaf_count| Proof { leaf_count, ..proof.clone() }));
                wrong.push(Proof { size_bytes, ..proof.clone() });
                wrong.push(Proof { group_sequence, ..proof.clone() });
                wrong.push(Proof { blake3, ..proof.clone() });
                wrong.push(Proof { track: TRACKS[1 - position.track].into(), ..proof.clone() });
                wrong.push(Proof { v: 2, ..proof.clone() });
                let mut other_root = header;
                other_root.data_root.0[bit / 8] ^= 1 << (bit % 8);
                wrong.push(Proof { header: other_root, ..proof.clone() });
                for (at, _) in proof.path.iter().enumerate() {
                    let mut flipped = proof.clone();
                    flipped.path[at].0[bit / 8] ^= 1 << (bit % 8);
                    let mut without = proof.clone();
                    without.path.remove(at);
                    wrong.extend([flipped, without]);
                }
                let mut longer = proof.clone();
                longer.path.push(B256::new(hash));
                wrong.push(longer);
                for wrong in wrong.into_iter().filter(|wrong| *wrong != proof) {
                    prop_assert!(wrong.check().is_err(), "{:?}", wrong);
                }
            }
        }
    }
}

#[test]
fn what_is_not_there_cannot_be_proven() {
    let record = |group_sequence| Record { group_sequence, blake3: [1; 32], size_bytes: 1, received_unix_ms: Some(1) };
    let [observation] = &derive(&texts(&[vec![record(0), record(4)], vec![record(1)]]))[..] else { panic!() };
    let header = observation.header.unwrap();
    let prove = |track, sequence| Proof::new(&rule(), &observation.records, header, track, sequence);
    assert!(prove("video0.m4s", 1).is_ok());
    for (track, sequence) in [("video0.m4s", 0), ("audio0.m4s", 4), ("init.mp4", 0)] {
        assert!(prove(track, sequence).is_err(), "{track} {sequence}");
    }
    assert_eq!(Tracks::default().names(), TRACKS);
}
