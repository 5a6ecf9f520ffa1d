//! The `[key]` settings.

use std::{env, path::PathBuf};

use alloy::signers::local::PrivateKeySigner;
use clap::Args;
use ec_witness::key::{KEY_VARIABLE, KeySource};
use serde::Deserialize;

/// Where the signing key is. A key itself is never a flag's value; besides the files here, the environment variable
/// `EC_WITNESS_KEY` may hold it.
#[derive(Clone, Debug, Default, Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[command(next_help_heading = "Key (exactly one: a keystore, a key file, or the variable EC_WITNESS_KEY)")]
pub(crate) struct KeyArgs {
    /// Encrypted keystore (JSON), readable by its owner only.
    #[arg(long, env = "EC_WITNESS_KEYSTORE", value_name = "FILE")]
    pub(crate) keystore: Option<PathBuf>,

    /// File that holds the keystore's password, readable by its owner only.
    #[arg(long, env = "EC_WITNESS_PASSWORD_FILE", value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,

    /// File that holds the key as 64 hex digits, readable by its owner only.
    #[arg(long, env = "EC_WITNESS_KEY_FILE", value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
}

impl KeyArgs {
    /// These settings, and the file's where these say nothing.
    pub(crate) fn or(self, file: Self) -> Self {
        Self {
            keystore: self.keystore.or(file.keystore),
            password_file: self.password_file.or(file.password_file),
            key_file: self.key_file.or(file.key_file),
        }
    }

    /// Whether any source is set, the environment's included.
    pub(crate) fn is_set(&self) -> bool {
        let files = [&self.keystore, &self.password_file, &self.key_file];
        files.iter().any(|file| file.is_some()) || env::var_os(KEY_VARIABLE).is_some_and(|value| !value.is_empty())
    }

    /// The one source that is set, the environment's included.
    pub(crate) fn source(self) -> eyre::Result<KeySource> {
        // A value that is no Unicode is no key; as a replacement text it is refused like any other.
        let environment = env::var_os(KEY_VARIABLE).map(|value| value.to_string_lossy().into_owned());
        Ok(KeySource::choose(self.keystore, self.password_file, self.key_file, environment)?)
    }

    /// Loads the key from the one source that is set.
    pub(crate) fn load(self) -> eyre::Result<PrivateKeySigner> {
        Ok(self.source()?.load()?)
    }
}
