//! Files that hold secrets: readable by their owner only.

use std::{env, fs, os::unix::fs::PermissionsExt, path::Path};

use super::error::KeyError;

pub(super) fn read_secret(field: &'static str, path: &Path) -> Result<String, KeyError> {
    require_private(field, path)?;
    fs::read_to_string(path).map_err(|source| KeyError::Read { field, path: path.to_owned(), source })
}

/// Refuses a file that its group or others may touch.
pub(super) fn require_private(field: &'static str, path: &Path) -> Result<(), KeyError> {
    let metadata = fs::metadata(path).map_err(|source| KeyError::Read { field, path: path.to_owned(), source })?;
    if metadata.is_dir() {
        return Err(KeyError::Directory { field, path: path.to_owned() });
    }
    let mode = metadata.permissions().mode() & 0o7777;
    let exposed = if is_credential(path) { mode & 0o037 } else { mode & 0o077 };
    if exposed == 0 { Ok(()) } else { Err(KeyError::Exposed { field, path: path.to_owned(), mode }) }
}

/// Whether the file is one that systemd's `LoadCredential=` made. It gives the service's user access by an ACL, whose
/// mask shows as group-readable; the folder is open to that user alone.
fn is_credential(path: &Path) -> bool {
    let Some(folder) = env::var_os("CREDENTIALS_DIRECTORY") else { return false };
    match (fs::canonicalize(folder), fs::canonicalize(path)) {
        (Ok(folder), Ok(path)) => path.starts_with(folder),
        _ => false,
    }
}
