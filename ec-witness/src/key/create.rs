//! A new key, in an encrypted keystore that only its owner may read.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use alloy::{
    primitives::Address,
    signers::{k256::elliptic_curve::rand_core::OsRng, local::PrivateKeySigner},
};
use serde_json::{Value, json};

use super::{
    error::KeyError,
    file::{read_secret, require_private},
    keystore::without_newline,
};

/// The name of the keystore while it is in a directory of its own.
const UNFINISHED: &str = "key.json";

/// Makes a key from the system's randomness and puts it into a new keystore of version 3, encrypted with the password in a file.
/// Where that is missing, a random password is put into it. Both files have mode 0600, and none that is there is written over.
///
/// # Errors
///
/// The keystore is there already, the password file is open to others or empty, or the system refuses.
pub fn create(keystore: &Path, password_file: &Path) -> Result<Address, KeyError> {
    if keystore.symlink_metadata().is_ok() {
        return Err(KeyError::Exists { path: keystore.to_owned() });
    }
    let key = PrivateKeySigner::random();
    if password_file.symlink_metadata().is_err() {
        // as much randomness as a key has
        let password = alloy::hex::encode(PrivateKeySigner::random().to_bytes());
        write("password_file", password_file, format!("{password}\n").as_bytes())?;
    }
    require_private("password_file", password_file)?;
    let text = read_secret("password_file", password_file)?;
    let password = without_newline(&text);
    if password.is_empty() {
        return Err(KeyError::EmptyPassword { path: password_file.to_owned() });
    }
    write("keystore", keystore, &encrypted(&key, password).map_err(unwritten("keystore", keystore))?)?;
    Ok(key.address())
}

/// The keystore, with the address that it is of.
fn encrypted(key: &PrivateKeySigner, password: &str) -> io::Result<Vec<u8>> {
    // the library writes with the umask's mode, so into a directory that nobody else may enter
    let dir = tempfile::tempdir()?;
    PrivateKeySigner::encrypt_keystore(dir.path(), &mut OsRng, key.to_bytes(), password, Some(UNFINISHED))
        .map_err(io::Error::other)?;
    let mut keystore: Value = serde_json::from_slice(&fs::read(dir.path().join(UNFINISHED))?)?;
    keystore["address"] = json!(alloy::hex::encode(key.address()));
    Ok((serde_json::to_string_pretty(&keystore)? + "\n").into_bytes())
}

/// Writes a new file that only its owner may read, durably: nobody funds an address whose key a power cut takes.
fn write(field: &'static str, path: &Path, bytes: &[u8]) -> Result<(), KeyError> {
    let written = || {
        let parent = path.parent().unwrap_or(Path::new(""));
        ec_files::create_dir(parent).map_err(|error| error.source)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        ec_files::sync_dir(parent).map_err(|error| error.source)
    };
    written().map_err(unwritten(field, path))
}

fn unwritten(field: &'static str, path: &Path) -> impl Fn(io::Error) -> KeyError {
    move |source| KeyError::Write { field, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::key::KeySource;

    #[test]
    fn a_new_key_opens_with_its_password_and_is_never_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let (keystore, password_file) = (dir.path().join("new/key.json"), dir.path().join("new/password"));
        let address = create(&keystore, &password_file).unwrap();
        for file in [&keystore, &password_file] {
            assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600, "{}", file.display());
        }
        let source = KeySource::Keystore { keystore: keystore.clone(), password_file: password_file.clone() };
        assert_eq!(source.load().unwrap().address(), address);
        let stated: Value = serde_json::from_slice(&fs::read(&keystore).unwrap()).unwrap();
        assert_eq!(stated["address"], alloy::hex::encode(address));
        let before = fs::read(&keystore).unwrap();
        assert!(create(&keystore, &password_file).unwrap_err().to_string().contains("never written over"));
        assert_eq!(fs::read(&keystore).unwrap(), before);
        // a password that is there is taken
        let second = dir.path().join("second.json");
        assert_ne!(create(&second, &password_file).unwrap(), address);
        fs::write(&password_file, "\n").unwrap();
        assert!(create(&dir.path().join("third.json"), &password_file).unwrap_err().to_string().contains("is empty"));
        fs::set_permissions(&password_file, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(create(&dir.path().join("third.json"), &password_file).unwrap_err().to_string().contains("chmod 600"));
    }
}
