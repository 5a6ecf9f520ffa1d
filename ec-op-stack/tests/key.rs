//! `key`: files that nobody else reads, and addresses that belong to them.

#![allow(clippy::unwrap_used)] // Test code: a panic is its report.

mod common;

use std::{fs, os::unix::fs::PermissionsExt};

use common::{expect, read};

#[test]
fn a_new_key_is_private_and_its_address_can_be_told_again() {
    let dir = tempfile::tempdir().unwrap();
    let (created, err) = expect(dir.path(), 0, &["key", "create", "batcher.key"]);
    let key = read(dir.path(), "batcher.key");
    assert_eq!((key.len(), err.as_str()), (64, ""));
    assert!(!created.contains(&key));
    assert_eq!(fs::metadata(dir.path().join("batcher.key")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(expect(dir.path(), 0, &["key", "address", "batcher.key"]).0, created);
    expect(dir.path(), 2, &["key", "create", "batcher.key"]);
    assert_eq!(read(dir.path(), "batcher.key"), key, "never overwritten");
}

#[test]
fn a_known_key_has_its_known_address() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("key");
    fs::write(&file, "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let (out, _) = expect(dir.path(), 0, &["key", "address", "key"]);
    assert_eq!(out.trim(), "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
}

#[test]
fn a_key_that_others_can_read_or_that_is_none_is_an_error_without_the_key() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("key");
    for (text, mode, wanted) in [("ac0974be", 0o600, "not a private key"), ("ac0974be", 0o644, "chmod 600")] {
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let (_, err) = expect(dir.path(), 2, &["key", "address", "key"]);
        assert!(err.contains(wanted) && !err.contains(text), "{err}");
    }
}
