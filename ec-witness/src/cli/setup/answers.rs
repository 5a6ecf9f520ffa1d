//! What a person at a terminal answers. Elsewhere nobody is asked, and what is missing is an error that names the flag.

use std::path::{Path, PathBuf};

use alloy::primitives::Address;
use dialoguer::{Confirm, Input, Select};
use eyre::{bail, eyre};
use url::Url;

use crate::cli::{address, archive::dirs::ArchiveDirs, endpoint_url, key::KeyArgs, key_command::beside};

/// Who answers.
pub(super) struct Answers {
    is_asked: bool,
    wants_new_key: bool,
}

impl Answers {
    /// `is_asked` is whether there is anyone.
    pub(super) fn new(is_asked: bool) -> Self {
        Self { is_asked, wants_new_key: false }
    }

    /// Whether there is anyone who answers.
    pub(super) fn is_asked(&self) -> bool {
        self.is_asked
    }

    /// Says something to whoever answers.
    pub(super) fn tell(&self, what: &str) {
        eprintln!("{what}");
    }

    /// Whether the answer is yes. Nobody's is no.
    pub(super) fn agrees(&self, question: &str) -> eyre::Result<bool> {
        Ok(self.is_asked && Confirm::new().with_prompt(question).default(false).interact()?)
    }

    /// The same, but that nobody's answer is yes.
    pub(super) fn agrees_unless_unasked(&self, question: &str) -> eyre::Result<bool> {
        Ok(!self.is_asked || Confirm::new().with_prompt(question).default(true).interact()?)
    }

    /// A text that `parse` takes. `unasked` is what is missing where nobody is asked.
    fn text<T>(
        &self,
        question: &str,
        default: Option<String>,
        unasked: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> eyre::Result<T> {
        if !self.is_asked {
            bail!("{unasked}");
        }
        let mut input = Input::<String>::new().with_prompt(question);
        if let Some(default) = default {
            input = input.default(default);
        }
        let text = input.validate_with(|text: &String| parse(text.trim()).map(drop)).interact_text()?;
        parse(text.trim()).map_err(|why| eyre!(why))
    }

    pub(super) fn rpc(&self, given: Option<Vec<Url>>) -> eyre::Result<Vec<Url>> {
        if let Some(given) = given.filter(|given| !given.is_empty()) {
            return Ok(given);
        }
        let question = "RPC endpoints of the chain, separated by commas (best three, of different operators)";
        let default = Some("http://127.0.0.1:8545".to_owned());
        self.text(question, default, "rpc is not set: give --rpc URL", |text| {
            text.split(',').map(|url| endpoint_url::parse("rpc", url.trim())).collect()
        })
    }

    /// The chain that the endpoints serve, if that is the one which is meant.
    pub(super) fn confirmed_chain(&self, served: u64) -> eyre::Result<u64> {
        if !self.is_asked {
            return Ok(served);
        }
        match Confirm::new()
            .with_prompt(format!("The endpoint serves chain {served}. Is that the chain?"))
            .default(true)
            .interact()?
        {
            true => Ok(served),
            false => bail!("rpc: the endpoint serves chain {served}; give that of another chain"),
        }
    }

    pub(super) fn ledger(&self) -> eyre::Result<Address> {
        let unasked = "ledger is not set: give --ledger ADDRESS; `ec-witness deploy` printed it";
        self.text("Address of the observation ledger", None, unasked, address::parse)
    }

    pub(super) fn archive(&self, given: ArchiveDirs) -> eyre::Result<ArchiveDirs> {
        if given.manifests().is_ok() {
            return Ok(given);
        }
        let question = "Directory of the archive: it holds manifests/";
        let unasked = "no archive: give --archive DIR or --manifests DIR";
        let dir = self.text(question, None, unasked, |text| {
            let dir = PathBuf::from(text);
            match dir.join("manifests").is_dir() || dir.ends_with("manifests") && dir.is_dir() {
                true => Ok(dir),
                false => Err(format!("there is no directory {}", dir.join("manifests").display())),
            }
        })?;
        Ok(ArchiveDirs::at(if dir.ends_with("manifests") { dir.with_file_name("") } else { dir }))
    }

    pub(super) fn store(&self, default: &str) -> eyre::Result<PathBuf> {
        let question = "Directory of the vote store, on a local disk, for this witness alone";
        let unasked = "store is not set: give --store DIR, a directory on a local disk, for this witness alone";
        self.text(question, Some(default.to_owned()), unasked, |text| Ok(PathBuf::from(text)))
    }

    /// Where the key is, or is to be made.
    pub(super) fn key(&mut self, beside_config: &Path) -> eyre::Result<KeyArgs> {
        let unasked = "no key is set: give --create-key, or --keystore with --password-file, or --key-file, or --signer with \
                       --signer-address";
        if !self.is_asked {
            bail!("{unasked}");
        }
        let kinds = [
            "a new one, in a keystore",
            "in a keystore that is there",
            "as hex in a file that is there",
            "at a remote signer",
        ];
        let kind = Select::new().with_prompt("The witness's key").items(kinds).default(0).interact()?;
        let path = |question: &str, default: &Path| {
            self.text(question, Some(default.display().to_string()), unasked, |text| Ok(PathBuf::from(text)))
        };
        let mut key = KeyArgs::default();
        match kind {
            0 | 1 => {
                let keystore = path("Keystore", &beside_config.join("key.json"))?;
                key.password_file = Some(path("File of its password", &beside(&keystore))?);
                key.keystore = Some(keystore);
            }
            2 => key.key_file = Some(path("File with the key", &beside_config.join("key"))?),
            _ => {
                let url = |text: &str| endpoint_url::parse("signer", text).map(|_| text.to_owned());
                key.signer = Some(self.text("URL of the signer", None, unasked, url)?);
                key.signer_address = Some(self.text("The account that it signs as", None, unasked, address::parse)?);
            }
        }
        self.wants_new_key = kind == 0;
        Ok(key)
    }

    /// Whether a new key is to be made.
    pub(super) fn wants_new_key(&self) -> bool {
        self.wants_new_key
    }
}
