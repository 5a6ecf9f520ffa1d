//! One owner, one process, and nobody else looks in.

use std::os::unix::fs::PermissionsExt;

use super::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn the_store_is_private_and_exclusive() {
    let (dir, store) = created();
    let path = dir.path().join("store");
    assert_eq!((mode(&path), mode(&path.join(STORE_FILE)), mode(&path.join("lock"))), (0o700, 0o600, 0o600));
    assert!(matches!(VoteStore::open(&path, identity()), Err(StoreError::InUse { .. })));
    assert!(VoteStore::read(&path).is_ok(), "a reader is allowed");
    drop(store);
    assert!(matches!(create(&path, 0), Err(StoreError::Exists { .. })));
    drop(reopened(&dir));
}

#[test]
fn a_store_that_others_may_use_is_refused_with_the_command_to_run() {
    let (dir, store) = created();
    drop(store);
    let directory = dir.path().join("store");
    let file = directory.join(STORE_FILE);
    for (path, open, wanted) in [(&directory, 0o750, 0o700), (&directory, 0o701, 0o700), (&file, 0o640, 0o600)] {
        set_mode(path, open);
        let refused = VoteStore::open(&directory, identity()).unwrap_err();
        assert!(matches!(refused, StoreError::OpenToOthers { mode, .. } if mode == open), "{refused}");
        let command = format!("chmod {wanted:o} {}", path.display());
        assert!(refused.to_string().ends_with(&command), "{refused}");
        assert_eq!(mode(path), open, "left as it is");
        set_mode(path, wanted);
    }
    drop(reopened(&dir));
    let shared = dir.path().join("shared");
    fs::create_dir(&shared).unwrap();
    set_mode(&shared, 0o755);
    assert!(matches!(create(&shared, 0), Err(StoreError::OpenToOthers { .. })));
    assert_eq!(fs::read_dir(&shared).unwrap().count(), 0, "nothing was created");
}
