//! Reading files, and replacing them whole.

use std::{fs, io::Write, path::Path};

use ec_op_stack::stack::Stack;
use eyre::{WrapErr, eyre};
use serde::de::DeserializeOwned;

/// Where the NixOS module describes what runs.
pub(super) const STACK: &str = "/etc/ec-op-stack/stack.json";

/// The file's text; the error names the file.
pub(super) fn read(path: &Path) -> eyre::Result<String> {
    fs::read_to_string(path).wrap_err_with(|| path.display().to_string())
}

/// The file as JSON; the error names file, line and column.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> eyre::Result<T> {
    serde_json::from_str(&read(path)?).wrap_err_with(|| path.display().to_string())
}

/// The stack file, with the variables that it names files of.
pub(super) fn read_stack(path: &Path) -> eyre::Result<Stack> {
    let mut stack = read_json::<Stack>(path)?;
    stack.read_environment();
    Ok(stack)
}

/// Replaces the file by a new one in one step, so that nobody reads half of it. Its permissions stay.
pub(super) fn replace(path: &Path, text: &str) -> eyre::Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || -> eyre::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        file.write_all(text.as_bytes())?;
        if let Ok(old) = fs::metadata(path) {
            file.as_file().set_permissions(old.permissions())?;
        }
        file.as_file().sync_all()?;
        file.persist(path)?;
        // the new name is on the disk once the directory is
        fs::File::open(dir)?.sync_all()?;
        Ok(())
    };
    write().map_err(|error| eyre!("{}: cannot be written: {error:#}", path.display()))
}
