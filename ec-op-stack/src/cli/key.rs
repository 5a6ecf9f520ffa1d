//! `key`: accounts for the roles. A key is read from and written to a file, never an argument or the output.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use alloy::signers::local::PrivateKeySigner;
use clap::{Args, Subcommand};
use eyre::{WrapErr, bail, eyre};
use serde_json::json;

use super::{Answer, JsonArg, files};

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Make a key from the system's randomness, in a new file of mode 0600, and print its address.
    Create(KeyArgs),

    /// Print the address of a key file.
    Address(KeyArgs),
}

#[derive(Debug, Args)]
pub(super) struct KeyArgs {
    /// The file: 64 hex digits.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    #[command(flatten)]
    json: JsonArg,
}

impl KeyCommand {
    pub(super) fn run(self) -> eyre::Result<Answer> {
        let (signer, args) = match self {
            Self::Create(args) => (create(&args.file)?, args),
            Self::Address(args) => (read(&args.file)?, args),
        };
        let address = signer.address();
        if args.json.json {
            println!("{}", json!({"address": address, "file": args.file}));
        } else {
            println!("{address}");
        }
        Ok(Answer::Yes)
    }
}

fn create(path: &Path) -> eyre::Result<PrivateKeySigner> {
    let signer = PrivateKeySigner::random();
    let digits = alloy::hex::encode(signer.to_bytes());
    let open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = open.wrap_err_with(|| format!("{}: a key is never overwritten", path.display()))?;
    file.write_all(digits.as_bytes()).and_then(|()| file.sync_all()).wrap_err_with(|| path.display().to_string())?;
    // nobody funds an address whose key a power cut takes
    ec_files::sync_dir(path.parent().unwrap_or(Path::new("")))?;
    Ok(signer)
}

fn read(path: &Path) -> eyre::Result<PrivateKeySigner> {
    let text = files::read(path)?;
    let mode = fs::metadata(path)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        bail!("{}: mode {mode:04o} lets others read the key: chmod 600 it", path.display());
    }
    // the parser's own error might show the key
    text.trim().parse::<PrivateKeySigner>().map_err(|_| eyre!("{}: not a private key of 64 hex digits", path.display()))
}
