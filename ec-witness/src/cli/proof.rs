//! `prove` and `check-proof`.

use std::{
    fmt,
    io::{self, Write},
    path::{Path, PathBuf},
};

use clap::Args;
use ec_archive::{Epochs, SegmentSpan, Source, StreamIndex, Sweep, SweptEpoch, is_closed};
use ec_ledger::{Finality, Follower, LedgerSettings, final_header_of, finality_of};
use ec_observation::{
    DerivedEpoch, EpochKey, EpochRecords, NamedEpoch, ObservationHash, ObservationHeader, Proof, SlotId, TimeMode,
};
use ec_witness::witness::lane::final_mark;
use eyre::{OptionExt, WrapErr, bail, eyre};
use serde::Serialize;

use super::{
    Answer,
    agreement::AgreementArgs,
    chain::ChainArgs,
    config::ConfigArg,
    connection::block_on,
    derive::{read_index, read_index_on},
    head::{AskedHead, HeadArg},
    input::read_text,
    lanes, ledger,
    output::{JobsArg, JsonArg, json_line, mark_time},
    roster::{ArchiveArgs, Sources},
    store::{StoreArgs, checkpoints},
};

/// Which record to prove. Prints the proof as JSON.
///
/// In a lane a group's number may stand in several segments; then `--at` or `--blake3` says which is meant.
///
/// With a ledger configured the proof holds the slot's final header, without one the header that `derive` shows: that rests on
/// all epochs before it, which are derived too. With a ledger only the epoch is derived; where the daemon's vote store is named,
/// only what the daemon has not read yet is read to find it.
#[derive(Debug, Args)]
pub(crate) struct ProveArgs {
    #[command(flatten)]
    config: ConfigArg,

    #[command(flatten)]
    archive: ArchiveArgs,

    #[command(flatten)]
    chain: ChainArgs,

    #[command(flatten)]
    store: StoreArgs,

    #[command(flatten)]
    jobs: JobsArg,

    /// The record's track.
    #[arg(long, env = "EC_WITNESS_TRACK", value_name = "TRACK")]
    track: String,

    /// The record's group.
    #[arg(long, env = "EC_WITNESS_GROUP_SEQUENCE", value_name = "N")]
    group_sequence: u64,

    /// In a lane: a time, as 2026-03-06T19:18:00Z or in milliseconds since 1970, at which the record's epoch was the newest
    /// of those that have this number.
    #[arg(long, env = "EC_WITNESS_AT", value_name = "TIME", value_parser = unix_ms)]
    at: Option<u64>,

    /// The hash of the record's object, 64 hex digits.
    #[arg(long, env = "EC_WITNESS_BLAKE3", value_name = "HEX", value_parser = blake3)]
    blake3: Option<[u8; 32]>,
}

/// A time in milliseconds since 1970.
fn unix_ms(text: &str) -> Result<u64, &'static str> {
    let time = || text.parse::<jiff::Timestamp>().ok().and_then(|time| u64::try_from(time.as_millisecond()).ok());
    text.parse().ok().or_else(time).ok_or("must be a time, as 2026-03-06T19:18:00Z or in milliseconds since 1970")
}

fn blake3(text: &str) -> Result<[u8; 32], &'static str> {
    alloy::hex::decode_to_array(text).map_err(|_| "must be 64 hex digits")
}

impl ProveArgs {
    pub(crate) fn run(self) -> eyre::Result<Answer> {
        block_on(self.work())
    }

    async fn work(self) -> eyre::Result<Answer> {
        let file = self.config.read()?;
        let chain = self.chain.clone().or(file.chain.clone());
        let tolerance_ms = AgreementArgs::default().or(file.agreement).tolerance_ms(TimeMode::Received);
        let store = self.store.directory_if_set(&file.store);
        let kept = store.map(checkpoints);
        let sources = self.archive.sources(file.archive, &file.stream)?;
        // of the lanes of a broadcast the track tells which is meant
        let may_have = |source: &&Source| !source.rule.is_lane() || source.rule.tracks.names().contains(&self.track);
        let may_have: Vec<_> = sources.streams.iter().filter(may_have).collect();
        let [source] = may_have[..] else {
            let (streams, of) = (may_have.len(), sources.streams.len());
            bail!("{streams} of the {of} streams of the archive may have it: say whose record with --stream");
        };
        let (header, records) = match chain.ledger {
            Some(_) => {
                let index = read_index_on(&sources, source, kept.as_ref(), false)?;
                let SweptEpoch { derived, records } = self.epoch(&index)?;
                (final_header((chain, store), source, &index, derived, tolerance_ms).await?, records)
            }
            None => {
                let SweptEpoch { derived, records } = self.epoch(&read_index(&sources, source, false)?)?;
                (self.derived_header(&sources, source, derived.key)?, records)
            }
        };
        let proof = Proof::new(&source.rule, &records, header, &self.track, self.group_sequence)?;
        json_line(&proof)?;
        Ok(Answer::Yes)
    }

    /// The closed epoch that holds the record. Only those are derived that have its number.
    fn epoch(&self, index: &StreamIndex) -> eyre::Result<SweptEpoch> {
        let (epoch, highest) = (index.rule().epochs.index(self.group_sequence), index.highest_epoch());
        let mut found = Vec::new();
        for SegmentSpan { segment, lowest, highest: last, .. } in index.segments() {
            let key = EpochKey { segment, index: epoch };
            let is_there = (lowest..=last).contains(&epoch);
            for swept in is_there.then(|| Sweep::new(index, key..=key)).into_iter().flatten() {
                let swept = swept?;
                if is_closed(&swept.derived, highest) && self.may_be_of(&swept.records) {
                    found.push(swept);
                }
            }
        }
        if let Some(at) = self.at {
            let newest = found.iter().rposition(|swept| swept.derived.time.as_ref().is_ok_and(|&t| t <= at));
            found = newest.map(|at| found.swap_remove(at)).into_iter().collect();
        }
        match found.len() {
            0 => Err(eyre!("epoch {epoch} is not closed in this archive, or has no record{}", self.asked())),
            1 => Ok(found.swap_remove(0)),
            _ => Err(self.ambiguous(&found)),
        }
    }

    /// The header that `derive` shows. Its parent is known only after all before it.
    fn derived_header(&self, sources: &Sources, source: &Source, key: EpochKey) -> eyre::Result<ObservationHeader> {
        let broadcast = sources.archive.broadcast(&source.broadcast);
        let (rule, names, jobs) = (source.rule.clone(), &sources.names, self.jobs.count());
        // what is wrong with the files was told
        let mut epochs = Epochs::read(&broadcast, rule, names, jobs, &mut ())?;
        let found = epochs.closed()?.find(|closed| !closed.as_ref().is_ok_and(|closed| closed.named.derived.key < key));
        let found = found.transpose()?.filter(|closed| closed.named.derived.key == key);
        let changed = "the archive changed while it was read; ask again";
        found.ok_or_eyre(changed)?.header.ok_or_eyre("the epoch's records conflict; it has no header")
    }

    /// Whether an epoch has the record, as far as its hash is asked for.
    fn may_be_of(&self, records: &EpochRecords) -> bool {
        let is_asked = |blake3: [u8; 32]| {
            records.objects().any(|(at, object)| at.group_sequence == self.group_sequence && object.blake3 == blake3)
        };
        self.blake3.is_none_or(is_asked)
    }

    fn asked(&self) -> String {
        let at = self.at.map(|at| format!(" by {}", mark_time(at)));
        let blake3 = self.blake3.map(|blake3| format!(" of blake3 {}", alloy::hex::encode(blake3)));
        at.into_iter().chain(blake3).collect()
    }

    fn ambiguous(&self, found: &[SweptEpoch]) -> eyre::Report {
        let mut lines = vec![format!(
            "{} group {} stands in {} segments; say which with --at or --blake3:",
            self.track,
            self.group_sequence,
            found.len()
        )];
        for SweptEpoch { derived, records } in found {
            let time = derived.time.as_ref().map_or_else(|_| "-".to_owned(), |&time| mark_time(time));
            let record = records.objects().find(|(at, _)| at.group_sequence == self.group_sequence);
            let blake3 = record.map_or_else(|| "-".to_owned(), |(_, object)| alloy::hex::encode(object.blake3));
            lines.push(format!("  segment {}  --at {time}  --blake3 {blake3}", derived.key.segment));
        }
        eyre!(lines.join("\n"))
    }
}

/// The final header of the epoch's slot, which must have the archive's content. On the timeline only that slot is asked for; a
/// lane's sessions, by which its epochs are called, are read from the ledger's log.
async fn final_header(
    (chain, store): (ChainArgs, Option<&Path>),
    source: &Source,
    index: &StreamIndex,
    epoch: DerivedEpoch,
    tolerance_ms: u64,
) -> eyre::Result<ObservationHeader> {
    let stream = source.rule.stream_hash();
    let connection = chain.connect().await?;
    let settings = ledger::settings(&connection).await?;
    let mark = match source.rule.is_lane() {
        false => 0,
        true => {
            let follower = ledger::follow_at(&connection, settings, [(stream, source.rule.epochs)], store).await?;
            mark_on_ledger(&follower, index, &epoch, tolerance_ms)?
        }
    };
    let NamedEpoch { sequence, slot, content, .. } = source.rule.name(epoch, mark)?;
    let LedgerSettings { ledger, deploy_block, .. } = settings;
    let endpoints = &connection.endpoints;
    let latest = endpoints.heads().await?.latest;
    let Some(found) = final_header_of(endpoints, ledger, deploy_block, slot, latest).await? else {
        bail!("epoch {sequence} is not final on the ledger; without --ledger the proof is made for the derived header");
    };
    if content != Some(found.content()) {
        bail!("epoch {sequence}: the ledger finalized other content than this archive has; `verify` tells more");
    }
    Ok(found)
}

/// The mark under which the ledger has an epoch of a lane.
fn mark_on_ledger(
    follower: &Follower,
    index: &StreamIndex,
    epoch: &DerivedEpoch,
    tolerance_ms: u64,
) -> eyre::Result<u64> {
    let session = lanes::marks(follower, index, tolerance_ms)?(epoch.key.segment);
    let mark = final_mark(index.rule(), epoch, session, tolerance_ms, follower.ledger()).or(session);
    mark.ok_or_eyre("the record's segment has no session on the ledger yet")
}

/// Which proof to check. Exit code 1 when it is not one, or its observation is not final at the head that is asked.
#[derive(Debug, Args)]
pub(crate) struct CheckProofArgs {
    #[command(flatten)]
    config: ConfigArg,

    #[command(flatten)]
    chain: ChainArgs,

    /// The proof, as `prove` prints it; `-` for standard input.
    #[arg(value_name = "FILE")]
    proof: PathBuf,

    #[command(flatten)]
    head: HeadArg,

    /// Do not ask the ledger whether the header is final.
    #[arg(long, env = "EC_WITNESS_OFFLINE")]
    offline: bool,

    #[command(flatten)]
    json: JsonArg,
}

/// What the ledger says of the header's slot.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum LedgerWord {
    /// The header is final at the head.
    Final,
    /// It is final, but only above the head.
    NotFinalYet,
    /// Nothing is final in the slot.
    NotFinal,
    /// Another observation is final there.
    OtherFinal,
}

/// What `check-proof --json` prints.
#[derive(Debug, Serialize)]
struct Checked {
    ok: bool,
    observation_hash: ObservationHash,
    checked_finality: bool,
    /// Why it is no proof.
    reason: Option<String>,
    /// `None` where the ledger was not asked, like the next.
    finality: Option<LedgerWord>,
    head: Option<AskedHead>,
}

impl CheckProofArgs {
    pub(crate) fn run(self) -> eyre::Result<Answer> {
        block_on(self.work())
    }

    async fn work(self) -> eyre::Result<Answer> {
        let file = self.config.read()?;
        let proof = self.read()?;
        let checked = Checked {
            ok: true,
            observation_hash: proof.header.hash(),
            checked_finality: !self.offline,
            reason: None,
            finality: None,
            head: None,
        };
        let checked = match proof.check() {
            Err(error) => Checked { ok: false, reason: Some(error.to_string()), ..checked },
            Ok(()) if self.offline => checked,
            Ok(()) => self.ask(self.chain.clone().or(file.chain), checked, proof.header.slot()).await?,
        };
        if self.json.json {
            json_line(&checked)?;
        } else {
            writeln!(io::stdout().lock(), "{checked}")?;
        }
        Ok(checked.ok.into())
    }

    fn read(&self) -> eyre::Result<Proof> {
        let shown = self.proof.display();
        let text = read_text(&self.proof).wrap_err_with(|| format!("proof: cannot read {shown}"))?;
        serde_json::from_str(&text).wrap_err_with(|| format!("proof: {shown} is not a proof"))
    }

    /// Asks whether the observation is final at the head.
    async fn ask(&self, chain: ChainArgs, checked: Checked, slot: SlotId) -> eyre::Result<Checked> {
        let connection = chain.connect().await?;
        let LedgerSettings { ledger, deploy_block, .. } = ledger::settings(&connection).await?;
        let endpoints = &connection.endpoints;
        let heads = endpoints.heads().await?;
        let head = self.head.among(&heads, endpoints).await?;
        let found = finality_of(endpoints, ledger, deploy_block, slot, heads.latest).await?;
        let (word, reason) = judge(checked.observation_hash, slot, found, &head);
        Ok(Checked { ok: reason.is_none(), finality: Some(word), reason, head: Some(head), ..checked })
    }
}

/// What the ledger says, and why the observation is not final where it is not.
fn judge(
    own: ObservationHash,
    slot: SlotId,
    found: Option<Finality>,
    head: &AskedHead,
) -> (LedgerWord, Option<String>) {
    match found {
        None => (LedgerWord::NotFinal, Some(format!("slot {slot} is not final on the ledger"))),
        Some(Finality { observation, block }) if observation != own => {
            let reason =
                format!("slot {slot} is final on the ledger with observation {observation}, since block {block}");
            (LedgerWord::OtherFinal, Some(reason))
        }
        Some(Finality { block, .. }) if !head.has(block) => {
            let reason = format!(
                "not final yet at the {head}: slot {slot} became final in block {block}; ask again later, or at --head \
                 latest, which a reorg may take back"
            );
            (LedgerWord::NotFinalYet, Some(reason))
        }
        Some(_) => (LedgerWord::Final, None),
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { observation_hash, reason, head, .. } = self;
        match (reason, head) {
            (Some(reason), _) => write!(f, "no: {reason}"),
            (None, None) => {
                write!(f, "ok: the record is in observation {observation_hash}; its finality was not asked")
            }
            (None, Some(head)) => {
                write!(f, "ok: the record is in observation {observation_hash}, which is final at the {head}")
            }
        }
    }
}
