//! Where the signing key comes from. Its bytes and its password never reach a log, a message or `Debug`.

use std::{
    env, fmt, fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use alloy::{
    primitives::Address,
    signers::local::{LocalSignerError, PrivateKeySigner},
};
use serde_json::Value;

/// The environment variable that may hold the key itself: 64 hex digits, `0x` optional.
pub const KEY_VARIABLE: &str = "EC_WITNESS_KEY";

/// Why there is no key to sign with. No variant holds anything secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// No source is set.
    #[error(
        "no key is set: give --keystore with --password-file, or --key-file, or the environment variable {KEY_VARIABLE}"
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
}

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
}

impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keystore { keystore, .. } => write!(f, "keystore {}", keystore.display()),
            Self::File(path) => write!(f, "key_file {}", path.display()),
            Self::Environment(_) => f.write_str(KEY_VARIABLE),
        }
    }
}

impl KeySource {
    /// Chooses the source. `environment` is the value of [`KEY_VARIABLE`]; an empty one is not set.
    ///
    /// # Errors
    ///
    /// None or more than one source is set, or half of the keystore's pair.
    pub fn choose(
        keystore: Option<PathBuf>,
        password_file: Option<PathBuf>,
        key_file: Option<PathBuf>,
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
        sources.extend(environment.filter(|value| !value.is_empty()).map(Self::Environment));
        match sources.len() {
            1 => Ok(sources.remove(0)),
            0 => Err(KeyError::None),
            _ => Err(KeyError::Several(names(&sources))),
        }
    }

    /// Reads and, where it is encrypted, decrypts the key. A keystore takes the time its own work factor asks for.
    ///
    /// # Errors
    ///
    /// A file that cannot be read or that others can read, a wrong password, something that is no key.
    pub fn load(&self) -> Result<PrivateKeySigner, KeyError> {
        match self {
            Self::Keystore { keystore, password_file } => from_keystore(keystore, password_file),
            Self::File(path) => from_hex(&read_secret("key_file", path)?, || format!("key_file {}", path.display())),
            Self::Environment(value) => from_hex(value, || KEY_VARIABLE.to_owned()),
        }
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

fn from_keystore(keystore: &Path, password_file: &Path) -> Result<PrivateKeySigner, KeyError> {
    require_private("keystore", keystore)?;
    let text = read_secret("password_file", password_file)?;
    let password = text.strip_suffix('\n').unwrap_or(&text);
    let password = password.strip_suffix('\r').unwrap_or(password);
    let stated = stated_account(keystore)?;
    let signer = PrivateKeySigner::decrypt_keystore(keystore, password).map_err(|source| KeyError::Keystore {
        keystore: keystore.to_owned(),
        password_file: password_file.to_owned(),
        source,
    })?;
    match stated {
        Some(stated) if stated != signer.address() => {
            Err(KeyError::OtherAccount { keystore: keystore.to_owned(), stated, actual: signer.address() })
        }
        _ => Ok(signer),
    }
}

/// The account that a keystore says it is of, where it does. What it says of its encryption is checked: the library that
/// decrypts takes every keystore for one of version 3 with the cipher `aes-128-ctr`.
fn stated_account(keystore: &Path) -> Result<Option<Address>, KeyError> {
    let unread = |source| KeyError::Read { field: "keystore", path: keystore.to_owned(), source };
    let text = fs::read(keystore).map_err(unread)?;
    let unsupported = |field, found: String, expected| KeyError::Unsupported {
        keystore: keystore.to_owned(),
        field,
        found,
        expected,
    };
    let found: Value =
        serde_json::from_slice(&text).map_err(|error| unsupported("the file", error.to_string(), "a JSON object"))?;
    let crypto = found.get("crypto").or_else(|| found.get("Crypto")).unwrap_or(&Value::Null);
    let known: [(_, &Value, &'static str); 3] = [
        ("version", &found["version"], "3"),
        ("crypto.cipher", &crypto["cipher"], "\"aes-128-ctr\""),
        ("crypto.kdf", &crypto["kdf"], "\"scrypt\" or \"pbkdf2\""),
    ];
    for (field, value, expected) in known {
        let shown = value.to_string();
        if !expected.split(" or ").any(|expected| expected == shown) {
            return Err(unsupported(field, shown, expected));
        }
    }
    let Some(address) = found.get("address").and_then(Value::as_str) else { return Ok(None) };
    let parsed = address.strip_prefix("0x").unwrap_or(address).parse();
    Ok(Some(parsed.map_err(|_| unsupported("address", format!("{address:?}"), "an address"))?))
}

fn read_secret(field: &'static str, path: &Path) -> Result<String, KeyError> {
    require_private(field, path)?;
    fs::read_to_string(path).map_err(|source| KeyError::Read { field, path: path.to_owned(), source })
}

/// Refuses a file that its group or others may touch.
fn require_private(field: &'static str, path: &Path) -> Result<(), KeyError> {
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

#[cfg(test)]
mod tests {
    use alloy::signers::k256::elliptic_curve::rand_core::OsRng;

    use super::*;

    const KEY: &str = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

    fn secret(dir: &tempfile::TempDir, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn exactly_one_source_is_chosen() {
        let path = || Some(PathBuf::from("k"));
        let choose = KeySource::choose;
        assert!(matches!(choose(None, None, None, None), Err(KeyError::None)));
        assert!(matches!(choose(None, None, None, Some(String::new())), Err(KeyError::None)));
        assert!(matches!(choose(path(), None, None, None), Err(KeyError::NoPassword(_))));
        assert!(matches!(choose(None, path(), None, None), Err(KeyError::NoKeystore(_))));
        assert!(matches!(choose(path(), path(), None, None), Ok(KeySource::Keystore { .. })));
        let both = choose(path(), path(), path(), Some(KEY.into())).unwrap_err().to_string();
        assert_eq!(both, "more than one key is set: keystore k and key_file k and EC_WITNESS_KEY; leave exactly one");
    }

    #[test]
    fn raw_keys_load_with_and_without_prefix_and_newline() {
        let dir = tempfile::tempdir().unwrap();
        for text in [KEY.to_owned(), format!("0x{KEY}\n"), format!("{KEY}\r\n"), KEY.to_uppercase()] {
            let signer = KeySource::File(secret(&dir, "key", &text, 0o600)).load().unwrap();
            assert_eq!(signer.address().to_string(), "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
        }
    }

    #[test]
    fn a_malformed_key_is_refused_without_showing_it() {
        let zero = "0".repeat(64);
        for text in ["", "0x", &KEY[1..], &format!("{KEY}00"), &format!("{}g", &KEY[1..]), &zero] {
            let error = KeySource::Environment(text.to_owned()).load().unwrap_err();
            assert!(matches!(error, KeyError::Malformed(_)));
            assert!(!format!("{error} {error:?}").contains("ac0974bec"));
        }
    }

    #[test]
    fn files_open_to_others_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        for mode in [0o640, 0o604, 0o620, 0o601] {
            let path = secret(&dir, "key", KEY, mode);
            let error = KeySource::File(path.clone()).load().unwrap_err().to_string();
            assert!(error.contains(&format!("chmod 600 {}", path.display())), "{error}");
        }
    }

    /// Changes a keystore's JSON.
    type Change<'a> = &'a dyn Fn(&mut Value);

    #[test]
    fn a_keystore_opens_with_its_password_only() {
        let dir = tempfile::tempdir().unwrap();
        let signer: PrivateKeySigner = KEY.parse().unwrap();
        let bytes = signer.to_bytes();
        PrivateKeySigner::encrypt_keystore(dir.path(), &mut OsRng, bytes, "pass word", Some("store")).unwrap();
        let keystore = dir.path().join("store");
        fs::set_permissions(&keystore, fs::Permissions::from_mode(0o600)).unwrap();
        let open = |text| {
            let password_file = secret(&dir, "password", text, 0o600);
            KeySource::Keystore { keystore: keystore.clone(), password_file }.load()
        };
        assert_eq!(open("pass word\n").unwrap().address(), signer.address());
        assert!(matches!(open("password"), Err(KeyError::Keystore { .. })));

        // what the file says of itself must be true, and known
        let made: Value = serde_json::from_slice(&fs::read(&keystore).unwrap()).unwrap();
        let rewritten = |change: Change<'_>| {
            let mut changed = made.clone();
            change(&mut changed);
            fs::write(&keystore, changed.to_string()).unwrap();
            open("pass word").map(|signer| signer.address()).map_err(|error| error.to_string())
        };
        let own = signer.address();
        let plain = format!("{own:x}").trim_start_matches("0x").to_owned();
        for stated in [plain.clone(), format!("0x{plain}"), own.to_string()] {
            assert_eq!(rewritten(&|store| store["address"] = stated.clone().into()), Ok(own), "{stated}");
        }
        let other = rewritten(&|store| store["address"] = "70997970c51812dc3a010c7d01b50e0d17dc79c8".into());
        assert!(other.as_ref().unwrap_err().contains("says that it is of account 0x70997970"), "{other:?}");
        let refused: [(Change<'_>, &str); 5] = [
            (&|store| store["crypto"]["cipher"] = "aes-128-cbc".into(), "crypto.cipher is \"aes-128-cbc\""),
            (&|store| store["crypto"]["kdf"] = "argon2id".into(), "crypto.kdf is \"argon2id\""),
            (&|store| store["version"] = 4.into(), "version is 4, and 3 is needed"),
            (&|store| store["address"] = "0x12".into(), "address is \"0x12\""),
            (&|store| *store = "text".into(), "version is null"),
        ];
        for (change, said) in refused {
            let found = rewritten(change).unwrap_err();
            assert!(found.contains(said), "{found}");
        }
    }

    #[test]
    fn a_directory_is_no_file_to_protect() {
        let dir = tempfile::tempdir().unwrap();
        let error = KeySource::File(dir.path().to_owned()).load().unwrap_err().to_string();
        assert!(error.ends_with("is a directory; name the file in it"), "{error}");
    }

    #[test]
    fn debug_shows_the_place_and_not_the_key() {
        assert_eq!(format!("{:?}", KeySource::Environment(KEY.to_owned())), "EC_WITNESS_KEY");
    }
}
