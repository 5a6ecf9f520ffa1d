//! Which key is chosen, and what is refused as one.

use std::{fs, os::unix::fs::PermissionsExt};

use alloy::signers::k256::elliptic_curve::rand_core::OsRng;
use serde_json::{Value, json};

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
    assert!(matches!(choose(None, None, None, None, None), Err(KeyError::None)));
    assert!(matches!(choose(None, None, None, None, Some(String::new())), Err(KeyError::None)));
    assert!(matches!(choose(path(), None, None, None, None), Err(KeyError::NoPassword(_))));
    assert!(matches!(choose(None, path(), None, None, None), Err(KeyError::NoKeystore(_))));
    assert!(matches!(choose(path(), path(), None, None, None), Ok(KeySource::Keystore { .. })));
    let both = choose(path(), path(), path(), None, Some(KEY.into())).unwrap_err().to_string();
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
    let as_pbkdf2 = |store: &mut Value, prf: &str| {
        store["crypto"]["kdf"] = "pbkdf2".into();
        store["crypto"]["kdfparams"] = json!({"c": 1, "dklen": 32, "prf": prf, "salt": "00"});
    };
    let renamed = |store: &mut Value| store["Crypto"] = store["crypto"].take();
    let refused: [(Change<'_>, &str); 9] = [
        (&|store| as_pbkdf2(store, "hmac-sha512"), "crypto.kdfparams.prf is \"hmac-sha512\", and \"hmac-sha256\""),
        (&renamed, "the field of its encryption is \"Crypto\", and \"crypto\" is needed"),
        (&|store| store["crypto"]["kdfparams"]["dklen"] = 16.into(), "crypto.kdfparams.dklen is 16, and 32 is needed"),
        (&|store| store["crypto"]["cipherparams"]["iv"] = "00".into(), "crypto.cipherparams.iv is \"00\""),
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
