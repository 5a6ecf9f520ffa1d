//! The vote store from outside: older stores, decayed ones, power cuts.

#![allow(clippy::unwrap_used)] // Test code: a panic is its report.

mod decay;
mod migration;
mod older;
mod power;
mod scale;
mod signed;

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

/// A file of a store, as the store makes them.
fn write_private(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// A directory of a store, as the store makes it.
fn create_private(path: &Path) {
    fs::create_dir_all(path).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).unwrap();
}
