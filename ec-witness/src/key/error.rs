//! Why there is nothing to sign with.

use std::{io, path::PathBuf};

use alloy::{primitives::Address, signers::local::LocalSignerError, transports::http::reqwest};

use super::KEY_VARIABLE;

/// Why there is no key to sign with. No variant holds anything secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// No source is set.
    #[error(
        "no key is set: give --keystore with --password-file, or --key-file, or --signer with --signer-address, or the \
         environment variable {KEY_VARIABLE}"
    )]
    None,
    /// More than one source is set.
    #[error("more than one key is set: {0}; leave exactly one")]
    Several(String),
    /// A keystore without its password file.
    #[error("keystore {} has no password: set --password-file", .0.display())]
    NoPassword(PathBuf),
    /// A password file without a keystore.
    #[error("password_file {} is set without a keystore: set --keystore, or remove it", .0.display())]
    NoKeystore(PathBuf),
    /// A file cannot be read.
    #[error("{field}: cannot read {}", path.display())]
    Read {
        /// The setting that names the file.
        field: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A new key has the name of a file that is there.
    #[error("keystore {}: there is a file already, and a key is never written over; name another one", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A password file without a password.
    #[error("password_file {} is empty: put a password into it, or remove it, and a random one is made", path.display())]
    EmptyPassword {
        /// The file.
        path: PathBuf,
    },
    /// A file cannot be written.
    #[error("{field}: cannot write {}", path.display())]
    Write {
        /// The setting that names the file.
        field: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file is open to others.
    #[error(
        "{field}: {} is readable by others (mode {mode:04o}); run `chmod 600 {}`", path.display(), path.display()
    )]
    Exposed {
        /// The setting that names the file.
        field: &'static str,
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A setting for a file that names none.
    #[error("{field}: {} is a directory; name the file in it", path.display())]
    Directory {
        /// The setting that names it.
        field: &'static str,
        /// The directory.
        path: PathBuf,
    },
    /// What should be a keystore is none of the kind that is read here.
    #[error(
        "keystore {}: {field} is {found}, and {expected} is needed; make one with `cast wallet import` or geth, or use \
         key_file", keystore.display()
    )]
    Unsupported {
        /// The keystore.
        keystore: PathBuf,
        /// The field of its JSON.
        field: &'static str,
        /// What it is.
        found: String,
        /// What it must be.
        expected: &'static str,
    },
    /// The keystore holds another key than it says.
    #[error(
        "keystore {} says that it is of account {stated}, but the key in it is of {actual}: the file was changed, or is \
         encrypted in another way than it says; use neither account", keystore.display()
    )]
    OtherAccount {
        /// The keystore.
        keystore: PathBuf,
        /// What it says.
        stated: Address,
        /// What it holds.
        actual: Address,
    },
    /// What should be a raw key is none. The value is not shown.
    #[error("{0} does not hold a private key: it must be 64 hex digits, `0x` optional, and nothing else")]
    Malformed(String),
    /// The keystore does not open.
    #[error("keystore {} does not open with the password in {}", keystore.display(), password_file.display())]
    Keystore {
        /// The keystore.
        keystore: PathBuf,
        /// The password file.
        password_file: PathBuf,
        /// Whether the file is no keystore or the password is wrong.
        source: LocalSignerError,
    },
    /// A signer is asked over the open network without TLS.
    #[error(
        "signer {0} is asked by http, in the clear, which is for this host and private networks only: use https, a private \
         address, or a name without a dot"
    )]
    InTheClear(String),
    /// TLS is configured for a signer that is asked without it.
    #[error("{field} is set, but signer {signer} is asked by http: use https, or remove it")]
    WithoutTls {
        /// The setting.
        field: &'static str,
        /// The signer.
        signer: String,
    },
    /// Half of what is presented to a signer.
    #[error("{set} is set without {unset}: set both, or neither")]
    HalfIdentity {
        /// The setting that is there.
        set: &'static str,
        /// The one that is missing.
        unset: &'static str,
    },
    /// A file holds no certificate.
    #[error("signer_ca: {} holds no certificate: it must be PEM", .0.display())]
    NoAuthority(PathBuf),
    /// What is presented to a signer is no certificate, or not with its key.
    #[error(
        "signer_cert {} and signer_key {} are not a certificate and its key, each PEM", certificate.display(), key.display()
    )]
    Identity {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of its key.
        key: PathBuf,
        /// What is wrong with them.
        source: reqwest::Error,
    },
    /// No client for the signer.
    #[error("signer {signer}: no HTTP client")]
    Client {
        /// The signer.
        signer: String,
        /// What the client says.
        source: reqwest::Error,
    },
}
