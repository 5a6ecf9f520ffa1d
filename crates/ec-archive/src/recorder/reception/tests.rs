use std::fs;

use super::*;
use crate::Archive;

const TRACK: &str = "0.m4s";

struct Made {
    dir: tempfile::TempDir,
    reception: Option<Reception>,
}

impl Made {
    fn new() -> Self {
        let mut made = Self { dir: tempfile::tempdir().unwrap(), reception: None };
        made.restart().unwrap();
        made
    }

    fn archive(&self) -> Archive {
        Archive::at(self.dir.path())
    }

    fn restart(&mut self) -> Result<(), RecorderError> {
        self.reception = None;
        let Archive { manifests, cas } = self.archive();
        self.reception = Some(Reception::open(Cas::new(cas), &manifests, "la/nbc".parse().unwrap())?);
        Ok(())
    }

    fn keep(&mut self, group_sequence: u64, received_unix_ms: u64, bytes: &[u8]) -> bool {
        let track = TRACK.parse().unwrap();
        let group = ReceivedGroup { track: &track, group_sequence, received_unix_ms, publisher: None, bytes };
        self.reception.as_mut().unwrap().keep(&group).unwrap().is_new
    }

    fn index(&self) -> std::path::PathBuf {
        self.archive().broadcast("la/nbc").track_file(TRACK)
    }

    fn lines(&self) -> Vec<String> {
        fs::read_to_string(self.index()).unwrap().lines().map(str::to_owned).collect()
    }
}

#[test]
fn lines_have_the_canonical_form_and_objects_their_bytes() {
    let mut made = Made::new();
    assert!(made.keep(0, 1_700_000_000_123, b"moofmdat"));
    let hash = blake3::hash(b"moofmdat").to_hex().to_string();
    let path = format!("objects/blake3/{}/{hash}.bin", &hash[..2]);
    let line = format!(
        r#"{{"broadcast":"la/nbc","track":"0.m4s","group_sequence":0,"received_unix_ms":1700000000123,"size_bytes":8,"blake3":"{hash}","cas_path":"{path}"}}"#
    );
    assert_eq!(made.lines(), [line]);
    assert_eq!(fs::read(made.archive().cas.join(path)).unwrap(), b"moofmdat");
}

#[test]
fn a_restart_writes_nothing_twice_and_a_new_publisher_everything() {
    let mut made = Made::new();
    for sequence in 0..5 {
        assert!(made.keep(sequence, 2000 * sequence, &[sequence as u8]));
    }
    made.restart().unwrap();
    let new: Vec<_> = (2..7).filter(|s| made.keep(*s, 15_000, &[*s as u8])).collect();
    assert_eq!((new, made.lines().len()), (vec![5, 6], 7));
    // the same content again, a minute later
    assert_eq!((0..7).filter(|s| made.keep(*s, 60_000 + 2000 * s, &[*s as u8])).count(), 7);
    assert_eq!(made.lines().len(), 14);
}

#[test]
fn one_recorder_has_the_broadcast() {
    let made = Made::new();
    let Archive { manifests, cas } = made.archive();
    let second = Reception::open(Cas::new(cas), &manifests, "la/nbc".parse().unwrap());
    assert!(matches!(second, Err(RecorderError::Index(IndexError::Busy { .. }))));
}

#[test]
fn a_torn_line_is_refused_before_anything_is_received() {
    let mut made = Made::new();
    made.keep(0, 0, b"group");
    let whole = fs::read(made.index()).unwrap();
    fs::write(made.index(), [&whole[..], b"{\"broad"].concat()).unwrap();
    let said = made.restart().unwrap_err().to_string();
    assert!(said.contains(&format!("truncate -s {}", whole.len())), "{said}");
}

#[test]
fn a_file_that_was_rotated_is_followed_by_a_new_one() {
    let mut made = Made::new();
    made.keep(0, 0, b"a");
    let old = made.index().with_extension("1");
    fs::rename(made.index(), &old).unwrap();
    made.reception.as_mut().unwrap().sync().unwrap();
    assert!(made.keep(1, 2000, b"b"));
    assert!(!made.keep(0, 3000, b"a"), "known across the rotation");
    assert_eq!((fs::read_to_string(old).unwrap().lines().count(), made.lines().len()), (1, 1));
}
