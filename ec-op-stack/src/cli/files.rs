//! Reading files, and replacing them whole.

use std::{fs, path::Path};

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

/// Replaces the file by a new one in one step, so that nobody reads half of it. Its permissions stay; a new one is its
/// owner's alone.
pub(super) fn replace(path: &Path, text: &str) -> eyre::Result<()> {
    ec_files::replace(path, text.as_bytes(), 0o600)
        .map_err(|error| eyre!("{}: cannot be written: {}", path.display(), error.source))
}
