use std::fs;

use super::*;

const HEX: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

const TRACK: &str = "video0.m4s";

/// A broadcast with this text as the index of its track.
fn broadcast(text: &str) -> (tempfile::TempDir, Broadcast) {
    let dir = tempfile::tempdir().unwrap();
    let broadcast = Broadcast { name: "la/nbc".into(), directory: dir.path().to_owned() };
    fs::write(broadcast.track_file(TRACK), text).unwrap();
    (dir, broadcast)
}

fn group(group_sequence: u64) -> StoredGroup {
    StoredGroup { group_sequence, blake3: Hash::from_hex(HEX).unwrap(), size_bytes: 9 }
}

/// The groups of these sequences that an index of this text has.
fn groups(text: &str, sequences: &[u64]) -> Vec<StoredGroup> {
    let (_dir, broadcast) = broadcast(text);
    let wanted = sequences.iter().map(|&sequence| (sequence, group(sequence))).collect();
    let mut found: Vec<_> = present(&broadcast, TRACK, &wanted).unwrap().wanted.into_values().collect();
    found.sort_by_key(|group| group.group_sequence);
    found
}

fn line(sequence: u64) -> String {
    format!("{{\"group_sequence\":{sequence},\"blake3\":\"{HEX}\",\"size_bytes\":9}}\n")
}

#[test]
fn a_record_has_the_canonical_names_in_order() {
    let record = RecordLine::new(&"la/nbc".parse().unwrap(), TRACK, &group(7), 1000);
    let expected = format!(
        "{{\"broadcast\":\"la/nbc\",\"track\":\"video0.m4s\",\"group_sequence\":7,\"received_unix_ms\":1000,\
         \"size_bytes\":9,\"blake3\":\"{HEX}\",\"cas_path\":\"objects/blake3/00/{HEX}.bin\"}}"
    );
    assert_eq!(serde_json::to_string(&record).unwrap(), expected);
    assert_eq!(groups(&(expected + "\n"), &[7]), [group(7)]);
}

#[test]
fn wanted_slots_are_found_among_others_and_bad_lines() {
    let elsewhere = line(5).replace('{', "{\"broadcast\":\"la/cbs\",");
    let text = [line(1), "{\n".into(), line(2), line(3), elsewhere].concat();
    assert_eq!(groups(&text, &[1, 3, 4, 5]), [group(1), group(3)]);
}

#[test]
fn of_several_records_the_one_that_differs_is_kept() {
    let other = line(1).replace(":9}", ":8}");
    for text in [[line(1), other.clone()].concat(), [other, line(1)].concat()] {
        assert_eq!(groups(&text, &[1]), [StoredGroup { size_bytes: 8, ..group(1) }]);
    }
}

#[test]
fn the_lowest_sequence_is_told_of_records_only() {
    let (_dir, broadcast) = broadcast(&[line(7), line(3), "{\"group_sequence\":1}\n".into(), line(5)].concat());
    assert_eq!(present(&broadcast, TRACK, &HashMap::new()).unwrap().lowest, Some(3));
}

#[test]
fn a_missing_index_is_empty() {
    let (_dir, broadcast) = broadcast("");
    let Present { wanted, lowest, before } = present(&broadcast, "none", &HashMap::from([(1, group(1))])).unwrap();
    assert_eq!((wanted, lowest, before), (HashMap::new(), None, None));
}

#[test]
fn the_last_group_before_the_wanted_ones_is_told() {
    let (_dir, broadcast) = broadcast(&[line(7), line(3), line(5)].concat());
    let before = |sequence| present(&broadcast, TRACK, &HashMap::from([(sequence, group(sequence))])).unwrap().before;
    assert_eq!([8, 6, 3].map(|sequence| before(sequence).map(|group| group.group_sequence)), [Some(7), Some(5), None]);
}

#[test]
fn a_torn_index_is_not_extended() {
    let (_dir, broadcast) = broadcast(&[line(1), "{\"group".into()].concat());
    let said = present(&broadcast, TRACK, &HashMap::new()).unwrap_err().to_string();
    assert!(said.contains(&format!("truncate -s {}", line(1).len())), "{said}");
}

#[test]
fn one_recorder_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let name = "la/nbc".parse().unwrap();
    let held = BroadcastDir::lock(dir.path(), &name).unwrap();
    assert!(matches!(BroadcastDir::lock(dir.path(), &name), Err(IndexError::Busy { .. })));
    drop(held);
    assert!(BroadcastDir::lock(dir.path(), &name).is_ok());
}
