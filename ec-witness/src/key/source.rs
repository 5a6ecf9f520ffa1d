//! Which one key is configured.

use std::{fmt, path::PathBuf};

use alloy::signers::local::PrivateKeySigner;

use super::{
    KEY_VARIABLE,
    error::KeyError,
    file::read_secret,
    keystore::from_keystore,
    remote::{RemoteSettings, RemoteSigner},
    signer::Signer,
};

/// The one place the key comes from.
pub enum KeySource {
    /// An encrypted keystore and the file that holds its password.
    Keystore {
        /// The keystore, JSON.
        keystore: PathBuf,
        /// Its password; one newline at the end is not part of it.
        password_file: PathBuf,
    },
    /// A file that holds the key as hex.
    File(PathBuf),
    /// The value of [`KEY_VARIABLE`].
    Environment(String),
    /// Elsewhere: a signer has it.
    Signer(Box<RemoteSettings>),
}

impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keystore { keystore, .. } => write!(f, "keystore {}", keystore.display()),
            Self::File(path) => write!(f, "key_file {}", path.display()),
            Self::Environment(_) => f.write_str(KEY_VARIABLE),
            Self::Signer(settings) => write!(f, "signer {}", settings.name()),
        }
    }
}

impl KeySource {
    /// Chooses the source. `environment` is the value of [`KEY_VARIABLE`]; an empty one is not set.
    ///
    /// # Errors
    ///
    /// None or more than one source is set, or half of a pair, or a signer that may not be asked like that.
    pub fn choose(
        keystore: Option<PathBuf>,
        password_file: Option<PathBuf>,
        key_file: Option<PathBuf>,
        signer: Option<RemoteSettings>,
        environment: Option<String>,
    ) -> Result<Self, KeyError> {
        let mut sources = Vec::new();
        match (keystore, password_file) {
            (Some(keystore), Some(password_file)) => sources.push(Self::Keystore { keystore, password_file }),
            (Some(keystore), None) => return Err(KeyError::NoPassword(keystore)),
            (None, Some(password_file)) => return Err(KeyError::NoKeystore(password_file)),
            (None, None) => {}
        }
        sources.extend(key_file.map(Self::File));
        if let Some(signer) = signer {
            signer.check()?;
            sources.push(Self::Signer(Box::new(signer)));
        }
        sources.extend(environment.filter(|value| !value.is_empty()).map(Self::Environment));
        match sources.len() {
            1 => Ok(sources.remove(0)),
            0 => Err(KeyError::None),
            _ => Err(KeyError::Several(names(&sources))),
        }
    }

    /// Reads and, where it is encrypted, decrypts the key. A keystore takes the time its own work factor asks for. A signer
    /// is not asked yet.
    ///
    /// # Errors
    ///
    /// A file that cannot be read or that others can read, a wrong password, something that is no key or certificate.
    pub fn load(&self) -> Result<Signer, KeyError> {
        let key = match self {
            Self::Keystore { keystore, password_file } => from_keystore(keystore, password_file)?,
            Self::File(path) => from_hex(&read_secret("key_file", path)?, || format!("key_file {}", path.display()))?,
            Self::Environment(value) => from_hex(value, || KEY_VARIABLE.to_owned())?,
            Self::Signer(settings) => return Ok(Signer::Remote(RemoteSigner::new(settings)?)),
        };
        Ok(Signer::Local(key))
    }
}

fn names(sources: &[KeySource]) -> String {
    sources.iter().map(|source| format!("{source:?}")).collect::<Vec<_>>().join(" and ")
}

fn from_hex(text: &str, place: impl Fn() -> String) -> Result<PrivateKeySigner, KeyError> {
    let digits = text.trim_end_matches(['\n', '\r']);
    let digits = digits.strip_prefix("0x").unwrap_or(digits);
    let well_formed = digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    // The parser's own message is dropped: it may repeat a digit of the key.
    well_formed.then(|| digits.parse().ok()).flatten().ok_or_else(|| KeyError::Malformed(place()))
}

#[cfg(test)]
mod tests;
