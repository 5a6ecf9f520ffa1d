//! The `[key]` settings.

use std::{env, path::PathBuf, time::Duration};

use alloy::primitives::Address;
use clap::Args;
use ec_witness::key::{DEFAULT_TIMEOUT, KEY_VARIABLE, KeySource, RemoteSettings, SignMethod, Signer};
use eyre::{OptionExt, ensure};
use serde::{Deserialize, Deserializer, de::Error as _};

use super::{address, defaults::with_default, endpoint_url};

/// Where the signing key is. A key itself is never a flag's value; besides the files here, the environment variable
/// `EC_WITNESS_KEY` may hold it.
#[derive(Clone, Default, Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[command(next_help_heading = "Key (exactly one: a keystore, a key file, a signer, or the variable EC_WITNESS_KEY)")]
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

    /// URL of a signer that has the key, such as web3signer or clef: https, or http on this host and private networks.
    #[arg(long, env = "EC_WITNESS_SIGNER", value_name = "URL", hide_env_values = true)]
    pub(crate) signer: Option<String>,

    /// The account that the signer is to sign as.
    #[arg(long, env = "EC_WITNESS_SIGNER_ADDRESS", value_name = "ADDRESS", value_parser = address::parse)]
    #[serde(deserialize_with = "address::deserialize")]
    pub(crate) signer_address: Option<Address>,

    #[arg(help = with_default(
        "The method that the signer knows: eth_signTransaction (web3signer, op-signer) or account_signTransaction (clef)",
        SignMethod::default()
    ))]
    #[arg(long, env = "EC_WITNESS_SIGNER_METHOD", value_name = "METHOD", value_parser = sign_method)]
    #[serde(deserialize_with = "deserialize_method")]
    pub(crate) signer_method: Option<SignMethod>,

    /// File with the certificate that is presented to the signer (PEM).
    #[arg(long, env = "EC_WITNESS_SIGNER_CERT", value_name = "FILE")]
    pub(crate) signer_cert: Option<PathBuf>,

    /// File with that certificate's key (PEM), readable by its owner only.
    #[arg(long, env = "EC_WITNESS_SIGNER_KEY", value_name = "FILE")]
    pub(crate) signer_key: Option<PathBuf>,

    /// File with the certificates that vouch for the signer (PEM) [default: the system's].
    #[arg(long, env = "EC_WITNESS_SIGNER_CA", value_name = "FILE")]
    pub(crate) signer_ca: Option<PathBuf>,

    #[arg(help = with_default("Milliseconds that the signer may take", DEFAULT_TIMEOUT.as_millis()))]
    #[arg(long, env = "EC_WITNESS_SIGNER_TIMEOUT_MS", value_name = "MS")]
    pub(crate) signer_timeout_ms: Option<u64>,
}

/// What stands in the signer's URL may be secret.
impl std::fmt::Debug for KeyArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyArgs")
            .field("keystore", &self.keystore)
            .field("key_file", &self.key_file)
            .field("signer", &self.signer.is_some())
            .finish_non_exhaustive()
    }
}

impl KeyArgs {
    /// These settings, and the file's where these say nothing.
    pub(crate) fn or(self, file: Self) -> Self {
        Self {
            keystore: self.keystore.or(file.keystore),
            password_file: self.password_file.or(file.password_file),
            key_file: self.key_file.or(file.key_file),
            signer: self.signer.or(file.signer),
            signer_address: self.signer_address.or(file.signer_address),
            signer_method: self.signer_method.or(file.signer_method),
            signer_cert: self.signer_cert.or(file.signer_cert),
            signer_key: self.signer_key.or(file.signer_key),
            signer_ca: self.signer_ca.or(file.signer_ca),
            signer_timeout_ms: self.signer_timeout_ms.or(file.signer_timeout_ms),
        }
    }

    /// Whether any source is set, the environment's included.
    pub(crate) fn is_set(&self) -> bool {
        let files = [&self.keystore, &self.password_file, &self.key_file];
        files.iter().any(|file| file.is_some())
            || self.signer.is_some()
            || env::var_os(KEY_VARIABLE).is_some_and(|value| !value.is_empty())
    }

    /// The one source that is set, the environment's included.
    pub(crate) fn source(self) -> eyre::Result<KeySource> {
        // A value that is no Unicode is no key; as a replacement text it is refused like any other.
        let environment = env::var_os(KEY_VARIABLE).map(|value| value.to_string_lossy().into_owned());
        let signer = self.remote()?;
        Ok(KeySource::choose(self.keystore, self.password_file, self.key_file, signer, environment)?)
    }

    /// Makes ready what signs: the key is loaded from the one source that is set; a signer elsewhere is not asked yet.
    pub(crate) fn load(self) -> eyre::Result<Signer> {
        Ok(self.source()?.load()?)
    }

    /// The signer elsewhere, where one is set.
    fn remote(&self) -> eyre::Result<Option<RemoteSettings>> {
        let Some(url) = &self.signer else {
            return self.of_a_signer().map_or(Ok(None), |field| {
                Err(eyre::eyre!("{field} is set without a signer: set --signer, or remove it"))
            });
        };
        let unset =
            "signer_address is not set: give --signer-address ADDRESS, the account that the signer is to sign as";
        let timeout_ms = self.signer_timeout_ms.map_or(DEFAULT_TIMEOUT, Duration::from_millis);
        ensure!(
            !timeout_ms.is_zero(),
            "signer_timeout_ms is 0: no answer is that fast; leave it out or give milliseconds"
        );
        Ok(Some(RemoteSettings {
            url: endpoint_url::parse("signer", url).map_err(eyre::Report::msg)?,
            method: self.signer_method.unwrap_or_default(),
            address: self.signer_address.ok_or_eyre(unset)?,
            certificate: self.signer_cert.clone(),
            key: self.signer_key.clone(),
            authority: self.signer_ca.clone(),
            timeout: timeout_ms,
        }))
    }

    /// A setting that says something of a signer.
    fn of_a_signer(&self) -> Option<&'static str> {
        let set = [
            ("signer_address", self.signer_address.is_some()),
            ("signer_method", self.signer_method.is_some()),
            ("signer_cert", self.signer_cert.is_some()),
            ("signer_key", self.signer_key.is_some()),
            ("signer_ca", self.signer_ca.is_some()),
            ("signer_timeout_ms", self.signer_timeout_ms.is_some()),
        ];
        set.iter().find(|(_, is_set)| *is_set).map(|(field, _)| *field)
    }
}

fn sign_method(text: &str) -> Result<SignMethod, String> {
    text.parse().map_err(|_| {
        format!("{text:?} is no method: it must be eth_signTransaction (web3signer, op-signer) or account_signTransaction (clef)")
    })
}

fn deserialize_method<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SignMethod>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| sign_method(&text).map_err(D::Error::custom)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(section: &str) -> String {
        format!("{:#}", toml::from_str::<KeyArgs>(section).unwrap().source().unwrap_err())
    }

    const ADDRESS: &str = "signer_address = '0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266'";

    #[test]
    fn a_signer_is_taken_with_what_belongs_to_it() {
        let source = toml::from_str::<KeyArgs>(&format!(
            "signer = 'https://name:passphrase@signer.example:9000/token'\n{ADDRESS}\nsigner_method = 'account_signTransaction'"
        ));
        let source = source.unwrap().source().unwrap();
        assert_eq!(format!("{source:?}"), "signer https://signer.example:9000");
        let KeySource::Signer(settings) = source else { panic!("{source:?}") };
        assert_eq!((settings.method, settings.timeout), (SignMethod::Account, DEFAULT_TIMEOUT));
        let method = toml::from_str::<KeyArgs>("signer_method = 'eth_sign'").unwrap_err();
        assert!(method.message().contains("account_signTransaction (clef)"), "{method}");
    }

    #[test]
    fn what_is_missing_or_wrong_is_named_without_what_may_be_secret() {
        let on = |url: &str, more: &str| refused(&format!("signer = '{url}'\n{ADDRESS}\n{more}"));
        assert!(refused("signer = 'https://a'").contains("signer_address is not set"));
        assert!(refused("signer_ca = 'ca'").contains("signer_ca is set without a signer"));
        assert!(on("https://a", "key_file = 'k'").contains("key_file k and signer https://a; leave exactly one"));
        assert!(on("https://a", "signer_timeout_ms = 0").contains("signer_timeout_ms is 0"));
        assert!(on("https://a", "signer_cert = 'c'").contains("signer_cert is set without signer_key"));
        assert!(on("https://a", "signer_key = 'c'").contains("signer_key is set without signer_cert"));
        assert!(
            on("http://127.0.0.1", "signer_ca = 'c'")
                .contains("signer_ca is set, but signer http://127.0.0.1 is asked")
        );
        for url in ["ftp://name:passphrase@host/passphrase", "host:1/passphrase"] {
            let error = on(url, "");
            assert!(error.contains("signer: \"") && error.contains("host") && !error.contains("passphrase"), "{error}");
        }
    }

    #[test]
    fn in_the_clear_it_is_asked_on_this_host_and_private_networks_only() {
        let check =
            |host: &str| toml::from_str::<KeyArgs>(&format!("signer = 'http://{host}'\n{ADDRESS}")).unwrap().source();
        for near in
            ["localhost:1", "127.0.0.1", "[::1]:8550", "10.1.2.3", "192.168.0.9", "[fd00::1]", "clef", "clef.internal"]
        {
            assert!(check(near).is_ok(), "{near}");
        }
        for far in ["signer.example", "8.8.8.8", "[2001:db8::1]", "internal.example"] {
            let error = check(far).unwrap_err().to_string();
            assert!(error.contains("in the clear"), "{far}: {error}");
        }
    }
}
