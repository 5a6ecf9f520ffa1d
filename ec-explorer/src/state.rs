//! What all parts share: the ledgers and the archives, with how they stand.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use alloy::primitives::Address;
use ec_archive::{Broadcast, FieldNames, StreamIndex, cas::Cas};
use ec_observation::{EpochKey, EpochRecords, Record, StreamRule};
use ec_rpc::{Endpoints, Health};

use crate::{
    hub::Hub,
    model::{LedgerState, LedgerStatus},
    settings::{ArchiveSettings, LedgerSettings, Settings},
    store::{Store, StoreError},
};

/// Questions that a ledger's database is asked at once.
const READERS: usize = 16;

/// Everything.
#[derive(Debug)]
pub struct Explorer {
    /// The settings.
    pub settings: Settings,
    /// The ledgers, in the order of the settings.
    pub ledgers: Vec<Arc<Ledger>>,
    /// The archives, in the order of the settings.
    pub archives: Vec<Arc<ArchiveState>>,
    /// Who tells events.
    pub hub: Arc<Hub>,
}

/// A ledger.
#[derive(Debug)]
pub struct Ledger {
    /// Its settings.
    pub settings: LedgerSettings,
    /// What is known of it.
    pub store: Arc<Store>,
    /// Names of witnesses.
    pub witnesses: BTreeMap<Address, String>,
    status: RwLock<LedgerStatus>,
    asked: RwLock<Asked>,
    sources: RwLock<HashMap<i64, Arc<Source>>>,
}

/// Who is asked. After some failures the following begins anew, by the same endpoints, which count from zero again.
#[derive(Debug, Default)]
struct Asked {
    now: Option<Endpoints>,
    /// What they had done before.
    before: Vec<(String, Health)>,
}

impl Asked {
    fn health(&self) -> Vec<(String, Health)> {
        let mut health = self.now.as_ref().map(Endpoints::health).unwrap_or_default();
        for (endpoint, health) in &mut health {
            let Some((_, before)) = self.before.iter().find(|(known, _)| known == endpoint) else { continue };
            health.answered += before.answered;
            before.faults.iter().for_each(|(kind, count)| *health.faults.entry(kind).or_default() += count);
        }
        health
    }
}

/// An archive.
#[derive(Debug)]
pub struct ArchiveState {
    /// Its settings.
    pub settings: ArchiveSettings,
    /// The ledger that its streams are on.
    pub ledger: Arc<Ledger>,
    reading: RwLock<Reading>,
}

/// How far an archive is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Whether it is read to its end.
    pub current: bool,
    /// Why it cannot be read.
    pub trouble: Option<String>,
}

/// A stream in an archive.
#[derive(Debug)]
pub struct Source {
    /// The archive.
    pub archive: String,
    /// The broadcast.
    pub broadcast: Broadcast,
    /// The stream's rule.
    pub rule: StreamRule,
    /// What the archive's writer calls the fields.
    pub fields: FieldNames,
    /// The objects.
    pub cas: Cas,
    /// Where the records of an epoch stand.
    pub index: RwLock<StreamIndex>,
}

/// The records of an epoch, and when each was received.
#[derive(Clone, Debug, Default)]
pub struct EpochContent {
    /// As a set.
    pub records: EpochRecords,
    /// As the lines have them: the place of the track among the sorted ones, and the record.
    pub lines: Vec<(usize, Record)>,
}

impl Explorer {
    /// Opens the databases of these settings.
    ///
    /// # Errors
    ///
    /// The system or SQLite refuses.
    pub fn new(settings: Settings) -> Result<Arc<Self>, StoreError> {
        let open = |ledger: &LedgerSettings| {
            let LedgerSettings { chain_id, ledger: address, deploy_block, .. } = ledger;
            let identity = format!("chain {chain_id} ledger {address} from block {deploy_block}");
            let path = settings.directory.join(format!("{}.sqlite", ledger.name));
            let store = Store::open(&path, &identity, READERS)?;
            let status = status_of(ledger);
            Ok(Arc::new(Ledger {
                settings: ledger.clone(),
                store,
                witnesses: settings.witnesses.clone(),
                status: RwLock::new(status),
                asked: RwLock::default(),
                sources: RwLock::default(),
            }))
        };
        let ledgers: Vec<_> = settings.ledgers.iter().map(open).collect::<Result<_, StoreError>>()?;
        let of = |archive: &ArchiveSettings| {
            let ledger = ledgers.iter().find(|ledger| ledger.settings.name == archive.ledger)?;
            Some(Arc::new(ArchiveState {
                settings: archive.clone(),
                ledger: Arc::clone(ledger),
                reading: RwLock::default(),
            }))
        };
        let archives = settings.archives.iter().filter_map(of).collect();
        Ok(Arc::new(Self { ledgers, archives, hub: Arc::default(), settings }))
    }
}

/// A ledger of which nothing was read yet.
fn status_of(ledger: &LedgerSettings) -> LedgerStatus {
    LedgerStatus {
        name: ledger.name.clone(),
        chain_id: ledger.chain_id,
        ledger: format!("{:#x}", ledger.ledger),
        registry: format!("{:#x}", ledger.registry.unwrap_or_default()),
        deploy_block: ledger.deploy_block,
        state: LedgerState::CatchingUp,
        trouble: None,
        read_ms: None,
        read_to: None,
        heads: crate::model::Heads::default(),
        finality_stalled_ms: None,
        active: Vec::new(),
        quorum: 0,
        l1: None,
    }
}

impl Ledger {
    /// How it stands.
    pub fn status(&self) -> RwLockReadGuard<'_, LedgerStatus> {
        self.status.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same, to change it.
    pub fn status_mut(&self) -> RwLockWriteGuard<'_, LedgerStatus> {
        self.status.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// How each endpoint has done since the program began; none before the first was asked.
    pub fn health(&self) -> Vec<(String, Health)> {
        self.asked.read().unwrap_or_else(PoisonError::into_inner).health()
    }

    /// Notes who is asked from now on.
    pub fn ask_by(&self, endpoints: Endpoints) {
        let mut asked = self.asked.write().unwrap_or_else(PoisonError::into_inner);
        *asked = Asked { before: asked.health(), now: Some(endpoints) };
    }

    /// A stream in an archive that is read.
    pub fn source(&self, id: i64) -> Option<Arc<Source>> {
        self.sources.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// All of them, by number.
    pub fn sources(&self) -> Vec<(i64, Arc<Source>)> {
        let sources = self.sources.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = sources.iter().map(|(id, source)| (*id, Arc::clone(source))).collect();
        all.sort_by_key(|(id, _)| *id);
        all
    }

    /// Notes one.
    pub fn add_source(&self, id: i64, source: Arc<Source>) {
        self.sources.write().unwrap_or_else(PoisonError::into_inner).insert(id, source);
    }

    /// The time of the chain: its newest block's, as far as that was read.
    pub fn chain_ms(&self) -> u64 {
        self.status().heads.latest.time_ms.unwrap_or_default()
    }
}

impl ArchiveState {
    /// How far it is read.
    pub fn reading(&self) -> Reading {
        self.reading.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes that.
    pub fn note(&self, reading: Reading) {
        *self.reading.write().unwrap_or_else(PoisonError::into_inner) = reading;
    }
}

impl Source {
    /// Where its records stand.
    pub fn index(&self) -> RwLockReadGuard<'_, StreamIndex> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same, to read on.
    pub fn index_mut(&self) -> RwLockWriteGuard<'_, StreamIndex> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads an epoch's records; `None` where its files cannot be read, or not as they were.
    pub fn epoch(&self, key: EpochKey) -> Option<EpochContent> {
        let mut content = EpochContent::default();
        let read = self.index().for_each_record(key, |track, record| {
            content.records.add(track, &record);
            content.lines.push((track, record));
        });
        read.ok().map(|()| content)
    }

    /// The track at this place among the sorted ones.
    pub fn track(&self, place: usize) -> &str {
        self.rule.tracks.names().get(place).map_or("", String::as_str)
    }
}
