//! Defaults in the help. Each stands in one const, from which the help is printed; the tests here hold the documents to
//! the same.

use std::fmt::Display;

/// The help of a flag that is `default` where neither the flag, its variable nor the file says otherwise. clap must not
/// know this default: it would come before the file.
pub(crate) fn with_default(help: &str, default: impl Display) -> String {
    format!("{help} [default: {default}]")
}

#[cfg(test)]
mod tests;
