//! op-geth and op-reth: what they refuse of a command line by itself.

use super::{Checked, refuse};
use crate::reads::flags::Parsed;

pub(super) fn check(parsed: &Parsed) -> Checked {
    // op-geth takes the first word that is no flag for a command
    match parsed.dropped.first() {
        Some(word) => refuse(format!("{word:?} is no command of it"), "write the value behind its flag, with ="),
        None => Ok(()),
    }
}
