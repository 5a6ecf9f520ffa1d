//! `check`: what a file in hand is. By its bytes alone, whatever it is called.

mod explorer;
mod sentence;

use std::{
    collections::HashMap,
    fs::File,
    path::{Path, PathBuf},
};

use alloy::{
    primitives::Address,
    providers::{DynProvider, Provider},
};
use clap::Args;
use ec_archive::{Checkpoints, Source, StreamIndex, TrackFile};
use ec_ledger::{
    Finality, Follower, LedgerSettings, contracts::EveryChannelWitnessRegistry, final_header_of, finality_of, voters_of,
};
use ec_observation::{Content, NamedEpoch, ObservationHash, Proof, Record, SlotId, TimeMode};
use eyre::{WrapErr, bail, eyre};
use serde::Serialize;
use url::Url;

use super::{
    Answer,
    agreement::AgreementArgs,
    chain::ChainArgs,
    config::ConfigArg,
    connection::{Connection, block_on},
    derive::read_index_on,
    endpoint_url,
    head::{AskedHead, HeadArg},
    ledger,
    output::{JsonArg, fact},
    proof::{self, LedgerWord, closed_epochs, has_object, mark_on_ledger, read_proof},
    roster::{ArchiveArgs, Sources},
    store::{StoreArgs, checkpoints},
    unit::UnitArg,
};

/// What a proof that lies beside a file is called: the file's name and this.
const PROOF_ENDING: &str = ".proof.json";

/// Which files.
///
/// A file is looked up by its bytes: in a proof that lies beside it as FILE.proof.json or is named, else in the archive. With a ledger
/// configured, that is asked whether it is final, since when, and by whose votes.
///
/// Exit codes: 0 each is final; 1 one is not known, or other content is final where it belongs; 2 error; 3 one is not final yet; 4 its
/// proof is of another chain or ledger; 5 no ledger was asked, or the proof was made without it. Of several files the worst counts.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    config: ConfigArg,

    #[command(flatten)]
    pub(crate) unit: UnitArg,

    #[command(flatten)]
    archive: ArchiveArgs,

    #[command(flatten)]
    chain: ChainArgs,

    #[command(flatten)]
    store: StoreArgs,

    #[command(flatten)]
    head: HeadArg,

    /// The hash of a file that is not at hand, 64 hex digits; may be repeated.
    #[arg(long = "blake3", env = "EC_WITNESS_BLAKE3", value_name = "HEX", value_delimiter = ',', value_parser = proof::blake3)]
    hashes: Vec<[u8; 32]>,

    /// A proof of the one file, as `prove` prints it [default: FILE.proof.json, where it is there].
    #[arg(long, env = "EC_WITNESS_PROOF", value_name = "FILE")]
    proof: Option<PathBuf>,

    /// URL of an explorer that is asked for files which have no proof beside them, instead of an archive. Of what it says, only what
    /// it proves counts.
    #[arg(long, env = "EC_WITNESS_EXPLORER", value_name = "URL", value_parser = explorer_url)]
    explorer: Option<Url>,

    #[command(flatten)]
    json: JsonArg,

    /// The files.
    #[arg(value_name = "FILE", required_unless_present = "hashes")]
    files: Vec<PathBuf>,
}

fn explorer_url(text: &str) -> Result<Url, String> {
    endpoint_url::parse("explorer", text)
}

/// What is asked for.
#[derive(Clone, Debug)]
struct Subject {
    /// What it is called.
    name: String,
    blake3: [u8; 32],
    proof: Option<PathBuf>,
}

/// What a file is, as `--json` has it.
#[derive(Debug, Serialize)]
struct Known {
    name: String,
    #[serde(with = "alloy::hex::serde::no_prefix")]
    blake3: [u8; 32],
    /// Where it was found: `proof`, `explorer` or `archive`.
    by: &'static str,
    /// None where nobody knows it; several where the same bytes were broadcast more than once.
    places: Vec<Place>,
    /// Why it is none, where a proof says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// One place in a broadcast.
#[derive(Clone, Debug, Serialize)]
struct Place {
    /// The stream, where its id is known; of a lane that with its track.
    stream_id: Option<String>,
    broadcast: Option<String>,
    track: String,
    group_sequence: u64,
    size_bytes: u64,
    /// When this archive received it, Unix milliseconds.
    received_unix_ms: Option<u64>,
    /// When its epoch began, by the header that is final, else by the proof's, Unix milliseconds.
    epoch_unix_ms: Option<u64>,
    epoch_id: Option<String>,
    /// `None` while the epoch is not closed, or has no name yet.
    slot: Option<SlotId>,
    #[serde(flatten)]
    standing: Standing,
}

/// What the ledger says of it.
#[derive(Clone, Debug, Default, Serialize)]
struct Standing {
    state: State,
    observation_hash: Option<ObservationHash>,
    /// The block in which it became final, and its time, Unix seconds.
    final_block: Option<u64>,
    final_unix_s: Option<u64>,
    /// Whose votes made it final.
    witnesses: Vec<Address>,
    /// How many witnesses there are now, and how many of them it takes.
    witness_count: Option<usize>,
    quorum: Option<u8>,
    head: Option<AskedHead>,
}

/// How far it is vouched for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// No ledger was asked.
    #[default]
    NotAsked,
    /// Its epoch is not closed here, or has no session on the ledger.
    NotClosed,
    /// The ledger was asked.
    #[serde(untagged)]
    Told(LedgerWord),
}

impl State {
    fn answer(self) -> Answer {
        match self {
            Self::NotAsked => Answer::WithoutLedger,
            Self::NotClosed => Answer::NotFinalYet,
            Self::Told(word) => word.answer(),
        }
    }
}

impl Known {
    /// Of several places the best counts: the bytes were broadcast there.
    fn answer(&self) -> Answer {
        let answers = self.places.iter().map(|place| place.standing.state.answer());
        match self.reason {
            Some(_) => Answer::No,
            None => answers.max_by_key(|answer| rank(*answer)).unwrap_or(Answer::No),
        }
    }
}

/// How good an answer is.
fn rank(answer: Answer) -> u8 {
    match answer {
        Answer::No => 0,
        Answer::OtherChain => 1,
        Answer::WithoutLedger => 2,
        Answer::NotFinalYet => 3,
        Answer::Yes => 4,
    }
}

impl CheckArgs {
    pub(crate) fn run(self) -> eyre::Result<Answer> {
        block_on(self.work())
    }

    async fn work(self) -> eyre::Result<Answer> {
        let subjects = self.subjects()?;
        let file = self.config.read()?;
        let chain = self.chain.clone().or(file.chain);
        let tolerance_ms = AgreementArgs::default().or(file.agreement).tolerance_ms(TimeMode::Received);
        let kept = self.store.directory_if_set(&file.store).map(checkpoints);
        let in_archive: Vec<_> =
            subjects.iter().filter(|subject| subject.proof.is_none()).map(|subject| subject.blake3).collect();
        let mut archive = match in_archive.is_empty() || self.explorer.is_some() {
            true => None,
            false => {
                let sources = self.archive.sources(file.archive, &file.stream);
                let sources = sources.wrap_err("without a proof a file is looked up in an archive")?;
                Some(Lookup::of(sources, kept, &in_archive)?)
            }
        };
        let mut asking = match (&archive, chain.ledger) {
            (Some(Lookup { sources, .. }), Some(_)) => {
                Some(Asking::of(&chain, self.head, sources, tolerance_ms).await?)
            }
            _ => None,
        };
        let mut worst = Answer::Yes;
        for subject in subjects {
            let known = match (&subject.proof, &self.explorer, &mut archive) {
                (Some(path), ..) => by_proof(&subject, read_proof(path)?, &chain, self.head).await?,
                (None, Some(url), _) => by_explorer(&subject, url, &chain, self.head).await?,
                (None, None, Some(archive)) => archive.known(&subject, asking.as_mut()).await?,
                (None, None, None) => bail!("{}: neither a proof nor an archive to look it up in", subject.name),
            };
            fact(self.json.json, &known)?;
            worst = [worst, known.answer()].into_iter().min_by_key(|answer| rank(*answer)).unwrap_or(worst);
        }
        Ok(worst)
    }

    fn subjects(&self) -> eyre::Result<Vec<Subject>> {
        if self.proof.is_some() && self.files.len() + self.hashes.len() != 1 {
            bail!("--proof is of one file: name one");
        }
        let mut subjects = Vec::new();
        for path in &self.files {
            let name = path.display().to_string();
            let mut hasher = blake3::Hasher::new();
            let read = File::open(path).and_then(|file| hasher.update_reader(file).map(|_| ()));
            read.wrap_err_with(|| format!("cannot read {name}"))?;
            let beside = PathBuf::from(format!("{name}{PROOF_ENDING}"));
            let proof = self.proof.clone().or_else(|| Some(beside).filter(|beside| beside.is_file()));
            subjects.push(Subject { name, blake3: hasher.finalize().into(), proof });
        }
        let named = |blake3: &[u8; 32]| Subject {
            name: alloy::hex::encode(blake3),
            blake3: *blake3,
            proof: self.proof.clone(),
        };
        subjects.extend(self.hashes.iter().map(named));
        Ok(subjects)
    }
}

/// What a proof says of a file.
async fn by_proof(subject: &Subject, proof: Proof, chain: &ChainArgs, head: HeadArg) -> eyre::Result<Known> {
    let known =
        |places, reason| Known { name: subject.name.clone(), blake3: subject.blake3, by: "proof", places, reason };
    if let Err(error) = proof.check() {
        return Ok(known(Vec::new(), Some(format!("its proof is false: {error}"))));
    }
    if proof.blake3 != subject.blake3 {
        return Ok(known(Vec::new(), Some("its proof is of other bytes".to_owned())));
    }
    let mut place = Place {
        stream_id: proof.of.as_ref().map(|origin| origin.stream_id.clone()),
        broadcast: None,
        track: proof.track.clone(),
        group_sequence: proof.group_sequence,
        size_bytes: proof.size_bytes,
        received_unix_ms: None,
        epoch_unix_ms: Some(proof.header.observed_unix_ms),
        epoch_id: proof.of.as_ref().map(|origin| origin.epoch_id.clone()),
        slot: Some(proof.header.slot()),
        standing: Standing { observation_hash: Some(proof.header.hash()), ..Standing::default() },
    };
    if chain.ledger.is_some() {
        let proof::Asked { word, head, found, .. } = proof::ask(&proof, chain.clone(), head).await?;
        place.standing.state = State::Told(word);
        place.standing.head = head;
        if let Some((connection, settings, finality)) = found {
            place.standing = by_whom(&connection, &settings, proof.header.slot(), finality, place.standing).await?;
        }
    }
    Ok(known(vec![place], None))
}

/// What the proofs of an explorer say of a file.
async fn by_explorer(subject: &Subject, url: &Url, chain: &ChainArgs, head: HeadArg) -> eyre::Result<Known> {
    let mut known =
        Known { name: subject.name.clone(), blake3: subject.blake3, by: "explorer", places: Vec::new(), reason: None };
    for told in explorer::places(url, subject.blake3).await? {
        if !told.names_its_stream() {
            known.reason = Some("the explorer's proof is of another stream than it says".to_owned());
            continue;
        }
        let explorer::Told { stream_id, broadcast, time_ms, proof } = told;
        let Some(proof) = proof else { continue };
        let mut proven = by_proof(subject, proof, chain, head).await?;
        for place in &mut proven.places {
            place.stream_id = Some(stream_id.clone());
            place.broadcast = Some(broadcast.clone());
            place.received_unix_ms = time_ms;
        }
        known.places.append(&mut proven.places);
        known.reason = known.reason.or(proven.reason);
    }
    if !known.places.is_empty() {
        known.reason = None;
    }
    Ok(known)
}

/// Adds who made it final, and when.
async fn by_whom(
    connection: &Connection,
    settings: &LedgerSettings,
    slot: SlotId,
    Finality { observation, block }: Finality,
    standing: Standing,
) -> eyre::Result<Standing> {
    let endpoints = &connection.endpoints;
    let &LedgerSettings { ledger, registry, deploy_block, .. } = settings;
    let witnesses = voters_of(endpoints, ledger, (slot, observation), (deploy_block, block)).await?;
    let header = |provider: DynProvider| async move { provider.get_block_by_number(block.into()).await };
    let final_unix_s = endpoints.first("eth_getBlockByNumber", header).await?.map(|block| block.header.timestamp);
    let set = |provider| async move {
        let set = EveryChannelWitnessRegistry::new(registry, provider).activeSet().call().await?;
        Ok::<_, alloy::contract::Error>((set.bitmap.count_ones(), set.quorum_))
    };
    let (witness_count, quorum) = endpoints.agreed("activeSet()", set).await?;
    Ok(Standing {
        observation_hash: Some(observation),
        final_block: Some(block),
        final_unix_s,
        witnesses,
        witness_count: Some(witness_count),
        quorum: Some(quorum),
        ..standing
    })
}

/// A record of the archive that has the bytes.
#[derive(Clone, Debug)]
struct Hit {
    /// Which of the sources.
    source: usize,
    track: String,
    record: Record,
}

/// The archive, and where it has what is asked for.
struct Lookup {
    sources: Sources,
    kept: Option<Checkpoints>,
    hits: HashMap<[u8; 32], Vec<Hit>>,
    /// Of the sources that have a hit.
    indexes: HashMap<usize, StreamIndex>,
}

impl Lookup {
    /// Reads the index of every stream for these hashes.
    fn of(sources: Sources, kept: Option<Checkpoints>, wanted: &[[u8; 32]]) -> eyre::Result<Self> {
        let mut hits: HashMap<[u8; 32], Vec<Hit>> = wanted.iter().map(|blake3| (*blake3, Vec::new())).collect();
        for (at, source) in sources.streams.iter().enumerate() {
            let broadcast = sources.archive.broadcast(&source.broadcast);
            for track in source.rule.tracks.names() {
                let file = TrackFile::new(&broadcast, track, sources.names.clone());
                file.for_each_line(|line| {
                    let Some(Ok(record)) = line.said else { return };
                    if let Some(found) = hits.get_mut(&record.blake3) {
                        found.push(Hit { source: at, track: track.clone(), record });
                    }
                })?;
            }
        }
        Ok(Self { sources, kept, hits, indexes: HashMap::new() })
    }

    async fn known(&mut self, subject: &Subject, mut asking: Option<&mut Asking>) -> eyre::Result<Known> {
        let mut places = Vec::new();
        for hit in self.hits.get(&subject.blake3).cloned().unwrap_or_default() {
            places.extend(self.places(&hit, asking.as_deref_mut()).await?);
        }
        // one record may stand in the index more than once
        places.dedup_by(|a, b| {
            (&a.stream_id, &a.track, a.group_sequence, a.slot) == (&b.stream_id, &b.track, b.group_sequence, b.slot)
        });
        Ok(Known { name: subject.name.clone(), blake3: subject.blake3, by: "archive", places, reason: None })
    }

    /// Where a record stands: in one epoch, or in several that have its number and its bytes.
    async fn places(&mut self, hit: &Hit, mut asking: Option<&mut Asking>) -> eyre::Result<Vec<Place>> {
        let source = &self.sources.streams[hit.source];
        if !self.indexes.contains_key(&hit.source) {
            self.indexes.insert(hit.source, read_index_on(&self.sources, source, self.kept.as_ref(), false)?);
        }
        let index = &self.indexes[&hit.source];
        let Record { group_sequence, blake3, size_bytes, received_unix_ms } = hit.record;
        let place = Place {
            stream_id: Some(source.rule.stream_id.clone()),
            broadcast: Some(source.broadcast.clone()),
            track: hit.track.clone(),
            group_sequence,
            size_bytes,
            received_unix_ms,
            epoch_unix_ms: None,
            epoch_id: None,
            slot: None,
            standing: Standing::default(),
        };
        let closed = closed_epochs(index, group_sequence, |records| has_object(records, group_sequence, blake3))?;
        if closed.is_empty() {
            let state = if asking.is_some() { State::NotClosed } else { State::NotAsked };
            return Ok(vec![Place { standing: Standing { state, ..Standing::default() }, ..place }]);
        }
        let mut places = Vec::new();
        for swept in closed {
            let epoch_unix_ms = swept.derived.time.as_ref().ok().copied();
            let mark = match (&mut asking, source.rule.is_lane()) {
                (_, false) => Some(0),
                // without the ledger nobody knows what the others call it
                (None, true) => None,
                (Some(asking), true) => asking.mark(source, index, &swept.derived).await?,
            };
            let mut place = Place { epoch_unix_ms, ..place.clone() };
            match (mark, &mut asking) {
                (Some(mark), asking) => {
                    let NamedEpoch { name, slot, content, .. } = source.rule.name(swept.derived, mark)?;
                    place.epoch_id = Some(source.rule.epochs.id(name));
                    place.slot = Some(slot);
                    if let Some(asking) = asking {
                        let (standing, header_unix_ms) = asking.ask(slot, content).await?;
                        place.standing = standing;
                        place.epoch_unix_ms = header_unix_ms.or(epoch_unix_ms);
                    }
                }
                (None, Some(_)) => place.standing.state = State::NotClosed,
                (None, None) => {}
            }
            places.push(place);
        }
        Ok(places)
    }
}

/// The ledger that is asked.
struct Asking {
    connection: Connection,
    settings: LedgerSettings,
    heads: ec_rpc::AgreedHead,
    head: AskedHead,
    tolerance_ms: u64,
    /// The streams of the archive, and the ledger's log of them once a lane is asked for.
    streams: HashMap<ec_observation::StreamHash, ec_observation::EpochRule>,
    follower: Option<Follower>,
}

impl Asking {
    async fn of(chain: &ChainArgs, head: HeadArg, sources: &Sources, tolerance_ms: u64) -> eyre::Result<Self> {
        let connection = chain.clone().connect().await?;
        let settings = ledger::settings(&connection).await?;
        let heads = connection.endpoints.heads().await?;
        let head = head.among(&heads, &connection.endpoints).await?;
        Ok(Self { connection, settings, heads, head, tolerance_ms, streams: sources.hashes(), follower: None })
    }

    /// The mark of a lane's epoch on the ledger, if its session is there.
    async fn mark(
        &mut self,
        source: &Source,
        index: &StreamIndex,
        epoch: &ec_observation::DerivedEpoch,
    ) -> eyre::Result<Option<u64>> {
        debug_assert!(source.rule.is_lane(), "epochs of a timeline have no mark");
        if self.follower.is_none() {
            let followed = ledger::follow_at(&self.connection, self.settings, self.streams.clone(), None).await?;
            self.follower = Some(followed);
        }
        let follower = self.follower.as_ref().ok_or_else(|| eyre!("the ledger's log was not read"))?;
        Ok(mark_on_ledger(follower, index, epoch, self.tolerance_ms).ok())
    }

    /// What is final in a slot, beside what the archive has there, and the time of the final header.
    async fn ask(&self, slot: SlotId, content: Option<Content>) -> eyre::Result<(Standing, Option<u64>)> {
        let (endpoints, latest) = (&self.connection.endpoints, self.heads.latest);
        let LedgerSettings { ledger, deploy_block, .. } = self.settings;
        let standing = |word| Standing { state: State::Told(word), head: Some(self.head), ..Standing::default() };
        let Some(finality) = finality_of(endpoints, ledger, deploy_block, slot, latest).await? else {
            return Ok((standing(LedgerWord::NotFinal), None));
        };
        let header = final_header_of(endpoints, ledger, deploy_block, slot, latest).await?;
        let word = match header {
            Some(header) if Some(header.content()) != content => LedgerWord::OtherFinal,
            _ if !self.head.has(finality.block) => LedgerWord::NotFinalYet,
            _ => LedgerWord::Final,
        };
        let standing = by_whom(&self.connection, &self.settings, slot, finality, standing(word)).await?;
        Ok((standing, header.map(|header| header.observed_unix_ms)))
    }
}

/// The broadcast of a stream, where its id names no other: a lane's is what stands before its track.
fn broadcast_of(stream_id: &str) -> &str {
    stream_id.split_once("/track/").map_or(stream_id, |(broadcast, _)| broadcast)
}

/// The last part of a path, which a sentence calls a file.
fn short(name: &str) -> &str {
    Path::new(name).file_name().and_then(|name| name.to_str()).unwrap_or(name)
}
