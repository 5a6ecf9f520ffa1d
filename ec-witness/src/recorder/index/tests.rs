use std::fs;

use super::*;

const HEX: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("video0.m4s.jsonl");
    fs::write(&path, text).unwrap();
    (dir, path)
}

/// Sequences of good lines, and the numbers of bad ones.
fn read(text: &str) -> (Vec<u64>, Vec<u64>, (u64, u64)) {
    let (_dir, path) = file(text);
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    let lengths = read_slots(&path, |line, slot| match slot {
        Ok(slot) => good.push(slot.group_sequence),
        Err(_) => bad.push(line),
    });
    (good, bad, lengths.unwrap())
}

fn line(sequence: u64) -> String {
    format!("{{\"group_sequence\":{sequence},\"blake3\":\"{HEX}\",\"size_bytes\":9}}\n")
}

#[test]
fn a_record_has_the_canonical_names_in_order() {
    let slot = Slot { group_sequence: 7, blake3: Hash::from_hex(HEX).unwrap(), size_bytes: 9 };
    let record = Record::new(&"la/nbc".parse().unwrap(), "video0.m4s", &slot, 1000);
    let expected = format!(
        "{{\"broadcast\":\"la/nbc\",\"track\":\"video0.m4s\",\"group_sequence\":7,\"received_unix_ms\":1000,\
         \"size_bytes\":9,\"blake3\":\"{HEX}\",\"cas_path\":\"objects/blake3/00/{HEX}.bin\"}}"
    );
    assert_eq!(serde_json::to_string(&record).unwrap(), expected);
    assert_eq!(serde_json::from_str::<Slot>(&expected).unwrap(), slot);
}

#[test]
fn other_names_and_forms_are_read() {
    let text = format!(
        "{{\"sequence\":\"18446744073709551615\",\"hash\":\"blake3:{}\",\"bytes\":\"1\",\"x\":[]}}\n",
        HEX.to_uppercase()
    );
    assert_eq!(read(&text).0, [u64::MAX]);
}

#[test]
fn bad_lines_are_numbered_and_reading_goes_on() {
    let text =
        [line(1), "{\n".into(), "[]\n".into(), line(2), "{\"group_sequence\":\"+3\"}\n".into(), line(4)].concat();
    let (good, bad, _) = read(&text);
    assert_eq!((good, bad), (vec![1, 2, 4], vec![2, 3, 5]));
}

#[test]
fn a_line_counts_once_it_is_whole() {
    let text = [line(1), line(2)].concat();
    for cut in 0..=text.len() {
        let whole = text[..cut].matches('\n').count();
        let (good, bad, (complete, len)) = read(&text[..cut]);
        assert_eq!((good.len(), bad.len()), (whole, 0), "cut at {cut}");
        assert_eq!((complete, len), ((line(1).len() * whole) as u64, cut as u64));
    }
}

#[test]
fn a_long_torn_line_is_skipped_over() {
    let text = format!("{}{}", line(1), "x".repeat(10_000));
    assert_eq!(read(&text), (vec![1], vec![], (line(1).len() as u64, text.len() as u64)));
}

#[test]
fn a_missing_index_is_empty() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(read_slots(&dir.path().join("none.jsonl"), |_, _| panic!("a line")).unwrap(), (0, 0));
}

#[test]
fn a_torn_index_is_not_extended() {
    let (_dir, path) = file(&[line(1), "{\"group".into()].concat());
    let said = slots_of(&path, &HashMap::new()).unwrap_err().to_string();
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
