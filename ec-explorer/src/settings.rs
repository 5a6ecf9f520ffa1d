//! The configuration file, checked in one step.
//!
//! It has the shape of a witness's: `[archive]`, `[archive.fields]` and `[[stream]]` mean the same, so that both read an archive
//! alike, and `[chain]` is what `ec-witness deploy --write-config` writes. Where there are several of them, `[[ledger]]` and
//! `[[archive]]` are lists, each with a name.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::SocketAddr,
    num::NonZeroU64,
    path::{Path, PathBuf},
    time::Duration,
};

use alloy::primitives::Address;
use ec_archive::{Archive, Broadcast, FieldNames, StreamDefaults, StreamTable};
use ec_observation::{Numbering, StreamRule, Tracks, stream::DEFAULT_GROUPS_PER_EPOCH};
use ec_rpc::{Endpoint, majority};
use eyre::{OptionExt, WrapErr, bail, ensure};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error, IgnoredAny},
};
use url::Url;

/// Where the API and the page are served, where nothing is configured.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:9480";
/// What a ledger or an archive is called that has no name.
pub const DEFAULT_NAME: &str = "main";
/// Requests that are answered at once.
const DEFAULT_MAX_REQUESTS: usize = 64;
/// Streams of events that are held open at once.
const DEFAULT_MAX_EVENT_STREAMS: usize = 256;
/// Milliseconds between two looks at a ledger or an archive.
const DEFAULT_POLL_MS: u64 = 1000;
/// Milliseconds that one request to a chain may take.
const DEFAULT_RPC_TIMEOUT_MS: u64 = 10_000;
/// Blocks that one request for logs asks for at most.
const DEFAULT_LOG_PAGE_BLOCKS: NonZeroU64 = NonZeroU64::new(10_000).expect("10 000 is not zero");
/// Milliseconds for which the finalized head may stand still.
const DEFAULT_FINALITY_STALE_MS: u64 = 1_800_000;
/// How long an incomplete epoch stays open after a later record came.
const DEFAULT_GRACE_MS: u64 = 10_000;

/// All that is configured.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the API and the page are served.
    pub listen: SocketAddr,
    /// Where the databases are.
    pub directory: PathBuf,
    /// Whether `/media/` serves bytes.
    pub serve_media: bool,
    /// Requests that are answered at once.
    pub max_requests: usize,
    /// Streams of events that are held open at once.
    pub max_event_streams: usize,
    /// The time between two looks.
    pub poll: Duration,
    /// The ledgers, at least one.
    pub ledgers: Vec<LedgerSettings>,
    /// The archives.
    pub archives: Vec<ArchiveSettings>,
    /// What is special about broadcasts, in every archive.
    pub streams: Vec<StreamTable>,
    /// Names of witnesses, by their addresses.
    pub witnesses: BTreeMap<Address, String>,
}

/// A ledger on its chain.
#[derive(Clone, Debug)]
pub struct LedgerSettings {
    /// Its name here.
    pub name: String,
    /// The chain.
    pub chain_id: u64,
    /// Who is asked.
    pub endpoints: Vec<Endpoint>,
    /// How many of them must answer alike.
    pub agree: usize,
    /// The ledger.
    pub ledger: Address,
    /// The registry, where it is set; else the ledger's.
    pub registry: Option<Address>,
    /// The block that holds the ledger's creation.
    pub deploy_block: u64,
    /// The most blocks that one request for logs asks for.
    pub log_page_blocks: NonZeroU64,
    /// The chain's block time, where its head's age is to be judged.
    pub block_time: Option<Duration>,
    /// How long the finalized head may stand still.
    pub finality_stale: Duration,
    /// The rollup's node, which knows of L1.
    pub op_node: Option<Endpoint>,
    /// What a visitor's browser may ask.
    pub public_rpc: Option<Url>,
}

/// An archive.
#[derive(Clone, Debug)]
pub struct ArchiveSettings {
    /// Its name here.
    pub name: String,
    /// The ledger that its streams are on.
    pub ledger: String,
    /// Where it is.
    pub archive: Archive,
    /// What its writer calls the fields.
    pub fields: FieldNames,
    /// What holds where a `[[stream]]` does not say.
    pub defaults: StreamDefaults,
    /// How long an incomplete epoch stays open.
    pub grace: Duration,
}

impl ArchiveSettings {
    /// The streams that a broadcast of this archive is, by what is configured of it.
    ///
    /// # Errors
    ///
    /// It cannot be read, or its table makes no sense.
    pub fn streams_of(&self, broadcast: &Broadcast, tables: &[StreamTable]) -> eyre::Result<Vec<StreamRule>> {
        let table = tables.iter().find(|table| table.broadcast == broadcast.name).cloned();
        let table = table.unwrap_or_else(|| StreamTable::of(&broadcast.name));
        Ok(table.streams(&broadcast.tracks()?, &self.defaults)?)
    }
}

/// What the command line says, before the file.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// Where the API and the page are served.
    pub listen: Option<SocketAddr>,
    /// Where the databases are.
    pub directory: Option<PathBuf>,
    /// Whether `/media/` serves bytes.
    pub serve_media: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    explorer: ExplorerSection,
    chain: Option<LedgerTable>,
    ledger: Vec<LedgerTable>,
    #[serde(deserialize_with = "one_or_many")]
    archive: Vec<ArchiveTable>,
    stream: Vec<StreamTable>,
    witness: Vec<WitnessTable>,
    // sections of a witness's file, which are its own affair
    #[serde(rename = "key")]
    _key: Option<IgnoredAny>,
    #[serde(rename = "store")]
    _store: Option<IgnoredAny>,
    #[serde(rename = "agreement")]
    _agreement: Option<IgnoredAny>,
    #[serde(rename = "run")]
    _run: Option<IgnoredAny>,
    #[serde(rename = "force")]
    _force: Option<IgnoredAny>,
    #[serde(rename = "monitor")]
    _monitor: Option<IgnoredAny>,
}

/// A table, or a list of them.
fn one_or_many<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Vec<T>, D::Error> {
    match toml::Value::deserialize(from)? {
        toml::Value::Array(tables) => {
            tables.into_iter().map(|table| T::deserialize(table).map_err(D::Error::custom)).collect()
        }
        table => Ok(vec![T::deserialize(table).map_err(D::Error::custom)?]),
    }
}

/// A URL, or a list of them.
fn urls<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<String>>, D::Error> {
    one_or_many(from).map(Some)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ExplorerSection {
    listen: Option<SocketAddr>,
    dir: Option<PathBuf>,
    serve_media: Option<bool>,
    max_requests: Option<usize>,
    max_event_streams: Option<usize>,
    poll_ms: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct LedgerTable {
    name: Option<String>,
    #[serde(deserialize_with = "urls")]
    rpc: Option<Vec<String>>,
    rpc_file: Option<PathBuf>,
    rpc_agree: Option<usize>,
    chain_id: Option<u64>,
    ledger: Option<Address>,
    registry: Option<Address>,
    #[serde(rename = "rail")]
    _rail: Option<Address>,
    deploy_block: Option<u64>,
    log_page_blocks: Option<NonZeroU64>,
    block_time_ms: Option<u64>,
    finality_stale_ms: Option<u64>,
    rpc_timeout_ms: Option<u64>,
    op_node: Option<String>,
    public_rpc: Option<Url>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ArchiveTable {
    name: Option<String>,
    ledger: Option<String>,
    dir: Option<PathBuf>,
    manifests: Option<PathBuf>,
    cas: Option<PathBuf>,
    numbering: Option<Numbering>,
    groups_per_epoch: Option<NonZeroU64>,
    tracks: Option<Vec<String>>,
    grace_ms: Option<u64>,
    fields: FieldNames,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WitnessTable {
    address: Address,
    name: String,
}

impl Settings {
    /// Reads the file, and checks it as far as that can be done without asking anyone.
    ///
    /// # Errors
    ///
    /// The file, the setting, its value, and what to write.
    pub fn read(path: &Path, overrides: Overrides) -> eyre::Result<Self> {
        let shown = path.display();
        let text = fs::read_to_string(path).wrap_err_with(|| format!("config: cannot read {shown}"))?;
        let file = parse(&text).wrap_err_with(|| format!("config: {shown}"))?;
        Self::of(file, overrides).wrap_err_with(|| format!("config: {shown}"))
    }

    fn of(file: File, overrides: Overrides) -> eyre::Result<Self> {
        let ExplorerSection { listen, dir, serve_media, max_requests, max_event_streams, poll_ms } = file.explorer;
        let tables = file.chain.into_iter().chain(file.ledger);
        let ledgers: Vec<_> = tables.map(ledger).collect::<Result<_, _>>()?;
        ensure!(
            !ledgers.is_empty(),
            "no ledger is set: give [chain], or [[ledger]] for each, with rpc, chain_id and ledger"
        );
        distinct("ledger", ledgers.iter().map(|ledger| ledger.name.as_str()))?;
        let archives = file.archive.into_iter().filter_map(|table| archive(table, &ledgers).transpose());
        let archives: Vec<_> = archives.collect::<Result<_, _>>()?;
        distinct("archive", archives.iter().map(|archive| archive.name.as_str()))?;
        distinct("stream", file.stream.iter().map(|stream| stream.broadcast.as_str()))?;
        let listen = match overrides.listen.or(listen) {
            Some(listen) => listen,
            None => DEFAULT_LISTEN.parse()?,
        };
        let directory = overrides.directory.or(dir);
        let directory =
            directory.ok_or_eyre("dir is not set: give --dir DIR, or dir in [explorer], for the databases")?;
        let poll_ms = poll_ms.unwrap_or(DEFAULT_POLL_MS);
        ensure!(poll_ms > 0, "poll_ms is 0; give milliseconds, or leave it out");
        let max_requests = max_requests.unwrap_or(DEFAULT_MAX_REQUESTS);
        ensure!(max_requests > 0, "max_requests is 0, so nothing would ever be answered; leave it out");
        Ok(Self {
            listen,
            directory,
            serve_media: overrides.serve_media || serve_media.unwrap_or_default(),
            max_requests,
            max_event_streams: max_event_streams.unwrap_or(DEFAULT_MAX_EVENT_STREAMS),
            poll: Duration::from_millis(poll_ms),
            ledgers,
            archives,
            streams: file.stream,
            witnesses: file.witness.into_iter().map(|witness| (witness.address, witness.name)).collect(),
        })
    }
}

/// Reads the settings. An error names the line and the setting and shows neither, since a URL may hold a secret.
fn parse(text: &str) -> eyre::Result<File> {
    let unreadable = |setting: Option<String>, error: &toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map(|before| format!("line {}", before.matches('\n').count() + 1));
        let place: Vec<String> = line.into_iter().chain(setting).collect();
        eyre::eyre!("{}: {}", place.join(", "), error.message())
    };
    let file = toml::Deserializer::parse(text).map_err(|error| unreadable(None, &error))?;
    serde_path_to_error::deserialize(file)
        .map_err(|error| unreadable(Some(error.path().to_string()).filter(|path| path != "."), error.inner()))
}

fn distinct<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> eyre::Result<()> {
    let mut known = BTreeSet::new();
    for name in names {
        ensure!(known.insert(name), "two of [[{what}]] are called {name:?}; give each its own name");
    }
    Ok(())
}

/// A name stands in paths of files and in parameters.
fn name(what: &str, name: Option<String>) -> eyre::Result<String> {
    let name = name.unwrap_or_else(|| DEFAULT_NAME.to_owned());
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    ensure!(
        !name.is_empty() && name.len() <= 64 && name.bytes().all(is_plain) && !name.starts_with('.'),
        "{what}: name {name:?} must be at most 64 letters, digits, '-', '_' and '.', and not begin with '.'"
    );
    Ok(name)
}

fn ledger(table: LedgerTable) -> eyre::Result<LedgerSettings> {
    let name = name("ledger", table.name)?;
    let timeout_ms = table.rpc_timeout_ms.unwrap_or(DEFAULT_RPC_TIMEOUT_MS);
    ensure!(timeout_ms > 0, "ledger {name:?}: rpc_timeout_ms is 0: no answer is that fast; leave it out");
    let timeout = Duration::from_millis(timeout_ms);
    let urls = match (table.rpc, table.rpc_file) {
        (Some(urls), None) => urls,
        (None, Some(path)) => {
            let shown = path.display();
            let text = fs::read_to_string(&path).wrap_err_with(|| format!("ledger {name:?}: rpc_file {shown}"))?;
            text.split([',', '\n']).map(str::trim).filter(|url| !url.is_empty()).map(str::to_owned).collect()
        }
        (Some(_), Some(_)) => bail!("ledger {name:?}: rpc and rpc_file are both set; keep one"),
        (None, None) => bail!("ledger {name:?}: rpc is not set; give a URL, or several, or rpc_file"),
    };
    ensure!(!urls.is_empty(), "ledger {name:?}: rpc names no endpoint");
    let endpoint = |field: &str, url: &str| Ok::<_, eyre::Report>(Endpoint { rpc: endpoint_url(field, url)?, timeout });
    let endpoints: Vec<_> = urls.iter().map(|url| endpoint("rpc", url)).collect::<Result<_, _>>()?;
    let agree = table.rpc_agree.unwrap_or(majority(endpoints.len()));
    ensure!(
        (1..=endpoints.len()).contains(&agree),
        "ledger {name:?}: rpc_agree is {agree}, and there are {} endpoints",
        endpoints.len()
    );
    Ok(LedgerSettings {
        chain_id: table.chain_id.ok_or_else(|| eyre::eyre!("ledger {name:?}: chain_id is not set"))?,
        endpoints,
        agree,
        ledger: table
            .ledger
            .ok_or_else(|| eyre::eyre!("ledger {name:?}: ledger is not set; give the contract's address"))?,
        registry: table.registry,
        deploy_block: table.deploy_block.unwrap_or_default(),
        log_page_blocks: table.log_page_blocks.unwrap_or(DEFAULT_LOG_PAGE_BLOCKS),
        block_time: table.block_time_ms.map(Duration::from_millis),
        finality_stale: Duration::from_millis(table.finality_stale_ms.unwrap_or(DEFAULT_FINALITY_STALE_MS)),
        op_node: table.op_node.map(|url| endpoint("op_node", &url)).transpose()?,
        public_rpc: table.public_rpc,
        name,
    })
}

fn endpoint_url(field: &str, text: &str) -> eyre::Result<Url> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.ok_or_else(|| eyre::eyre!("{field}: not the URL of an endpoint; write it as http://127.0.0.1:8545"))
}

/// An archive, unless the section says nothing of where it is: a witness's file may hold the rules alone.
fn archive(table: ArchiveTable, ledgers: &[LedgerSettings]) -> eyre::Result<Option<ArchiveSettings>> {
    let name = name("archive", table.name)?;
    let ledger = table.ledger.unwrap_or_else(|| ledgers[0].name.clone());
    ensure!(
        ledgers.iter().any(|known| known.name == ledger),
        "archive {name:?}: ledger {ledger:?} is none of those that are set"
    );
    let archive = match (table.dir, table.manifests, table.cas) {
        (None, None, None) => return Ok(None),
        (Some(dir), manifests, cas) => {
            let Archive { manifests: own, cas: own_cas } = Archive::at(&dir);
            Archive { manifests: manifests.unwrap_or(own), cas: cas.unwrap_or(own_cas) }
        }
        (None, Some(manifests), Some(cas)) => Archive { manifests, cas },
        (None, Some(manifests), None) => {
            let cas = manifests.parent().unwrap_or(Path::new(".")).join("cas");
            Archive { manifests, cas }
        }
        (None, None, Some(_)) => bail!("archive {name:?}: cas is set and manifests is not; give manifests, or dir"),
    };
    let tracks = table.tracks.map(Tracks::new).transpose().wrap_err_with(|| format!("archive {name:?}"))?;
    let defaults = StreamDefaults {
        numbering: table.numbering.unwrap_or_default(),
        groups_per_epoch: table.groups_per_epoch.unwrap_or(DEFAULT_GROUPS_PER_EPOCH),
        tracks,
    };
    Ok(Some(ArchiveSettings {
        name,
        ledger,
        archive,
        fields: table.fields,
        defaults,
        grace: Duration::from_millis(table.grace_ms.unwrap_or(DEFAULT_GRACE_MS)),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAIN: &str = "[chain]\nrpc = 'http://127.0.0.1:8545'\nchain_id = 31337\nledger = '0x5FbDB2315678afecb367f032d93F642f64180aa3'\n";

    fn settings(text: &str) -> Result<Settings, String> {
        let overrides = Overrides { directory: Some("/tmp/x".into()), ..Overrides::default() };
        parse(text).and_then(|file| Settings::of(file, overrides)).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn a_witnesss_file_is_enough() {
        let text = format!(
            "{CHAIN}[archive]\ndir = '/srv/archive'\n[run]\npoll_ms = 7\n[[stream]]\nbroadcast = 'x'\nfrom_sequence = 7\n"
        );
        let read = settings(&text).unwrap();
        assert_eq!((read.ledgers[0].name.as_str(), read.archives[0].name.as_str()), ("main", "main"));
        assert_eq!(read.archives[0].archive.manifests, Path::new("/srv/archive/manifests"));
        assert_eq!((read.listen.to_string().as_str(), read.serve_media), (DEFAULT_LISTEN, false));
    }

    #[test]
    fn the_manuals_file_is_taken_as_it_stands() {
        let manual = include_str!("../../docs/explorer.md");
        let (_, shown) = manual.split_once("```toml\n").unwrap();
        let read = settings(shown.split_once("```").unwrap().0).unwrap();
        assert_eq!((read.ledgers.len(), read.archives.len()), (1, 1));
    }

    #[test]
    fn several_ledgers_and_archives_have_names() {
        let second = CHAIN.replace("[chain]", "[[ledger]]\nname = 'second'");
        let text = format!(
            "{CHAIN}{second}[[archive]]\nname = 'a'\ndir = '/a'\n[[archive]]\nname = 'b'\nledger = 'second'\nmanifests = '/b/m'\n"
        );
        let read = settings(&text).unwrap();
        let archives: Vec<_> =
            read.archives.iter().map(|archive| (archive.name.as_str(), archive.ledger.as_str())).collect();
        assert_eq!(archives, [("a", "main"), ("b", "second")]);
        assert_eq!(read.archives[1].archive.cas, Path::new("/b/cas"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, part) in [
            ("", "no ledger is set"),
            ("[chain]\nchain_id = 1\n", "rpc is not set"),
            ("[chain]\nrpc = 'ws://secret/x'\n", "rpc: not the URL of an endpoint"),
            ("[chain]\nrpc = 'http://a'\nrpc_agree = 2\n", "rpc_agree is 2, and there are 1 endpoints"),
            ("[chain]\nrpc = 'http://a'\n", "chain_id is not set"),
            ("[chain]\nrpc = 'http://a'\nchain_id = 1\n", "ledger is not set"),
            ("[chain]\nnonsense = 1\n", "unknown field `nonsense`"),
        ] {
            let error = settings(text).unwrap_err();
            assert!(error.contains(part) && !error.contains("secret"), "{error}");
        }
        for (more, part) in [
            (CHAIN.replace("[chain]", "[[ledger]]"), "two of [[ledger]] are called \"main\""),
            ("[[archive]]\nname = '../x'\ndir = '/a'\n".into(), "name \"../x\" must be"),
            ("[[archive]]\nledger = 'other'\ndir = '/a'\n".into(), "ledger \"other\" is none of those"),
            ("[[archive]]\ncas = '/a'\n".into(), "manifests is not"),
            ("[[archive]]\ndir = '/a'\ntracks = ['x', 'x']\n".into(), "archive \"main\": tracks: \"x\" is named twice"),
            ("[explorer]\npoll_ms = 0\n".into(), "poll_ms is 0"),
        ] {
            let error = settings(&format!("{CHAIN}{more}")).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
