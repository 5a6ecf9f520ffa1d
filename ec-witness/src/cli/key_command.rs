//! `key`: a new key, and whose key one is. A key is never an argument and never shown.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use alloy::primitives::Address;
use clap::{Args, Subcommand};
use ec_witness::key;
use serde::Serialize;

use super::{
    Answer,
    config::ConfigArg,
    key::KeyArgs,
    output::{JsonArg, fact},
};

/// Make a key, and tell whose a key is.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key from the system's randomness, in a new keystore of mode 0600, and print its address. No file is written over.
    Create(CreateArgs),
    /// Print the address of the configured key.
    Address(AddressArgs),
}

/// Where the new key goes.
#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// The keystore to make: JSON of version 3, as geth and `cast` have them.
    #[arg(long, env = "EC_WITNESS_KEYSTORE", value_name = "FILE")]
    keystore: PathBuf,

    /// The file of its password; where it is not there, it is made with a random one [default: `password` beside the keystore].
    #[arg(long, env = "EC_WITNESS_PASSWORD_FILE", value_name = "FILE")]
    password_file: Option<PathBuf>,

    #[command(flatten)]
    json: JsonArg,
}

/// Whose key.
#[derive(Debug, Args)]
pub(crate) struct AddressArgs {
    #[command(flatten)]
    config: ConfigArg,

    #[command(flatten)]
    key: KeyArgs,

    #[command(flatten)]
    json: JsonArg,
}

/// What both print.
#[derive(Debug, Serialize)]
struct Key {
    address: Address,
    /// Where a new one is, like the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    keystore: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password_file: Option<PathBuf>,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.address)
    }
}

impl KeyCommand {
    pub(crate) fn run(self) -> eyre::Result<Answer> {
        let (json, key) = match self {
            Self::Create(CreateArgs { keystore, password_file, json }) => {
                let password_file = password_file.unwrap_or_else(|| beside(&keystore));
                let address = key::create(&keystore, &password_file)?;
                (json, Key { address, keystore: Some(keystore), password_file: Some(password_file) })
            }
            Self::Address(AddressArgs { config, key, json }) => {
                let address = key.or(config.read()?.key).load()?.address();
                (json, Key { address, keystore: None, password_file: None })
            }
        };
        fact(json.json, &key)?;
        Ok(Answer::Yes)
    }
}

/// Where the password of a keystore is, if nothing else is said.
pub(crate) fn beside(keystore: &Path) -> PathBuf {
    keystore.with_file_name("password")
}
