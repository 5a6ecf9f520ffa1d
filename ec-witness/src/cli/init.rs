//! `init`: creates the vote store, after reading the chain for what its key has done before.

use std::{fmt, str::FromStr};

use alloy::primitives::Address;
use clap::Args;
use ec_archive::{ArchiveError, Source, StreamIndex, Sweep, is_closed};
use ec_ledger::{Follower, LedgerSettings, contracts::EveryChannelWitnessRegistry};
use ec_observation::{DerivedEpoch, EpochKey, ObservationHeader};
use ec_witness::{
    advice::{EpochLength, Seen},
    store::{Identity, StoreError, VoteStore},
};
use eyre::{OptionExt, WrapErr, bail};
use serde::Serialize;

use super::{
    Answer, address,
    chain::ChainArgs,
    config::ConfigArg,
    connection::block_on,
    derive::read_index,
    inspection::{Inspected, Origins, Purpose, Subject, Whose, inspect},
    key::KeyArgs,
    ledger,
    numbering::SeenStreams,
    output::{JsonArg, json_line, mark_time},
    roster::{ArchiveArgs, Sources},
    store::StoreArgs,
};

/// Whose store to create, and where judging begins.
///
/// Everything is checked first that `config check` checks; if anything is wrong, nothing is created. The chain is read: votes that
/// this key has cast before are taken over, so that none is ever contradicted.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    #[command(flatten)]
    config: ConfigArg,

    #[command(flatten)]
    archive: ArchiveArgs,

    #[command(flatten)]
    chain: ChainArgs,

    #[command(flatten)]
    key: KeyArgs,

    #[command(flatten)]
    store: StoreArgs,

    /// The witness, where its key is not at hand.
    #[arg(long, env = "EC_WITNESS_WITNESS", value_name = "ADDRESS", value_parser = address::parse)]
    witness: Option<Address>,

    /// First epoch that is judged, for every stream that does not configure one: `newest` closed one, `first` one
    /// of the archive, or an epoch's index; of a lane, a time in milliseconds since 1970.
    #[arg(long, env = "EC_WITNESS_FROM_SEQUENCE", value_name = "newest|first|N", default_value = "newest")]
    from_sequence: StartArg,

    #[command(flatten)]
    later: ArchiveLaterArg,

    #[command(flatten)]
    json: JsonArg,
}

/// `--archive-later`, for whoever sets a witness up.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct ArchiveLaterArg {
    /// What the archive lacks of what is configured is still to come: the directory, a broadcast, a track. Without it that is taken
    /// for a mistake.
    #[arg(long, env = "EC_WITNESS_ARCHIVE_LATER")]
    pub(crate) archive_later: bool,
}

/// Where judging begins.
#[derive(Clone, Copy, Debug)]
enum StartArg {
    Newest,
    First,
    At(u64),
}

impl FromStr for StartArg {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "newest" => Ok(Self::Newest),
            "first" => Ok(Self::First),
            _ => text
                .parse()
                .map(Self::At)
                .map_err(|_| "must be `newest`, `first`, or an epoch's index, of a lane a time in milliseconds"),
        }
    }
}

impl StartArg {
    /// The first epoch to be judged of a stream. What the stream configures comes before this.
    fn of(self, index: &StreamIndex, configured: Option<u64>) -> eyre::Result<u64> {
        if let Some(configured) = configured {
            return Ok(configured);
        }
        match self {
            Self::At(epoch) => Ok(epoch),
            Self::First => Ok(Sweep::all(index).next().transpose()?.map_or(0, |swept| start_at(index, &swept.derived))),
            Self::Newest => Ok(newest_closed(index)?.map_or(0, |derived| start_at(index, &derived))),
        }
    }
}

/// The sequence from which an epoch is judged: its index, or in a lane its time, which is the least mark it can have.
fn start_at(index: &StreamIndex, derived: &DerivedEpoch) -> u64 {
    match index.rule().is_lane() {
        true => derived.time.as_ref().copied().unwrap_or_default(),
        false => derived.key.index,
    }
}

/// The newest closed epoch; the highest one while none is closed, none of an empty stream.
fn newest_closed(index: &StreamIndex) -> Result<Option<DerivedEpoch>, ArchiveError> {
    let Some(highest) = index.highest_epoch() else { return Ok(None) };
    let mut last = None;
    // most often the highest or the one below is closed; the whole archive is swept only where both are no help
    for reach in [1, 64, u64::MAX] {
        let low = match reach {
            u64::MAX => EpochKey::MIN,
            _ => EpochKey { index: highest.index.saturating_sub(reach), ..highest },
        };
        let mut newest = None;
        for swept in Sweep::new(index, low..=highest) {
            let derived = swept?.derived;
            last = Some(derived.clone());
            if is_closed(&derived, Some(highest)) {
                newest = Some(derived);
            }
        }
        if newest.is_some() {
            return Ok(newest);
        }
    }
    Ok(last)
}

/// What `init --json` says.
#[derive(Serialize)]
struct Created<'a> {
    store: &'a std::path::Path,
    chain_id: u64,
    ledger: Address,
    witness: Address,
    active: bool,
    first_nonce: u64,
    adopted_votes: usize,
    streams: Vec<Start>,
}

#[derive(Serialize)]
struct Start {
    stream_id: String,
    from_sequence: u64,
    /// How long an epoch of a lane lasts, as observed, seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch_s: Option<f64>,
    /// Segments that the archive has of a lane.
    #[serde(skip_serializing_if = "Option::is_none")]
    segments: Option<usize>,
    #[serde(skip)]
    advice: Option<(String, String)>,
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stream_id, from_sequence, epoch_s, segments, .. } = self;
        let Some(segments) = segments else { return write!(f, "{stream_id}: judged from epoch {from_sequence}") };
        write!(f, "{stream_id}: judged from {}; {segments} segments", mark_time(*from_sequence))?;
        epoch_s.map_or(Ok(()), |s| write!(f, ", an epoch lasts {s:.0} s"))
    }
}

impl InitArgs {
    pub(crate) fn run(self) -> eyre::Result<Answer> {
        block_on(self.work())
    }

    async fn work(self) -> eyre::Result<Answer> {
        let origins = Origins::here(&self.config)?;
        let file = self.config.read()?;
        let directory = self.store.directory(&file.store)?.to_owned();
        let archive_key = self.archive.place_key(&file.archive);
        let mut roster = self.archive.roster(file.archive, &file.stream)?;
        let chain = self.chain.clone().or(file.chain);
        let subject = Subject {
            purpose: Purpose::Init,
            whose: match self.witness {
                Some(witness) => Whose::Address(witness),
                None => Whose::Key(Box::new(self.key.clone().or(file.key))),
            },
            chain: chain.clone(),
            store: Some(directory.clone()),
            roster: Ok(roster.clone()),
            archive_key,
            archive_later: self.later.archive_later,
            json: self.json.json,
        };
        let witness = sound(&inspect(&origins, subject).await)?;
        let connection = chain.connect().await?;
        let ledger = ledger::settings_to_vote(&connection).await?;
        let registry = EveryChannelWitnessRegistry::new(ledger.registry, &connection.provider);
        let active = registry.isWitness(witness).call().await.wrap_err("registry: isWitness() failed")?;
        let follower = Follower::new(connection.endpoints.clone(), ledger, Some(witness), None);
        let past = past_votes(follower, witness).await?;
        let first_nonce = connection.endpoints.transaction_count(witness).await?;
        let starts = self.starts(&roster.sources_so_far()?)?;
        let identity = Identity { chain_id: ledger.chain_id, ledger: ledger.ledger, witness };
        let mut adopted_votes = 0;
        VoteStore::create(&directory, identity, first_nonce, |store| {
            adopted_votes = store.adopt(&past)?;
            for Start { stream_id, from_sequence, .. } in &starts {
                store.fix_from_sequence(stream_id, *from_sequence)?;
            }
            Ok::<_, StoreError>(())
        })?;
        let LedgerSettings { chain_id, ledger, .. } = ledger;
        let store = directory.as_path();
        self.show(&Created { store, chain_id, ledger, witness, active, first_nonce, adopted_votes, streams: starts })?;
        Ok(Answer::Yes)
    }

    fn starts(&self, sources: &Sources) -> eyre::Result<Vec<Start>> {
        let mut seen = SeenStreams::default();
        let start = |source: &Source| {
            let index = read_index(sources, source, self.json.json)?;
            let from_sequence = self.from_sequence.of(&index, source.from_sequence)?;
            let stream_id = source.rule.stream_id.clone();
            let track = source.rule.lane_track();
            let length = track.map(|_| EpochLength::of_newest(&index)).transpose()?.flatten();
            let advice = length.zip(track).and_then(|(length, track)| length.advice(track));
            let segments = track.map(|_| index.segments().len());
            seen.take(&source.rule, Seen::of(&index)?);
            Ok(Start { stream_id, from_sequence, epoch_s: length.map(EpochLength::seconds), segments, advice })
        };
        let starts = sources.streams.iter().map(start).collect();
        seen.tell();
        starts
    }

    fn show(&self, created: &Created<'_>) -> eyre::Result<()> {
        if created.streams.is_empty() {
            eprintln!("warning: the archive has no broadcast yet; each stream will be judged from its first epoch");
        }
        for Start { stream_id, advice, .. } in &created.streams {
            advice.iter().for_each(|(why, fix)| eprintln!("warning: {stream_id}: {why}; {fix}"));
        }
        if self.json.json {
            return json_line(created);
        }
        let Created { store, witness, ledger, chain_id, adopted_votes, .. } = created;
        println!("vote store {} for witness {witness} on ledger {ledger}, chain {chain_id}", store.display());
        println!("{adopted_votes} earlier votes taken over from the chain");
        for start in &created.streams {
            println!("{start}");
        }
        if !created.active {
            eprintln!("warning: {witness} is not an active witness; the registry's owner adds it with `registry add`");
        }
        Ok(())
    }
}

/// The witness, if nothing is wrong; else what is wrong is told.
fn sound(inspected: &Inspected) -> eyre::Result<Address> {
    let failed = inspected.failed().inspect(|finding| eprintln!("{finding}")).count();
    match inspected.witness {
        Some(witness) if failed == 0 => Ok(witness),
        _ => bail!("nothing was created: {failed} checks failed; `ec-witness config check` shows all of them"),
    }
}

/// The headers that this key has voted for on the chain.
async fn past_votes(mut follower: Follower, witness: Address) -> eyre::Result<Vec<ObservationHeader>> {
    let voted = follower.poll(0, false).await.wrap_err("the ledger's log cannot be read")?.own_votes;
    let ledger = follower.ledger();
    let header = |(slot, observation)| {
        let slot = ledger.slot(slot).ok_or_eyre("the ledger's log lacks a slot it holds a vote for")?;
        let candidate =
            slot.candidate(observation).ok_or_eyre("the ledger's log lacks a candidate it holds a vote for")?;
        Ok(candidate.header)
    };
    voted.into_iter().map(header).collect::<eyre::Result<Vec<_>>>().wrap_err_with(|| format!("votes of {witness}"))
}
