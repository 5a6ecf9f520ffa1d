//! Encrypted keystores, and whether they are what they say.

use std::{fs, path::Path};

use alloy::{primitives::Address, signers::local::PrivateKeySigner};
use serde_json::Value;

use super::{
    error::KeyError,
    file::{read_secret, require_private},
};

pub(super) fn from_keystore(keystore: &Path, password_file: &Path) -> Result<PrivateKeySigner, KeyError> {
    require_private("keystore", keystore)?;
    let text = read_secret("password_file", password_file)?;
    let password = without_newline(&text);
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

/// A password as its file holds it: one newline at the end is not part of it.
pub(super) fn without_newline(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
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
    let crypto = &found["crypto"];
    if crypto.is_null() && found.get("Crypto").is_some() {
        return Err(unsupported("the field of its encryption", "\"Crypto\"".into(), "\"crypto\""));
    }
    let mut known: Vec<(_, &Value, &'static str)> = vec![
        ("version", &found["version"], "3"),
        ("crypto.cipher", &crypto["cipher"], "\"aes-128-ctr\""),
        ("crypto.kdf", &crypto["kdf"], "\"scrypt\" or \"pbkdf2\""),
    ];
    if crypto["kdf"] == "pbkdf2" {
        known.push(("crypto.kdfparams.prf", &crypto["kdfparams"]["prf"], "\"hmac-sha256\""));
    }
    for (field, value, expected) in known {
        let shown = value.to_string();
        if !expected.split(" or ").any(|expected| expected == shown) {
            return Err(unsupported(field, shown, expected));
        }
    }
    // the library takes these to be as long as they must be
    let (dklen, iv) = (&crypto["kdfparams"]["dklen"], &crypto["cipherparams"]["iv"]);
    if dklen.as_u64().is_none_or(|len| len < 32) {
        return Err(unsupported("crypto.kdfparams.dklen", dklen.to_string(), "32"));
    }
    if iv.as_str().is_none_or(|hex| hex.len() < 32) {
        return Err(unsupported("crypto.cipherparams.iv", iv.to_string(), "16 bytes in hex"));
    }
    let Some(address) = found.get("address").and_then(Value::as_str) else { return Ok(None) };
    let parsed = address.strip_prefix("0x").unwrap_or(address).parse();
    Ok(Some(parsed.map_err(|_| unsupported("address", format!("{address:?}"), "an address"))?))
}
