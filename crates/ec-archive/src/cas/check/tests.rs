use std::{fs, sync::Mutex};

use super::*;

struct Lines(Vec<IndexLine>);

impl Index for Lines {
    fn for_each(&self, visit: &mut dyn FnMut(IndexLine)) -> Result<(), Box<dyn Error + Send + Sync>> {
        self.0.iter().cloned().for_each(visit);
        Ok(())
    }
}

fn entry(group_sequence: u64, bytes: &[u8]) -> Entry {
    let (blake3, size_bytes) = (blake3::hash(bytes), bytes.len() as u64);
    Entry { broadcast: "la-nbc".into(), track: "video0.m4s".into(), group_sequence, blake3, size_bytes }
}

fn check(cas: &Cas, entries: Vec<Entry>) -> (Vec<Finding>, CheckTotals) {
    numbered(cas, Numbering::Timeline, entries)
}

fn numbered(cas: &Cas, numbering: Numbering, entries: Vec<Entry>) -> (Vec<Finding>, CheckTotals) {
    let index = Lines(entries.into_iter().map(IndexLine::Entry).collect());
    let check = ObjectCheck { cas, jobs: NonZeroUsize::new(3).unwrap(), numbering, unreferenced: true };
    let mut findings = Vec::new();
    let report = |finding: &Finding| {
        findings.push(finding.clone());
        Ok::<_, CheckError>(())
    };
    let totals = check.run(&index, report, &|_| {}).unwrap();
    (findings, totals)
}

#[test]
fn a_whole_store_has_no_findings() {
    let dir = tempfile::tempdir().unwrap();
    let cas = Cas::new(dir.path());
    let groups: Vec<Vec<u8>> = (0..50_u8).map(|number| vec![number; 100]).collect();
    groups.iter().for_each(|group| assert!(cas.insert(group).unwrap().new));
    let entries = groups.iter().enumerate().map(|(number, group)| entry(number as u64, group)).collect();
    let (findings, totals) = check(&cas, entries);
    assert_eq!(findings, []);
    assert!(totals.ok);
    assert_eq!((totals.records, totals.objects, totals.bytes), (50, 50, 5000));
}

#[test]
fn each_kind_of_damage_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let cas = Cas::new(dir.path());
    for bytes in [b"whole", b"short", b"wrong", b"stray"] {
        cas.insert(bytes).unwrap();
    }
    fs::write(cas.path_of(&blake3::hash(b"short")), b"shor").unwrap();
    fs::write(cas.path_of(&blake3::hash(b"wrong")), b"wrung").unwrap();
    let entries =
        vec![entry(1, b"whole"), entry(2, b"short"), entry(3, b"wrong"), entry(4, b"gone!"), entry(1, b"short")];
    let (findings, totals) = check(&cas, entries);
    assert_eq!(findings.len(), 5);
    assert!(!totals.ok);
    assert_eq!((totals.missing, totals.size_differs, totals.hash_differs), (1, 1, 1));
    assert_eq!((totals.conflicts, totals.unreferenced), (Some(1), Some(1)));
    let conflict =
        Finding::Conflict { entry: entry(1, b"whole"), other_blake3: blake3::hash(b"short"), other_size_bytes: 5 };
    assert!(findings.contains(&conflict));
}

#[test]
fn sessions_may_give_a_number_again() {
    let dir = tempfile::tempdir().unwrap();
    let cas = Cas::new(dir.path());
    let sessions = [&b"first"[..], b"again"];
    sessions.iter().for_each(|bytes| assert!(cas.insert(bytes).unwrap().new));
    let entries = || sessions.iter().map(|bytes| entry(0, bytes)).collect();
    let (findings, totals) = numbered(&cas, Numbering::Session, entries());
    assert_eq!((findings, totals.ok, totals.conflicts), (vec![], true, None));
    assert_eq!(totals.objects, 2, "both are hashed");
    let (_, totals) = numbered(&cas, Numbering::Timeline, entries());
    assert_eq!((totals.ok, totals.conflicts), (false, Some(1)));
}

#[test]
fn an_unreferenced_object_is_information() {
    let dir = tempfile::tempdir().unwrap();
    let cas = Cas::new(dir.path());
    cas.insert(b"stray").unwrap();
    let (findings, totals) = check(&cas, vec![]);
    assert_eq!(findings, [Finding::Unreferenced { cas_path: Cas::relative_path(&blake3::hash(b"stray")) }]);
    assert!(totals.ok);
}

#[test]
fn rounds_see_every_object_group_and_bad_line_once() {
    let dir = tempfile::tempdir().unwrap();
    let cas = Cas::new(dir.path());
    let mut lines = vec![IndexLine::Bad { file: "x.jsonl".into(), line: 7, reason: "no object".into() }];
    for number in 0..1000_u64 {
        lines.push(IndexLine::Entry(entry(number, &number.to_be_bytes())));
        lines.push(IndexLine::Entry(entry(number, &(number + 1).to_be_bytes())));
    }
    for rounds in [1, 2, 16, 256] {
        let (mut objects, mut conflicts, mut bad) = (0, 0, 0);
        for number in 0..rounds {
            let mut round = Round::gather(&Lines(lines.clone()), Numbering::Timeline, number, rounds).unwrap();
            objects += round.object_count();
            for finding in round.take_findings() {
                conflicts += usize::from(matches!(finding, Finding::Conflict { .. }));
                bad += usize::from(matches!(finding, Finding::BadLine { .. }));
            }
            let missing = round.verify(&cas, NonZeroUsize::MIN, &|_, _| {});
            assert!(missing.findings.iter().all(|finding| matches!(finding, Finding::Missing { .. })));
        }
        assert_eq!((objects, conflicts, bad), (1001, 1000, 1), "{rounds} rounds");
    }
}

#[test]
fn rounds_are_powers_of_two_up_to_the_number_of_directories() {
    let of = |records| rounds_for(records);
    assert_eq!([of(0), of(1 << 20), of((1 << 20) + 1), of(3 << 20), of(u64::MAX)], [1, 1, 2, 4, 256]);
}

#[test]
fn progress_never_runs_past_the_end() {
    let seen = Mutex::new(Vec::new());
    let dir = tempfile::tempdir().unwrap();
    let index = Lines((0..10).map(|number| IndexLine::Entry(entry(number, &[1]))).collect());
    let check = ObjectCheck {
        cas: &Cas::new(dir.path()),
        jobs: NonZeroUsize::MIN,
        numbering: Numbering::Session,
        unreferenced: false,
    };
    check.run(&index, |_| Ok::<_, CheckError>(()), &|progress| seen.lock().unwrap().push(progress)).unwrap();
    assert_eq!(*seen.lock().unwrap(), [RecordsDone { records: 10, of_records: 10 }]);
}
