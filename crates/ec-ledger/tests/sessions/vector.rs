//! A file of `archives/vectors/sessions/`.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    num::NonZeroU64,
    path::Path,
};

use alloy::primitives::{Address, B256};
use ec_ledger::{LedgerEvent, WitnessSet};
use ec_observation::{EpochRule, Numbering, ObservationHash, ObservationHeader, SlotId, StreamHash, StreamRule};
use ec_rpc::BlockRef;
use serde::{Deserialize, de::IgnoredAny};

use crate::archive::{Archive, Epoch};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Vector {
    #[serde(skip)]
    pub(crate) name: String,
    #[serde(rename = "about")]
    _about: IgnoredAny,
    lane: Lane,
    agreement: HashMap<String, u64>,
    set: Seats,
    log: Vec<Event>,
    archives: Vec<ArchiveOf>,
    pub(crate) expected: Expected,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lane {
    stream_id: String,
    locator_broadcast: String,
    track: String,
    groups_per_epoch: NonZeroU64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Seats {
    witnesses: Vec<Address>,
    bitmap: u64,
    quorum: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Event {
    block: u64,
    log_index: u64,
    timestamp: u64,
    proposed: Option<Proposed>,
    attested: Option<Voted>,
    finalized: Option<Voted>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Proposed {
    slot: SlotId,
    observation_hash: ObservationHash,
    proposer: Address,
    header: Header,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Voted {
    slot: SlotId,
    observation_hash: ObservationHash,
    witness: Option<Address>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Header {
    stream_hash: StreamHash,
    epoch_hash: B256,
    parent_observation_hash: ObservationHash,
    data_root: B256,
    locator_hash: B256,
    observed_unix_ms: u64,
    sequence: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ArchiveOf {
    about: String,
    segments: Vec<Vec<Epoch>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expected {
    pub(crate) candidates: Vec<Option<Decoded>>,
    pub(crate) sessions: Vec<Opened>,
    pub(crate) archives: Vec<Vec<Named>>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Decoded {
    pub(crate) mark: u64,
    pub(crate) index: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Opened {
    pub(crate) mark: u64,
    pub(crate) index: u64,
    block: u64,
    log_index: u64,
}

impl Opened {
    pub(crate) fn place(&self) -> (u64, u64) {
        (self.block, self.log_index)
    }
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Named {
    pub(crate) mark: Option<u64>,
    pub(crate) rule: String,
    pub(crate) settled: bool,
}

impl Vector {
    pub(crate) fn all() -> Vec<Self> {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../archives/vectors/sessions");
        let mut vectors: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| Self::read(&entry.unwrap().path())).collect();
        vectors.sort_by(|a, b| a.name.cmp(&b.name));
        vectors
    }

    fn read(path: &Path) -> Self {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let read = serde_json::from_str(&fs::read_to_string(path).unwrap());
        Self { name: name.clone(), ..read.unwrap_or_else(|error| panic!("{name}: {error}")) }
    }

    pub(crate) fn rule(&self) -> StreamRule {
        let Lane { stream_id, locator_broadcast, track, groups_per_epoch } = &self.lane;
        let broadcast = stream_id.strip_suffix(&format!("/track/{track}")).unwrap();
        StreamRule::lane(broadcast, locator_broadcast, track, *groups_per_epoch).unwrap()
    }

    pub(crate) fn followed(&self) -> HashMap<StreamHash, EpochRule> {
        let rule = self.rule();
        assert_eq!(rule.epochs.numbering, Numbering::Session);
        HashMap::from([(rule.stream_hash(), rule.epochs)])
    }

    pub(crate) fn tolerance_ms(&self) -> u64 {
        self.agreement["precision_ms"] + self.agreement["message_delay_ms"]
    }

    pub(crate) fn set(&self) -> WitnessSet {
        let seats = self.set.witnesses.iter().enumerate();
        let active = seats.filter(|(seat, _)| self.set.bitmap >> seat & 1 == 1).map(|(_, &witness)| witness);
        WitnessSet::of(active, self.set.quorum)
    }

    /// The log, block by block.
    pub(crate) fn blocks(&self) -> Vec<(BlockRef, Vec<LedgerEvent>)> {
        let mut blocks = BTreeMap::<u64, Vec<LedgerEvent>>::new();
        for event in &self.log {
            let block = blocks.entry(event.block).or_default();
            assert_eq!(event.log_index, block.len() as u64, "{}", self.name);
            block.push(event.event());
        }
        let of = |number: u64| BlockRef { number, hash: B256::left_padding_from(&number.to_be_bytes()) };
        blocks.into_iter().map(|(number, events)| (of(number), events)).collect()
    }

    /// Slot and hash of each candidate, in the order of the log.
    pub(crate) fn candidates(&self) -> impl Iterator<Item = (SlotId, ObservationHash)> + '_ {
        self.log.iter().filter_map(|event| event.proposed.as_ref()).map(|said| (said.slot, said.observation_hash))
    }

    pub(crate) fn archives(&self) -> impl Iterator<Item = (&str, Archive)> + '_ {
        self.archives.iter().map(|archive| (archive.about.as_str(), Archive::new(archive.segments.clone())))
    }
}

impl Event {
    fn event(&self) -> LedgerEvent {
        match (&self.proposed, self.attested.as_ref(), self.finalized.as_ref()) {
            (Some(said), None, None) => said.event(self.timestamp),
            (None, Some(&Voted { slot, observation_hash, witness }), None) => {
                LedgerEvent::Attested { slot, observation: observation_hash, witness: witness.unwrap() }
            }
            (None, None, Some(&Voted { slot, observation_hash, witness: None })) => {
                LedgerEvent::Finalized { slot, observation: observation_hash }
            }
            _ => panic!("one thing in each event"),
        }
    }
}

impl Proposed {
    fn event(&self, timestamp_s: u64) -> LedgerEvent {
        let header = ObservationHeader {
            stream_hash: self.header.stream_hash,
            epoch_hash: ec_observation::EpochHash(self.header.epoch_hash),
            parent_observation_hash: self.header.parent_observation_hash,
            data_root: self.header.data_root,
            locator_hash: self.header.locator_hash,
            observed_unix_ms: self.header.observed_unix_ms,
            sequence: self.header.sequence,
        };
        assert_eq!((header.slot(), header.hash()), (self.slot, self.observation_hash));
        LedgerEvent::Proposed { proposer: self.proposer, header, timestamp_s }
    }
}
