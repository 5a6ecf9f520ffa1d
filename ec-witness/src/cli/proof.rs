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
    DerivedEpoch, EpochKey, EpochName, EpochRecords, NamedEpoch, ObservationHash, ObservationHeader, OnLedger, Origin,
    Proof, SlotId, TimeMode,
};
use ec_witness::witness::lane::final_mark;
use eyre::{OptionExt, WrapErr, bail, eyre};
use serde::Serialize;

use super::{
    Answer,
    agreement::AgreementArgs,
    chain::ChainArgs,
    config::ConfigArg,
    connection::{Connection, block_on},
    derive::{read_index, read_index_on},
    head::{AskedHead, HeadArg},
    input::read_text,
    lanes, ledger,
    output::{JobsArg, JsonArg, json_line, mark_time},
    roster::{ArchiveArgs, Sources},
    store::{StoreArgs, checkpoints},
    unit::UnitArg,
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
    pub(crate) unit: UnitArg,

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

pub(super) fn blake3(text: &str) -> Result<[u8; 32], &'static str> {
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
        let (made, records) = match chain.ledger {
            Some(_) => {
                let index = read_index_on(&sources, source, kept.as_ref(), false)?;
                let SweptEpoch { derived, records } = self.epoch(&index)?;
                (final_header((chain, store), source, &index, derived, tolerance_ms).await?, records)
            }
            None => {
                tracing::warn!(
                    "no ledger is configured: this proof is of the header that this archive derives, whose parent, and in a lane whose \
                     session, may be others than those of the final one; to check-proof it is then made without the ledger"
                );
                let SweptEpoch { derived, records } = self.epoch(&read_index(&sources, source, false)?)?;
                (self.derived_header(&sources, source, derived.key)?, records)
            }
        };
        let Made { header, name, ledger } = made;
        let origin = Origin { stream_id: source.rule.stream_id.clone(), epoch_id: source.rule.epochs.id(name), ledger };
        let proof = Proof::new(&source.rule, &records, header, &self.track, self.group_sequence)?.of(origin);
        json_line(&proof)?;
        Ok(Answer::Yes)
    }

    /// The closed epoch that holds the record. Only those are derived that have its number.
    fn epoch(&self, index: &StreamIndex) -> eyre::Result<SweptEpoch> {
        let epoch = index.rule().epochs.index(self.group_sequence);
        let mut found = closed_epochs(index, self.group_sequence, |records| self.may_be_of(records))?;
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
    fn derived_header(&self, sources: &Sources, source: &Source, key: EpochKey) -> eyre::Result<Made> {
        let broadcast = sources.archive.broadcast(&source.broadcast);
        let (rule, names, jobs) = (source.rule.clone(), &sources.names, self.jobs.count());
        // what is wrong with the files was told
        let mut epochs = Epochs::read(&broadcast, rule, names, jobs, &mut ())?;
        let found = epochs.closed()?.find(|closed| !closed.as_ref().is_ok_and(|closed| closed.named.derived.key < key));
        let found = found.transpose()?.filter(|closed| closed.named.derived.key == key);
        let changed = "the archive changed while it was read; ask again";
        let found = found.ok_or_eyre(changed)?;
        let header = found.header.ok_or_eyre("the epoch's records conflict; it has no header")?;
        Ok(Made { header, name: found.named.name, ledger: None })
    }

    /// Whether an epoch has the record, as far as its hash is asked for.
    fn may_be_of(&self, records: &EpochRecords) -> bool {
        self.blake3.is_none_or(|blake3| has_object(records, self.group_sequence, blake3))
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

/// The header that a record is proven under, and where that is from.
struct Made {
    header: ObservationHeader,
    name: EpochName,
    ledger: Option<OnLedger>,
}

/// The closed epochs of a group's number that are the right ones, in ascending order: one, or in a lane several.
pub(super) fn closed_epochs(
    index: &StreamIndex,
    group_sequence: u64,
    is_right: impl Fn(&EpochRecords) -> bool,
) -> eyre::Result<Vec<SweptEpoch>> {
    let (epoch, highest) = (index.rule().epochs.index(group_sequence), index.highest_epoch());
    let mut found = Vec::new();
    for SegmentSpan { segment, lowest, highest: last, .. } in index.segments() {
        let key = EpochKey { segment, index: epoch };
        let is_there = (lowest..=last).contains(&epoch);
        for swept in is_there.then(|| Sweep::new(index, key..=key)).into_iter().flatten() {
            let swept = swept?;
            if is_closed(&swept.derived, highest) && is_right(&swept.records) {
                found.push(swept);
            }
        }
    }
    Ok(found)
}

/// Whether an epoch has an object of this hash at a group's number.
pub(super) fn has_object(records: &EpochRecords, group_sequence: u64, blake3: [u8; 32]) -> bool {
    records.objects().any(|(at, object)| at.group_sequence == group_sequence && object.blake3 == blake3)
}

/// The final header of the epoch's slot, which must have the archive's content. On the timeline only that slot is asked for; a
/// lane's sessions, by which its epochs are called, are read from the ledger's log.
async fn final_header(
    (chain, store): (ChainArgs, Option<&Path>),
    source: &Source,
    index: &StreamIndex,
    epoch: DerivedEpoch,
    tolerance_ms: u64,
) -> eyre::Result<Made> {
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
    let NamedEpoch { name, sequence, slot, content, .. } = source.rule.name(epoch, mark)?;
    let LedgerSettings { chain_id, ledger, deploy_block, .. } = settings;
    let endpoints = &connection.endpoints;
    let latest = endpoints.heads().await?.latest;
    let Some(found) = final_header_of(endpoints, ledger, deploy_block, slot, latest).await? else {
        bail!("epoch {sequence} is not final on the ledger; without --ledger the proof is made for the derived header");
    };
    if content != Some(found.content()) {
        bail!("epoch {sequence}: the ledger finalized other content than this archive has; `verify` tells more");
    }
    Ok(Made { header: found, name, ledger: Some(OnLedger { chain_id, address: ledger }) })
}

/// The mark under which the ledger has an epoch of a lane.
pub(super) fn mark_on_ledger(
    follower: &Follower,
    index: &StreamIndex,
    epoch: &DerivedEpoch,
    tolerance_ms: u64,
) -> eyre::Result<u64> {
    let session = lanes::marks(follower, index, tolerance_ms)?(epoch.key.segment);
    let mark = final_mark(index.rule(), epoch, session, tolerance_ms, follower.ledger()).or(session);
    mark.ok_or_eyre("the record's segment has no session on the ledger yet")
}

/// Which proof to check.
///
/// Exit codes: 0 it is one, and final at the head that is asked; 1 it is false, or the ledger finalized other content; 2 error; 3 it is
/// sound, and not final yet; 4 it is of another chain or ledger than the one that is asked; 5 it is sound and was made without the
/// ledger, which finalized the same content under another header.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum LedgerWord {
    /// The header is final at the head.
    Final,
    /// It is final, but only above the head.
    NotFinalYet,
    /// Nothing is final in the slot.
    NotFinal,
    /// Other content is final there.
    OtherFinal,
    /// The same content is final there, under another header.
    SameContentFinal,
    /// It was not asked: the proof is of another one.
    OtherLedger,
}

impl LedgerWord {
    /// What follows for a proof that is sound.
    pub(super) fn answer(self) -> Answer {
        match self {
            Self::Final => Answer::Yes,
            Self::NotFinalYet | Self::NotFinal => Answer::NotFinalYet,
            Self::OtherFinal => Answer::No,
            Self::SameContentFinal => Answer::WithoutLedger,
            Self::OtherLedger => Answer::OtherChain,
        }
    }
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
        let proof = read_proof(&self.proof)?;
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
            Ok(()) => {
                let Asked { word, reason, head, .. } =
                    ask(&proof, self.chain.clone().or(file.chain), self.head).await?;
                Checked { ok: word == LedgerWord::Final, finality: Some(word), reason, head, ..checked }
            }
        };
        if self.json.json {
            json_line(&checked)?;
        } else {
            writeln!(io::stdout().lock(), "{checked}")?;
        }
        Ok(checked.finality.map_or(checked.ok.into(), LedgerWord::answer))
    }
}

/// Reads a proof.
pub(super) fn read_proof(path: &Path) -> eyre::Result<Proof> {
    let shown = path.display();
    let text = read_text(path).wrap_err_with(|| format!("proof: cannot read {shown}"))?;
    serde_json::from_str(&text).wrap_err_with(|| format!("proof: {shown} is not a proof"))
}

/// What the ledger was asked of a proof, and said.
pub(super) struct Asked {
    pub(super) word: LedgerWord,
    /// Why it is not final.
    pub(super) reason: Option<String>,
    /// `None` where the ledger was not asked, like the next.
    pub(super) head: Option<AskedHead>,
    pub(super) found: Option<(Connection, LedgerSettings, Finality)>,
}

/// Asks whether the observation of a sound proof is final at the head.
pub(super) async fn ask(proof: &Proof, chain: ChainArgs, head: HeadArg) -> eyre::Result<Asked> {
    if let Some(reason) = of_another(proof, &chain) {
        return Ok(Asked { word: LedgerWord::OtherLedger, reason: Some(reason), head: None, found: None });
    }
    let (own, slot) = (proof.header.hash(), proof.header.slot());
    let connection = chain.connect().await?;
    let settings = ledger::settings(&connection).await?;
    let LedgerSettings { ledger, deploy_block, .. } = settings;
    let endpoints = &connection.endpoints;
    let heads = endpoints.heads().await?;
    let head = head.among(&heads, endpoints).await?;
    let found = finality_of(endpoints, ledger, deploy_block, slot, heads.latest).await?;
    let (word, reason) = match found {
        Some(Finality { observation, .. }) if observation != own => {
            let other = final_header_of(endpoints, ledger, deploy_block, slot, heads.latest).await?;
            let is_same = other.is_some_and(|other| other.content() == proof.header.content());
            judge_other(slot, observation, is_same)
        }
        found => judge(slot, found, &head),
    };
    let found = found.map(|found| (connection, settings, found));
    Ok(Asked { word, reason, head: Some(head), found })
}

/// What to say of a proof that names another ledger than the one that is configured. Nothing is asked for it.
fn of_another(proof: &Proof, chain: &ChainArgs) -> Option<String> {
    let OnLedger { chain_id, address } = proof.of.as_ref()?.ledger?;
    let (on_chain, ledger) = (chain.chain_id?, chain.ledger?);
    let is_other = (chain_id, address) != (on_chain, ledger);
    is_other.then(|| {
        format!(
            "it was made for ledger {address} on chain {chain_id}, and ledger {ledger} on chain {on_chain} is configured; name an \
             endpoint of chain {chain_id}, and that ledger"
        )
    })
}

/// What the ledger says where another observation is final.
fn judge_other(slot: SlotId, observation: ObservationHash, is_same_content: bool) -> (LedgerWord, Option<String>) {
    let reason = format!("slot {slot} is final on the ledger with observation {observation}");
    match is_same_content {
        false => (LedgerWord::OtherFinal, Some(reason)),
        true => {
            let reason = format!(
                "{reason}, which says the same of what was broadcast, with another parent or time; `ec-witness prove` with the ledger \
                 configured makes the proof of that one"
            );
            (LedgerWord::SameContentFinal, Some(reason))
        }
    }
}

/// What the ledger says where nothing else is final, and why the observation is not final where it is not.
fn judge(slot: SlotId, found: Option<Finality>, head: &AskedHead) -> (LedgerWord, Option<String>) {
    match found {
        None => (LedgerWord::NotFinal, Some(format!("slot {slot} is not final on the ledger"))),
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
        let Self { observation_hash, reason, head, finality, .. } = self;
        let word = match finality {
            None | Some(LedgerWord::Final | LedgerWord::OtherFinal) => "no",
            Some(LedgerWord::NotFinal | LedgerWord::NotFinalYet) => "not yet",
            Some(LedgerWord::SameContentFinal) => "made without the ledger",
            Some(LedgerWord::OtherLedger) => "of another chain",
        };
        match (reason, head) {
            (Some(reason), _) => write!(f, "{word}: {reason}"),
            (None, None) => {
                write!(f, "ok: the record is in observation {observation_hash}; its finality was not asked")
            }
            (None, Some(head)) => {
                write!(f, "ok: the record is in observation {observation_hash}, which is final at the {head}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_as_the_protocol_has_them() {
        let words = [LedgerWord::NotFinalYet, LedgerWord::SameContentFinal, LedgerWord::OtherLedger];
        let words = words.map(|word| serde_json::to_value(word).unwrap_or_default());
        assert_eq!(words, ["not_final_yet", "same_content_final", "other_ledger"]);
    }
}
