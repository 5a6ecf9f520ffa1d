//! All that can be wrong with a witness's settings, in one list: `setup`, `config check` and `init` ask it, so that none of them takes
//! what another refuses. Looks, and changes nothing; what is to be said of what it sees is [`judge`]'s.

mod finding;
mod judge;

use std::{
    fs,
    path::{Path, PathBuf},
};

use alloy::{
    primitives::Address,
    providers::{DynProvider, Provider},
    rpc::types::Filter,
};
use ec_archive::ArchiveError;
use ec_ledger::{
    Follower, LedgerSettings,
    contracts::EveryChannelWitnessRegistry,
    creation,
    identity::{self, Kind},
};
use ec_rpc::{AgreedHead, Endpoints};
use ec_witness::{
    advice::{EpochLength, Seen},
    clock,
    monitor::check::{self, Check, Level},
    sender::VOTE_GAS,
    store::{Identity, KeptHalt, StoreError, VoteStore, holder},
};

pub(crate) use finding::{Finding, Origins};
pub(crate) use judge::Purpose;
use judge::{Named, Reached, Store, Table, Tracks};

use super::{
    chain::{ChainArgs, ChainSettings},
    derive::read_index,
    key::KeyArgs,
    ledger::HEAD_STALE,
    numbering::SeenStreams,
    roster::{Roster, Sources},
};

/// Directories near a wrong one that are named, at most.
const NEAR: usize = 5;

/// Entries of a directory that are looked at for such ones, at most.
const LOOKED_AT: usize = 1000;

/// What is looked at.
pub(crate) struct Subject {
    pub(crate) purpose: Purpose,
    pub(crate) whose: Whose,
    pub(crate) chain: ChainArgs,
    pub(crate) store: Option<PathBuf>,
    pub(crate) roster: eyre::Result<Roster>,
    /// The setting that says where the archive is.
    pub(crate) archive_key: &'static str,
    /// Whether what the archive lacks is still to come.
    pub(crate) archive_later: bool,
    /// Whether what is wrong with lines of the index is told as JSON.
    pub(crate) json: bool,
}

/// Who the witness is.
pub(crate) enum Whose {
    /// Its key is not at hand.
    Address(Address),
    /// By its key.
    Key(Box<KeyArgs>),
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Inspected {
    pub(crate) findings: Vec<Finding>,
    /// Whose witness it is, where that is known.
    pub(crate) witness: Option<Address>,
}

impl Inspected {
    /// Those that keep a witness from being set up.
    pub(crate) fn failed(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.is_failed())
    }
}

/// The chain, as far as it is the right one.
struct Chain {
    endpoints: Endpoints,
    ledger: Option<LedgerSettings>,
}

/// One inspection under way.
struct Inspection<'a> {
    origins: &'a Origins,
    findings: Vec<Finding>,
}

/// Looks at everything.
pub(crate) async fn inspect(origins: &Origins, subject: Subject) -> Inspected {
    let Subject { purpose, whose, chain, store, roster, archive_key, archive_later, json } = subject;
    let mut inspection = Inspection { origins, findings: Vec::new() };
    let witness = inspection.key(whose);
    let chain = inspection.chain(chain, witness).await;
    inspection.archive(roster, archive_key, archive_later, (purpose != Purpose::Init).then_some(json));
    inspection.store(purpose, store.as_deref(), chain.as_ref(), witness).await;
    Inspected { findings: inspection.findings, witness }
}

impl Inspection<'_> {
    fn push(&mut self, check: Check) {
        self.findings.push(Finding::of(check));
    }

    fn key(&mut self, whose: Whose) -> Option<Address> {
        let (key, place) = match whose {
            Whose::Address(witness) => {
                self.push(Check::ok("key", format!("the witness is {witness}; its key was not looked at")));
                return Some(witness);
            }
            Whose::Key(key) => {
                let shown = |path: &PathBuf| path.display().to_string();
                let set =
                    [("keystore", key.keystore.as_ref().map(shown)), ("key_file", key.key_file.as_ref().map(shown))];
                let set = set.into_iter().find(|(_, value)| value.is_some());
                let place = set.map(|(field, value)| self.origins.place("key", field, value));
                (key, place)
            }
        };
        let loaded = key.load().map(|signer| signer.address());
        let (witness, check) = match loaded {
            Ok(witness) => (Some(witness), Check::ok("key", format!("it is that of {witness}"))),
            Err(error) => {
                let fix = "the message says what helps; `ec-witness key create` makes a new key";
                (None, Check::fail("key", ec_rpc::in_one_line(error.as_ref()), fix))
            }
        };
        self.findings.push(Finding { check, place });
        witness
    }

    async fn chain(&mut self, chain: ChainArgs, witness: Option<Address>) -> Option<Chain> {
        let chain_id = chain.chain_id;
        // the endpoints tell which chain they serve, where that is not said
        let settings = match (ChainArgs { chain_id: chain_id.or(Some(0)), ..chain.clone() }).settings() {
            Ok(settings) => settings,
            Err(error) => {
                let place = self.origins.place("chain", "rpc", None::<&str>);
                self.findings.push(Finding::at(Check::fail("endpoints", error.to_string(), ""), place));
                return None;
            }
        };
        let endpoints = match Endpoints::new(&settings.endpoints, settings.chain_id, settings.agree) {
            Ok(endpoints) => endpoints,
            Err(error) => {
                self.push(Check::fail("endpoints", error.to_string(), "correct rpc or rpc_agree in [chain]"));
                return None;
            }
        };
        let judged = judge::endpoints(self.origins, chain_id, settings.agree, &reach(&settings).await);
        let is_wrong = judged.iter().any(Finding::is_failed);
        self.findings.extend(judged);
        if is_wrong {
            return None;
        }
        let heads = match endpoints.heads().await {
            Ok(heads) => heads,
            Err(error) => {
                let fix = "name endpoints of one chain that are in sync, or as many that most of them agree";
                self.push(Check::fail("heads", format!("rpc: {error}"), fix));
                return None;
            }
        };
        self.findings.push(judge::heads(heads.latest.number, heads.finalized.map(|head| head.number)));
        let clock = check::clock(heads.times.latest, clock::unix_s());
        let level = if clock.level == Level::Ok { Level::Ok } else { Level::Fail };
        self.push(Check { level, ..clock });
        let ledger = self.contracts(&settings, &chain, &endpoints, &heads).await;
        if let (Some(ledger), Some(witness)) = (&ledger, witness) {
            self.account(&endpoints, ledger, witness).await;
        }
        Some(Chain { endpoints, ledger })
    }

    /// The contracts, and from where the ledger's log is read.
    async fn contracts(
        &mut self,
        settings: &ChainSettings,
        chain: &ChainArgs,
        endpoints: &Endpoints,
        heads: &AgreedHead,
    ) -> Option<LedgerSettings> {
        let Some(ledger) = chain.ledger else {
            let place = self.origins.place("chain", "ledger", None::<&str>);
            let check = Check::fail(
                "contracts",
                "without it there is nothing to vote on",
                "write the ledger's address; `ec-witness deploy` printed it",
            );
            self.findings.push(Finding::at(check, place));
            return None;
        };
        let set = [
            ("ledger", Kind::Ledger, Some(ledger)),
            ("registry", Kind::Registry, chain.registry),
            ("rail", Kind::Rail, chain.rail),
        ];
        let mut named = Vec::new();
        for (field, wanted, address) in set {
            let Some(address) = address else { continue };
            match identity::kind_of(endpoints, address).await {
                Ok(found) => named.push(Named { field, wanted, address, found }),
                Err(error) => self.push(Check::fail("contracts", format!("rpc: {error}"), "")),
            }
        }
        let wrong = judge::contracts(self.origins, settings.chain_id, &named);
        let is_wrong = !wrong.is_empty();
        self.findings.extend(wrong);
        if is_wrong || self.findings.iter().any(|finding| finding.check.name == "contracts") {
            return None;
        }
        let registry = match self.belong_together(endpoints, ledger, chain).await {
            Ok(registry) => registry,
            Err(error) => {
                let place = self.origins.place("chain", "ledger", Some(ledger));
                self.findings.push(Finding::at(Check::fail("contracts", error.to_string(), ""), place));
                return None;
            }
        };
        self.push(Check::ok("contracts", format!("ledger {ledger} with registry {registry}")));
        let latest = heads.latest.number;
        let first = creation::find_deploy_block(endpoints, ledger).await.ok();
        let judged = judge::deploy_block(self.origins, chain.deploy_block, first, latest);
        let is_late = judged.is_failed();
        self.findings.push(judged);
        if !is_late {
            self.logs(settings, endpoints, ledger, latest).await;
        }
        Some(LedgerSettings {
            chain_id: settings.chain_id,
            ledger,
            registry,
            deploy_block: settings.deploy_block,
            log_page_blocks: settings.log_page_blocks,
            head_stale: HEAD_STALE,
            finality_stale: settings.finality_stale,
            block_time: settings.block_time,
        })
    }

    async fn belong_together(
        &self,
        endpoints: &Endpoints,
        ledger: Address,
        chain: &ChainArgs,
    ) -> Result<Address, identity::IdentityError> {
        let registry = identity::registry_of(endpoints, ledger, chain.registry).await?;
        identity::require_move(endpoints, ledger).await?;
        if let Some(rail) = chain.rail {
            identity::ledger_of(endpoints, rail, Some(ledger)).await?;
        }
        Ok(registry)
    }

    /// One page of the log, from where it begins.
    async fn logs(&mut self, settings: &ChainSettings, endpoints: &Endpoints, ledger: Address, latest: u64) {
        let from = settings.deploy_block;
        let to = latest.min(from.saturating_add(settings.log_page_blocks.get() - 1));
        let filter = Filter::new().address(ledger).from_block(from).to_block(to);
        let asked = endpoints.agreed("eth_getLogs", |provider: DynProvider| {
            let filter = filter.clone();
            async move { provider.get_logs(&filter).await.map(|logs| logs.len()) }
        });
        let failed = asked.await.err().map(|error| (format!("rpc: {error}"), error.may_be_size()));
        self.findings.push(judge::logs(self.origins, from, to, failed));
    }

    /// The witness's seat and its money.
    async fn account(&mut self, endpoints: &Endpoints, ledger: &LedgerSettings, witness: Address) {
        let registry = ledger.registry;
        let asked = endpoints.agreed("activeSet()", |provider| async move {
            let registry = EveryChannelWitnessRegistry::new(registry, provider);
            let set = registry.activeSet().call().await?;
            let is_member = registry.isWitness(witness).call().await?;
            Ok::<_, alloy::contract::Error>((is_member, set.bitmap.count_ones(), set.quorum_))
        });
        match asked.await {
            Ok((is_member, witnesses, quorum)) => {
                self.findings.push(judge::member(witness, is_member, witnesses, quorum));
            }
            Err(error) => self.push(Check::fail("member", format!("rpc: {error}"), "see endpoints")),
        }
        let balance = endpoints.balance(witness).await;
        let price = endpoints
            .first("eth_gasPrice", |provider: DynProvider| async move { provider.get_gas_price().await })
            .await;
        let check = match (balance, price) {
            (Ok(balance), Ok(price)) => {
                let cost = alloy::primitives::U256::from(price).saturating_mul(alloy::primitives::U256::from(VOTE_GAS));
                check::funds(balance, Some(cost))
            }
            (Err(error), _) | (_, Err(error)) => Check::warn("funds", format!("rpc: {error}"), "see endpoints"),
        };
        // an account can be funded at any time
        self.push(Check { level: check.level.min(Level::Warn), ..check });
    }

    /// The archive. `read` whether its records are read as well, and how bad lines are told.
    fn archive(&mut self, roster: eyre::Result<Roster>, key: &str, comes_later: bool, read: Option<bool>) {
        let mut roster = match roster {
            Ok(roster) => roster,
            Err(error) => {
                let fix = "correct [archive] and [[stream]]";
                return self.push(Check::fail("archive", ec_rpc::in_one_line(error.as_ref()), fix));
            }
        };
        let manifests = roster.archive.manifests.clone();
        let broadcasts = match roster.archive.broadcasts() {
            Ok(broadcasts) if !broadcasts.is_empty() => broadcasts,
            Ok(_) => {
                let why = "the archive has no broadcast yet: no directory there has a track file";
                return self.findings.push(judge::no_archive(
                    self.origins,
                    key,
                    &manifests,
                    why,
                    &near(&manifests),
                    comes_later,
                ));
            }
            Err(error @ ArchiveError::NoManifests { .. }) => {
                let why = format!("the archive has no broadcast yet: {error}");
                return self.findings.push(judge::no_archive(
                    self.origins,
                    key,
                    &manifests,
                    &why,
                    &near(&manifests),
                    comes_later,
                ));
            }
            Err(error) => return self.push(Check::fail("archive", error.to_string(), "mend what is named")),
        };
        self.push(Check::ok("archive", format!("{} broadcasts in {}", broadcasts.len(), manifests.display())));
        let tracks = |broadcast: &ec_archive::Broadcast| Tracks {
            broadcast: broadcast.name.clone(),
            tracks: broadcast.tracks().unwrap_or_default(),
        };
        let found: Vec<_> = broadcasts.iter().map(tracks).collect();
        let tables: Vec<_> = roster.tables().iter().map(table).collect();
        self.findings.extend(judge::names(self.origins, &roster.tracks(), &tables, &found, comes_later));
        match roster.sources_so_far() {
            Err(error) => self.push(Check::fail(
                "streams",
                ec_rpc::in_one_line(error.as_ref()),
                "correct [archive] and [[stream]]",
            )),
            Ok(sources) if sources.streams.is_empty() => {
                let there: Vec<_> =
                    found.iter().map(|one| format!("{}: {}", one.broadcast, one.tracks.join(", "))).collect();
                let reason = format!("no broadcast has a track that is to be observed; there are {}", there.join("; "));
                let fix = "write the names of the media's tracks in tracks of [archive], or say with --archive-later that they come later";
                self.push(if comes_later {
                    Check::warn("streams", reason, fix)
                } else {
                    Check::fail("streams", reason, fix)
                });
            }
            Ok(sources) => {
                let ids: Vec<_> = sources.streams.iter().map(|source| source.rule.stream_id.as_str()).collect();
                self.push(Check::ok("streams", format!("{}: {}", ids.len(), ids.join(", "))));
                if let Some(json) = read {
                    self.records(&sources, json);
                }
            }
        }
    }

    /// What the records say: how old the newest is, how long epochs last, how groups are numbered.
    fn records(&mut self, sources: &Sources, json: bool) {
        let (mut seen, mut newest) = (SeenStreams::default(), None);
        for source in &sources.streams {
            let index = match read_index(sources, source, json) {
                Ok(index) => index,
                Err(error) => {
                    self.push(Check::fail(
                        "records",
                        ec_rpc::in_one_line(error.as_ref()),
                        "mend the file that is named",
                    ));
                    continue;
                }
            };
            let changed = index.tracks().iter().filter_map(|track| track.path().metadata().ok()?.modified().ok()).max();
            newest = newest.max(changed.map(clock::unix_s_of));
            match Seen::of(&index) {
                Ok(what) => seen.take(&source.rule, what),
                Err(error) => self.push(Check::fail("records", error.to_string(), "mend the file that is named")),
            }
            let Some(track) = source.rule.lane_track() else { continue };
            let length = EpochLength::of_newest(&index).ok().flatten();
            if let Some((why, fix)) = length.and_then(|length| length.advice(track)) {
                self.push(Check::warn("epochs", format!("{}: {why}", source.rule.stream_id), fix));
            }
        }
        self.findings.push(judge::newest_record(newest.map(|newest| clock::unix_s().saturating_sub(newest))));
        for (stream, other) in seen.others() {
            self.push(Check::warn("numbering", format!("{stream}: {}", other.seen), other.fix()));
        }
    }

    async fn store(&mut self, purpose: Purpose, dir: Option<&Path>, chain: Option<&Chain>, witness: Option<Address>) {
        let Some(dir) = dir else {
            let place = self.origins.place("store", "dir", None::<&str>);
            let fix = "give --store DIR, or write dir in [store]: a directory on a local disk, for this witness alone";
            return self.findings.push(Finding::at(Check::fail("store", "votes have no place", fix), place));
        };
        let ledger = chain.and_then(|chain| chain.ledger);
        let identity = witness.zip(ledger).map(|(witness, LedgerSettings { chain_id, ledger, .. })| Identity {
            chain_id,
            ledger,
            witness,
        });
        let (found, halt) = match purpose {
            Purpose::Init if VoteStore::read(dir).is_ok() => (Store::Own { process: None, next_nonce: 0 }, None),
            Purpose::Init => (Store::None, None),
            Purpose::Setup | Purpose::Check => at(dir, identity),
        };
        self.findings.push(judge::store(self.origins, purpose, dir, network_of(dir), &found));
        if let Some(halt) = halt {
            let fix = format!("see the manual: it halts; then `{}`", halt.resumed_by());
            self.push(Check::fail("halt", format!("this witness has halted: {}", halt.message), fix));
        }
        let (Store::Own { next_nonce, .. }, Some(chain), Some(identity), Some(ledger), false) =
            (found, chain, identity, ledger, purpose == Purpose::Init)
        else {
            return;
        };
        match unknown(dir, &chain.endpoints, ledger, identity.witness, next_nonce).await {
            Ok((on_chain, votes)) => {
                self.findings.extend(judge::history(self.origins, dir, next_nonce, on_chain, votes));
            }
            Err(error) => self.push(Check::warn("history", ec_rpc::in_one_line(error.as_ref()), "see endpoints")),
        }
    }
}

/// Asks each endpoint which chain it serves.
async fn reach(settings: &ChainSettings) -> Vec<Reached> {
    let mut reached = Vec::new();
    for endpoint in &settings.endpoints {
        let asked = async {
            let provider = endpoint.provider().map_err(|error| error.to_string())?;
            let answer = provider.get_chain_id().await;
            answer.map_err(|error| ec_rpc::in_one_line(&endpoint.rpc_error("eth_chainId", error)))
        };
        reached.push((endpoint.name(), asked.await));
    }
    reached
}

fn table(table: &ec_archive::StreamTable) -> Table {
    Table {
        broadcast: table.broadcast.clone(),
        tracks: table.tracks.clone().unwrap_or_default(),
        lengths: table.track_groups_per_epoch.keys().cloned().collect(),
    }
}

/// Directories with an index near one that has none: beside it, or beside what is there of it.
fn near(manifests: &Path) -> Vec<PathBuf> {
    let Some(there) = manifests.ancestors().skip(1).find(|path| path.is_dir()) else { return Vec::new() };
    let children =
        fs::read_dir(there).into_iter().flatten().take(LOOKED_AT).filter_map(|entry| Some(entry.ok()?.path()));
    let index = |child: PathBuf| {
        let is_index = child.file_name().is_some_and(|name| name == "manifests");
        let index = if is_index { child } else { child.join("manifests") };
        let has_broadcast = ec_archive::Archive { cas: index.clone(), manifests: index.clone() }.broadcasts();
        has_broadcast.is_ok_and(|found| !found.is_empty()).then_some(index)
    };
    let mut found: Vec<_> = children.filter_map(index).take(NEAR).collect();
    found.sort_unstable();
    found
}

/// What is at the place of a store that may be this witness's, and why it has halted.
fn at(dir: &Path, identity: Option<Identity>) -> (Store, Option<KeptHalt>) {
    let process = holder(dir);
    let store = match VoteStore::read(dir) {
        Ok(store) => store,
        Err(StoreError::Missing { .. }) => return (Store::None, None),
        Err(error) => {
            let fix = "see the manual: the store; never make a new one in its place while its key votes".to_owned();
            return (Store::Refused(error.to_string(), fix), None);
        }
    };
    if let Some(error) = identity.and_then(|identity| store.belongs_to(dir, identity).err()) {
        let fix = "each witness has a store of its own: name this witness's in [store] dir, or another directory for a new one";
        return (Store::Refused(error.to_string(), fix.into()), None);
    }
    let halt = store.kept_halt().ok().flatten();
    (Store::Own { process, next_nonce: store.next_nonce().unwrap_or(u64::MAX) }, halt)
}

/// How many nonces the account has used on the chain, and how many of its votes there the store does not know, where it has used
/// more than the store knows of.
async fn unknown(
    dir: &Path,
    endpoints: &Endpoints,
    ledger: LedgerSettings,
    witness: Address,
    next_nonce: u64,
) -> eyre::Result<(u64, usize)> {
    let on_chain = endpoints.transaction_count(witness).await?;
    if on_chain <= next_nonce {
        return Ok((on_chain, 0));
    }
    let votes = Follower::new(endpoints.clone(), ledger, Some(witness), None).poll(0, false).await?.own_votes;
    let store = VoteStore::read(dir)?;
    let mut unknown = 0;
    for (slot, _) in votes {
        let is_known = store.vote(slot)?.is_some() || store.compacted(slot)?.is_some();
        unknown += usize::from(!is_known);
    }
    Ok((on_chain, unknown))
}

/// The network share that a directory is on, or is to be on.
fn network_of(dir: &Path) -> Option<&'static str> {
    /// statfs(2) and the kernel's sources tell these.
    const SHARES: [(u32, &str); 9] = [
        (0x6969, "NFS"),
        (0x517b, "SMB"),
        (0xff53_4d42, "CIFS"),
        (0xfe53_4d42, "SMB"),
        (0x00c3_6400, "Ceph"),
        (0x5346_414f, "AFS"),
        (0x7375_7245, "Coda"),
        (0x0bd0_0bd0, "Lustre"),
        (0x7461_636f, "OCFS2"),
    ];
    let absolute = std::path::absolute(dir).ok()?;
    let there = absolute.ancestors().find(|path| path.exists())?;
    let kind = rustix::fs::statfs(there).ok()?.f_type as u32;
    SHARES.iter().find(|(share, _)| *share == kind).map(|(_, name)| *name)
}
