//! The configuration file that `setup` writes. Pure: settings in, text out.

use std::{
    num::NonZeroU64,
    path::{Path, PathBuf},
};

use ec_observation::Numbering;
use toml::Value;
use url::Url;

use crate::cli::{chain::ChainArgs, key::KeyArgs};

/// What is written.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) manifests: PathBuf,
    pub(super) cas: Option<PathBuf>,
    pub(super) numbering: Option<Numbering>,
    pub(super) groups_per_epoch: Option<NonZeroU64>,
    pub(super) tracks: Option<Vec<String>>,
    pub(super) rpc: Vec<Url>,
    pub(super) chain: ChainArgs,
    pub(super) key: KeyArgs,
    pub(super) store: PathBuf,
}

/// Whether there is more in a URL than where the endpoint is.
pub(super) fn may_be_secret(url: &Url) -> bool {
    url.path() != "/" || url.query().is_some() || !url.username().is_empty() || url.password().is_some()
}

/// The file's text.
pub(super) fn document(settings: &Settings) -> String {
    let Settings { manifests, cas, numbering, groups_per_epoch, tracks, rpc, chain, key, store } = settings;
    let mut text = Text::default();
    text.0.push_str(
        "# A witness. README.md lists every setting; `ec-witness config check` checks these. What stands in [archive], but for the\n\
         # directories, must be equal at all witnesses of a stream.\n",
    );
    text.section("archive");
    text.path("manifests", Some(manifests));
    text.path("cas", cas.as_deref());
    text.set("numbering", numbering.map(|numbering| numbering.name().into()));
    text.set("groups_per_epoch", groups_per_epoch.map(|groups| number(groups.get())));
    text.set(
        "tracks",
        tracks.as_ref().map(|tracks| Value::Array(tracks.iter().map(|track| Value::from(track.as_str())).collect())),
    );

    text.section("chain");
    let urls: Vec<_> = rpc.iter().map(|url| Value::from(url.as_str())).collect();
    text.set("rpc", Some(if let [url] = &urls[..] { url.clone() } else { Value::Array(urls) }));
    text.set("rpc_agree", chain.rpc_agree.map(|agree| number(agree as u64)));
    text.set("chain_id", chain.chain_id.map(number));
    text.set("ledger", chain.ledger.map(|address| address.to_string().into()));
    text.set("registry", chain.registry.map(|address| address.to_string().into()));
    text.set("rail", chain.rail.map(|address| address.to_string().into()));
    text.set("deploy_block", chain.deploy_block.map(number));
    text.set("log_page_blocks", chain.log_page_blocks.map(|blocks| number(blocks.get())));
    text.set("block_time_ms", chain.block_time_ms.map(number));
    text.set("finality_stale_ms", chain.finality_stale_ms.map(number));
    text.set("rpc_timeout_ms", chain.rpc_timeout_ms.map(number));

    text.section("key");
    text.path("keystore", key.keystore.as_deref());
    text.path("password_file", key.password_file.as_deref());
    text.path("key_file", key.key_file.as_deref());
    text.set("signer", key.signer.as_deref().map(Into::into));
    text.set("signer_address", key.signer_address.map(|address| address.to_string().into()));
    text.set("signer_method", key.signer_method.map(|method| method.to_string().into()));
    text.path("signer_cert", key.signer_cert.as_deref());
    text.path("signer_key", key.signer_key.as_deref());
    text.path("signer_ca", key.signer_ca.as_deref());
    text.set("signer_timeout_ms", key.signer_timeout_ms.map(number));

    text.section("store");
    text.path("dir", Some(store));
    text.0
}

fn number(number: u64) -> Value {
    i64::try_from(number).unwrap_or(i64::MAX).into()
}

/// Lines as they are added.
#[derive(Default)]
struct Text(String);

impl Text {
    fn section(&mut self, name: &str) {
        self.0.push_str(&format!("\n[{name}]\n"));
    }

    fn set(&mut self, key: &str, value: Option<Value>) {
        if let Some(value) = value {
            self.0.push_str(&format!("{key} = {value}\n"));
        }
    }

    /// A path, from the root on: the file is read from wherever a command is started.
    fn path(&mut self, key: &str, path: Option<&Path>) {
        let absolute = path.map(|path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned()));
        self.set(key, absolute.map(|path| path.to_string_lossy().into_owned().into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::config::parse;

    fn settings(rpc: &[&str]) -> Settings {
        let ledger = Some("0x5FbDB2315678afecb367f032d93F642f64180aa3".parse().unwrap());
        Settings {
            manifests: "/srv/an \"archive\"/manifests".into(),
            cas: None,
            numbering: Some(Numbering::Timeline),
            groups_per_epoch: NonZeroU64::new(3),
            tracks: Some(vec!["0.m4s".into(), "1.m4s".into()]),
            rpc: rpc.iter().map(|url| url.parse().unwrap()).collect(),
            chain: ChainArgs { chain_id: Some(901), ledger, deploy_block: Some(12), ..ChainArgs::default() },
            key: KeyArgs {
                keystore: Some("/k/key.json".into()),
                password_file: Some("/k/password".into()),
                ..KeyArgs::default()
            },
            store: "/var/lib/ec-witness/store".into(),
        }
    }

    #[test]
    fn what_is_written_is_read_as_it_was_meant() {
        for rpc in [&["http://127.0.0.1:8545"][..], &["http://a", "https://b/v3/token"]] {
            let settings = settings(rpc);
            let file = parse(&document(&settings)).unwrap();
            assert_eq!(file.archive.manifests.as_ref(), Some(&settings.manifests));
            assert_eq!(
                (file.archive.numbering, file.archive.groups_per_epoch),
                (settings.numbering, settings.groups_per_epoch)
            );
            assert_eq!(file.archive.tracks, settings.tracks);
            assert_eq!(file.chain.rpc.as_ref(), Some(&settings.rpc));
            assert_eq!(
                (file.chain.chain_id, file.chain.ledger, file.chain.deploy_block),
                (Some(901), settings.chain.ledger, Some(12))
            );
            assert_eq!(
                (file.key.keystore, file.key.password_file),
                (settings.key.keystore, settings.key.password_file)
            );
        }
    }

    #[test]
    fn what_follows_the_host_of_a_url_may_be_secret() {
        let secret = |url: &str| may_be_secret(&url.parse().unwrap());
        assert_eq!(["http://a", "https://a:8545/"].map(secret), [false, false]);
        assert_eq!(["https://a/v3/key", "https://a/?key=k", "https://user@a/"].map(secret), [true; 3]);
    }
}
